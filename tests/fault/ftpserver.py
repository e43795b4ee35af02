"""A small FTP server on the loopback device, which can break off transfers and lie about them."""

import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class FtpSite:
    """What the server has, and how it behaves.

    Attributes:
        files: By path.
        password: Of the only user, `user`; None lets anonymous in.
        breaks_after: Bytes of a transfer after which it is broken off, once; None never.
        admits_breaks: Whether it says so.
        tells_size: Whether it knows SIZE and MDTM.
        modified: What MDTM answers.
        commands: What it was told.
    """

    files: Mapping[str, bytes]
    password: str | None = None
    breaks_after: int | None = None
    admits_breaks: bool = True
    tells_size: bool = True
    modified: str = "20240101000000"
    commands: list[str] = field(default_factory=list)


class _Session(socketserver.StreamRequestHandler):
    site: FtpSite

    def handle(self) -> None:
        self._directory, self._user, self._start = "", "", 0
        self._listener: socket.socket | None = None
        self._reply("220 Ready")
        while line := self.rfile.readline().decode().strip():
            self.site.commands.append(line)
            command, _, argument = line.partition(" ")
            method = getattr(self, f"do_{command.lower()}", None)
            if method is None:
                self._reply("502 Unknown")
            else:
                method(argument)

    def _reply(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def do_user(self, name: str) -> None:
        self._user = name
        self._reply("331 Password?")

    def do_quit(self, _: str) -> None:
        self._reply("221 Bye")

    def do_pass(self, password: str) -> None:
        wanted = self.site.password
        is_right = wanted is None or (self._user, password) == ("user", wanted)
        self._reply("230 Welcome" if is_right else "530 Login incorrect")

    def do_type(self, _: str) -> None:
        self._reply("200 Yes")

    def do_cwd(self, path: str) -> None:
        self._directory = f"{path.strip('/')}/"
        has_any = any(name.startswith(self._directory) for name in self.site.files)
        self._reply("250 Yes" if has_any else "550 No such directory")

    def do_size(self, name: str) -> None:
        content = self.site.files.get(self._directory + name)
        known = content is not None and self.site.tells_size
        self._reply(f"213 {len(content or b'')}" if known else "550 No")

    def do_mdtm(self, _: str) -> None:
        self._reply(f"213 {self.site.modified}" if self.site.tells_size else "502 Unknown")

    def do_rest(self, position: str) -> None:
        self._start = int(position)
        self._reply("350 Go on")

    def do_epsv(self, _: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._reply(f"229 Entering (|||{self._listener.getsockname()[1]}|)")

    def do_pasv(self, _: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        high, low = divmod(self._listener.getsockname()[1], 256)
        self._reply(f"227 Entering (127,0,0,1,{high},{low})")

    def do_retr(self, name: str) -> None:
        assert self._listener is not None
        content = self.site.files.get(self._directory + name)
        if content is None:
            self._listener.close()
            self._reply("550 No such file")
            return
        content, self._start = content[self._start :], 0
        is_broken = self.site.breaks_after is not None
        if is_broken:
            content = content[: self.site.breaks_after]
            self.site.breaks_after = None
        self._reply("150 Here it comes")
        with self._listener, self._listener.accept()[0] as connection:
            connection.sendall(content)
        self._reply("426 Broken off" if is_broken and self.site.admits_breaks else "226 Done")


@contextmanager
def ftp_server(site: FtpSite) -> Iterator[str]:
    """The address, without a slash at the end."""
    handler = type("_BoundSession", (_Session,), {"site": site})

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # clients that hang up

    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"ftp://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
