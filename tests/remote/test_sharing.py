"""Transfers that read together, and names asked for ahead."""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import grpc
import pytest

from buildstream._model.digest import Digest, digest_from_bytes
from buildstream._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import Digest as DigestMessage
from buildstream._remote.download import Downloader
from buildstream._remote.errors import RemoteError
from buildstream._remote.remote import Remote
from buildstream._remote.retry import Cancellation
from buildstream._remote.sharedreads import Lacking, SharedReads
from buildstream._remote.tally import Tally
from buildstream._store.cas import Cas
from tests.testutils.cacheserver import CacheServer

LIMIT_S = 120


def add(server: CacheServer, count: int) -> list[Digest]:
    digests = []
    for number in range(count):
        data = b"%d" % number * 100
        digests.append(digest_from_bytes(data))
        server.blobs[digests[-1].hash] = data
    return digests


def transfer(remote: Remote, cas: Cas, cancellation: Cancellation | None = None) -> Downloader:
    """One of several transfers between a server and a store."""
    tally = Tally(lambda: 0.0, lambda _: None)
    return Downloader(remote.cas, cas, cancellation or Cancellation(), tally, remote.reads_into(cas))


def together(actions: Sequence[Callable[[], Any]]) -> list[Any]:
    """What ACTIONS give, all begun at once: results, or RemoteErrors."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], Any]) -> Any:
        barrier.wait(LIMIT_S)
        try:
            return action()
        except RemoteError as error:
            return error

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(run, actions, timeout=LIMIT_S))


def read_digests(server: CacheServer) -> list[str]:
    return [d.hash for request in server.requests.get("BatchReadBlobs", []) for d in request.digests]


def test_what_several_transfers_want_comes_once(server: CacheServer, remote: Remote, cas: Cas) -> None:
    digests = add(server, 3000)
    halves = [digests[start : start + 1500] for start in range(0, 1501, 250)]
    actions = [partial(transfer(remote, cas).fetch_blobs, dict.fromkeys(half, False)) for half in halves]
    assert not any(together(actions))
    assert all(cas.verify(digest) for digest in digests)
    assert sorted(read_digests(server)) == sorted(digest.hash for digest in digests)


class SlowLook(Cas):
    """A store in which time passes between a look and what is made of it."""

    def __init__(self, directory: str, meanwhile: Callable[[], object]) -> None:
        super().__init__(directory)
        self._meanwhile = meanwhile

    def absent(self, digests: Iterable[Digest]) -> list[Digest]:
        found = super().absent(digests)
        self._meanwhile()
        return found


def test_what_comes_between_look_and_question_is_not_asked_for(
    server: CacheServer, remote: Remote, cas: Cas
) -> None:
    digests = add(server, 20)
    others = [dict.fromkeys(digests[5:15], False)]
    slow = SlowLook(cas.directory, lambda: others and fetch(others.pop()))
    reads = SharedReads(remote.cas, slow)

    def fetch(wanted: dict[Digest, bool]) -> Lacking:
        tally = Tally(lambda: 0.0, lambda _: None)
        return Downloader(remote.cas, cas, Cancellation(), tally, reads).fetch_blobs(wanted)

    tally = Tally(lambda: 0.0, lambda _: None)
    mine = Downloader(remote.cas, slow, Cancellation(), tally, reads)
    assert not mine.fetch_blobs(dict.fromkeys(digests, False))
    assert sorted(read_digests(server)) == sorted(digest.hash for digest in digests)
    assert mine.fetched == set(digests)
    assert (tally.blobs, tally.moved_bytes) == (20, tally.expected_bytes)


def test_each_transfer_learns_what_it_lacks(server: CacheServer, remote: Remote, cas: Cas) -> None:
    digests = add(server, 200)
    lost, bad = digests[50], digests[150]
    del server.blobs[lost.hash]
    server.corrupt = lambda hash_, data: data[:-1] + b"!" if hash_ == bad.hash else data
    ranges = [(0, 100), (0, 200), (100, 200), (60, 140)]
    found = together(
        [
            partial(transfer(remote, cas).fetch_blobs, dict.fromkeys(digests[first:last], False))
            for first, last in ranges
        ]
    )
    assert [lacking.missing for lacking in found] == [[lost], [lost], [], []]
    assert [lacking.corrupt for lacking in found] == [[], [bad], [bad], []]


def test_a_failed_call_fails_those_who_want_its_blobs(server: CacheServer, remote: Remote, cas: Cas) -> None:
    digests = add(server, 300)

    def refuse(name: str, request: Any, context: grpc.ServicerContext) -> None:
        if name == "BatchReadBlobs":
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no")

    server.fault = refuse
    actions = [partial(transfer(remote, cas).fetch_blobs, dict.fromkeys(digests, False)) for _ in range(4)]
    assert all(isinstance(error, RemoteError) for error in together(actions))
    server.fault = lambda *_: None
    assert not transfer(remote, cas).fetch_blobs(dict.fromkeys(digests, False))


def test_a_transfer_that_is_given_up_while_it_waits_ends(
    server: CacheServer, remote: Remote, cas: Cas
) -> None:
    """Another one reads its blobs, and takes its time."""
    digests = add(server, 10)
    is_asked, may_answer = threading.Event(), threading.Event()

    def wait(name: str, request: Any, context: grpc.ServicerContext) -> None:
        if name == "BatchReadBlobs":
            is_asked.set()
            may_answer.wait(LIMIT_S)

    server.fault = wait
    cancellation = Cancellation()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(transfer(remote, cas).fetch_blobs, dict.fromkeys(digests, False))
        assert is_asked.wait(LIMIT_S)
        second = threads.submit(
            transfer(remote, cas, cancellation).fetch_blobs, dict.fromkeys(digests, False)
        )
        cancellation.kill()
        with pytest.raises(RemoteError):
            second.result(LIMIT_S)
        may_answer.set()
        assert not first.result(LIMIT_S)


@pytest.mark.parametrize("every", [1, 7, 100, 1000])
@pytest.mark.parametrize("manner", ["plain", "names nothing", "one name at a time"])
def test_names_are_asked_for_ahead(server: CacheServer, remote: Remote, every: int, manner: str) -> None:
    """Whichever of them are known, and whatever the server does with questions about several."""
    uris = [f"urn:test:{number}" for number in range(300)]
    known = {uri: digest_from_bytes(uri.encode()) for uri in uris[every - 1 :: every]}
    server.blob_names.update(
        (uri, DigestMessage(hash=digest.hash, size_bytes=digest.size)) for uri, digest in known.items()
    )
    server.names_what_it_found = manner != "names nothing"

    def refuse(name: str, request: Any, context: grpc.ServicerContext) -> None:
        if name == "FetchBlob" and len(request.uris) > 1:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "one at a time")

    if manner == "one name at a time":
        server.fault = refuse
    remote.assets.expect_blobs(uris)
    answers = {uri: remote.assets.fetch_blob([uri], Cancellation()) for uri in uris}
    assert answers == {uri: known.get(uri) for uri in uris}


@pytest.mark.parametrize("every", [1, 7])
@pytest.mark.parametrize("looked_at", [0, 1])
def test_a_server_that_does_not_look_at_all_names_is_asked_for_each(
    server: CacheServer, remote: Remote, every: int, looked_at: int
) -> None:
    """Although it answers questions about several as if it did."""
    uris = [f"urn:test:{number}" for number in range(300)]
    digest = digest_from_bytes(b"known")
    message = DigestMessage(hash=digest.hash, size_bytes=digest.size)
    server.blob_names.update(dict.fromkeys(uris[every - 1 :: every], message))

    def overlook(name: str, request: Any, context: grpc.ServicerContext) -> None:
        seen = request.uris[:looked_at] if len(request.uris) > 1 else request.uris
        if name == "FetchBlob" and not any(uri in server.blob_names for uri in seen):
            context.abort(grpc.StatusCode.NOT_FOUND, "not known")

    server.fault = overlook
    remote.assets.expect_blobs(uris)
    remote.assets.settle(1e6)
    known = [uri for uri in uris if remote.assets.fetch_blob([uri], Cancellation()) is not None]
    assert known == uris[every - 1 :: every]


def test_many_names_that_are_not_known_are_few_questions(server: CacheServer, remote: Remote) -> None:
    uris = [f"urn:test:{number}" for number in range(1000)]
    server.calls.clear()
    remote.assets.expect_blobs(uris)
    remote.assets.settle(1e6)
    assert all(map(remote.assets.is_known_missing, uris))
    assert [remote.assets.fetch_blob([uri], Cancellation()) for uri in uris] == [None] * 1000
    assert server.calls.count("FetchBlob") <= 80


@pytest.mark.parametrize("case", ["nothing is known", "one is known", "it fails"])
def test_waiting_for_answers_ends_when_there_is_something_to_do(
    server: CacheServer, remote: Remote, case: str
) -> None:
    """Not at its limit, which is far off."""
    uris = [f"urn:test:{number}" for number in range(100)]
    known = digest_from_bytes(b"known")
    if case == "one is known":
        server.blob_names[uris[0]] = DigestMessage(hash=known.hash, size_bytes=known.size)
    elif case == "it fails":
        server.fault = lambda name, request, context: context.abort(grpc.StatusCode.INTERNAL, "of the test")
    remote.assets.settle(1e6)  # nothing was asked
    remote.assets.expect_blobs(uris)
    remote.assets.settle(1e6)
    if case == "nothing is known":
        assert all(map(remote.assets.is_known_missing, uris))
    elif case == "one is known":
        assert any(map(remote.assets.known_blob, uris))


def test_what_could_not_be_asked_ahead_is_asked_when_it_is_needed(
    server: CacheServer, remote: Remote
) -> None:
    failures = iter([True] * 3)

    def fail(name: str, request: Any, context: grpc.ServicerContext) -> None:
        if name == "FetchBlob" and next(failures, False):
            context.abort(grpc.StatusCode.INTERNAL, "of the test")

    server.fault = fail
    uris = [f"urn:test:{number}" for number in range(20)]
    remote.assets.expect_blobs(uris)
    assert [remote.assets.fetch_blob([uri], Cancellation()) for uri in uris] == [None] * 20


def test_many_blobs_come_as_few_do(server: CacheServer, remote: Remote, cas: Cas) -> None:
    """From some thousand on other processes store them: what is missing or wrong is told all the same."""
    digests = add(server, 5000)
    missing, wrong, executable = digests[4000], digests[4500], digests[4900]
    del server.blobs[missing.hash]
    server.blobs[wrong.hash] = b"X" * wrong.size
    lacking = transfer(remote, cas).fetch_blobs({digest: digest == executable for digest in digests})
    assert (lacking.missing, lacking.corrupt) == ([missing], [wrong])
    there = [digest for digest in digests if digest not in (missing, wrong)]
    assert all(map(cas.verify, there))
    assert cas.absent(digests) == [missing, wrong]
    assert cas.stored_bytes == sum(digest.size for digest in there)
    assert not cas.contains(wrong)
    assert os.access(cas.object_path(executable, executable=True), os.X_OK)
    cas.close()


def test_very_many_blobs_are_asked_for_several_batches_at_a_time(
    server: CacheServer, remote: Remote, cas: Cas
) -> None:
    digests = add(server, 6000)
    both = threading.Barrier(2)

    def meet(name: str, request: Any, context: grpc.ServicerContext) -> None:
        if name == "BatchReadBlobs" and not both.broken and len(server.requests[name]) <= 2:
            both.wait(LIMIT_S)

    server.fault = meet
    assert not transfer(remote, cas).fetch_blobs(dict.fromkeys(digests, False))
    assert sorted(read_digests(server)) == sorted(digest.hash for digest in digests)
    assert not cas.absent(digests)
    cas.close()


def test_helpers_end_with_a_transfer_that_fails(server: CacheServer, remote: Remote, cas: Cas) -> None:
    digests = add(server, 6000)

    def refuse(name: str, request: Any, context: grpc.ServicerContext) -> None:
        if name == "BatchReadBlobs":
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "of the test")

    server.fault = refuse
    with pytest.raises(RemoteError, match="of the test"):
        transfer(remote, cas).fetch_blobs(dict.fromkeys(digests, False))
    assert [thread for thread in threading.enumerate() if thread.name == "transfer"] == []
    cas.close()
