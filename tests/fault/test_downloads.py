"""Servers that break off, stall, lie or refuse: a download ends, and never with a wrong file."""

import hashlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from buildstream._download import DownloadError, DownloadLimits, DownloadRequest, download
from tests.fault.background import Background
from tests.fault.servers import silent_server
from tests.testutils.reading import reads
from tests.testutils.space import RecordedError, TestSpace

_CONTENT = bytes(range(256)) * 20_000  # 5 MB
_HALF = len(_CONTENT) // 2
_SHA256 = hashlib.sha256(_CONTENT).hexdigest()
_IMPATIENT = DownloadLimits(
    silence_s=0.2, slowness_s=0.3, slowest_bytes=4096, connections=4, pause_s=0, waits=2, longest_wait_s=1
)

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers each request with the next function of a list; the last one answers all others."""

    answers: list[Answer]
    ranges: list[str | None]

    def do_GET(self) -> None:
        self.ranges.append(self.headers.get("Range"))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer(self)

    def start(self, status: int, length: int | None, **headers: str) -> None:
        """Sends status and headers; the underscores of HEADERS are dashes."""
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def reset(self) -> None:
        """Ends the connection as a crashing server does."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(*answers: Answer) -> Iterator[tuple[str, list[str | None]]]:
    """The address of a server that gives ANSWERS one after the other, and the ranges it is asked for."""
    ranges: list[str | None] = []
    handler = type("BoundHandler", (Handler,), {"answers": list(answers), "ranges": ranges})

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # clients that hang up are part of these tests

    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/", ranges
        finally:
            server.shutdown()
            thread.join()


def whole(handler: Handler) -> None:
    """Everything, as a good server sends it."""
    handler.start(200, len(_CONTENT), ETag='"a"')
    handler.wfile.write(_CONTENT)


def first_half(handler: Handler) -> None:
    """Half of it, then nothing."""
    handler.start(200, len(_CONTENT), ETag='"a"')
    handler.wfile.write(_CONTENT[:_HALF])


def the_rest(handler: Handler) -> None:
    """What the request asks for."""
    start = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    assert handler.headers["If-Range"] == '"a"'
    rest = _CONTENT[start:]
    handler.start(206, len(rest), Content_Range=f"bytes {start}-{len(_CONTENT) - 1}/{len(_CONTENT)}")
    handler.wfile.write(rest)


def wrong_rest(handler: Handler) -> None:
    """As many bytes as the request asks for, but of another file."""
    start = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    handler.start(206, len(_CONTENT) - start, Content_Range=f"bytes {start}-/{len(_CONTENT)}")
    handler.wfile.write(b"x" * (len(_CONTENT) - start))


def status(code: int, **headers: str) -> Answer:
    """An answer without content."""
    return lambda handler: handler.start(code, 0, **headers)


def lies_about_its_length(handler: Handler) -> None:
    """More is announced than there is."""
    handler.start(200, 100)
    handler.wfile.write(b"short")


def stalls(handler: Handler) -> None:
    """The connection stays open, with nothing on it."""
    handler.start(200, 100)
    handler.wfile.write(b"start")
    handler.wfile.flush()
    handler.connection.recv(1)  # until the client hangs up


def drips(handler: Handler) -> None:
    """One byte after another, each in time."""
    handler.start(200, 1_000_000)
    handler.connection.settimeout(0.05)
    while True:
        handler.wfile.write(b"x")
        handler.wfile.flush()
        try:
            if handler.connection.recv(1) == b"":
                return
        except TimeoutError:
            pass


def broken_chunks(handler: Handler) -> None:
    """A chunk that is shorter than it says."""
    handler.protocol_version = "HTTP/1.1"
    handler.start(200, None, Transfer_Encoding="chunked")
    handler.wfile.write(b"100\r\nabc")


def in_a_circle(handler: Handler) -> None:
    """Leads back to itself."""
    handler.start(302, 0, Location=handler.path)


