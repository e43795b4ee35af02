"""Builds on a cluster of the Remote Execution API."""

import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as reapi
from tests.testutils.actionrunner import digest_of
from tests.testutils.cacheserver import CacheServer, running
from tests.testutils.executionserver import Cut, ExecutionServer, running_executions
from tests.testutils.hostbase import make_host_base
from tests.testutils.space import Result, TestSpace
from tests.testutils.waiting import wait_until
from tests.vectors.artifacts.make_project import BASE_COMMANDS, write_project
from tests.vectors.test_artifact_digests import EXPECTED

from .conftest import write_project as write_small_project

_ALL = ("execution", "storage", "action-cache")
_CALLS = ("GetActionResult", "UpdateActionResult", "Execute", "WaitExecution", "CancelOperation")
_PATIENCE_S = 120


class Cluster:
    """A project and a cluster that builds it.

    Attributes:
        server: All of the cluster.
        address: Its host and port.
    """

    def __init__(self, space: TestSpace, stack: ExitStack) -> None:
        self.space = space
        self.stack = stack
        scratch = space.directory / "workers"
        scratch.mkdir(exist_ok=True)
        self.server = ExecutionServer(scratch)
        self.address = stack.enter_context(running_executions(self.server))
        self.configure()

    def configure(
        self,
        services: Sequence[str] = _ALL,
        more: str = "",
        *,
        retries: int = 1,
        addresses: dict[str, str] | None = None,
    ) -> None:
        """Configures SERVICES of the cluster, at its address or at that of ADDRESSES."""
        lines = ["remote-execution:"]
        for name in services:
            url = f"http://{(addresses or {}).get(name, self.address)}"
            patience = f"connection-config: {{retry-limit: {retries}, retry-delay: 1}}"
            lines.append(f'  {name}-service: {{url: "{url}", {patience}}}')
        self.space.configure("\n".join(lines) + f"\n{more}")

    def build(self, *targets: str, expect: int = 0) -> Result:
        """Builds TARGETS, hello.bst by default."""
        return self.space.bst("build", *(targets or ("hello.bst",)), expect=expect)

    def calls(self) -> list[str]:
        """The calls so far that are about actions."""
        return [name for name in self.server.calls if name in _CALLS]

    def forget(self) -> None:
        """Deletes the local cache, and what is known of calls."""
        shutil.rmtree(self.space.cache_directory)
        self.server.calls.clear()
        self.server.executed.clear()

    def log(self, name: str) -> str:
        """The log in the artifact of NAME."""
        return self.space.bst("artifact", "log", name).stdout


@pytest.fixture
def cluster(space: TestSpace) -> Iterator[Cluster]:
    write_small_project(space)
    with ExitStack() as stack:
        yield Cluster(space, stack)


def test_every_kind_of_artifact_is_that_of_a_local_build(space: TestSpace) -> None:
    """Those of the artifact vectors, which BuildStream 2.8 built locally."""
    write_project(space.project_directory)
    make_host_base(str(space.project_directory / "files" / "base"), BASE_COMMANDS)
    with ExitStack() as stack:
        cluster = Cluster(space, stack)
        cluster.build("all.bst")
        digests = space.show("%{artifact-cas-digest}", "--deps", "all", "all.bst")
        assert len(cluster.server.executed) > 20
    expected = {name: record["digest"] for name, record in EXPECTED.items()}
    assert {name: digests[name] for name in expected} == expected


def test_commands_run_there(cluster: Cluster) -> None:
    space = cluster.space
    result = cluster.build()
    assert cluster.calls() == ["GetActionResult", "Execute"]
    steps = (
        *("START   Running commands", "START   Uploading input root", "SUCCESS Uploading input root"),
        *("START   Waiting for the remote build", "SUCCESS Waiting for the remote build"),
        *("SUCCESS Running commands", "SUCCESS Caching artifact"),
    )
    own = "\n".join(line for line in result.stderr.splitlines() if "build:hello.bst" in line)
    positions = [own.index(step) for step in steps]
    assert positions == sorted(positions)
    log = cluster.log("hello.bst")
    assert "+ sh -c -e" in log[log.index("Waiting for the remote build") :]
    space.bst("artifact", "checkout", "hello.bst", "--deps", "none", "--directory", "out")
    assert space.tree("out/usr/share") == ["alias -> main.c", "main.c", "object.o"]


