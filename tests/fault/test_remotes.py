"""Whatever a remote or the network does: the right artifact in the end, nothing wrong in the store, no hang.

A real server stands behind proxies that misbehave.  Elements are pulled with that as the first remote
and the server itself as the second, or built where there is no other remote.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import grpc
import pytest

from tests.fault.storecheck import find_faults
from tests.testutils.artifactserver import ArtifactServer, artifact_server
from tests.testutils.faultproxy import Fault, Plan, always, call_proxy, planned, tcp_proxy
from tests.testutils.space import TestSpace

LARGE = Random(7).randbytes(3 << 20)
TIMEOUT_S = 3  # of those that may never answer
PATIENCE_S = 120  # with those that do, on a machine that may be busy
METHODS = ("GetCapabilities", "FetchBlob", "FindMissingBlobs", "BatchReadBlobs", "Read")
STATUSES = tuple(code for code in grpc.StatusCode if code is not grpc.StatusCode.OK)


@dataclass(frozen=True)
class Published:
    """A server that has the artifact of files.bst."""

    server: ArtifactServer

    @property
    def address(self) -> str:
        return self.server.addresses[0]


def write_project(space: TestSpace) -> None:
    """files.bst, which needs no sandbox: small files, one that is sent as a stream, a link, a program."""
    space.project()
    space.element("files.bst", "kind: import\nsources:\n- kind: local\n  path: files\n")
    for number in range(40):
        space.write(f"files/folder-{number % 4}/file-{number}", f"content {number}\n" * 100)
    space.write("files/program", "#!/bin/sh\n", executable=True)
    (space.project_directory / "files" / "large").write_bytes(LARGE)
    (space.project_directory / "files" / "link").symlink_to("program")


def use_remotes(space: TestSpace, broken: str | None, good: str | None = None, *, push: bool = False) -> None:
    """Lets the program use one cache that it does not wait for long, then one that it does."""
    connection = "{retry-limit: 1, retry-delay: 10, request-timeout: %d}"
    servers = "".join(
        f"  - {{url: 'http://{address}', push: {push}, connection-config: {connection % timeout_s}}}\n"
        for address, timeout_s in ((broken, TIMEOUT_S), (good, PATIENCE_S))
        if address is not None
    )
    space.configure(f"scheduler:\n  network-retries: 0\nartifacts:\n  servers:\n{servers}")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    directory = tmp_path_factory.mktemp("published")
    space = TestSpace(directory, lambda: directory)
    write_project(space)
    with artifact_server(directory / "served") as server:
        use_remotes(space, None, server.addresses[0], push=True)
        space.bst("build", "files.bst")
        yield Published(server)


@pytest.fixture
def puller(space: TestSpace) -> TestSpace:
    """The same project with empty caches."""
    write_project(space)
    return space


def check_result(space: TestSpace) -> None:
    """The artifact is there, is right, and so is all else in the store."""
    assert space.states("files.bst") == {"files.bst": "cached"}
    space.bst("artifact", "checkout", "files.bst", "--directory", "../checkout")
    checkout = space.directory / "checkout"
    assert (checkout / "large").read_bytes() == LARGE
    assert space.tree("../checkout") == space.tree("files")
    assert find_faults(space.cache_directory, space.directory / "scratch") == []


def pull_around(space: TestSpace, broken: str, published: Published) -> None:
    """Pulls with a broken remote first and a good one second."""
    use_remotes(space, broken, published.address)
    space.bst("artifact", "pull", "files.bst")
    check_result(space)


TCP_FAULTS = [
    Plan(fault, after) for fault in Fault if fault is not Fault.NONE for after in (0, 20_000, 1_000_000)
]
QUICK_TCP_FAULTS = [
    Plan(Fault.RESET, 20_000),
    Plan(Fault.CLOSE, 1_000_000),
    Plan(Fault.STALL, 0),
    Plan(Fault.FLIP, 20_000),
]


@pytest.mark.parametrize("plan", QUICK_TCP_FAULTS, ids=str)
def test_a_broken_connection_is_left_for_another_remote(
    puller: TestSpace, published: Published, plan: Plan
) -> None:
    with tcp_proxy(published.address, always(plan)) as proxy:
        pull_around(puller, proxy.address, published)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("plan", TCP_FAULTS, ids=str)
def test_every_broken_connection_is_left_for_another_remote(
    puller: TestSpace, published: Published, plan: Plan, seed: int
) -> None:
    with tcp_proxy(published.address, always(plan), seed) as proxy:
        pull_around(puller, proxy.address, published)


@pytest.mark.parametrize("plan", [Plan(Fault.CLOSE, 1_000_000), Plan(Fault.STALL, 20_000)], ids=str)
def test_a_broken_connection_is_left_for_a_build(puller: TestSpace, published: Published, plan: Plan) -> None:
    with tcp_proxy(published.address, always(plan)) as proxy:
        use_remotes(puller, proxy.address)
        puller.bst("build", "files.bst")
        check_result(puller)


QUICK_STATUSES = [
    ("GetCapabilities", grpc.StatusCode.UNAVAILABLE),
    ("FetchBlob", grpc.StatusCode.INTERNAL),
    ("BatchReadBlobs", grpc.StatusCode.DATA_LOSS),
    ("Read", grpc.StatusCode.RESOURCE_EXHAUSTED),
]


@pytest.mark.parametrize(("method", "status"), QUICK_STATUSES)
def test_a_remote_that_answers_with_an_error_is_left_for_another_one(
    puller: TestSpace, published: Published, method: str, status: grpc.StatusCode
) -> None:
    with call_proxy(published.address, lambda name, _: status if name == method else None) as proxy:
        pull_around(puller, proxy.address, published)


@pytest.mark.slow
@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.name)
@pytest.mark.parametrize("method", METHODS)
def test_every_error_is_left_for_another_remote(
    puller: TestSpace, published: Published, method: str, status: grpc.StatusCode
) -> None:
    with call_proxy(published.address, lambda name, _: status if name == method else None) as proxy:
        pull_around(puller, proxy.address, published)


@pytest.mark.slow
@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.name)
@pytest.mark.parametrize("method", ["PushBlob", "FindMissingBlobs", "BatchUpdateBlobs", "Write"])
def test_a_push_that_fails_does_not_fail_a_build(
    puller: TestSpace, published: Published, method: str, status: grpc.StatusCode
) -> None:
    puller.write("files/new", f"{method} {status}")  # nobody has it
    with call_proxy(published.address, lambda name, _: status if name == method else None) as proxy:
        use_remotes(puller, proxy.address, push=True)
        puller.bst("build", "files.bst")
        check_result(puller)


@pytest.mark.parametrize(
    ("size_mib", "breaks", "rate_bytes_s"),
    [
        (48, 4, 20_000_000),
        pytest.param(512, 100, None, marks=pytest.mark.slow),
        pytest.param(512, 100, 20_000_000, marks=pytest.mark.slow),
    ],
)
def test_a_pull_that_breaks_many_times_loses_little(
    space: TestSpace, size_mib: int, breaks: int, rate_bytes_s: int | None
) -> None:
    """As a network of 160 Mbit/s, or as fast as can be; what a connection holds when it ends is lost.

    A loopback without a pace holds megabytes of what a busy program has not read yet.
    """
    content = Random(size_mib).randbytes(1 << 20)
    space.project()
    space.element("blob.bst", "kind: import\nsources:\n- kind: local\n  path: blob\n")
    blob = space.write("blob/large", "")
    with blob.open("wb") as file:
        for number in range(size_mib):
            file.write(number.to_bytes(4, "big") + content[4:])
    size = size_mib << 20
    part = size // (breaks + 1)
    with artifact_server(space.directory / "served") as server:
        use_remotes(space, None, server.addresses[0], push=True)
        space.bst("build", "blob.bst")
        space.bst("artifact", "delete", "blob.bst")
        for path in (space.cache_directory / "cas" / "objects").glob("*/*"):
            path.unlink()
        plans = [Plan(Fault.CLOSE, part, rate_bytes_s)] * breaks
        with tcp_proxy(server.addresses[0], planned(plans)) as proxy:
            use_remotes(space, None, proxy.address)
            space.bst("artifact", "pull", "blob.bst")
            lost = proxy.passed_bytes - size
            assert proxy.connections > breaks
    space.bst("artifact", "checkout", "blob.bst", "--directory", "../checkout")
    assert (space.directory / "checkout" / "large").read_bytes() == blob.read_bytes()
    assert lost < size // 20, f"{lost} of {size} bytes were read twice"