def get(url: str, directory: Path, **options: str) -> bytes:
    """Downloads URL; gives its content."""
    request = DownloadRequest(url, limits=_IMPATIENT, **options)  # type: ignore[arg-type]
    with download(request, str(directory / "part"), warn=pytest.fail) as result:
        assert result is not None
        content = Path(result.path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == result.sha256
    return content


# continuing


def test_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    with served(first_half, the_rest) as (url, ranges):
        assert get(url, tmp_path) == _CONTENT
    assert ranges[0] is None
    assert ranges[1] is not None
    assert list(tmp_path.iterdir()) == []


def test_a_later_call_continues(tmp_path: Path) -> None:
    with served(first_half, status(500)) as (url, _), pytest.raises(DownloadError):
        get(url, tmp_path)
    kept = (tmp_path / "part").stat().st_size
    with served(the_rest) as (url, ranges):
        assert get(url, tmp_path) == _CONTENT
    assert ranges == [f"bytes={kept}-"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("answer", [whole, status(416)], ids=["whole", "416"])
def test_another_version_starts_over(tmp_path: Path, answer: Answer) -> None:
    with served(first_half, answer, whole) as (url, _):
        assert get(url, tmp_path) == _CONTENT


def test_parts_that_do_not_fit_start_over(tmp_path: Path) -> None:
    with served(first_half, wrong_rest, whole) as (url, ranges):
        assert get(url, tmp_path, expected_sha256=_SHA256) == _CONTENT
    assert len(ranges) == 3


def test_two_at_once_do_not_share_a_part(tmp_path: Path) -> None:
    with served(whole) as (url, _):
        request = DownloadRequest(url, limits=_IMPATIENT)
        with download(request, str(tmp_path / "part"), warn=pytest.fail) as first:
            assert get(url, tmp_path) == _CONTENT
            assert first is not None
            assert Path(first.path).read_bytes() == _CONTENT
    assert list(tmp_path.iterdir()) == []


def test_endless_breaks_end(tmp_path: Path) -> None:
    def one_more_part(handler: Handler) -> None:
        start = int((handler.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        handler.start(206 if start else 200, 10**9, ETag='"a"', Content_Range=f"bytes {start}-/1000000000")
        handler.wfile.write(bytes(2_000_000))

    with served(one_more_part) as (url, ranges), pytest.raises(DownloadError):
        get(url, tmp_path)
    assert len(ranges) == _IMPATIENT.connections


# giving up


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lies_about_its_length, "The server sent 5 bytes of 100"),
        (stalls, "The server was silent for 0 seconds"),
        (drips, "The server sent "),
        (broken_chunks, "IncompleteRead"),
        (in_a_circle, "redirect"),
        (status(404), "HTTP Error 404"),
        (status(500), "HTTP Error 500"),
        (status(429), "HTTP Error 429"),
        (status(429, Retry_After="3600"), "the server asks to wait for 3600 seconds"),
        (status(503, Retry_After="Fri, 31 Dec 9999 23:59:59 GMT"), "the server asks to wait for"),
        (status(503, Retry_After="0"), "the server asks to wait for 0 seconds"),
        (status(503, Retry_After="nonsense"), "HTTP Error 503"),
        (Handler.reset, "."),
    ],
)
def test_bad_answers_are_errors(tmp_path: Path, answer: Answer, text: str) -> None:
    with served(answer) as (url, _), pytest.raises(DownloadError, match=text) as failure:
        get(url, tmp_path)
    assert failure.value.is_temporary
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_never_answers(tmp_path: Path) -> None:
    with silent_server() as (url, _), pytest.raises(DownloadError, match="The server was silent"):
        get(url, tmp_path)


def test_an_overloaded_server_is_given_time(tmp_path: Path) -> None:
    with served(status(429, Retry_After="0"), status(503, Retry_After="1"), whole) as (url, ranges):
        assert get(url, tmp_path) == _CONTENT
    assert len(ranges) == 3


# the program


def _add(space: TestSpace, ref: str = _SHA256) -> None:
    space.element("a.bst", f"kind: import\nsources:\n- kind: remote\n  url: up:file\n  ref: {ref}\n")


@pytest.mark.parametrize("answer", [Handler.reset, lies_about_its_length, status(500), in_a_circle])
def test_the_next_mirror_is_taken(space: TestSpace, tmp_path: Path, answer: Answer) -> None:
    (tmp_path / "file").write_bytes(_CONTENT)
    with served(answer) as (url, _):
        space.project(
            aliases={"up": f"file://{tmp_path}/"}, mirrors=[{"name": "m", "aliases": {"up": [url]}}]
        )
        _add(space)
        space.bst("source", "fetch", "a.bst")
    space.bst("source", "checkout", "a.bst")
    assert (space.project_directory / "source-checkout" / "a" / "file").read_bytes() == _CONTENT


def other(handler: Handler) -> None:
    """Something that nobody asked for."""
    handler.start(200, 5)
    handler.wfile.write(b"other")


def test_other_content_is_refused_and_not_kept(space: TestSpace) -> None:
    with served(other) as (url, _):
        space.project(aliases={"up": url})
        _add(space)
        result = space.bst("source", "fetch", "a.bst", expect=255)
    assert result.task_error == RecordedError("SOURCE", None)
    left = [path for path in (space.cache_directory / "sources").rglob("*") if path.is_file()]
    assert left == []


def test_damaged_original_is_fetched_again(space: TestSpace, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(_CONTENT)
    space.project(aliases={"up": f"file://{tmp_path}/"})
    _add(space)
    space.bst("source", "fetch", "a.bst")
    (original,) = (space.cache_directory / "sources").rglob(_SHA256)
    original.write_bytes(_CONTENT[:-1])
    for name in ("cas", "elementsources", "source_protos"):
        os.rename(space.cache_directory / name, tmp_path / name)
    result = space.bst("source", "fetch", "a.bst")
    assert "was damaged, and is removed" in result.stderr
    assert hashlib.sha256(original.read_bytes()).hexdigest() == _SHA256


def test_signal_ends_the_pause_before_another_try(space: TestSpace) -> None:
    with served(status(500)) as (url, _):
        space.project(aliases={"up": url})
        _add(space)
        running = Background(space, "--network-retries", "8", "source", "fetch", "a.bst")
        running.wait_for(lambda: "Try #3 failed, retrying" in running.output())
        running.signal(signal.SIGINT)
        ended = running.end()
    assert ended.code == 255
    assert ended.duration_s < 3
    assert "WARNING Fetch Terminated" in ended.output
    assert "Traceback" not in ended.output


def test_what_was_hashed_on_its_way_is_not_read_for_that_again(space: TestSpace, tmp_path: Path) -> None:
    size_bytes = 64 << 20
    content = os.urandom(1 << 20) * (size_bytes >> 20)
    (tmp_path / "file").write_bytes(content)
    space.project(aliases={"up": f"file://{tmp_path}/"})
    ref = hashlib.sha256(content).hexdigest()
    space.write("elements/a.bst", f"kind: import\nsources:\n- kind: remote\n  url: up:file\n  ref: {ref}\n")
    before = reads()
    space.bst("source", "fetch", "a.bst")
    # downloaded, copied, stored; and what the interpreter reads
    assert reads() - before < 3.5 * size_bytes