def test_heading_tells_the_services(cluster: Cluster) -> None:
    url = f"http://{cluster.address}"
    cluster.space.configure(
        "remote-execution:\n"
        f'  execution-service: {{url: "{url}", instance-name: main}}\n'
        f'  storage-service: {{url: "{url}", instance-name: blobs}}\n'
        f'  action-cache-service: {{url: "{url}", instance-name: results, push: true}}\n'
    )
    result = cluster.build()
    assert (
        "Remote Execution Configuration\n"
        f"    Execution Service:    {url} (instance: main)\n"
        f"    Storage Service:      {url} (instance: blobs)\n"
        f"    Action Cache Service: {url} (instance: results)\n"
        "\n"
    ) in result.stderr
    requests = cluster.server.requests
    for name, instance in (
        ("Execute", "main"),
        ("FindMissingBlobs", "blobs"),
        ("GetCapabilities", "blobs"),
        ("GetActionResult", "results"),
    ):
        assert {request.instance_name for request in requests[name]} == {instance}, name


def test_known_result_is_taken_from_the_action_cache(cluster: Cluster) -> None:
    cluster.build()
    digest = cluster.space.show("%{artifact-cas-digest}", "hello.bst")
    cluster.forget()
    result = cluster.build()
    assert "INFO    Action result found in action cache" in result.stderr
    assert "Uploading input root" not in result.stderr
    assert cluster.calls() == ["GetActionResult"]
    assert cluster.space.show("%{artifact-cas-digest}", "hello.bst") == digest
    assert "+ sh -c -e" in cluster.log("hello.bst")


def test_known_result_without_its_outputs_is_of_no_use(cluster: Cluster) -> None:
    cluster.build()
    server = cluster.server
    lost = _OBJECT.hash
    del server.blobs[lost]
    cluster.forget()
    cluster.build()
    assert cluster.calls() == ["GetActionResult", "Execute"]
    assert server.requests["Execute"][-1].skip_cache_lookup
    assert lost in server.blobs


def test_known_result_that_lacks_outputs_is_of_no_use(cluster: Cluster) -> None:
    cluster.build()
    for result in cluster.server.results.values():
        del result.output_directories[:]
    cluster.forget()
    cluster.build()
    assert cluster.calls() == ["GetActionResult", "Execute"]
    assert "usr/share/object.o" in cluster.space.bst("artifact", "list-contents", "hello.bst").stdout


def test_without_an_action_cache_nobody_asks_one(cluster: Cluster) -> None:
    cluster.configure(("execution", "storage"))
    cluster.build()
    cluster.forget()
    cluster.build()
    assert cluster.calls() == ["Execute"]
    assert not cluster.server.executed, "the server knew the result"


def test_action_cache_alone_is_not_asked(cluster: Cluster) -> None:
    cluster.configure(("storage", "action-cache"))
    result = cluster.build()
    assert cluster.calls() == []
    assert "Uploading input root" not in result.stderr
    assert "+ sh -c -e" in cluster.log("hello.bst")


def test_storage_may_be_another_server(cluster: Cluster) -> None:
    storage = CacheServer()
    cluster.server.blobs = storage.blobs
    with running(storage, has_assets=False) as address:
        cluster.configure(addresses={"storage": address})
        cluster.build()
    assert set(cluster.server.calls) == {"GetActionResult", "Execute"}
    assert "Execute" not in storage.calls


def test_storage_may_be_that_of_the_cache(cluster: Cluster) -> None:
    url = f"http://{cluster.address}"
    cluster.configure(("execution",), f'cache:\n  storage-service: {{url: "{url}"}}\n')
    result = cluster.build()
    assert f"Storage Service:   {url}\n" in result.stderr
    assert cluster.calls() == ["Execute"]
    cluster.space.bst("artifact", "checkout", "hello.bst", "--deps", "none", "--directory", "out")
    assert cluster.space.read("out/usr/share/object.o") == "object\n"


