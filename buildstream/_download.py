"""Downloading one file by http, https, ftp or file URL, from servers that may break off at any time."""

import errno
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ._dataclass import dataclass
from ._download_open import UrlOpener
from ._download_part import PartialFile, open_part

if TYPE_CHECKING:
    from email.message import Message
    from urllib.error import HTTPError

# what no connection and no server reports
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_CHUNK_SIZE_BYTES = 1 << 18
# what is less is rather downloaded again than continued
_WORTH_CONTINUING_BYTES = 1 << 20


class DownloadError(Exception):
    """The download failed."""

    def __init__(self, text: str, *, is_temporary: bool = True) -> None:
        super().__init__(text)
        self.is_temporary = is_temporary  # whether trying again may help


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """How patient a download is."""

    silence_s: float = 120  # without a byte from the server
    slowness_s: float = 120  # in which at least `slowest_bytes` have to arrive
    slowest_bytes: int = 4096
    connections: int = 5  # for one file, as long as each of them brings what is worth continuing
    pause_s: float = 1  # before the next of them; doubled each time
    waits: int = 2  # how often a server that is overloaded may ask to wait
    longest_wait_s: float = 30


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """What is to be downloaded, and how."""

    url: str
    etag: str | None = None  # the version that is there already
    expected_sha256: str | None = None  # where it is known
    uses_bearer: bool = False  # whether the password of `~/.netrc` is a bearer token
    limits: DownloadLimits = DownloadLimits()


@dataclass(frozen=True, slots=True)
class DownloadResult:
    """A file that was downloaded."""

    path: str  # where it is, to be moved away
    sha256: str  # hexadecimal digits
    etag: str | None  # what the server calls this version of the file


Progress = Callable[[int, int | None], None]  # bytes received, and in all if that is known


@contextmanager
def download(
    request: DownloadRequest,
    part_path: str,
    *,
    warn: Callable[[str], None],
    progress: Progress = lambda _received, _total: None,
) -> Iterator[DownloadResult | None]:
    """Gives the file, which is removed at the end unless it was moved; None if the server has no newer one.

    Logs in as `~/.netrc` says for the host, if the server asks for it.  A large
    file of which a part has arrived is continued, also by a later call.

    Args:
        request: What to download.
        part_path: Where to gather it.
        warn: Is told about a `~/.netrc` that can't be understood.
        progress: Is told of every piece that arrives.

    Raises:
        DownloadError: Connection, server or disk failed, the file ended early or came too slowly.
    """
    opener = UrlOpener(request.url, uses_bearer=request.uses_bearer, warn=warn)
    try:
        part = open_part(part_path)
    except OSError as error:
        raise _disk_error(part_path, error) from error
    try:
        result = _Transfer(request, opener, part, progress).run()
        part.is_finished = True
        yield result
    finally:
        part.close()


