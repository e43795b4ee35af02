"""Retries, deadlines, credentials: what holds for every call."""

import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from buildstream._model.digest import digest_from_bytes
from buildstream._remote.errors import Failure, RemoteError
from buildstream._remote.remote import Remote, RemotePool
from buildstream._remote.retry import Cancellation, Effects, RetryPolicy
from buildstream._remotespec import ConnectionConfig, RemoteAuth, RemoteSpec, RemoteType
from tests.testutils.cacheserver import CacheServer, running

if TYPE_CHECKING:
    from .conftest import Waits

BLOB = digest_from_bytes(b"blob")


def fail_times(count: int, code: grpc.StatusCode, method: str) -> Callable[..., None]:
    left = [code] * count

    def fault(name: str, request: object, context: grpc.ServicerContext) -> None:
        if name == method and left:
            context.abort(left.pop(), "of the test")

    return fault


@pytest.mark.parametrize("code", ["UNAVAILABLE", "ABORTED", "INTERNAL", "UNKNOWN"])
def test_transient_failures_are_tried_again_with_growing_delays(
    server: CacheServer, remote: Remote, waits: "Waits", code: str
) -> None:
    server.fault = fail_times(3, grpc.StatusCode[code], "FindMissingBlobs")
    assert remote.cas.find_missing([BLOB], Cancellation()) == {BLOB}
    assert waits.pauses_s == pytest.approx([1.0, 1.6, 2.56])


@pytest.mark.parametrize(
    "code", ["PERMISSION_DENIED", "UNAUTHENTICATED", "INVALID_ARGUMENT", "UNIMPLEMENTED"]
)
def test_refusals_are_not_tried_again(server: CacheServer, remote: Remote, waits: "Waits", code: str) -> None:
    server.fault = fail_times(1, grpc.StatusCode[code], "FindMissingBlobs")
    with pytest.raises(RemoteError, match=code) as caught:
        remote.cas.find_missing([BLOB], Cancellation())
    assert caught.value.failure is Failure.REFUSED
    assert waits.pauses_s == []


def test_a_remote_that_failed_is_left_alone_for_a_while(
    server: CacheServer, remote: Remote, waits: "Waits"
) -> None:
    server.fault = fail_times(99, grpc.StatusCode.UNAVAILABLE, "FindMissingBlobs")
    with pytest.raises(RemoteError):
        remote.cas.find_missing([BLOB], Cancellation())
    asked = len(server.calls)
    with pytest.raises(RemoteError, match="a moment ago"):
        remote.cas.find_missing([BLOB], Cancellation())
    assert len(server.calls) == asked
    server.fault = lambda *_: None
    waits.now_s += 31
    assert remote.cas.find_missing([BLOB], Cancellation()) == {BLOB}


def test_a_call_without_answer_ends_at_its_deadline(server: CacheServer) -> None:
    over = threading.Event()

    def stall(name: str, request: object, context: grpc.ServicerContext) -> None:
        if name == "GetCapabilities":
            over.wait(30)

    server.fault = stall
    with running(server) as address:
        spec = RemoteSpec(
            f"grpc://{address}",
            type=RemoteType.STORAGE,
            connection=ConnectionConfig(request_timeout_s=1, retry_limit=0),
        )
        try:
            with pytest.raises(RemoteError, match="DEADLINE_EXCEEDED"):
                Remote(spec, Effects()).open(Cancellation())
        finally:
            over.set()


def test_a_killed_operation_ends_its_call(server: CacheServer, remote: Remote) -> None:
    cancellation, over = Cancellation(), threading.Event()

    def stall(name: str, request: object, context: grpc.ServicerContext) -> None:
        cancellation.kill()
        over.wait(30)

    server.fault = stall
    try:
        with pytest.raises(RemoteError, match="ended"):
            remote.cas.find_missing([BLOB], cancellation)
    finally:
        over.set()


def test_the_jitter_is_a_fifth() -> None:
    policy = RetryPolicy(limit=4, delay_s=10, timeout_s=60, first_limit=1)
    assert policy.delay_before(0, 0.0) == pytest.approx(8)
    assert policy.delay_before(0, 1.0) == pytest.approx(12)


