"""Who may do what: bearer tokens, read from a file that may change."""

import hashlib
import os
from collections.abc import Iterable
from threading import Lock

from .._exceptions import AppError
from .log import Log
from .settings import Right

_RIGHTS = {"read": Right.READ, "push": Right.PUSH}
_HEADER = "authorization"
_SCHEME = "bearer "


class Tokens:
    """The rights that tokens give.

    The file has one token a line, behind what it allows: `read TOKEN` or
    `push TOKEN`; empty lines and those that begin with # do not count.  It is
    read again when it changes.  If it is wrong then, the tokens that were
    known stay valid and the log says so.

    Args:
        path: Of the file; None if no tokens are asked for.
        anonymous: The right of who shows no token.
        log: Told of changes.

    Raises:
        AppError: The file can't be read, or is wrong.
    """

    def __init__(self, path: str | None, anonymous: Right, log: Log) -> None:
        self._path = path
        self._anonymous = anonymous
        self._log = log
        self._lock = Lock()
        self._stamp: object = None
        self._rights: dict[bytes, Right] = {}  # by SHA-256 of the token
        if path is not None:
            self._stamp = _stamp(path)
            self._rights = _read(path)

    def right_of(self, metadata: Iterable[tuple[str, str | bytes]]) -> Right | None:
        """What the headers of a call allow; None if they have a token that is not known."""
        if self._path is None:
            return Right.PUSH
        shown = next((value for key, value in metadata if key.lower() == _HEADER), None)
        if shown is None:
            return self._anonymous
        text = shown if isinstance(shown, str) else shown.decode("utf-8", "replace")
        if text[: len(_SCHEME)].lower() != _SCHEME:
            return None
        self._reload(self._path)
        return self._rights.get(_hash(text[len(_SCHEME) :].strip()))

    def _reload(self, path: str) -> None:
        with self._lock:
            stamp = _stamp(path)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            try:
                self._rights = _read(path)
            except AppError as error:
                self._log(f"warning: {error}; the tokens known before stay valid")
            else:
                self._log(f"Read {len(self._rights)} tokens from '{path}'")


def _stamp(path: str) -> object:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _read(path: str) -> dict[bytes, Right]:
    rights: dict[bytes, Right] = {}
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AppError(f"Can't read the tokens in '{path}': {error}") from error
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or words[0] not in _RIGHTS:
            raise AppError(f"{path} [line {number}]: expected 'read TOKEN' or 'push TOKEN'")
        rights[_hash(words[1])] = _RIGHTS[words[0]]
    return rights


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