def test_cluster_of_one_project(cluster: Cluster) -> None:
    url = f"http://{cluster.address}"
    services = f'{{execution-service: {{url: "{url}"}}, storage-service: {{url: "{url}"}}}}'
    cluster.space.configure(f"projects:\n  other:\n    remote-execution: {services}\n")
    assert "Remote Execution Configuration" not in cluster.build("plain.bst").stderr
    cluster.space.configure(f"projects:\n  test:\n    remote-execution: {services}\n")
    assert f"    Execution Service: {url}\n" in cluster.build().stderr
    assert cluster.calls() == ["Execute"]


def test_nobody_is_asked_when_no_command_runs(cluster: Cluster) -> None:
    cluster.build("data.bst")
    cluster.space.bst("show", "hello.bst")
    assert cluster.server.calls == []


def test_what_the_storage_has_is_not_sent_again(cluster: Cluster) -> None:
    cluster.build("hello.bst")
    before = len(cluster.server.requests["BatchUpdateBlobs"])
    cluster.build("broken.bst", expect=255)
    sent = [
        update.digest.size_bytes
        for request in cluster.server.requests["BatchUpdateBlobs"][before:]
        for update in request.requests
    ]
    assert 0 < sum(sent) < 10_000


def test_command_that_fails_is_told_and_kept(cluster: Cluster) -> None:
    space = cluster.space
    result = cluster.build("broken.bst", expect=255)
    assert "FAILURE Command failed" in result.stderr
    assert "Command 'exit 7' failed with exitcode 7" in result.stderr
    assert space.states("broken.bst")["broken.bst"] == "failed"
    log = cluster.log("broken.bst")
    assert log.index("\nbefore\n") < log.index("+ sh -c -e")  # all of stdout comes first
    shell = ("shell", "--build", "--use-buildtree", "broken.bst", "--", "cat", "left")
    assert space.bst(*shell).stdout == "left\n"
    assert cluster.calls() == ["GetActionResult", "Execute"]
    cluster.server.calls.clear()
    cluster.build("broken.bst", expect=255)
    assert cluster.calls() == []
    cluster.forget()
    cluster.build("broken.bst", expect=255)
    assert cluster.calls() == ["GetActionResult", "Execute"]  # failures are in no action cache


def test_shells_and_integration_run_here(cluster: Cluster) -> None:
    cluster.build("good.bst")
    before = cluster.calls()
    space = cluster.space
    assert space.bst("shell", "good.bst", "--", "cat", "/integrated").stdout.endswith("integrated\n")
    assert "hello.bst" in space.bst("shell", "--build", "hello.bst", "--", "pwd").stdout
    space.bst("artifact", "checkout", "good.bst", "--directory", "out")
    assert space.read("out/integrated") == "integrated\n"
    assert cluster.calls() == before


def test_elements_are_built_at_once(cluster: Cluster) -> None:
    cluster.server.quorum = 2  # each waits for the other
    space = cluster.space
    for name in ("one", "two"):
        space.element(
            f"{name}.bst",
            "kind: manual\nbuild-depends: [base.bst]\n"
            f"config:\n  install-commands: ['mkdir -p %{{install-root}}/{name}']\n",
        )
    cluster.build("one.bst", "two.bst")
    assert len(cluster.server.executed) == 2


