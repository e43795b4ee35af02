"""Servers that stand in for those of the internet: indexes of packages, a registry of images, repositories.

Some plugins name hosts of the internet themselves.  The proxy of `intercepted_hosts` answers in their stead.
"""

import hashlib
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


class _Handler(SimpleHTTPRequestHandler):
    """Serves files, and below /v2 the images that `write_image` has made of them."""

    requests_log: Path

    def send_head(self) -> BytesIO | BinaryIO | None:
        with self.requests_log.open("a") as file:
            file.write(f"{self.command} {self.path} accept={self.headers.get('Accept')}\n")
        return super().send_head()

    def guess_type(self, path: object) -> str:
        name = str(path)
        if "/manifests/" in name:
            return _MANIFEST_TYPE
        return "text/html" if "/simple/" in name else super().guess_type(name)

    def end_headers(self) -> None:
        if "/manifests/" in self.path:
            path = Path(self.translate_path(self.path))
            if path.is_file():
                self.send_header("Docker-Content-Digest", f"sha256:{_sha256(path.read_bytes())}")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served_files(directory: Path, log: Path) -> Iterator[str]:
    """The address of a web server for DIRECTORY; what it is asked for is written to LOG."""
    handler = type("_BoundHandler", (_Handler,), {"requests_log": log})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(directory))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def intercepted_hosts(directory: Path, hosts: Sequence[str], scratch: Path) -> Iterator[dict[str, str]]:
    """Environment variables with which what HOSTS serve by https is what DIRECTORY/HOST holds.

    Nothing else can be reached through the proxy.  Certificates and the log of requests go to SCRATCH.
    """
    scratch.mkdir()
    authority, certificate = _make_certificates(scratch, hosts)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Proxy(_Handler):
        requests_log = scratch / "requests"

        def do_CONNECT(self) -> None:
            host = self.path.rpartition(":")[0]
            if host not in hosts:
                self.send_error(502)
                return
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            with context.wrap_socket(self.connection, server_side=True) as connection:
                handler = type("_HostHandler", (_Handler,), {"requests_log": self.requests_log})
                handler(connection, self.client_address, self.server, directory=str(directory / host))
            self.close_connection = True

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # connections are broken off by programs that have read enough

    with Server(("127.0.0.1", 0), Proxy) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield {
                "https_proxy": f"http://127.0.0.1:{server.server_address[1]}",
                "no_proxy": "127.0.0.1,localhost",
                "SSL_CERT_FILE": str(authority),
                "REQUESTS_CA_BUNDLE": str(authority),
            }
        finally:
            server.shutdown()
            thread.join()


def _make_certificates(scratch: Path, hosts: Sequence[str]) -> tuple[Path, Path]:
    """Files with the certificate of an authority of our own, and with key and certificate for HOSTS."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=scratch, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(
        "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=stand-in"
    )
    openssl("req", *key, "-keyout", "host.key", "-out", "host.csr", "-subj", f"/CN={hosts[0]}")
    names = ",".join(f"DNS:{host}" for host in hosts)
    (scratch / "names").write_text(f"subjectAltName={names}\n")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2", "-extfile", "names")
    openssl("x509", "-req", "-in", "host.csr", "-out", "host.pem", *signing)
    both = scratch / "host-with-key.pem"
    both.write_text((scratch / "host.pem").read_text() + (scratch / "host.key").read_text())
    return scratch / "ca.pem", both


@contextmanager
def served_repositories(directory: Path) -> Iterator[str]:
    """The address at which the repositories of DIRECTORY are served by git itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server = subprocess.Popen(
        [
            *("git", "daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1"),
            *(f"--port={port}", f"--base-path={directory}"),
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"git://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait()


def write_index(top: Path, packages: dict[str, list[Path]]) -> None:
    """Makes TOP/simple an index of Python packages."""
    for name, files in packages.items():
        directory = top / "simple" / name
        directory.mkdir(parents=True)
        links = []
        for file in files:
            (directory / file.name).write_bytes(file.read_bytes())
            links.append(f'<a href="{file.name}#sha256={_sha256(file.read_bytes())}">{file.name}</a><br/>')
        page = f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>"
        (directory / "index.html").write_text(page)


def write_json_index(top: Path, packages: dict[str, list[Path]]) -> None:
    """Makes TOP/HOST the index of Python packages, and where it keeps files, as served to programs."""
    index, host = top / "pypi.org" / "simple", "files.pythonhosted.org"
    index.mkdir(parents=True)
    (top / host / "packages").mkdir(parents=True)
    for name, files in packages.items():
        entries = []
        for file in files:
            content = file.read_bytes()
            (top / host / "packages" / file.name).write_bytes(content)
            url, hashes = f"https://{host}/packages/{file.name}", {"sha256": _sha256(content)}
            entries.append({"filename": file.name, "url": url, "hashes": hashes, "yanked": False})
        page = {"meta": {"api-version": "1.1"}, "name": name, "versions": ["1.0"], "files": entries}
        (index / name).write_text(json.dumps(page))


def write_image(top: Path, name: str, tag: str, layers: list[bytes]) -> None:
    """Makes TOP/v2 a registry with one image."""
    image = top / "v2" / name
    (image / "blobs").mkdir(parents=True)
    (image / "manifests").mkdir()
    configuration = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_sha256(layer)}" for layer in layers]},
    }
    content = json.dumps(configuration, sort_keys=True).encode()
    media = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST_TYPE,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            **_write_blob(image, content),
        },
        "layers": [{"mediaType": media, **_write_blob(image, layer)} for layer in layers],
    }
    text = json.dumps(manifest, sort_keys=True).encode()
    for reference in (tag, f"sha256:{_sha256(text)}"):
        (image / "manifests" / reference).write_bytes(text)


def _write_blob(image: Path, content: bytes) -> dict[str, object]:
    digest = f"sha256:{_sha256(content)}"
    (image / "blobs" / digest).write_bytes(content)
    return {"digest": digest, "size": len(content)}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
