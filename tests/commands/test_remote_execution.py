"""Builds on a cluster of the Remote Execution API."""

from contextlib import ExitStack

from tests.testutils.cacheserver import CacheServer, running
from tests.testutils.cluster import Cluster
from tests.testutils.clusterfaults import OBJECT
from tests.testutils.hostbase import make_host_base
from tests.testutils.space import TestSpace
from tests.vectors.artifacts.make_project import BASE_COMMANDS, write_project
from tests.vectors.test_artifact_digests import EXPECTED


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
    lost = OBJECT.hash
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
    space.bst("--build-timeout", "300", "build", "one.bst", "two.bst")
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


def test_services_have_to_be_complete(cluster: Cluster) -> None:
    for services, message in (
        (("execution",), "Remote execution requires 'storage-service' to be specified"),
        (("storage",), "At least one of `execution-service` or `action-cache-service` need to be specified"),
    ):
        cluster.configure(services)
        assert message in cluster.build(expect=255).stderr