def test_workspace_is_built_on_what_is_there(cluster: Cluster) -> None:
    """Times come back with the files, so that tools like make see what is up to date."""
    space = cluster.space
    space.element(
        "made.bst",
        "kind: manual\nbuild-depends: [base.bst]\nsources: [{kind: local, path: files/src}]\n"
        "config:\n"
        "  configure-commands: ['echo configured >> configured; touch -d 2020-02-02T02:02:02 product']\n"
        "  build-commands: ['stat -c %Y product >> times']\n"
        "  install-commands: ['mkdir -p %{install-root}', 'cp configured times %{install-root}']\n",
    )
    space.bst("workspace", "open", "made.bst", "--directory", "ws")
    cluster.build("made.bst")
    space.write("ws/new", "new\n")
    cluster.build("made.bst")
    command = cluster.server.command(cluster.server.action(cluster.server.executed[-1]))
    assert command.output_node_properties == ["mtime"]
    space.bst("artifact", "checkout", "made.bst", "--deps", "none", "--directory", "out")
    assert space.read("out/configured") == "configured\n"
    assert space.read("out/times") == "1580608922\n" * 2


def test_cluster_builds_what_this_machine_can_not(cluster: Cluster) -> None:
    space = cluster.space
    space.element(
        "foreign.bst",
        "kind: manual\nbuild-depends: [base.bst]\n"
        "sandbox: {build-os: aix, build-arch: power-isa-be, build-uid: 12, build-gid: 34}\n"
        "config:\n  install-commands: ['mkdir -p %{install-root}', 'id -u > %{install-root}/user']\n",
    )
    cluster.build("foreign.bst")
    action = cluster.server.action(cluster.server.executed[0])
    properties = [(each.name, each.value) for each in action.platform.properties]
    assert properties == [("ISA", "power-isa-be"), ("OSFamily", "aix"), ("unixGID", "34"), ("unixUID", "12")]
    space.bst("artifact", "checkout", "foreign.bst", "--deps", "none", "--directory", "out")
    assert space.read("out/user") == "12\n"


# what goes wrong


def refused(method: str, status: StatusCode, times: int = 1000) -> Callable[[ExecutionServer], None]:
    """The first TIMES calls of METHOD are refused."""
    remaining = [times]

    def fault(name: str, request: Any, context: grpc.ServicerContext) -> None:
        if name == method and remaining[0]:
            remaining[0] -= 1
            context.abort(status, "for a test")

    def change(server: ExecutionServer) -> None:
        server.fault = fault

    return change


def cut(after: int, status: StatusCode | None, times: int = 1) -> Callable[[ExecutionServer], None]:
    def change(server: ExecutionServer) -> None:
        server.cut = Cut(after, status, times)

    return change


def both(*changes: Callable[[ExecutionServer], None]) -> Callable[[ExecutionServer], None]:
    def change(server: ExecutionServer) -> None:
        for each in changes:
            each(server)

    return change


def result_with(
    change_result: Callable[[ExecutionServer, Any], None],
) -> Callable[[ExecutionServer], None]:
    def change(server: ExecutionServer) -> None:
        server.change_result = lambda result: change_result(server, result)

    return change


def operation_with(change_operation: Callable[[Any], None]) -> Callable[[ExecutionServer], None]:
    def change(server: ExecutionServer) -> None:
        server.change_operation = change_operation

    return change


def with_status(code: StatusCode, message: str) -> Callable[[Any], None]:
    def change(operation: Any) -> None:
        response = reapi.ExecuteResponse()
        response.status.code = code.value[0]
        response.status.message = message
        operation.response.Pack(response)

    return change


def forget_digests(server: ExecutionServer, result: Any) -> None:
    for output in result.output_directories:
        output.ClearField("root_directory_digest")


def give_trees(server: ExecutionServer, result: Any) -> None:
    """Directories are known by Tree messages alone, and are not in the storage."""
    for output in result.output_directories:
        directories: list[Any] = []
        collect(server, output.root_directory_digest, directories)
        content = reapi.Tree(root=directories[-1], children=directories[:-1]).SerializeToString()
        output.tree_digest.CopyFrom(digest_of(content))
        server.blobs[output.tree_digest.hash] = content
        output.ClearField("root_directory_digest")


def collect(server: ExecutionServer, digest: Any, directories: list[Any]) -> None:
    directory = reapi.Directory.FromString(server.blobs.pop(digest.hash, b""))
    for child in directory.directories:
        collect(server, child.digest, directories)
    directories.append(directory)


