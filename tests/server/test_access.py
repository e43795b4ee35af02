"""Who may do what: ports, tokens, certificates; and the life of the program."""

import os
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from click.testing import CliRunner
from grpc import StatusCode

from buildstream._cli.artifactserver import main
from buildstream._exceptions import AppError
from buildstream._model.digest import digest_from_bytes
from buildstream._protos.build.bazel.remote.asset.v1 import remote_asset_pb2 as asset
from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as reapi
from buildstream._protos.google.bytestream import bytestream_pb2 as streams
from buildstream._protos.grpc.health.v1 import health_pb2, health_pb2_grpc
from buildstream._server.settings import ListenAddress, Right
from tests.server.conftest import Client, Servers, status_of, upload_name
from tests.testutils.artifactserver import ArtifactServer, artifact_server

READ = (ListenAddress("127.0.0.1:0", Right.READ),)
EMPTY_PUSH = asset.PushBlobRequest()


def may_read(client: Client, metadata: tuple[tuple[str, str], ...] = ()) -> StatusCode:
    try:
        client.contents.FindMissingBlobs(reapi.FindMissingBlobsRequest(), metadata=metadata)
    except grpc.RpcError as error:
        return error.code()
    return StatusCode.OK


def may_push(client: Client, metadata: tuple[tuple[str, str], ...] = ()) -> StatusCode:
    """The status of pushing nothing: INVALID_ARGUMENT if that was looked at at all."""
    return status_of(lambda: client.push.PushBlob(EMPTY_PUSH, metadata=metadata))[0]


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


def test_nothing_is_written_through_a_port_for_reading(servers: Servers) -> None:
    client = servers.start(addresses=READ)
    assert may_read(client) is StatusCode.OK
    assert may_push(client) is StatusCode.PERMISSION_DENIED
    digest = digest_from_bytes(b"x")
    calls = [
        lambda: client.write(upload_name(digest), b"x"),
        lambda: client.contents.BatchUpdateBlobs(reapi.BatchUpdateBlobsRequest()),
        lambda: client.push.PushDirectory(asset.PushDirectoryRequest()),
        lambda: client.actions.UpdateActionResult(reapi.UpdateActionResultRequest()),
        lambda: client.streams.QueryWriteStatus(streams.QueryWriteStatusRequest()),
    ]
    assert [status_of(call)[0] for call in calls] == [StatusCode.PERMISSION_DENIED] * 5
    capabilities = client.capabilities.GetCapabilities(reapi.GetCapabilitiesRequest())
    assert not capabilities.cache_capabilities.action_cache_update_capabilities.update_enabled


def test_tokens_give_rights_and_may_change(tmp_path: Path, servers: Servers) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("# of the team\npush secret\n\nread known\n")
    client = servers.start(tokens=str(tokens))
    assert may_read(client) is StatusCode.UNAUTHENTICATED
    assert may_read(client, bearer("wrong")) is StatusCode.UNAUTHENTICATED
    assert may_read(client, (("authorization", "Basic secret"),)) is StatusCode.UNAUTHENTICATED
    assert may_read(client, bearer("known")) is StatusCode.OK
    assert may_push(client, bearer("known")) is StatusCode.PERMISSION_DENIED
    assert may_push(client, bearer("secret")) is StatusCode.INVALID_ARGUMENT

    tokens.write_text("push another\n")
    assert may_push(client, bearer("secret")) is StatusCode.UNAUTHENTICATED
    assert may_push(client, bearer("another")) is StatusCode.INVALID_ARGUMENT
    tokens.write_text("what is this\n")
    assert may_push(client, bearer("another")) is StatusCode.INVALID_ARGUMENT
    assert any("[line 1]: expected" in line for line in servers.log)
    assert not any("another" in line for line in servers.log)