@pytest.mark.parametrize(("configured", "pauses"), [(None, 1), (3, 3)])
def test_where_nobody_listens_is_tried_once_more(waits: "Waits", configured: int | None, pauses: int) -> None:
    spec = RemoteSpec("http://127.0.0.1:1", connection=ConnectionConfig(retry_limit=configured))
    with pytest.raises(RemoteError, match="Connection refused"):
        Remote(spec, waits.effects).open(Cancellation())
    assert len(waits.pauses_s) == pauses


def test_a_server_that_has_answered_may_go_away_for_longer(server: CacheServer, waits: "Waits") -> None:
    with running(server) as address:
        remote = Remote(RemoteSpec(f"http://{address}"), waits.effects)
        remote.open(Cancellation())
    with pytest.raises(RemoteError, match="UNAVAILABLE"):
        remote.cas.find_missing([BLOB], Cancellation())
    assert len(waits.pauses_s) == 4
    remote.close()


def test_instance_names_are_sent(server: CacheServer, url: str, waits: "Waits") -> None:
    remote = Remote(RemoteSpec(url, instance_name="main"), waits.effects)
    remote.open(Cancellation())
    remote.cas.find_missing([BLOB], Cancellation())
    assert server.requests["FindMissingBlobs"][0].instance_name == "main"
    assert server.requests["GetCapabilities"][0].instance_name == "main"
    assert server.requests["FetchBlob"][0].instance_name == "main"
    remote.close()


def test_a_unix_socket_is_a_remote(server: CacheServer, tmp_path: Path, waits: "Waits") -> None:
    with running(server, address=f"unix:{tmp_path}/socket") as address:
        remote = Remote(RemoteSpec(address), waits.effects)
        remote.open(Cancellation())
        assert remote.assets.fetch_blob(["urn:x"], Cancellation()) is None
        remote.close()


def test_a_token_is_read_again_when_its_file_has_changed(
    server: CacheServer, url: str, waits: "Waits", tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(" first\n")
    remote = Remote(RemoteSpec(url, auth=RemoteAuth(access_token=str(token))), waits.effects)
    remote.open(Cancellation())
    assert server.metadata["authorization"] == "Bearer first"
    replacement = tmp_path / "new"
    replacement.write_text("second\n")
    replacement.rename(token)
    remote.cas.find_missing([BLOB], Cancellation())
    assert server.metadata["authorization"] == "Bearer second"
    remote.close()


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("ftp://host", "unsupported URL"),
        ("host:80", "unsupported URL"),
        ("http://", "unsupported URL"),
        ("http://host/path", "nothing may follow"),
    ],
)
def test_urls_that_are_not_understood_are_refused(url: str, text: str, waits: "Waits") -> None:
    with pytest.raises(RemoteError, match=text):
        Remote(RemoteSpec(url), waits.effects).open(Cancellation())


def test_a_missing_certificate_is_named(waits: "Waits", tmp_path: Path) -> None:
    spec = RemoteSpec("https://localhost:1", auth=RemoteAuth(server_cert=str(tmp_path / "absent")))
    with pytest.raises(RemoteError, match=r"Failed to load credentials file: .*absent") as caught:
        Remote(spec, waits.effects).open(Cancellation())
    assert caught.value.reason == "load-remote-creds-failed"


def test_a_missing_token_is_named(url: str, waits: "Waits", tmp_path: Path) -> None:
    spec = RemoteSpec(url, auth=RemoteAuth(access_token=str(tmp_path / "absent")))
    with pytest.raises(RemoteError, match=r"^Failed to load credentials file: .*absent$"):
        Remote(spec, waits.effects).open(Cancellation())


def test_remotes_that_can_not_be_used_are_told_once(server: CacheServer, url: str, waits: "Waits") -> None:
    """Of two remotes one refuses; the other one is used, and nobody asks the first again."""
    told: list[str] = []
    pool = RemotePool(waits.effects, lambda remote, error: told.append(f"{remote.url}: {error}"))
    with running(CacheServer(), has_assets=False) as other:
        specs = [RemoteSpec(f"http://{other}"), RemoteSpec(url)]
        assert [remote.url for remote in pool.usable(specs).remotes] == [url]
        assert pool.usable(specs).can_fetch
    assert len(told) == 1
    assert told[0].startswith(f"http://{other}: Configured remote does not implement the Remote Asset Fetch")
    pool.close()