def add_output_file(server: ExecutionServer, result: Any) -> None:
    result.output_files.add(path="stray", digest=digest_of(b""))


def lose_file(server: ExecutionServer, result: Any) -> None:
    del server.blobs[_OBJECT.hash]


def lose_directories(server: ExecutionServer, result: Any) -> None:
    for output in result.output_directories:
        server.blobs.pop(output.root_directory_digest.hash, None)


def move_outputs(server: ExecutionServer, result: Any) -> None:
    """The trees are given, but of directories that nobody has asked for."""
    for output in result.output_directories:
        output.path = f"elsewhere/{output.path}"


def give_bad_digests(server: ExecutionServer, result: Any) -> None:
    for output in result.output_directories:
        output.root_directory_digest.size_bytes = -1


def forget_inputs(server: ExecutionServer) -> None:
    """Whatever is sent is gone when it is needed."""

    def fault(name: str, request: Any, context: grpc.ServicerContext) -> None:
        if name == "Execute":
            server.blobs.clear()

    server.fault = fault


def break_tree(server: ExecutionServer, result: Any) -> None:
    for output in result.output_directories:
        output.ClearField("root_directory_digest")
        output.tree_digest.CopyFrom(digest_of(b"\xff"))
        server.blobs[output.tree_digest.hash] = b"\xff"


_OBJECT = digest_of(b"object\n")  # the file that hello.bst makes
_CONTACT = "Failed contacting remote execution server at http://{address}."
_LOST = "The storage service http://{address} does not have "
_FAULTS: dict[str, tuple[Callable[[ExecutionServer], None], str]] = {
    **{
        f"execute-{status.name}": (refused("Execute", status), f"{_CONTACT}{status.name}: for a test")
        for status in (
            *(StatusCode.INVALID_ARGUMENT, StatusCode.FAILED_PRECONDITION, StatusCode.RESOURCE_EXHAUSTED),
            *(
                StatusCode.INTERNAL,
                StatusCode.UNAVAILABLE,
                StatusCode.UNIMPLEMENTED,
                StatusCode.PERMISSION_DENIED,
            ),
        )
    },
    "breaks-internally": (cut(1, StatusCode.INTERNAL), f"{_CONTACT}INTERNAL: broken off"),
    "says-nothing": (cut(0, None, 1000), "No response returned from server"),
    "can-not-be-asked-again": (
        both(cut(1, StatusCode.UNAVAILABLE), refused("WaitExecution", StatusCode.UNIMPLEMENTED)),
        "Failed trying to recover from connection loss: server does not support operation status",
    ),
    "status": (operation_with(with_status(StatusCode.ABORTED, "the worker burns")), "the worker burns"),
    "status-without-message": (
        operation_with(with_status(StatusCode.INTERNAL, "")),
        "Remote server failed at executing the build request.",
    ),
    "no-result": (
        operation_with(lambda operation: operation.ClearField("response")),
        "The remote execution server gave no result",
    ),
    "result-of-another-kind": (
        operation_with(lambda operation: operation.response.Pack(reapi.Directory())),
        "The remote execution server gave no result",
    ),
    "operation-fails": (
        operation_with(lambda operation: operation.error.MergeFromString(b"\x08\x0d\x12\x04oops")),
        "INTERNAL: oops",
    ),
    "no-digest": (result_with(forget_digests), "Output directory structure had no digest attached."),
    "no-outputs": (
        result_with(lambda server, result: result.ClearField("output_directories")),
        "The remote execution server gave no output directory '/buildstream/test/hello.bst'",
    ),
    "other-outputs": (
        result_with(move_outputs),
        "The remote execution server gave no output directory '/buildstream/test/hello.bst'",
    ),
    "bad-digests": (result_with(give_bad_digests), "The server gave a digest that is no SHA-256"),
    "malformed-tree": (result_with(break_tree), "Output directory '.' is no tree"),
    "output-files": (
        result_with(add_output_file),
        "Output files were returned when we didn't request any.",
    ),
    "file-lost": (result_with(lose_file), f"{_LOST}{_OBJECT.hash}"),
    "inputs-lost": (
        forget_inputs,
        "missing input: ",
    ),
    "storage-full": (
        refused("BatchUpdateBlobs", StatusCode.RESOURCE_EXHAUSTED),
        "RESOURCE_EXHAUSTED: for a test",
    ),
    "storage-fails": (refused("FindMissingBlobs", StatusCode.INTERNAL), "INTERNAL: for a test"),
    "storage-refuses": (
        refused("GetCapabilities", StatusCode.UNAUTHENTICATED),
        "Failed to initialize the remote storage service http://{address}: UNAUTHENTICATED: for a test",
    ),
}


