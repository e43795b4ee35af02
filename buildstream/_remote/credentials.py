"""Where a remote is and what proves who we are: URLs, certificates, bearer tokens."""

import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from .._remotespec import RemoteAuth
from .errors import Failure, RemoteError

_PLAIN = ("http", "grpc")
_SECURE = ("https", "grpcs")


def target_from_url(url: str) -> tuple[str, bool]:
    """What gRPC calls the server at URL, and whether the connection is encrypted.

    Raises:
        RemoteError: URL is not of a form that is understood.
    """
    if url.startswith("unix:"):
        return url, False
    parts = urlsplit(url)
    if parts.scheme not in _PLAIN + _SECURE or not parts.netloc:
        raise RemoteError(
            f"unsupported URL '{url}': it has to begin with http://, grpc://, https://, grpcs:// or unix:",
            Failure.REFUSED,
        )
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise RemoteError(f"unsupported URL '{url}': nothing may follow host and port", Failure.REFUSED)
    return parts.netloc, parts.scheme in _SECURE


def is_local(target: str) -> bool:
    """Whether a target of `target_from_url` is on this machine, as far as its name tells."""
    if target.startswith("unix:"):
        return True
    host = urlsplit(f"//{target}").hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def channel_credentials(auth: RemoteAuth) -> Any:
    """Credentials of an encrypted channel, from the files that AUTH names.

    Raises:
        RemoteError: A file can't be read.
    """
    import grpc

    return grpc.ssl_channel_credentials(
        root_certificates=_read(auth.server_cert),
        private_key=_read(auth.client_key),
        certificate_chain=_read(auth.client_cert),
    )


class AccessToken:
    """A bearer token in a file, read again once the file has changed or the interval is over.

    Args:
        path: Of the file; white space around the token does not count.
        interval_s: How old what was read may become, however unchanged the file looks; None for any age.
        now_s: A clock.
    """

    def __init__(self, path: str, interval_s: float | None, now_s: Callable[[], float]) -> None:
        self._path = path
        self._interval_s = interval_s
        self._now_s = now_s
        self._identity: tuple[int, int, int] | None = None
        self._read_at_s = 0.0
        self._metadata: tuple[tuple[str, str], ...] = ()

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The header of a call.

        Raises:
            RemoteError: The file can't be read, or holds no token.
        """
        identity = self._file_identity()
        is_old = self._interval_s is not None and self._now_s() - self._read_at_s >= self._interval_s
        if is_old or identity != self._identity or not self._metadata:
            self._read_at_s = self._now_s()
            token = (_read(self._path) or b"").strip()
            if not token.isascii() or not token.decode("ascii").isprintable() or not token:
                raise _credentials_error(self._path, "it does not hold a token")
            self._metadata = (("authorization", f"Bearer {token.decode('ascii')}"),)
            self._identity = identity
        return self._metadata

    def _file_identity(self) -> tuple[int, int, int]:
        try:
            status = os.stat(self._path)
        except OSError as error:
            raise _credentials_error(self._path, str(error.strerror)) from error
        return status.st_ino, status.st_mtime_ns, status.st_size


def _read(path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise _credentials_error(path, str(error.strerror)) from error


def _credentials_error(path: str, why: str) -> RemoteError:
    error = RemoteError(f"Failed to load credentials file: {path}", Failure.REFUSED, detail=why)
    error.reason = "load-remote-creds-failed"
    return error