class _Transfer:
    """The connections that one download takes."""

    def __init__(
        self, request: DownloadRequest, opener: UrlOpener, part: PartialFile, progress: Progress
    ) -> None:
        self._request = request
        self._limits = request.limits
        self._opener = opener
        self._part = part
        self._progress = progress
        self._checksum = hashlib.sha256()
        part.hash_into(self._checksum)
        self._was_continued = False  # whether there are bytes of several connections
        self._breaks = 0
        self._waits = 0

    def run(self) -> DownloadResult | None:
        """Connects until everything is there."""
        from http.client import HTTPException
        from urllib.error import HTTPError

        while True:
            size = self._part.size
            try:
                headers = self._receive()
            except HTTPError as error:
                error.close()
                if error.code == 304 and self._request.etag is not None:
                    return None
                self._bear(error)
                continue
            # EOFError: the server closed the control connection of ftp
            except (OSError, ValueError, HTTPException, EOFError) as error:
                if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
                    raise _disk_error(self._part.path, error) from error
                if not self._can_continue(size):
                    raise DownloadError(self._describe(error)) from error
                time.sleep(self._limits.pause_s * 2**self._breaks)
                self._breaks += 1
                continue
            if headers is None:
                return None
            self._part.flush()
            sha256 = self._checksum.hexdigest()
            if self._was_continued and self._request.expected_sha256 not in (None, sha256):
                self._restart()  # the parts do not belong together, whatever the server says
                continue
            return DownloadResult(self._part.path, sha256, headers.get("ETag"))

    def _describe(self, error: Exception) -> str:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            return f"The server was silent for {self._limits.silence_s:.0f} seconds"
        return str(error) or type(error).__name__

    def _restart(self) -> None:
        self._part.restart()
        self._checksum = hashlib.sha256()
        self._was_continued = False

    def _can_continue(self, size_before: int) -> bool:
        return (
            self._part.validator is not None
            and self._part.size - size_before >= _WORTH_CONTINUING_BYTES
            and self._breaks + 1 < self._limits.connections
        )

    def _bear(self, error: "HTTPError") -> None:
        """Waits as the server asks for, or starts over; or gives up."""
        if error.code == 416 and self._part.size:
            self._restart()  # it does not have so many bytes, so they are of another version
            return
        wait_s = _asked_wait_s(error) if error.code in (429, 503) else None
        if wait_s is None:
            raise DownloadError(str(error)) from error
        if wait_s > self._limits.longest_wait_s or self._waits >= self._limits.waits:
            raise DownloadError(f"{error}; the server asks to wait for {wait_s:.0f} seconds") from error
        self._waits += 1
        time.sleep(wait_s)

    def _receive(self) -> "Message | None":
        """Receives what is missing over one connection; gives the headers, None for no newer version."""
        wanted = {}
        if self._part.size and self._part.validator is not None:
            wanted = {"Range": f"bytes={self._part.size}-", "If-Range": self._part.validator}
        elif self._request.etag is not None:
            wanted = {"If-None-Match": self._request.etag}
        with self._opener.open(wanted, self._limits.silence_s) as response:
            headers: Message = response.headers
            if self._request.etag is not None and headers.get("ETag") == self._request.etag:
                return None
            if self._part.size:
                start = f"bytes {self._part.size}-"
                if response.status == 206 and headers.get("Content-Range", "").startswith(start):
                    self._was_continued = True
                else:
                    self._restart()
            declared = headers.get("Content-Length")
            total = None if declared is None else self._part.size + int(declared)
            if not self._was_continued and total is not None and total > _WORTH_CONTINUING_BYTES:
                self._part.set_validator(self._validator(headers))
            self._copy(response, total)
            if total is not None and self._part.size < total:
                raise ValueError(f"The server sent {self._part.size} bytes of {total}")
            return headers

    def _validator(self, headers: "Message") -> str | None:
        """What identifies the version that the server sends, None if it can't be continued."""
        if (
            not self._request.url.startswith(("http:", "https:", "ftp:"))
            or headers.get("Accept-Ranges") == "none"
        ):
            return None
        etag = headers.get("ETag")
        if etag is not None:
            return None if etag.startswith("W/") else etag
        # a time is too coarse to rely on, but for what is going to be checked
        return headers.get("Last-Modified") if self._request.expected_sha256 else None

    def _copy(self, response: Any, total: int | None) -> None:
        watch_s, watch_size = time.monotonic(), self._part.size
        while chunk := response.read1(_CHUNK_SIZE_BYTES):
            self._checksum.update(chunk)
            self._part.write(chunk)
            self._progress(self._part.size, total)
            elapsed_s = time.monotonic() - watch_s
            if elapsed_s >= self._limits.slowness_s:
                if self._part.size - watch_size < self._limits.slowest_bytes:
                    raise DownloadError(
                        f"The server sent {self._part.size - watch_size} bytes in {elapsed_s:.0f} seconds"
                    )
                watch_s, watch_size = time.monotonic(), self._part.size


def _asked_wait_s(error: "HTTPError") -> float | None:
    """How many seconds the server asks to wait for, None if it does not."""
    from email.utils import parsedate_to_datetime

    text = error.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _disk_error(path: str, error: OSError) -> DownloadError:
    return DownloadError(
        f"Failed to write to '{path}': {error}", is_temporary=error.errno not in _DISK_ERRORS
    )
