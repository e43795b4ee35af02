"""Downloading one file by http, https, ftp or file URL."""

import errno
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import netrc
    from email.message import Message
    from urllib.request import OpenerDirector, Request

_TIMEOUT_S = 600
# what no connection and no server reports
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_CHUNK_SIZE_BYTES = 1 << 18
_USER_AGENT = "BuildStream/2"


class DownloadError(Exception):
    """The download failed."""

    def __init__(self, text: str, *, is_temporary: bool = True) -> None:
        super().__init__(text)
        self.is_temporary = is_temporary  # whether trying again may help


@dataclass(frozen=True, slots=True)
class DownloadResult:
    """A file that was downloaded."""

    path: str  # below the directory that was given
    sha256: str  # hexadecimal digits
    etag: str | None  # what the server calls this version of the file


def download(
    url: str,
    directory: str,
    *,
    etag: str | None = None,
    uses_bearer: bool = False,
    warn: Callable[[str], None],
    timeout_s: float = _TIMEOUT_S,
) -> DownloadResult | None:
    """Downloads URL into a new file of DIRECTORY.

    Logs in as `~/.netrc` says for the host, if the server asks for it.

    Args:
        etag: The version that is there already.
        uses_bearer: Whether the password of `~/.netrc` is a bearer token.
        warn: Is told about a `~/.netrc` that can't be understood.
        timeout_s: How long the server may stay silent.

    Returns:
        None if the server still has the version ETAG.

    Raises:
        DownloadError: Connection, server or disk failed, or the file ended early.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request

    try:
        # whatever scheme the opener knows is wanted
        request = Request(  # noqa: S310
            url, headers={"Accept": "*/*", "User-Agent": _USER_AGENT}
        )
        if etag is not None:
            request.add_header("If-None-Match", etag)
        opener = _make_opener(request, _load_netrc(warn), uses_bearer=uses_bearer)
        try:
            with opener.open(request, timeout=timeout_s) as response:
                new_etag = response.headers.get("ETag")
                if etag is not None and new_etag == etag:
                    return None
                path = os.path.join(directory, "download")
                return DownloadResult(path, _save(response, response.headers, path), new_etag)
        except HTTPError as error:
            error.close()
            if error.code == 304 and etag is not None:
                return None
            raise
    # EOFError: the server closed the control connection of ftp
    except (OSError, ValueError, HTTPException, EOFError) as error:
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            raise DownloadError(f"Failed to write to '{directory}': {error}", is_temporary=False) from error
        raise DownloadError(str(error) or type(error).__name__) from error


def _save(response: IO[bytes], headers: "Message", path: str) -> str:
    """Writes the body of RESPONSE to PATH and gives its SHA-256."""
    checksum = hashlib.sha256()
    size = 0
    with open(path, "wb") as file:
        while chunk := response.read(_CHUNK_SIZE_BYTES):
            checksum.update(chunk)
            size += len(chunk)
            file.write(chunk)
    declared = headers.get("Content-Length")
    if declared is not None and size < int(declared):
        raise ValueError(f"The server sent {size} bytes of {declared}")
    return checksum.hexdigest()


def _load_netrc(warn: Callable[[str], None]) -> "netrc.netrc | None":
    import netrc

    try:
        return netrc.netrc()
    except OSError:
        return None
    except netrc.NetrcParseError as error:
        warn(f"The file .netrc is ignored: {error}")
        return None


def _make_opener(
    request: "Request", credentials: "netrc.netrc | None", *, uses_bearer: bool
) -> "OpenerDirector":
    """An opener that knows what CREDENTIALS say of the host of REQUEST, and tells no other host."""
    from urllib.parse import urlsplit
    from urllib.request import FTPHandler, HTTPBasicAuthHandler, HTTPPasswordMgrWithDefaultRealm, build_opener

    parts = urlsplit(request.full_url)
    entry = credentials.authenticators(parts.hostname) if credentials and parts.hostname else None
    if entry is None:
        return build_opener()
    login, _, password = entry
    secret = password or ""
    if uses_bearer:
        # not sent along to where the server redirects to
        request.add_unredirected_header("Authorization", f"Bearer {secret}")
        return build_opener()

    class NetrcFTPHandler(FTPHandler):
        """Logs in as the user of `~/.netrc` where the URL names none."""

        def connect_ftp(  # type: ignore[no-untyped-def]  # noqa: PLR0917  # a given signature
            self, user: str, passwd: str, host: str, port: int, dirs: str, timeout: float
        ):
            if not user and host == parts.hostname:
                user, passwd = login, secret
            return super().connect_ftp(user, passwd, host, port, dirs, timeout)

    passwords = HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, f"{parts.scheme}://{parts.netloc}", login, secret)
    return build_opener(HTTPBasicAuthHandler(passwords), NetrcFTPHandler())
