"""The base of sources that download one file.

What is downloaded is kept in the mirror directory under its SHA-256, which is
the reference of the source.

Configuration of all these sources: `url`, `ref`, and for the version that people
see `version`, or `version-guess-pattern` to find it in the URL.
"""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from . import utils
from .source import Source, SourceError, SourceInfo, SourceInfoMedium, SourceVersionType
from .types import SourceRef

if TYPE_CHECKING:
    from ._hosts import SourceHost
    from .node import MappingNode

# how often a long download tells how far it is
_PROGRESS_S = 10


class DownloadableFileSource(Source):
    """Base of sources that download one file; a plugin stages it and extends the unique key."""

    COMMON_CONFIG_KEYS: ClassVar[list[str]] = [
        *Source.COMMON_CONFIG_KEYS,
        "url",
        "ref",
        "version-guess-pattern",
        "version",
    ]

    def __init__(self, host: "SourceHost", name: str) -> None:
        super().__init__(host, name)
        # Name-mangled: plugins have private names of their own.
        self.__version: str | None = None
        self.__version_pattern_text: str | None = None
        self.__version_pattern: re.Pattern[str] | None = None
        self.__hashed: tuple[int, ...] | None = None  # the file that had the right checksum

    def configure(self, node: "MappingNode") -> None:
        extra_data: dict[str, Any] = {}
        self.original_url: str = node.get_str("url")
        self.ref: str | None = node.get_str("ref", None)
        self.url: str = self.translate_url(self.original_url, extra_data=extra_data)
        self.bearer_auth: bool = extra_data.get("http-auth") == "bearer"
        self._mirror_dir: str = os.path.join(
            self.get_mirror_directory(), utils.url_directory_name(self.original_url)
        )
        self.__version = node.get_str("version", None)
        self.__version_pattern_text = node.get_str("version-guess-pattern", None)
        if self.__version_pattern_text is not None:
            try:
                self.__version_pattern = re.compile(self.__version_pattern_text)
            except re.error as error:
                raise SourceError(
                    f"{self}: Invalid 'version-guess-pattern': {error}",
                    reason="invalid-version-guess-pattern",
                ) from error

    def preflight(self) -> None:
        pass

    def get_unique_key(self) -> Any:
        key: list[Any] = [self.original_url, self.ref]
        if self.__version is not None:
            key.append(self.__version)
        elif self.__version_pattern_text is not None:
            key.append(self.__version_pattern_text)
        return key

    def is_cached(self) -> bool:
        return self.__is_file_name(self.ref) and os.path.isfile(self._get_mirror_file())

    def load_ref(self, node: "MappingNode") -> None:
        self.ref = node.get_str("ref", None)

    def get_ref(self) -> SourceRef:
        return self.ref

    def set_ref(self, ref: SourceRef, node: "MappingNode") -> None:
        assert ref is None or isinstance(ref, str)
        self.ref = ref
        node["ref"] = ref

    def track(self, *, previous_sources_dir: str | None = None) -> SourceRef:
        with self.timed_activity(f"Tracking {self.url}", silent_nested=True):
            new_ref = self.__download(expected=None)
            if self.ref and self.ref != new_ref:
                self.warn(
                    "Potential man-in-the-middle attack!",
                    detail=f"When tracking {self.url}, the new ref differs from the current one.\n"
                    f"  Tracked URL: {self.url}\n"
                    f"  Current ref: {self.ref}\n"
                    f"  New ref: {new_ref}",
                )
            return new_ref

    def fetch(self, *, previous_sources_dir: str | None = None) -> None:
        if self.is_cached():
            return
        with self.timed_activity(f"Fetching {self.url}", silent_nested=True):
            self.__download(expected=self.ref)

    def validate_cache(self) -> None:
        """Checks that the downloaded file still is what the reference says.

        Raises:
            SourceError: It is not, and was removed: fetching again helps.
        """
        path = self._get_mirror_file()
        if self.ref is None or not re.fullmatch("[0-9a-f]{64}", self.ref):
            return
        before = _identity_of(path)
        if before is not None and before == self.__hashed:
            return
        if utils.sha256sum(path) != self.ref:
            os.unlink(path)
            raise SourceError(
                f"{self}: The downloaded file '{path}' was damaged, and is removed", temporary=True
            )
        self.__hashed = before

    def _note_fetched(self, fetcher: Source) -> None:
        if isinstance(fetcher, DownloadableFileSource):
            self.__hashed = fetcher.__hashed

    def collect_source_info(self) -> Iterable[SourceInfo]:
        version_guess = self.__version
        if version_guess is None:
            version_guess = utils.guess_version(self.original_url, pattern=self.__version_pattern)
        return [
            self.create_source_info(
                self.url,
                SourceInfoMedium.REMOTE_FILE,
                SourceVersionType.SHA256,
                self.ref or "",
                version_guess=version_guess,
            )
        ]

    def _get_mirror_file(self, sha: str | None = None) -> str:
        """The path of the downloaded file with the SHA-256 SHA, by default that of the reference.

        Plugins use it although its name is private.
        """
        name = sha or self.ref
        assert name is not None, "a source without reference has no file"
        return os.path.join(self._mirror_dir, name)

    @staticmethod
    def __is_file_name(ref: str | None) -> bool:
        """Whether REF, which may come from anyone's project, names a file in the mirror directory."""
        return bool(ref) and os.sep not in str(ref)

    def __download(self, *, expected: str | None) -> str:
        """Downloads the file into the mirror directory and gives its SHA-256, which must be EXPECTED."""
        from ._download import DownloadError, DownloadRequest, download

        etag = self.__stored_etag() if self.ref and self.is_cached() else None
        request = DownloadRequest(self.url, etag, expected, self.bearer_auth)
        # of all that is gathered in the directory, this is what comes from the URL
        name = f"part-{hashlib.sha256(self.url.encode()).hexdigest()}"
        try:
            with download(
                request, os.path.join(self._mirror_dir, name), warn=self.warn, progress=self.__progress()
            ) as result:
                if result is None:
                    assert self.ref is not None
                    return self.ref
                if expected not in (None, result.sha256):
                    raise SourceError(
                        f"File downloaded from {self.url} has sha256sum '{result.sha256}', not '{expected}'!"
                    )
                path = self._get_mirror_file(result.sha256)
                os.rename(result.path, path)
                if expected is not None:
                    self.__hashed = _identity_of(path)  # it was hashed on its way
                if result.etag is not None:
                    self.__store_etag(result.sha256, result.etag)
                return result.sha256
        except (DownloadError, OSError) as error:
            with suppress(OSError):  # there is something in it
                os.rmdir(self._mirror_dir)
            is_temporary = isinstance(error, DownloadError) and error.is_temporary
            raise SourceError(
                f"{self}: Error mirroring {self.url}: {error}", temporary=is_temporary
            ) from error

    def __progress(self) -> Callable[[int, int | None], None]:
        """Tells now and then how far a long download is."""
        told_s = started_s = time.monotonic()

        def progress(received: int, total: int | None) -> None:
            nonlocal told_s
            now_s = time.monotonic()
            if now_s - told_s >= _PROGRESS_S:
                told_s = now_s
                share = f" of {_megabytes(total)} ({100 * received // total} %)" if total else ""
                speed = _megabytes(received / (now_s - started_s))
                self.info(f"Downloaded {_megabytes(received)}{share}, {speed}/s")

        return progress

    def __stored_etag(self) -> str | None:
        try:
            with open(self._get_mirror_file() + ".etag", encoding="utf-8") as file:
                return file.read()
        except (FileNotFoundError, UnicodeDecodeError):
            return None

    def __store_etag(self, sha256: str, etag: str) -> None:
        path = os.path.abspath(self._get_mirror_file(sha256) + ".etag")
        with utils.save_file_atomic(path, encoding="utf-8") as file:
            file.write(etag)


def _identity_of(path: str) -> tuple[int, ...] | None:
    """What changes whenever the file at PATH is written to; None if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _megabytes(size_bytes: float) -> str:
    return f"{size_bytes / 1e6:.1f} MB"