def test_reading_may_need_no_token(tmp_path: Path, servers: Servers) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("push secret\n")
    client = servers.start(tokens=str(tokens), anonymous_right=Right.READ)
    assert may_read(client) is StatusCode.OK
    assert may_push(client) is StatusCode.PERMISSION_DENIED
    assert may_push(client, bearer("secret")) is StatusCode.INVALID_ARGUMENT


def test_a_wrong_file_of_tokens_is_an_error_with_its_line(tmp_path: Path, servers: Servers) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("push secret\nwrite secret\n")
    with pytest.raises(AppError, match=r"tokens \[line 2\]: expected 'read TOKEN' or 'push TOKEN'"):
        servers.start(tokens=str(tokens))


def test_health_needs_no_credentials(tmp_path: Path, servers: Servers) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("push secret\n")
    client = servers.start(tokens=str(tokens))
    health = health_pb2_grpc.HealthStub(client.channel)
    assert health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
    named = health_pb2.HealthCheckRequest(service="google.bytestream.ByteStream")
    assert health.Check(named).status == health_pb2.HealthCheckResponse.SERVING
    unknown = health_pb2.HealthCheckRequest(service="no.such.Service")
    assert status_of(lambda: health.Check(unknown))[0] is StatusCode.NOT_FOUND


# --- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `server` and `client`, signed by `authority`, and `stranger`: .crt and .key."""
    directory = tmp_path_factory.mktemp("certificates")

    def openssl(arguments: str) -> None:
        subprocess.run(["openssl", *arguments.split()], cwd=directory, check=True, capture_output=True)

    key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 9"
    (directory / "names").write_text("subjectAltName=DNS:localhost")
    for name in ("authority", "stranger"):
        openssl(f"req -x509 {key} -keyout {name}.key -out {name}.crt -subj /CN={name}")
    for name in ("server", "client"):
        openssl(f"req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}")
        signed = "-CA authority.crt -CAkey authority.key -CAcreateserial -extfile names -days 9"
        openssl(f"x509 -req -in {name}.csr -out {name}.crt {signed}")
    return directory


def connect(server: ArtifactServer, certificates: Path, who: str | None, position: int = 0) -> Client:
    """A client of a port that shows the certificate of WHO."""
    pair = [(certificates / f"{who}.{kind}").read_bytes() for kind in ("key", "crt")] if who else [None, None]
    credentials = grpc.ssl_channel_credentials((certificates / "authority.crt").read_bytes(), *pair)
    port = server.addresses[position].rpartition(":")[2]
    return Client(grpc.secure_channel(f"localhost:{port}", credentials))


def test_only_known_certificates_may_push(tmp_path: Path, certificates: Path) -> None:
    files = [f"{certificates}/{name}" for name in ("server.key", "server.crt", "authority.crt")]
    options = ("--server-key", files[0], "--server-cert", files[1], "--client-certs", files[2])
    ports = ("--bind", "127.0.0.1:0", "--bind-push", "127.0.0.1:0")
    with artifact_server(tmp_path / "served", *options, *ports) as server:
        assert may_read(connect(server, certificates, None)) is StatusCode.OK
        assert may_push(connect(server, certificates, None, 1)) is StatusCode.UNAVAILABLE
        assert may_push(connect(server, certificates, "stranger", 1)) is StatusCode.UNAVAILABLE
        assert may_push(connect(server, certificates, "client", 1)) is StatusCode.INVALID_ARGUMENT


# --- The program


def test_a_socket_in_the_file_system(tmp_path: Path) -> None:
    path = f"unix:{tmp_path}/socket"
    for _ in range(2):  # the second finds the socket of one that was killed
        server = ArtifactServer(tmp_path / "served", ("--bind-push", path))
        assert may_push(Client(grpc.insecure_channel(path))) is StatusCode.INVALID_ARGUMENT
        server.kill()