@pytest.fixture(scope="module")
def unbuilt(tmp_path_factory: pytest.TempPathFactory, shell_base: Callable[[], Path]) -> TestSpace:
    """A space in which only what hello.bst needs is built, for many builds of hello.bst that fail."""
    space = TestSpace(tmp_path_factory.mktemp("unbuilt"), shell_base)
    write_small_project(space)
    space.bst("build", "base.bst", "data.bst")
    return space


@pytest.fixture
def faulty_cluster(unbuilt: TestSpace) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(unbuilt, stack)


@pytest.mark.parametrize("fault", _FAULTS)
def test_fault_of_the_cluster_is_told(faulty_cluster: Cluster, fault: str) -> None:
    cluster = faulty_cluster
    change, message = _FAULTS[fault]
    change(cluster.server)
    result = cluster.build(expect=255)
    assert f"FAILURE {message.format(address=cluster.address)}" in result.stderr
    assert "Traceback" not in result.stderr
    assert "BUG" not in result.stderr
    assert result.task_error is not None
    # it says nothing about the element
    assert cluster.space.states("hello.bst")["hello.bst"] == "buildable"


def test_directories_that_are_lost_are_told(cluster: Cluster) -> None:
    """Apart, as the local cache must not have them."""
    result_with(lose_directories)(cluster.server)
    assert f"FAILURE {_LOST.format(address=cluster.address)}" in cluster.build(expect=255).stderr


@pytest.mark.parametrize("service", ["execution", "storage"])
def test_service_that_is_not_there_is_named(faulty_cluster: Cluster, service: str) -> None:
    cluster = faulty_cluster
    cluster.configure(addresses={service: "127.0.0.1:1"})
    result = cluster.build(expect=255)
    assert re.search(r"FAILURE Failed .*http://127\.0\.0\.1:1.*UNAVAILABLE", result.stderr)
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("status", [StatusCode.INTERNAL, StatusCode.UNIMPLEMENTED, StatusCode.UNAVAILABLE])
def test_action_cache_that_fails_is_not_needed(cluster: Cluster, status: StatusCode) -> None:
    refused("GetActionResult", status)(cluster.server)
    result = cluster.build()
    assert f"WARNING Failed to query action cache: {status.name}: for a test" in result.stderr
    assert len(cluster.server.executed) == 1


_OVERCOME: dict[str, tuple[Callable[[ExecutionServer], None], list[str]]] = {
    "refused-once": (refused("Execute", StatusCode.UNAVAILABLE, 1), ["Execute", "Execute"]),
    "breaks-unavailable": (cut(1, StatusCode.UNAVAILABLE), ["Execute", "WaitExecution"]),
    "breaks-unknown": (cut(1, StatusCode.UNKNOWN), ["Execute", "WaitExecution"]),
    "ends-early": (cut(1, None), ["Execute", "WaitExecution"]),
    "breaks-often": (cut(1, StatusCode.UNAVAILABLE, 5), ["Execute", *["WaitExecution"] * 5]),
    "forgotten": (
        both(cut(1, StatusCode.UNAVAILABLE), refused("WaitExecution", StatusCode.NOT_FOUND, 1)),
        ["Execute", "WaitExecution", "Execute"],
    ),
    "not-there-for-a-while": (
        both(cut(1, StatusCode.UNAVAILABLE), refused("WaitExecution", StatusCode.UNAVAILABLE, 2)),
        ["Execute", *["WaitExecution"] * 3],
    ),
    "inputs-forgotten": (
        refused("Execute", StatusCode.FAILED_PRECONDITION, 1),
        ["Execute", "Execute"],
    ),
    "trees": (result_with(give_trees), ["Execute"]),
    "inline-output": (lambda server: setattr(server, "inlines_output", True), ["Execute"]),
    "no-capabilities": (refused("GetCapabilities", StatusCode.UNIMPLEMENTED), ["Execute"]),
}


