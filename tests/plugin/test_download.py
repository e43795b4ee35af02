"""Downloading from a real server on this machine, and the sources that do."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from buildstream import SourceError, SourceInfoMedium
from buildstream._download import DownloadError, DownloadRequest, DownloadResult, download
from buildstream._model.message import MessageType
from buildstream.node import MappingNode
from buildstream.plugins.sources.remote import RemoteSource

_CONTENT = b"some content\n" * 100
_SHA256 = hashlib.sha256(_CONTENT).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    """Each path is one way for a server to behave."""

    server: "_Server"

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        if self.path == "/redirect":
            self._answer(302, {"Location": "/file"})
        elif self.path == "/loop":
            self._answer(302, {"Location": "/loop"})
        elif self.path == "/to-file":
            self._answer(302, {"Location": "file:///etc/hostname"})
        elif self.path == "/short":
            self._answer(200, {"Content-Length": str(len(_CONTENT) + 10)}, _CONTENT)
        elif self.path == "/missing":
            self._answer(404, {})
        elif self.path == "/private" and "Authorization" not in self.headers:
            self._answer(401, {"WWW-Authenticate": 'Basic realm="test"'})
        elif self.headers.get("If-None-Match") == '"tag"':
            self._answer(304, {"ETag": '"tag"'})
        else:
            self._answer(200, {"ETag": '"tag"', "Content-Length": str(len(_CONTENT))}, _CONTENT)

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    """A server; no proxies, and a home directory without `.netrc`."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("no_proxy", "*")
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _write_netrc(text: str) -> None:
    path = Path(os.environ["HOME"], ".netrc")
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


def _refuse_warning(text: str) -> None:
    raise AssertionError(text)


def _download(
    url: str,
    directory: Path,
    *,
    etag: str | None = None,
    uses_bearer: bool = False,
    warn: Callable[[str], None] = _refuse_warning,
) -> DownloadResult | None:
    """Downloads into a file of DIRECTORY, which is moved to `done`; nothing else is left."""
    request = DownloadRequest(url, etag=etag, uses_bearer=uses_bearer)
    with download(request, str(directory / "parts" / "part"), warn=warn) as result:
        if result is not None:
            Path(result.path).rename(directory / "done")
    assert list((directory / "parts").iterdir()) == []
    return result


def test_the_file_is_hashed_while_it_is_written(server: _Server, tmp_path: Path) -> None:
    result = _download(server.url + "/file", tmp_path)
    assert result is not None
    assert (tmp_path / "done").read_bytes() == _CONTENT
    assert (result.sha256, result.etag) == (_SHA256, '"tag"')
    headers = server.requests[0][1]
    assert headers["Accept"] == "*/*"
    assert headers["User-Agent"] == "BuildStream/2"
    assert "If-None-Match" not in headers


def test_redirections_are_followed(server: _Server, tmp_path: Path) -> None:
    result = _download(server.url + "/redirect", tmp_path)
    assert result is not None
    assert result.sha256 == _SHA256


def test_a_known_version_is_not_downloaded_again(server: _Server, tmp_path: Path) -> None:
    assert _download(server.url + "/file", tmp_path, etag='"tag"') is None


@pytest.mark.parametrize("path", ["/missing", "/short", "/loop", "/to-file"])
def test_failures_of_the_server(server: _Server, tmp_path: Path, path: str) -> None:
    with pytest.raises(DownloadError):
        _download(server.url + path, tmp_path)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/refused", "nonsense", "file:///no/such/file", "http://[bad"]
)
def test_unusable_urls(server: _Server, tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError):
        _download(url, tmp_path)


def test_file_urls(server: _Server, tmp_path: Path) -> None:
    (tmp_path / "here").write_bytes(_CONTENT)
    result = _download(f"file://{tmp_path}/here", tmp_path)
    assert result is not None
    assert result.sha256 == _SHA256


def test_netrc_logs_in_when_the_server_asks(server: _Server, tmp_path: Path) -> None:
    _write_netrc("machine 127.0.0.1 login me password secret\n")
    assert _download(server.url + "/private", tmp_path) is not None
    assert server.requests[-1][1]["Authorization"].startswith("Basic ")


def test_netrc_gives_bearer_tokens(server: _Server, tmp_path: Path) -> None:
    _write_netrc("machine 127.0.0.1 login me password token\n")
    url = server.url + "/private"
    assert _download(url, tmp_path, uses_bearer=True) is not None
    assert server.requests[0][1]["Authorization"] == "Bearer token"


