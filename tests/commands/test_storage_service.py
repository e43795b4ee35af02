"""`cache: storage-service`: a CAS server that holds all that the local cache does, and what it lacks."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import grpc
import pytest

from tests.testutils.cacheserver import CacheServer, running
from tests.testutils.space import TestSpace

from .conftest import write_project

PATIENCE = "connection-config: {retry-limit: 1, retry-delay: 1, request-timeout: 20}"


class Service:
    """A storage service, an artifact cache, and a project that may use them."""

    def __init__(self, space: TestSpace, stack: ExitStack) -> None:
        self.space = space
        self.server, self.artifacts = CacheServer(), CacheServer()
        self.stack = stack
        self.url = f"http://{stack.enter_context(running(self.server, has_assets=False))}"
        self.artifacts_url = f"http://{stack.enter_context(running(self.artifacts))}"
        self.configure(self.url)

    def configure(self, url: str, more: str = "") -> None:
        """Configures URL as the storage service."""
        self.space.configure(f"cache:\n  storage-service: {{url: {url}, {PATIENCE}}}\n{more}")

    def forget_contents(self) -> None:
        """Deletes all contents of the local cache; what has a name keeps it."""
        for name in ("cas", "trees", "stubs"):
            shutil.rmtree(self.space.cache_directory / name, ignore_errors=True)

    def is_here(self, content: bytes) -> bool:
        """Whether the local cache has a file with CONTENT."""
        name = hashlib.sha256(content).hexdigest()
        objects = self.space.cache_directory / "cas" / "objects" / name[:2]
        return any((objects / f"{name[2:]}{suffix}").exists() for suffix in ("", ".x"))

    def checked_out(self) -> str:
        """What the artifact of hello.bst holds, checked out."""
        out = self.space.project_directory / "out"
        shutil.rmtree(out, ignore_errors=True)
        self.space.bst("artifact", "checkout", "hello.bst", "--directory", "out", "--no-integrate")
        return (out / "usr" / "share" / "object.o").read_text()


@pytest.fixture
def service(space: TestSpace) -> Iterator[Service]:
    write_project(space)
    with ExitStack() as stack:
        yield Service(space, stack)


def test_what_is_not_here_is_fetched_when_it_is_needed(service: Service) -> None:
    """All contents are sent there as they are made; to show what is cached needs none of the files."""
    space = service.space
    result = space.bst("build", "hello.bst")
    assert f"Cache Storage Service:   {service.url}" in result.stderr
    local = {f"{path.parent.name}{path.name}"[:64] for path in space.cache_directory.glob("cas/objects/*/*")}
    # all but the messages of artifacts and sources that are records, and what is derived
    assert service.server.blobs.keys() <= local
    service.forget_contents()
    assert set(space.states("hello.bst").values()) == {"cached"}
    assert not service.is_here(b"object\n")
    assert service.checked_out() == "object\n"
    assert service.is_here(b"object\n")
    assert "WARN" not in space.bst("build", "hello.bst").stderr


def test_a_build_goes_on_with_what_is_there(service: Service) -> None:
    space = service.space
    space.bst("build", "base.bst", "data.bst")
    service.forget_contents()
    result = space.bst("build", "hello.bst")
    assert "build:base.bst" not in result.stderr
    assert service.checked_out() == "object\n"


def test_pulled_artifacts_are_not_fetched_before_they_are_used(service: Service) -> None:
    """What the service has is not downloaded, what it lacks goes through the local cache."""
    space = service.space
    space.bst("build", "hello.bst")
    push = ("artifact", "push", "--artifact-remote", service.artifacts_url, "--deps", "all", "hello.bst")
    space.bst(*push)
    shutil.rmtree(space.cache_directory)
    pull = ("artifact", "pull", "--artifact-remote", service.artifacts_url, "--deps", "all", "hello.bst")
    result = space.bst(*pull)
    warning = "Cache Storage Service is configured, pulled artifacts may not be available in the local cache"
    assert result.stderr.count(warning) == 1
    assert result.stderr.count("Pulled artifact") == 3
    assert not service.is_here(b"object\n")
    assert service.checked_out() == "object\n"
    shutil.rmtree(space.cache_directory)
    before = set(service.server.blobs)
    service.server.blobs.clear()
    space.bst(*pull)
    assert service.is_here(b"object\n")
    assert hashlib.sha256(b"object\n").hexdigest() in service.server.blobs
    assert set(service.server.blobs) <= before
    service.forget_contents()
    assert service.checked_out() == "object\n"


def test_what_is_only_there_can_be_pushed(service: Service) -> None:
    space = service.space
    space.bst("build", "hello.bst")
    service.forget_contents()
    space.bst("artifact", "push", "--artifact-remote", service.artifacts_url, "hello.bst")
    assert service.artifacts.blobs[hashlib.sha256(b"object\n").hexdigest()] == b"object\n"


def test_fetched_sources_are_sent(service: Service) -> None:
    space = service.space
    result = space.bst("source", "fetch", "hello.bst")
    warning = "Cache Storage Service is configured, fetched sources may not be available in the local cache"
    assert result.stderr.count(warning) == 1
    assert service.server.blobs
    service.forget_contents()
    space.bst("source", "checkout", "hello.bst", "--directory", "sources")
    assert any((space.project_directory / "sources").rglob("*"))


def test_without_the_service_all_is_built(service: Service) -> None:
    """It is named once, and what is here is used."""
    space = service.space
    space.bst("build", "data.bst")
    service.configure("http://127.0.0.1:1")
    result = space.bst("build", "hello.bst")
    assert result.stderr.count("Failed to initialize remote http://127.0.0.1:1") == 1
    assert "build:data.bst" not in result.stderr
    service.forget_contents()
    assert "cached" not in space.states("hello.bst").values()
    space.bst("build", "hello.bst")
    assert service.checked_out() == "object\n"


@pytest.mark.parametrize("method", ["FindMissingBlobs", "BatchUpdateBlobs", "BatchReadBlobs"])
def test_a_service_that_fails_stops_nothing(service: Service, method: str) -> None:
    """What it does not take stays here, what it does not give is built again."""
    space = service.space

    def fail(name: str, request: object, context: grpc.ServicerContext) -> None:
        if name == method:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "of the test")

    service.server.fault = fail
    result = space.bst("build", "hello.bst")
    if method != "BatchReadBlobs":
        assert f"Failed to store sources in the storage service {service.url}" in result.stderr
    assert service.checked_out() == "object\n"
    service.forget_contents()
    space.bst("build", "hello.bst")
    assert service.checked_out() == "object\n"


def test_what_the_service_gives_wrong_is_not_used(service: Service) -> None:
    """It is as if it were not there, and replaced by the next upload."""
    space = service.space
    space.bst("build", "hello.bst")
    name = hashlib.sha256(b"object\n").hexdigest()
    service.server.blobs[name] = b"damage\n"
    service.forget_contents()
    result = space.bst(
        "artifact", "checkout", "hello.bst", "--directory", "out", "--no-integrate", expect=255
    )
    assert "Traceback" not in result.stderr
    assert not service.is_here(b"object\n")
    space.bst("build", "hello.bst")
    assert service.server.blobs[name] == b"object\n"
    assert service.checked_out() == "object\n"


def test_a_check_of_the_cache_asks_the_service(service: Service) -> None:
    space = service.space
    space.bst("build", "hello.bst")
    service.forget_contents()
    space.bst("cache", "check")
    service.server.blobs.clear()
    space.bst("cache", "check", expect=255)