@pytest.mark.parametrize("fault", _OVERCOME)
def test_fault_is_overcome(cluster: Cluster, fault: str) -> None:
    change, calls = _OVERCOME[fault]
    cluster.configure(("execution", "storage"), retries=4)
    change(cluster.server)
    cluster.build()
    # a stream that is cut late may have told the end
    seen = cluster.calls()
    assert seen[:2] == calls[:2]
    assert seen == calls[: len(seen)]
    assert "usr/share/object.o" in cluster.space.bst("artifact", "list-contents", "hello.bst").stdout


def test_cluster_that_goes_away_is_given_up(faulty_cluster: Cluster) -> None:
    """Everything but the storage ends while an action is under way."""
    cluster = faulty_cluster
    cluster.server.quorum = 1000
    with ExitStack() as stack:
        address = stack.enter_context(running_executions(cluster.server, has_storage=False))
        cluster.configure(("execution", "storage"), retries=2, addresses={"execution": address})
        process = start_build(cluster)
        read_until_running(process)
        stack.close()
        _, errors = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 255
    assert f"Failed contacting remote execution server at http://{address}.UNAVAILABLE" in errors


def start_build(cluster: Cluster) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "buildstream", "--no-interactive", "build", "hello.bst"],
        cwd=cluster.space.project_directory,
        env=cluster.space.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_until_running(process: "subprocess.Popen[str]") -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if "The remote build is running" in line:
            return


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_ends_the_operation(faulty_cluster: Cluster, number: signal.Signals) -> None:
    cluster = faulty_cluster
    cluster.server.quorum = 1000  # that is, for ever
    process = start_build(cluster)
    try:
        read_until_running(process)
        process.send_signal(number)
        process.communicate(timeout=_PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 255
    wait_until(lambda: cluster.server.cancelled == ["operations/1"])
    assert cluster.space.states("hello.bst")["hello.bst"] == "buildable"


def test_build_that_takes_too_long_ends_on_the_cluster(faulty_cluster: Cluster) -> None:
    cluster = faulty_cluster
    cluster.server.quorum = 1000
    result = cluster.space.bst("--build-timeout", "3", "build", "hello.bst", expect=255)
    assert result.task_error is not None
    assert result.task_error.reason == "timeout"
    if "The remote build is running" in result.stderr:  # a machine that does much else may not come that far
        wait_until(lambda: cluster.server.cancelled == ["operations/1"])


def test_interruption_ends_an_upload(faulty_cluster: Cluster) -> None:
    cluster = faulty_cluster
    is_sending, is_over = threading.Event(), threading.Event()

    def fault(name: str, request: Any, context: grpc.ServicerContext) -> None:
        if name == "BatchUpdateBlobs":
            is_sending.set()
            is_over.wait(_PATIENCE_S)

    cluster.server.fault = fault
    process = start_build(cluster)
    try:
        assert is_sending.wait(_PATIENCE_S)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=_PATIENCE_S / 2)  # before the server answers
    finally:
        is_over.set()
        process.kill()
        process.wait()
    assert process.returncode == 255
    assert "Execute" not in cluster.server.calls


def test_services_have_to_be_complete(faulty_cluster: Cluster) -> None:
    cluster = faulty_cluster
    for services, message in (
        (("execution",), "Remote execution requires 'storage-service' to be specified"),
        (("storage",), "At least one of `execution-service` or `action-cache-service` need to be specified"),
    ):
        cluster.configure(services)
        assert message in cluster.build(expect=255).stderr