def test_credentials_are_for_their_host_only(server: _Server, tmp_path: Path) -> None:
    _write_netrc("machine example.com login me password secret\n")
    with pytest.raises(DownloadError):
        _download(server.url + "/private", tmp_path)


def test_a_bad_netrc_is_a_warning(server: _Server, tmp_path: Path) -> None:
    _write_netrc("no such word\n")
    warnings: list[str] = []
    assert _download(server.url + "/file", tmp_path, warn=warnings.append) is not None
    assert len(warnings) == 1


def _source(host: Any, url: str, **config: object) -> RemoteSource:
    source = RemoteSource(host, "element.bst-0")
    source.configure(MappingNode.from_dict({"url": url, **config}))
    return source


def test_a_source_fetches_what_its_ref_says_once(server: _Server, host: Any) -> None:
    source = _source(host, server.url + "/file", ref=_SHA256)
    assert not source.is_cached()
    source.fetch()
    source.fetch()
    assert source.is_cached()
    assert len(server.requests) == 1
    # nothing temporary stays
    assert len(os.listdir(host.mirror_directory)) == 1


def test_other_content_than_the_ref_says_is_an_error(server: _Server, host: Any) -> None:
    source = _source(host, server.url + "/file", ref="0" * 64)
    with pytest.raises(SourceError) as caught:
        source.fetch()
    assert str(caught.value) == (
        f"File downloaded from {server.url}/file has sha256sum '{_SHA256}', not '{'0' * 64}'!"
    )
    assert not caught.value.temporary


def test_a_failed_download_may_be_tried_again(server: _Server, host: Any) -> None:
    with pytest.raises(SourceError, match="Error mirroring http") as caught:
        _source(host, server.url + "/missing", ref=_SHA256).fetch()
    assert caught.value.temporary


def test_tracking_asks_whether_the_cached_file_is_still_current(server: _Server, host: Any) -> None:
    source = _source(host, server.url + "/file")
    assert source.track() == _SHA256
    source.ref = _SHA256
    assert source.track() == _SHA256
    assert server.requests[-1][1]["If-None-Match"] == '"tag"'


def test_tracking_warns_when_the_file_has_changed(server: _Server, host: Any) -> None:
    assert _source(host, server.url + "/file", ref="1" * 64).track() == _SHA256
    warnings = [brief for kind, brief, _ in host.messages if kind is MessageType.WARN]
    assert warnings == ["Potential man-in-the-middle attack!"]


def test_a_ref_is_no_path(server: _Server, host: Any) -> None:
    assert not _source(host, server.url + "/file", ref="../../../../../../etc/hostname").is_cached()


def test_remote_stages_one_file(server: _Server, host: Any, tmp_path: Path) -> None:
    source = _source(host, server.url + "/file", ref=_SHA256, filename="tool", executable=True)
    source.fetch()
    source.stage(str(tmp_path))
    assert (tmp_path / "tool").read_bytes() == _CONTENT
    assert (tmp_path / "tool").stat().st_mode & 0o777 == 0o755
    assert source.get_unique_key() == [server.url + "/file", _SHA256, "tool", True]


def test_names_come_from_the_translated_url(host: Any) -> None:
    host.aliases["ex"] = "http://example.com/dir/"
    source = _source(host, "ex:y.bin", ref="bbbb", **{"version-guess-pattern": r"(\d+)"})
    assert source.url == "http://example.com/dir/y.bin"
    assert source.get_unique_key() == ["ex:y.bin", "bbbb", r"(\d+)", "y.bin", False]
    with pytest.raises(SourceError) as caught:
        _source(host, "ex:y.bin", filename="a/b")
    assert caught.value.reason == "filename-contains-directory"


def test_source_info(host: Any) -> None:
    host.source_provenance = MappingNode.from_dict({"homepage": "http://home"})
    source = _source(host, "http://example.com/x-1.2.tar", ref="bbbb")
    (info,) = source.collect_source_info()
    assert info.medium is SourceInfoMedium.REMOTE_FILE
    assert list(info.serialize().items()) == [
        ("kind", "remote"),
        ("url", "http://example.com/x-1.2.tar"),
        ("homepage", "http://home"),
        ("provenance", {"homepage": "http://home"}),
        ("medium", "remote-file"),
        ("version-type", "sha256"),
        ("version", "bbbb"),
        ("version-guess", "1.2"),
    ]
