"""Counters of the server, as the text format of Prometheus."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from threading import Lock, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from http.server import ThreadingHTTPServer

_PREFIX = "bst_artifact_server_"
_HELP = {
    "calls_total": "Calls that ended, by method and status",
    "call_seconds_total": "Time that calls took, by method",
    "received_bytes_total": "Contents of blobs that came in, before decompression",
    "sent_bytes_total": "Contents of blobs that went out, after compression",
    "asset_lookups_total": "Names of assets and actions that were asked for, by outcome",
    "expired_blobs_total": "Blobs deleted for lack of space",
    "expired_bytes_total": "Size of blobs deleted for lack of space",
    "corrupt_blobs_total": "Blobs found damaged on the disk and put away",
    "denied_calls_total": "Calls that lacked a right",
}


class Metrics:
    """Numbers that only grow, and gauges that are asked for; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counters: dict[str, dict[str, float]] = {name: defaultdict(float) for name in _HELP}
        self._gauges: dict[str, tuple[str, Callable[[], float]]] = {}

    def add(self, name: str, amount: float = 1, labels: Mapping[str, str] | None = None) -> None:
        """Adds AMOUNT to a counter; LABELS have simple values, nothing that a client chose."""
        text = ",".join(f'{key}="{value}"' for key, value in (labels or {}).items())
        with self._lock:
            self._counters[name][text] += amount

    def gauge(self, name: str, description: str, read: Callable[[], float]) -> None:
        """Shows what READ gives at the time."""
        self._gauges[name] = (description, read)

    def render(self) -> str:
        """All numbers, in the text format of Prometheus."""
        lines: list[str] = []
        with self._lock:
            for name, values in self._counters.items():
                lines += [f"# HELP {_PREFIX}{name} {_HELP[name]}", f"# TYPE {_PREFIX}{name} counter"]
                for labels, value in sorted(values.items()) or [("", 0.0)]:
                    lines.append(f"{_PREFIX}{name}{'{' + labels + '}' if labels else ''} {value:g}")
        for name, (description, read) in self._gauges.items():
            lines += [
                f"# HELP {_PREFIX}{name} {description}",
                f"# TYPE {_PREFIX}{name} gauge",
                f"{_PREFIX}{name} {read():.0f}",
            ]
        return "\n".join(lines) + "\n"


def serve_metrics(
    address: tuple[str, int], metrics: Metrics, is_healthy: Callable[[], bool]
) -> "ThreadingHTTPServer":
    """Answers `/metrics` and `/healthz` at ADDRESS, from a thread of its own, until it is shut down.

    Raises:
        OSError: The address can't be used.
    """
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        timeout = 30.0

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, metrics.render())
            elif self.path == "/healthz":
                healthy = is_healthy()
                self._answer(200 if healthy else 503, "ok\n" if healthy else "stopping\n")
            else:
                self._answer(404, "Only /metrics and /healthz are here\n")

        def _answer(self, status: int, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is given
            pass

    server = ThreadingHTTPServer(address, Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
