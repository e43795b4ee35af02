"""A file that a download gathers, which a later attempt may continue."""

import fcntl
import os
from contextlib import suppress
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash

_CHUNK_SIZE_BYTES = 1 << 20
_MOST_VALIDATOR_CHARACTERS = 1000


class PartialFile:
    """What has been downloaded of a file, locked against others who want to gather it too.

    The *validator* is what the server calls the version that the bytes belong
    to.  It stands in a file beside; bytes without one are not continued.
    """

    def __init__(self, path: str, file: IO[bytes]) -> None:
        self.path = path
        self.size = os.fstat(file.fileno()).st_size
        self.validator = self._read_validator()
        self.is_finished = False  # whether nothing is to be continued
        self._file = file
        if self.validator is None:
            self.restart()

    @property
    def _validator_path(self) -> str:
        return self.path + ".validator"

    def _read_validator(self) -> str | None:
        try:
            with open(self._validator_path, encoding="latin-1") as file:
                return file.read(_MOST_VALIDATOR_CHARACTERS) or None
        except OSError:
            return None

    def hash_into(self, checksum: "_Hash") -> None:
        """Feeds CHECKSUM with all that is there."""
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK_SIZE_BYTES):
            checksum.update(chunk)

    def write(self, data: bytes) -> None:
        """Appends DATA."""
        self._file.write(data)
        self.size += len(data)

    def restart(self) -> None:
        """Forgets all that is there."""
        self._file.seek(0)
        self._file.truncate()
        self.size = 0
        self.set_validator(None)

    def set_validator(self, validator: str | None) -> None:
        """Notes which version the bytes belong to; with None they will not be continued."""
        self.validator = validator
        if validator is None:
            with suppress(FileNotFoundError):
                os.unlink(self._validator_path)
        else:
            with open(self._validator_path, "w", encoding="latin-1") as file:
                file.write(validator)

    def flush(self) -> None:
        """Lets others see all that was written."""
        self._file.flush()

    def close(self) -> None:
        """Removes the file, unless it was moved away or can be continued later."""
        with self._file:
            if not self.is_finished and self.validator is not None:
                return
            self.set_validator(None)
            with suppress(OSError):
                if os.path.samestat(os.stat(self.path), os.fstat(self._file.fileno())):
                    os.unlink(self.path)


def open_part(path: str) -> PartialFile:
    """The partial file at PATH, or a new one beside it while someone else has that.

    Raises:
        OSError: It can't be written.
    """
    while True:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with suppress(FileNotFoundError):  # where a download has failed, the empty directory is removed
            own_path, descriptor = _lock(path)
            return PartialFile(own_path, open(descriptor, "r+b"))


def _lock(path: str) -> tuple[str, int]:
    """The path and descriptor of a file that this process alone gathers."""
    import secrets

    wanted = path
    while True:
        # raises FileNotFoundError if there is no directory
        descriptor = os.open(wanted, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # whoever had it may have moved it to its final place meanwhile
            if os.path.samestat(os.stat(wanted), os.fstat(descriptor)):
                return wanted, descriptor
        except FileNotFoundError:
            pass
        except OSError:
            wanted = f"{path}-{secrets.token_hex(8)}"
        os.close(descriptor)