def test_a_server_without_sha256_is_refused(server: CacheServer, url: str, waits: "Waits") -> None:
    server.digest_functions = [2]  # type: ignore[list-item]
    with pytest.raises(RemoteError, match="SHA256"):
        Remote(RemoteSpec(url), waits.effects).open(Cancellation())


@pytest.mark.parametrize("damaged", ["GetCapabilities", "FetchBlob"])
def test_an_answer_that_is_damaged_is_asked_for_again(waits: "Waits", damaged: str) -> None:
    """Messages that are taken apart by hand are treated as those that the library refuses."""
    digest = BLOB.hash.encode()
    right = {
        # zstd among the compressors, packed, and a limit of 1000 bytes
        "GetCapabilities": bytes.fromhex("0a09 0a0101 20e807 320101"),
        "FetchBlob": b"\x12\x05urn:x\x2a\x44\x0a\x40" + digest + b"\x10\x04",
    }
    answers = {name: [b"\x0a\xff"] * (name == damaged) + [message] for name, message in right.items()}

    def answer(name: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        if name == "FetchBlob" and not request:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no URI")
        return answers[name].pop(0)

    services = {
        "build.bazel.remote.execution.v2.Capabilities": "GetCapabilities",
        "build.bazel.remote.asset.v1.Fetch": "FetchBlob",
    }
    server = grpc.server(ThreadPoolExecutor(2))
    for service, name in services.items():
        method = grpc.unary_unary_rpc_method_handler(partial(answer, name))
        handler = grpc.method_handlers_generic_handler(service, {name: method})
        server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    remote = Remote(RemoteSpec(f"http://127.0.0.1:{port}"), waits.effects)
    remote.open(Cancellation())
    assert remote.cas.capabilities.batch_limit_bytes == 1000
    assert remote.cas.capabilities.reads_zstd
    assert not remote.cas.capabilities.updates_zstd
    assert remote.assets.fetch_blob(["urn:x"], Cancellation()) == BLOB
    assert waits.pauses_s == [1.0]
    remote.close()
    server.stop(None)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority `ca`, and `server` and `client` that it has signed."""
    directory = tmp_path_factory.mktemp("certificates")

    def openssl(arguments: str) -> None:
        subprocess.run(["openssl", *arguments.split()], cwd=directory, check=True, capture_output=True)

    openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=ca -days 9")
    (directory / "names").write_text("subjectAltName=DNS:localhost")
    for name in ("server", "client"):
        openssl(f"req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}")
        openssl(
            f"x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial "
            f"-out {name}.crt -days 9 -extfile names"
        )
    return directory


def server_credentials(directory: Path) -> grpc.ServerCredentials:
    key, certificate, authority = (
        (directory / name).read_bytes() for name in ("server.key", "server.crt", "ca.crt")
    )
    return grpc.ssl_server_credentials([(key, certificate)], authority, require_client_auth=True)


def test_tls_with_a_client_certificate(server: CacheServer, certificates: Path, waits: "Waits") -> None:
    with running(server, address="localhost:0", credentials=server_credentials(certificates)) as address:
        with_certificate = RemoteAuth(
            server_cert=str(certificates / "ca.crt"),
            client_key=str(certificates / "client.key"),
            client_cert=str(certificates / "client.crt"),
        )
        remote = Remote(RemoteSpec(f"https://{address}", auth=with_certificate), waits.effects)
        remote.open(Cancellation())
        assert remote.cas.find_missing([BLOB], Cancellation()) == {BLOB}
        remote.close()
        without = RemoteAuth(server_cert=str(certificates / "ca.crt"))
        with pytest.raises(RemoteError, match="UNAVAILABLE"):
            Remote(RemoteSpec(f"https://{address}", auth=without), waits.effects).open(Cancellation())
