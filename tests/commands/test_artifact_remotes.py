"""Artifacts exchanged with cache servers by build, pull, push, show, checkout and shell."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import grpc
import pytest

from tests.testutils.cacheserver import CacheServer, running
from tests.testutils.space import Result, TestSpace

from .conftest import write_project


class Remotes:
    """Servers, and a project that may use them."""

    def __init__(self, space: TestSpace, stack: ExitStack) -> None:
        self.space = space
        self._stack = stack

    def start(self, *, has_assets: bool = True, has_storage: bool = True) -> tuple[CacheServer, str]:
        """A new server and its URL."""
        server = CacheServer()
        address = self._stack.enter_context(running(server, has_assets=has_assets, has_storage=has_storage))
        return server, f"http://{address}"

    def use(self, *servers: str, more: str = "") -> None:
        """Configures artifact caches, each as a URL or a flow mapping."""
        blocks = "".join(
            f"  - {server}\n" if server.startswith("{") else f"  - {{url: {server}, push: true}}\n"
            for server in servers
        )
        self.space.configure(f"artifacts:\n  servers:\n{blocks}{more}")

    def forget(self) -> None:
        """Makes the local cache empty."""
        shutil.rmtree(self.space.cache_directory)


@pytest.fixture
def remotes(space: TestSpace) -> Iterator[Remotes]:
    write_project(space)
    with ExitStack() as stack:
        yield Remotes(space, stack)


FAST = "{url: %s, push: true, connection-config: {retry-limit: 1, retry-delay: 1, request-timeout: 20}}"


def logs(result: Result, text: str) -> int:
    return result.stderr.count(text)


def names(server: CacheServer) -> set[str]:
    """Names of the elements that the server knows artifacts of."""
    return {uri.split(":")[-1].split("/")[1] for uri in server.blob_names}


def test_what_was_built_is_pushed_and_pulled(remotes: Remotes) -> None:
    """A build gives all its artifacts away; the next user gets them and builds nothing."""
    space = remotes.space
    server, url = remotes.start()
    remotes.use(url)
    result = space.bst("build", "hello.bst")
    assert logs(result, "Pushed artifact") == 3
    assert logs(result, "does not have artifact") == 3
    assert names(server) == {"base", "data", "hello"}
    remotes.forget()
    result = space.bst("build", "hello.bst")
    # base.bst is needed to build only, so it is not pulled
    assert logs(result, "Pulled artifact") == 2
    assert "build:" not in result.stderr
    space.bst("artifact", "checkout", "hello.bst", "--directory", "out", "--no-integrate")
    assert (space.project_directory / "out" / "usr" / "share" / "object.o").read_text() == "object\n"


def test_a_build_goes_on_from_pulled_dependencies(remotes: Remotes) -> None:
    space = remotes.space
    _, url = remotes.start()
    remotes.use(url)
    space.bst("build", "base.bst")
    remotes.forget()
    result = space.bst("build", "hello.bst")
    assert logs(result, "Pulled artifact") == 1
    assert space.states("hello.bst")["hello.bst"] == "cached"


def test_pull_and_push_by_command(remotes: Remotes) -> None:
    space = remotes.space
    server, url = remotes.start()
    space.bst("build", "hello.bst")
    result = space.bst("artifact", "push", "--artifact-remote", url, "--deps", "run", "hello.bst")
    assert logs(result, "Pushed artifact") == 2
    result = space.bst("artifact", "push", "--artifact-remote", url, "hello.bst")
    assert "already has artifact" in result.stderr
    assert "SKIPPED Push" in result.stderr
    assert names(server) == {"hello", "data"}
    remotes.forget()
    result = space.bst("artifact", "pull", "--artifact-remote", url, "--deps", "all", "hello.bst")
    assert logs(result, "Pulled artifact") == 2
    assert logs(result, "SKIPPED Pull") == 1
    assert space.states("hello.bst") == {
        "base.bst": "buildable",
        "data.bst": "cached",
        "hello.bst": "cached",
    }


def test_named_artifacts_are_pulled_and_pushed(remotes: Remotes) -> None:
    space = remotes.space
    _, url = remotes.start()
    other, other_url = remotes.start()
    space.bst("build", "hello.bst")
    ref = f"test/hello/{space.keys('hello.bst')['hello.bst']}"
    space.bst("artifact", "push", "--artifact-remote", url, "--deps", "all", "hello.bst")
    remotes.forget()
    assert "available" in space.bst("artifact", "show", "--artifact-remote", url, ref).stdout
    result = space.bst("artifact", "pull", "--artifact-remote", url, ref)
    assert "Pulled artifact" in result.stderr
    space.bst("artifact", "push", "--artifact-remote", other_url, "test/hello/*")
    assert names(other) == {"hello"}
    # without the project: names of artifacts are enough
    result = space.bst(
        "artifact", "pull", "--artifact-remote", url, "--deps", "build", ref, cwd=space.directory
    )
    assert "Pulled artifact" in result.stderr
    assert space.states("hello.bst")["base.bst"] == "cached"
    result = space.bst("artifact", "pull", "--artifact-remote", url, "--deps", "run", ref, expect=255)
    assert result.error is not None
    assert result.error.reason == "deps-not-supported"


def test_without_remotes_pull_and_push_say_so(remotes: Remotes) -> None:
    space = remotes.space
    for command in ("pull", "push"):
        result = space.bst("artifact", command, "plain.bst", expect=255)
        assert f"No artifact caches available for {command}ing artifacts" in result.stderr


def test_only_an_index_is_no_cache(remotes: Remotes) -> None:
    _, url = remotes.start()
    remotes.use(f"{{url: {url}, type: index, push: true}}")
    result = remotes.space.bst("artifact", "pull", "plain.bst", expect=255)
    assert "No artifact caches available" in result.stderr
    remotes.space.bst("build", "plain.bst")


def test_index_and_storage_may_be_different_servers(remotes: Remotes) -> None:
    space = remotes.space
    index, index_url = remotes.start(has_storage=False)
    storage, storage_url = remotes.start(has_assets=False)
    remotes.use(
        f"{{url: {index_url}, type: index, push: true}}", f"{{url: {storage_url}, type: storage, push: true}}"
    )
    space.bst("build", "plain.bst")
    assert index.blob_names
    assert storage.blobs
    remotes.forget()
    space.bst("artifact", "pull", "plain.bst")
    assert space.states("plain.bst")["plain.bst"] == "cached"


def test_one_remote_gives_and_the_other_gets(remotes: Remotes) -> None:
    """What the first, a remote to pull from, has is pushed to the second alone."""
    space = remotes.space
    first, first_url = remotes.start()
    second, second_url = remotes.start()
    remotes.use(first_url)
    space.bst("build", "plain.bst")
    remotes.forget()
    remotes.use(f"{{url: {first_url}}}", second_url)
    calls = len([name for name in first.calls if name == "PushBlob"])
    result = space.bst("build", "plain.bst")
    assert f"Pulled artifact {space.keys('plain.bst')['plain.bst'][:8]} <- {first_url}" in result.stderr
    assert names(second) == {"plain"}
    assert len([name for name in first.calls if name == "PushBlob"]) == calls


def test_remotes_of_the_command_line_replace_those_of_the_user(remotes: Remotes) -> None:
    """Those that the project recommends are used as well, unless they are to be ignored."""
    space = remotes.space
    user, user_url = remotes.start()
    given, given_url = remotes.start()
    project, project_url = remotes.start()
    remotes.use(user_url)
    conf = space.read("project.conf")
    space.write("project.conf", f"{conf}artifacts:\n- url: {project_url}\n  push: true\n")
    space.bst("build", "--artifact-remote", given_url, "--ignore-project-artifact-remotes", "plain.bst")
    assert (bool(user.calls), names(given), bool(project.calls)) == (False, {"plain"}, False)
    space.bst("build", "--artifact-remote", given_url, "plain.bst")
    assert (bool(user.calls), names(project)) == (False, {"plain"})
    space.bst("artifact", "push", "plain.bst")
    assert names(user) == {"plain"}


def test_a_missing_blob_means_building_and_is_repaired(remotes: Remotes) -> None:
    space = remotes.space
    server, url = remotes.start()
    remotes.use(url)
    space.bst("build", "hello.bst")
    lost = next(hash_ for hash_, data in server.blobs.items() if data == b"object\n")
    del server.blobs[lost]
    remotes.forget()
    result = space.bst("build", "hello.bst")
    assert f"Remote cas ({url}) does not have blob {lost} cached" in result.stderr
    assert "build:hello.bst" in result.stderr
    assert server.blobs[lost] == b"object\n"


def test_a_corrupt_blob_never_arrives_and_is_repaired(remotes: Remotes) -> None:
    space = remotes.space
    server, url = remotes.start()
    remotes.use(url)
    space.bst("build", "hello.bst")
    bad = next(hash_ for hash_, data in server.blobs.items() if data == b"object\n")
    server.blobs[bad] = b"objecT\n"
    remotes.forget()
    result = space.bst("build", "hello.bst")
    assert f"gave something else for blob {bad}" in result.stderr
    assert server.blobs[bad] == b"object\n"
    space.bst("artifact", "checkout", "--no-integrate", "hello.bst", "--directory", "out")
    assert (space.project_directory / "out" / "usr" / "share" / "object.o").read_text() == "object\n"


def test_a_name_that_stands_for_something_else_is_refused(remotes: Remotes) -> None:
    """An index that gives the artifact of another element cannot slip it in."""
    space = remotes.space
    server, url = remotes.start()
    remotes.use(url)
    space.bst("build", "plain.bst", "data.bst")
    wrong = next(digest for uri, digest in server.blob_names.items() if "/data/" in uri)
    for uri in [uri for uri in server.blob_names if "/plain/" in uri]:
        server.blob_names[uri] = wrong
    remotes.forget()
    result = space.bst("build", "plain.bst")
    assert "is not such an artifact" in result.stderr
    assert "build:plain.bst" in result.stderr


def fail(code: grpc.StatusCode, *methods: str) -> Callable[..., None]:
    def fault(name: str, request: object, context: grpc.ServicerContext) -> None:
        if name in methods and (name != "FetchBlob" or request.uris):  # type: ignore[attr-defined]
            context.abort(code, "of the test")

    return fault


@pytest.mark.parametrize("method", ["FetchBlob", "BatchReadBlobs"])
@pytest.mark.parametrize("code", ["UNAVAILABLE", "INTERNAL", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED"])
def test_a_remote_that_fails_is_left_for_the_next(remotes: Remotes, method: str, code: str) -> None:
    space = remotes.space
    bad, bad_url = remotes.start()
    _, good_url = remotes.start()
    remotes.use(FAST % bad_url, good_url)
    space.bst("build", "plain.bst")
    remotes.forget()
    bad.fault = fail(grpc.StatusCode[code], method)
    result = space.bst("build", "plain.bst")
    assert logs(result, f"Could not pull from remote {bad_url}: ") >= 1
    assert f"<- {good_url}" in result.stderr
    assert "Pulled artifact" in result.stderr


def test_a_remote_that_goes_away_while_artifacts_are_pulled_together_is_named(remotes: Remotes) -> None:
    space = remotes.space
    server, url = remotes.start()
    remotes.use(FAST % url)
    space.bst("build", "hello.bst", "plain.bst")
    remotes.forget()
    server.fault = fail(grpc.StatusCode.UNAVAILABLE, "BatchReadBlobs")
    result = space.bst("build", "hello.bst", "plain.bst")
    assert logs(result, f"WARNING Could not pull from remote {url}: UNAVAILABLE: of the test") == 1
    assert space.states("hello.bst", "plain.bst")["hello.bst"] == "cached"


def test_what_an_index_knows_but_nobody_has_is_asked_of_the_next(remotes: Remotes) -> None:
    """Its storage has forgotten it, or the answer was damaged on its way."""
    space = remotes.space
    (first, one), (_, other) = remotes.start(), remotes.start()
    remotes.use(one, other)
    space.bst("build", "hello.bst")
    for name, digest in list(first.blob_names.items()):
        first.blob_names[name] = type(digest)(hash="0" * 64, size_bytes=digest.size_bytes)
    remotes.forget()
    result = space.bst("artifact", "pull", "hello.bst")
    assert logs(result, f"does not have blob {'0' * 64} cached") == 2  # in either storage
    assert logs(result, "Pulled artifact") == 1
    assert space.states("hello.bst")["hello.bst"] == "cached"


def test_when_every_remote_fails_the_build_goes_on(remotes: Remotes) -> None:
    """One remote answers nothing, one is not there: everything is built, and each is named once."""
    space = remotes.space
    server, url = remotes.start()
    server.fault = fail(grpc.StatusCode.UNAVAILABLE, "FetchBlob", "FindMissingBlobs")
    absent = "http://127.0.0.1:1"
    remotes.use(FAST % url, FAST % absent)
    result = space.bst("build", "hello.bst")
    assert logs(result, f"Failed to initialize remote {absent}: Remote initialisation failed") == 1
    assert logs(result, f"WARNING Could not pull from remote {url}") <= 3
    assert space.states("hello.bst")["hello.bst"] == "cached"


def test_a_failed_push_fails_the_command_but_no_build(remotes: Remotes) -> None:
    space = remotes.space
    server, url = remotes.start()
    server.fault = fail(grpc.StatusCode.RESOURCE_EXHAUSTED, "BatchUpdateBlobs")
    remotes.use(FAST % url)
    result = space.bst("build", "plain.bst")
    assert f"Failed to push artifact blobs to {url}: RESOURCE_EXHAUSTED" in result.stderr
    result = space.bst("artifact", "push", "plain.bst", expect=255)
    assert result.task_error is not None
    assert result.task_error.reason == "cache-too-full"
    assert not server.blob_names


def test_what_is_not_there_cannot_be_pushed(remotes: Remotes) -> None:
    space = remotes.space
    server, url = remotes.start()
    remotes.use(url)
    space.bst("build", "plain.bst")
    space.bst("artifact", "delete", "plain.bst")
    server.blob_names.clear()
    result = space.bst("--on-error", "continue", "artifact", "push", "plain.bst", "data.bst", expect=255)
    assert "Push failed: plain.bst is not cached" in result.stderr


def test_failed_builds_are_shared(remotes: Remotes) -> None:
    space = remotes.space
    server, url = remotes.start()
    remotes.use(url)
    space.bst("build", "broken.bst", expect=255)
    assert names(server) == {"base", "broken"}
    remotes.forget()
    result = space.bst("build", "broken.bst", expect=255)
    assert "Pulled artifact" in result.stderr
    assert space.states("broken.bst")["broken.bst"] == "failed"
    result = space.bst("build", "--retry-failed", "broken.bst", expect=255)
    assert "Discarded failed build" in result.stderr


def test_build_trees_come_only_when_asked_for(remotes: Remotes) -> None:
    space = remotes.space
    _, url = remotes.start()
    remotes.use(url)
    space.bst("--cache-buildtrees", "always", "build", "hello.bst")
    remotes.forget()
    space.bst("artifact", "pull", "--deps", "all", "hello.bst")
    result = space.bst("artifact", "push", "hello.bst", expect=255, environment={})
    assert "Push failed: buildtree of hello.bst is not cached" in result.stderr
    # a workspace needs it before
    open_ = ("workspace", "open", "--use-buildtree", "hello.bst")
    result = space.bst(*open_, expect=255)
    assert "was not downloaded. To do that: bst --pull-buildtrees artifact pull hello.bst" in result.stderr
    assert not (space.project_directory / "hello").exists()
    # a shell that needs it gets it
    result = space.bst("shell", "--use-buildtree", "hello.bst", "--", "cat", "object.o")
    assert result.stdout == "object\n"
    result = space.bst("--pull-buildtrees", "artifact", "pull", "hello.bst")
    assert "Pulled artifact" not in result.stderr
    assert "already has artifact" in space.bst("artifact", "push", "hello.bst").stderr
    space.bst(*open_)
    assert space.read("hello/object.o") == "object\n"
    assert "Incremental build" in space.bst("build", "hello.bst").stderr


def test_checkout_pulls_what_it_needs(remotes: Remotes) -> None:
    space = remotes.space
    _, url = remotes.start()
    remotes.use(url)
    space.bst("build", "hello.bst")
    key = space.keys("hello.bst")["hello.bst"]
    remotes.forget()
    result = space.bst("artifact", "checkout", "--no-integrate", "hello.bst", "--directory", "out")
    assert "Attempting to fetch missing or incomplete artifact(s)" in result.stderr
    assert "usr/bin/prog*" in space.tree("out")
    remotes.forget()
    space.bst(
        "artifact", "checkout", "--no-integrate", "--deps", "none", f"test/hello/{key}", "--directory", "out2"
    )
    assert "usr/share/object.o" in space.tree("out2")


def test_show_tells_what_remotes_have(remotes: Remotes) -> None:
    space = remotes.space
    _, url = remotes.start()
    remotes.use(url)
    space.bst("build", "plain.bst", "data.bst")
    space.bst("artifact", "delete", "plain.bst")
    shown = space.bst("artifact", "show", "plain.bst", "data.bst", "hello.bst").stdout
    assert [line.split() for line in shown.splitlines() if line] == [
        ["available", "plain.bst"],
        ["cached", "data.bst"],
        ["not", "cached", "hello.bst"],
    ]


def test_a_weak_key_is_enough_without_strictness(remotes: Remotes) -> None:
    """The dependency changes after the push: the artifact is still pulled, by its weak key."""
    space = remotes.space
    _, url = remotes.start()
    remotes.use(url)
    space.bst("build", "hello.bst")
    remotes.forget()
    space.write("files/base/changed", "now\n")
    result = space.bst("--no-strict", "build", "hello.bst")
    assert "build:hello.bst" not in result.stderr
    assert logs(result, "Pulled artifact") == 2


def test_artifacts_of_junctions(remotes: Remotes) -> None:
    space = remotes.space
    server, url = remotes.start()
    sub, sub_url = remotes.start()
    space.write(
        "sub/project.conf",
        f"name: sub\nmin-version: 2.0\nartifacts:\n- {{url: {sub_url}, push: true}}\n",
    )
    space.write("sub/thing.bst", "kind: import\nsources:\n- kind: local\n  path: thing\n")
    space.write("sub/thing", "thing\n")
    space.element("sub.bst", "kind: junction\nsources:\n- kind: local\n  path: sub\n")
    remotes.use(url)
    space.bst("build", "sub.bst:thing.bst")
    assert {uri.split(":")[-1].split("/")[0] for uri in server.blob_names} == {"sub"}
    assert names(sub) == {"thing"}
    remotes.forget()
    shutil.rmtree(space.project_directory / ".bst", ignore_errors=True)
    assert "Pulled artifact" in space.bst("artifact", "pull", "sub.bst:thing.bst").stderr


def test_nothing_is_left_of_an_incomplete_pull(remotes: Remotes) -> None:
    """The record of an artifact is written last: without its content there is none."""
    space = remotes.space
    server, url = remotes.start()
    remotes.use(FAST % url)
    space.bst("build", "plain.bst")
    remotes.forget()
    server.corrupt = lambda hash_, data: data if data.startswith(b"\b\x02") else data[:-1]
    space.bst("artifact", "pull", "plain.bst")
    assert not [path for path in (space.cache_directory / "artifacts").rglob("*") if path.is_file()]
