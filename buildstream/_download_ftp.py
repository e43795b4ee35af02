"""Opening FTP URLs so that a transfer that was cut off is noticed, and can be continued.

The standard library's handler takes what has arrived for the whole file when the
server closes the connection early.  Here the server is asked for the size before, and
whether the transfer was complete after it.
"""

import io
from contextlib import suppress
from email.message import Message
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import unquote, urlsplit
from urllib.request import FTPHandler, Request

if TYPE_CHECKING:
    import ftplib
    import socket

_PORT = 21


class FtpOpener(FTPHandler):
    """Opens `ftp:` URLs.

    Args:
        host: Where `login` and `password` are used if the URL names nobody; other hosts get anonymous.
    """

    def __init__(self, host: str | None = None, login: str = "", password: str = "") -> None:
        super().__init__()
        self._host = host
        self._login = login
        self._password = password

    def ftp_open(self, req: Request) -> Any:  # the base class names no type either
        """The response; with a status of 206 if the wanted range is sent."""
        import ftplib

        try:
            return self._open(req)
        except ftplib.Error as error:
            raise URLError(f"ftp error: {error}") from error

    def _open(self, request: Request) -> "FtpResponse":
        import ftplib

        parts = urlsplit(request.full_url)
        if not parts.hostname:
            raise URLError("ftp error: no host given")
        login, password = unquote(parts.username or ""), unquote(parts.password or "")
        if not login and parts.hostname == self._host:
            login, password = self._login, self._password
        client = ftplib.FTP(timeout=request.timeout)  # noqa: S321  # the URL says so
        try:
            client.connect(parts.hostname, parts.port or _PORT)
            client.login(login, password)
            *directories, name = map(unquote, parts.path.lstrip("/").split("/"))
            if directories:
                client.cwd("/".join(directories))
            return FtpResponse(client, name, request)
        except BaseException:
            client.close()
            raise


class FtpResponse(io.BufferedIOBase):
    """A transfer that runs, with the attributes of a HTTP response that downloads look at.

    `headers` has `Content-Length` if the server tells the size, and `Last-Modified` if it
    tells the time, in the words of the server.
    """

    def __init__(self, client: "ftplib.FTP", name: str, request: Request) -> None:
        super().__init__()
        self._client = client
        self._connection: socket.socket | None = None  # until the transfer begins: it may be refused
        client.voidcmd("TYPE I")
        size = _ask(client, f"SIZE {name}")
        modified = _ask(client, f"MDTM {name}")
        self.headers = Message()
        self.status = 200
        start = _wanted_start(request, size, modified)
        self._connection = client.transfercmd(f"RETR {name}", start)
        self._is_complete = False
        if modified is not None:
            self.headers["Last-Modified"] = modified
        if start is not None:
            self.status = 206
            self.headers["Content-Range"] = f"bytes {start}-/{size}"
        if size is not None and size.isdecimal():
            self.headers["Content-Length"] = str(int(size) - (start or 0))

    def read1(self, size: int = -1, /) -> bytes:
        """What has arrived; nothing at the end of the transfer.

        Raises:
            OSError: The connection was lost, or the server says that it has not sent everything.
        """
        import ftplib

        assert self._connection is not None, "who could not begin is not asked"
        chunk = self._connection.recv(size if size > 0 else 1 << 16)
        if not chunk and not self._is_complete:
            self._connection.close()
            try:
                self._client.voidresp()
            except ftplib.Error as error:
                raise OSError(f"ftp error: {error}") from error
            self._is_complete = True
        return chunk

    def close(self) -> None:
        """Ends the connection."""
        if not self.closed:
            if self._connection is not None:
                self._connection.close()
            self._client.close()
        super().close()


def _ask(client: "ftplib.FTP", command: str) -> str | None:
    """The answer to a question that servers need not know."""
    import ftplib

    with suppress(ftplib.error_perm):
        code, _, answer = client.sendcmd(command).partition(" ")
        if code == "213":
            return answer.strip()
    return None


def _wanted_start(request: Request, size: str | None, modified: str | None) -> int | None:
    """Where REQUEST wants the transfer to begin, if the file still is the version that it knows."""
    wanted = (request.get_header("Range") or "").removeprefix("bytes=").removesuffix("-")
    if not wanted.isdecimal() or modified is None or request.get_header("If-range") != modified:
        return None
    return int(wanted) if size is not None and size.isdecimal() and int(wanted) < int(size) else None