def test_a_second_server_on_a_directory_or_port_is_an_error(tmp_path: Path) -> None:
    with artifact_server(tmp_path / "served") as server:
        with pytest.raises(pytest.fail.Exception, match="Another cache server uses the directory"):
            ArtifactServer(tmp_path / "served", ("--bind", "127.0.0.1:0"))
        with pytest.raises(pytest.fail.Exception, match="Can't listen on"):
            ArtifactServer(tmp_path / "other", ("--bind", server.addresses[0]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "Nothing to listen on"),
        (("--bind", "nowhere"), "'nowhere' is no address"),
        (("--bind", "1", "--server-key", "x"), "needed together"),
        (("--bind", "1", "--quota", "much"), "much is not a valid data size"),
        (("--bind", "1", "--anonymous-read"), "--anonymous-read is for --tokens"),
    ],
)
def test_wrong_options_are_said_in_one_line(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(main, [*options, str(tmp_path / "served")])
    assert result.exit_code in {2, 255}
    assert message in result.output
    assert not (tmp_path / "served").exists()


def test_a_file_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    options = ("--bind", "127.0.0.1:0", "--server-key", "x", "--server-cert", "y")
    with pytest.raises(pytest.fail.Exception, match="bst-artifact-server: Can't read 'x'") as caught:
        ArtifactServer(tmp_path / "served", options)
    assert "Traceback" not in str(caught.value)


def test_calls_that_run_may_end_when_the_server_stops(tmp_path: Path) -> None:
    content = b"slowly" * 1000
    digest = digest_from_bytes(content)
    name = upload_name(digest)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify"))
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        server = ArtifactServer(tmp_path / "served", ("--bind-push", "127.0.0.1:0"), environment)
        assert notified.recv(100) == b"READY=1"
        client = Client(grpc.insecure_channel(server.addresses[0]))
        started, go_on = threading.Event(), threading.Event()

        def slowly() -> Iterator[streams.WriteRequest]:
            yield streams.WriteRequest(resource_name=name, data=content[:100])
            started.set()
            go_on.wait()
            yield streams.WriteRequest(
                resource_name=name, write_offset=100, data=content[100:], finish_write=True
            )

        call = client.streams.Write.future(slowly())
        assert started.wait(60)
        assert client.missing(digest) == {digest.hash}
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        server.wait_for_line("Stopping")
        go_on.set()
        assert call.result(timeout=60).committed_size == digest.size
        stopping.join()
        assert notified.recv(100) == b"STOPPING=1"
    with artifact_server(tmp_path / "served") as again:
        assert Client(grpc.insecure_channel(again.addresses[0])).read(digest) == content


def test_metrics_are_text(tmp_path: Path) -> None:
    ports = ("--bind-push", "127.0.0.1:0", "--metrics", "0")
    with artifact_server(tmp_path / "served", *ports) as server:
        Client(grpc.insecure_channel(server.addresses[0])).upload(b"counted")
        with urllib.request.urlopen(server.addresses[1]) as answer:
            text = answer.read().decode()
        assert 'calls_total{method="BatchUpdateBlobs",status="OK"} 1' in text
        assert "bst_artifact_server_received_bytes_total 7" in text
        assert f"used_bytes {4096}" in text
        with urllib.request.urlopen(server.addresses[1].replace("/metrics", "/healthz")) as answer:
            assert answer.read() == b"ok\n"


def test_what_was_confirmed_is_there_after_a_kill(tmp_path: Path) -> None:
    server = ArtifactServer(tmp_path / "served", ("--bind-push", "127.0.0.1:0"))
    client = Client(grpc.insecure_channel(server.addresses[0]))
    blobs = [os.urandom(1000) for _ in range(50)]
    digests = client.upload(*blobs)
    request = asset.PushBlobRequest(uris=["urn:a"])
    request.blob_digest.hash, request.blob_digest.size_bytes = digests[0]
    client.push.PushBlob(request)
    server.kill()
    with artifact_server(tmp_path / "served") as again:
        client = Client(grpc.insecure_channel(again.addresses[0]))
        assert [client.read(digest) for digest in digests] == blobs
        assert client.fetch.FetchBlob(asset.FetchBlobRequest(uris=["urn:a"])).uri == "urn:a"
