"""A web server that says what it was asked for."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class Site:
    """What the server has, and what it was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)  # by path, without the leading slash
    statuses: dict[str, int] = field(default_factory=dict)  # instead of a file
    asked: list[str] = field(default_factory=list)

    def take_asked(self) -> list[str]:
        """What was asked for since the last time."""
        asked, self.asked = self.asked, []
        return asked


@contextmanager
def site() -> Iterator[Site]:
    """A running server."""
    content = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            told = [self.headers[name] for name in ("If-None-Match", "Authorization") if name in self.headers]
            content.asked.append(" ".join([path, *told]))
            body = content.files.get(path, b"")
            status = content.statuses.get(path, 200 if path in content.files else 404)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if path in content.files:
                self.send_header("ETag", f'"{len(body)}"')
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        content.url = f"http://127.0.0.1:{server.server_address[1]}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield content
        finally:
            server.shutdown()
            thread.join()
