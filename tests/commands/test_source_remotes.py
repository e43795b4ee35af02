"""Sources exchanged with cache servers by build, source fetch and source push."""

import hashlib
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack

import grpc
import pytest

from tests.testutils.cacheserver import CacheServer, running
from tests.testutils.space import TestSpace

FAST = "connection-config: {retry-limit: 1, retry-delay: 1, request-timeout: 20}"


class Sources:
    """A project whose element has two tarballs as sources, and servers."""

    def __init__(self, space: TestSpace, stack: ExitStack) -> None:
        self.space = space
        self._stack = stack
        space.project(aliases={"files": f"file://{space.directory}/originals/"})
        self.originals = space.directory / "originals"
        self.originals.mkdir()
        lines = [self.tarball(name) for name in ("one", "two")]
        space.element("thing.bst", "kind: import\nsources:\n" + "".join(lines))
        space.element("empty.bst", "kind: stack\n")

    def tarball(self, name: str) -> str:
        """The declaration of a source with one file in its directory, NAME."""
        content = self.space.directory / name
        content.write_text(f"{name}\n")
        path = self.originals / f"{name}.tar"
        with tarfile.open(path, "w") as tar:
            tar.add(content, f"{name}/{name}.txt")
        ref = hashlib.sha256(path.read_bytes()).hexdigest()
        return f"- kind: tar\n  url: files:{name}.tar\n  ref: {ref}\n  directory: {name}\n"

    def start(self) -> tuple[CacheServer, str]:
        server = CacheServer()
        return server, f"http://{self._stack.enter_context(running(server))}"

    def use(self, url: str) -> None:
        self.space.configure(f"source-caches:\n  servers:\n  - {{url: {url}, push: true, {FAST}}}\n")

    def forget(self, *, originals: bool = True) -> None:
        """Makes the local cache empty and, unless told otherwise, lets the originals vanish."""
        shutil.rmtree(self.space.cache_directory)
        if originals:
            shutil.rmtree(self.originals)


@pytest.fixture
def sources(space: TestSpace) -> Iterator[Sources]:
    with ExitStack() as stack:
        yield Sources(space, stack)


def test_sources_are_pushed_by_a_build_and_pulled_by_the_next(sources: Sources) -> None:
    """The originals have vanished: what the cache has is enough to build."""
    server, url = sources.start()
    sources.use(url)
    result = sources.space.bst("build", "thing.bst")
    assert result.stderr.count("INFO    Pushed source ") == 3  # two single ones, and both together
    assert len(server.directory_names) == 2
    assert len(server.blob_names) == 1
    sources.forget()
    result = sources.space.bst("build", "thing.bst")
    assert "Pulled source " in result.stderr
    assert "SKIPPED Src-push" in result.stderr
    sources.space.bst("artifact", "checkout", "thing.bst", "--directory", "out")
    assert (sources.space.project_directory / "out" / "two" / "two.txt").read_text() == "two\n"


def test_single_sources_are_pulled_where_the_whole_is_not_there(sources: Sources) -> None:
    server, url = sources.start()
    sources.use(url)
    sources.space.bst("source", "push", "thing.bst")
    server.blob_names.clear()
    sources.forget()
    result = sources.space.bst("source", "fetch", "thing.bst")
    assert result.stderr.count("Pulled source ") == 2


def test_what_no_cache_has_is_fetched_where_it_comes_from(sources: Sources) -> None:
    server, url = sources.start()
    sources.use(url)
    sources.space.bst("source", "push", "thing.bst")
    server.blob_names.clear()
    kept = dict(list(server.directory_names.items())[:1])
    server.directory_names.clear()
    server.directory_names.update(kept)
    sources.forget(originals=False)
    result = sources.space.bst("source", "fetch", "thing.bst")
    assert result.stderr.count("Pulled source ") == 1
    assert "does not have source " in result.stderr
    assert "Remote source service (" in result.stderr


def test_a_source_cache_that_fails_is_told_and_passed_over(sources: Sources) -> None:
    server, url = sources.start()
    sources.use(url)

    def fault(name: str, request: object, context: grpc.ServicerContext) -> None:
        if name != "GetCapabilities" and getattr(request, "uris", True):
            context.abort(grpc.StatusCode.UNAVAILABLE, "of the test")

    server.fault = fault
    result = sources.space.bst("build", "thing.bst")
    assert result.stderr.count("WARNING Could not pull from remote") == 1
    assert sources.space.states("thing.bst")["thing.bst"] == "cached"
    result = sources.space.bst("source", "push", "thing.bst", expect=255)
    assert "Failed to push source" in result.stderr


def test_corrupt_sources_are_not_taken(sources: Sources) -> None:
    server, url = sources.start()
    sources.use(url)
    sources.space.bst("source", "push", "thing.bst")
    sources.forget(originals=False)
    server.corrupt = lambda hash_, data: data[:-1] + b"!"
    sources.space.bst("source", "fetch", "thing.bst")
    sources.space.bst("source", "checkout", "thing.bst")
    target = sources.space.project_directory / "source-checkout"
    assert {path.read_text() for path in target.rglob("*.txt")} == {"one\n", "two\n"}


def test_pushing_again_is_skipped_and_no_remote_is_an_error(sources: Sources) -> None:
    space = sources.space
    result = space.bst("source", "push", "thing.bst", expect=255)
    assert "No source caches available for pushing sources" in result.stderr
    server, url = sources.start()
    assert "Pushed source" in space.bst("source", "push", "--source-remote", url, "thing.bst").stderr
    result = space.bst("source", "push", "--source-remote", url, "thing.bst", "empty.bst")
    assert "already has source" in result.stderr
    assert "SKIPPED Src-push" in result.stderr
    # an element without sources has the empty tree, as in BuildStream 2.8
    assert len(server.blob_names) == 2


def test_checkout_of_sources_uses_caches(sources: Sources) -> None:
    _, url = sources.start()
    sources.space.bst("source", "push", "--source-remote", url, "thing.bst")
    sources.forget()
    sources.space.bst("source", "checkout", "--source-remote", url, "thing.bst")
    result = sources.space.bst("source", "fetch", "thing.bst")
    assert "Fetching" not in result.stderr


def test_the_only_source_of_an_element_is_asked_about_once(sources: Sources) -> None:
    server, url = sources.start()
    lines = sources.tarball("single").replace("  directory: single\n", "  base-dir: ''\n")
    sources.space.element("single.bst", f"kind: import\nsources:\n{lines}")
    sources.space.bst("source", "push", "--source-remote", url, "single.bst")
    asked = [
        digest.hash for request in server.requests["FindMissingBlobs"] for digest in request.blob_digests
    ]
    assert len(asked) == len(set(asked)) > 3
    assert len(server.blob_names) == len(server.directory_names) == 1
    sources.forget()
    sources.space.bst("source", "checkout", "--source-remote", url, "single.bst")
    target = sources.space.project_directory / "source-checkout"
    assert [path.read_text() for path in target.rglob("*.txt")] == ["single\n"]
