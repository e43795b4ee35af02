"""Downloads by https and ftp: whom they trust, how they log in, and what of a broken transfer is kept."""

import hashlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from buildstream._download import DownloadError, DownloadLimits, DownloadRequest, download
from tests.fault.ftpserver import FtpSite, ftp_server
from tests.testutils.space import RecordedError, TestSpace

_TLS = Path(__file__).parent / "tls"
_CONTENT = bytes(range(256)) * 10_000  # 2.5 MB
_SHA256 = hashlib.sha256(_CONTENT).hexdigest()
_LIMITS = DownloadLimits(silence_s=5, connections=3, pause_s=0)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory; proxies are not used."""
    directory = tmp_path / "own-home"
    directory.mkdir()
    monkeypatch.setenv("HOME", str(directory))
    monkeypatch.setenv("no_proxy", "*")
    return directory


def write_netrc(home: Path, text: str) -> None:
    (home / ".netrc").write_text(text, encoding="utf-8")
    (home / ".netrc").chmod(0o600)


@contextmanager
def https_server(certificate: str) -> Iterator[str]:
    """The address of a server that has _CONTENT at every path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(_CONTENT)))
            self.end_headers()
            self.wfile.write(_CONTENT)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # clients that do not trust it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_TLS / f"{certificate}.pem")
    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"https://localhost:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


def get(url: str, directory: Path, sha256: str | None = None) -> bytes:
    """Downloads URL; gives its content."""
    request = DownloadRequest(url, expected_sha256=sha256, limits=_LIMITS)
    with download(request, str(directory / "parts" / "part"), warn=pytest.fail) as result:
        assert result is not None
        content = Path(result.path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == result.sha256
    return content


# https


def test_https_with_an_authority_of_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(_TLS / "authority.pem"))
    with https_server("localhost") as url:
        assert get(url, tmp_path) == _CONTENT


@pytest.mark.parametrize(
    ("certificate", "authority", "text"),
    [
        ("localhost", None, "certificate verify failed"),
        ("elsewhere", "authority.pem", "certificate is not valid for 'localhost'"),
    ],
    ids=["of-nobody-we-trust", "of-another-host"],
)
def test_servers_that_cannot_be_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: str, authority: str | None, text: str
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    if authority is not None:
        monkeypatch.setenv("SSL_CERT_FILE", str(_TLS / authority))
    with https_server(certificate) as url, pytest.raises(DownloadError, match=text):
        get(url, tmp_path)
    assert list((tmp_path / "parts").iterdir()) == []


def test_the_program_trusts_who_the_environment_says(space: TestSpace) -> None:
    with https_server("localhost") as url:
        space.project(aliases={"up": url})
        space.element("a.bst", f"kind: import\nsources:\n- kind: remote\n  url: up:file\n  ref: {_SHA256}\n")
        refused = space.bst("--network-retries", "0", "source", "fetch", "a.bst", expect=255)
        assert refused.task_error == RecordedError("SOURCE", None)
        assert "certificate verify failed" in refused.stderr
        trusting = {"SSL_CERT_FILE": str(_TLS / "authority.pem")}
        space.bst("source", "fetch", "a.bst", environment=trusting)


# ftp


def test_ftp(tmp_path: Path) -> None:
    site = FtpSite({"pub/a b/file": _CONTENT, "top": b"top"})
    with ftp_server(site) as url:
        assert get(f"{url}/pub/a%20b/file", tmp_path) == _CONTENT
        assert get(f"{url}/top", tmp_path) == b"top"
    assert "USER anonymous" in site.commands


@pytest.mark.parametrize("path", ["absent", "absent/file", "pub/absent"])
def test_ftp_without_the_file(tmp_path: Path, path: str) -> None:
    with ftp_server(FtpSite({"pub/file": b""})) as url, pytest.raises(DownloadError, match="550 No such"):
        get(f"{url}/{path}", tmp_path)


def test_ftp_logs_in_as_the_url_says_or_else_netrc(tmp_path: Path, home: Path) -> None:
    site = FtpSite({"file": b"content"}, password="s3cret/")
    with ftp_server(site) as url:
        with pytest.raises(DownloadError, match="530 Login incorrect"):
            get(f"{url}/file", tmp_path)
        assert get(url.replace("//", "//user:s3cret%2F@") + "/file", tmp_path) == b"content"
        write_netrc(home, "machine 127.0.0.1 login user password s3cret/\n")
        assert get(f"{url}/file", tmp_path) == b"content"


def test_ftp_server_that_knows_no_sizes(tmp_path: Path) -> None:
    with ftp_server(FtpSite({"file": _CONTENT}, tells_size=False)) as url:
        assert get(f"{url}/file", tmp_path) == _CONTENT


@pytest.mark.parametrize(
    ("admits_breaks", "tells_size", "text"),
    [
        (True, True, "426 Broken off"),
        (True, False, "426 Broken off"),
        (False, True, "The server sent 100 bytes of"),
    ],
)
def test_ftp_transfer_that_is_cut_off(
    tmp_path: Path, admits_breaks: bool, tells_size: bool, text: str
) -> None:
    site = FtpSite({"file": _CONTENT}, breaks_after=100, admits_breaks=admits_breaks, tells_size=tells_size)
    with ftp_server(site) as url, pytest.raises(DownloadError, match=text):
        get(f"{url}/file", tmp_path)
    assert list((tmp_path / "parts").iterdir()) == []


def test_ftp_continues_what_is_worth_it(tmp_path: Path) -> None:
    site = FtpSite({"file": _CONTENT}, breaks_after=2_000_000)
    with ftp_server(site) as url:
        assert get(f"{url}/file", tmp_path, _SHA256) == _CONTENT
    assert "REST 2000000" in site.commands


def test_ftp_does_not_continue_another_version(tmp_path: Path) -> None:
    site = FtpSite({"file": b"x" * 3_000_000}, breaks_after=2_000_000)
    limits = DownloadLimits(silence_s=5, connections=1)
    part = str(tmp_path / "parts" / "part")
    with ftp_server(site) as url:
        request = DownloadRequest(f"{url}/file", expected_sha256=_SHA256, limits=limits)
        with pytest.raises(DownloadError), download(request, part, warn=pytest.fail):
            pass
        site.files, site.modified = {"file": _CONTENT}, "20250101000000"
        with download(request, part, warn=pytest.fail) as result:
            assert result is not None
            assert result.sha256 == _SHA256
    assert not any(command.startswith("REST") for command in site.commands)


def test_tracking_by_ftp_takes_no_half_of_a_file(space: TestSpace) -> None:
    site = FtpSite({"file": _CONTENT}, breaks_after=100)
    element = "kind: import\nsources:\n- kind: remote\n  url: up:file\n"
    with ftp_server(site) as url:
        space.project(aliases={"up": f"{url}/"})
        space.element("a.bst", element)
        result = space.bst("--network-retries", "0", "source", "track", "a.bst", expect=255)
        assert "426 Broken off" in result.stderr
        assert space.read("elements/a.bst") == element
        space.bst("source", "track", "a.bst")
    assert space.read("elements/a.bst") == f"{element}  ref: {_SHA256}\n"
