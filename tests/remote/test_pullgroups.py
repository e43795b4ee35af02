"""Artifacts that one job fetches for others."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from buildstream._act.pullgroups import Fetched, PullGroups
from buildstream._exceptions import CASError
from buildstream._model.digest import Digest, digest_from_bytes
from buildstream._plan.artifactview import ArtifactView
from buildstream._remote.remote import CacheRemotes, Remote
from buildstream._remote.retry import Effects
from buildstream._remotespec import RemoteSpec

LIMIT_S = 120.0
STORAGE = Remote(RemoteSpec("http://127.0.0.1:1"), Effects())
REMOTES = CacheRemotes((STORAGE,))
NOTHING = digest_from_bytes(b"nothing")
ARTIFACT = ArtifactView(
    is_success=True,
    error="",
    error_detail="",
    strong_key="",
    strict_key="",
    weak_key="",
    was_workspaced=False,
    files=None,
    build_dependencies=(),
    public_data=NOTHING,
    logs=(),
    buildtree=None,
    sources=None,
    buildroot=None,
    low_diversity_meta=NOTHING,
    high_diversity_meta=NOTHING,
    build_sandbox=None,
)


def digest_of(ref: str) -> Digest:
    return digest_from_bytes(ref.encode())


class Fetches:
    """Gives every artifact that is asked for; notes which were asked for together."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, digests: Mapping[str, Digest]) -> Mapping[str, Fetched]:
        assert all(digest == digest_of(ref) for ref, digest in digests.items())
        self.calls.append(list(digests))
        return {ref: Fetched(ref.encode(), ARTIFACT, 0, 0) for ref in digests}


def groups_expecting(*refs: str, unknown: str = "") -> PullGroups:
    groups = PullGroups(lambda _, ref: None if ref == unknown else digest_of(ref))
    for ref in refs:
        groups.expect(REMOTES, ref)
    return groups


def take(groups: PullGroups, ref: str, fetches: Fetches) -> bytes | None:
    fetched = groups.take(STORAGE, ref, digest_of(ref), fetches, lambda: None)
    return None if fetched is None else fetched.data


def test_the_first_takes_along_what_is_known() -> None:
    groups, fetches = groups_expecting("a", "b", "c", "d", unknown="c"), Fetches()
    assert [take(groups, ref, fetches) for ref in "abcd"] == [b"a", b"b", None, b"d"]
    assert fetches.calls == [["a", "b", "d"]]


def test_many_are_several_groups() -> None:
    refs = [f"ref-{number}" for number in range(50)]
    groups, fetches = groups_expecting(*refs), Fetches()
    assert [take(groups, ref, fetches) for ref in refs] == [ref.encode() for ref in refs]
    assert [len(call) for call in fetches.calls] == [16, 16, 16, 2]


def test_what_is_not_pulled_is_not_taken_along() -> None:
    groups, fetches = groups_expecting("a", "b"), Fetches()
    groups.forget("b")
    assert take(groups, "a", fetches) is None
    assert fetches.calls == []


def test_each_fetches_its_own_after_a_failure() -> None:
    groups, fetches = groups_expecting("a", "b", "c"), Fetches()

    def fail(_: Mapping[str, Digest]) -> Mapping[str, Fetched]:
        raise CASError("no")

    assert groups.take(STORAGE, "a", digest_of("a"), fail, lambda: None) is None
    assert take(groups, "b", fetches) is None
    assert take(groups, "c", fetches) is None
    assert fetches.calls == []


def test_who_would_wait_fetches_others_meanwhile() -> None:
    """Also if only one is left: whoever pulls that gets it."""
    groups = groups_expecting(*(f"ref-{number:02}" for number in range(17)))
    is_running, has_led, may_end = Event(), Event(), Event()
    fetches = Fetches()

    def slow(digests: Mapping[str, Digest]) -> Mapping[str, Fetched]:
        is_running.set()
        assert may_end.wait(LIMIT_S)
        return fetches(digests)

    def quick(digests: Mapping[str, Digest]) -> Mapping[str, Fetched]:
        found = fetches(digests)
        has_led.set()
        return found

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(groups.take, STORAGE, "ref-00", digest_of("ref-00"), slow, lambda: None)
        assert is_running.wait(LIMIT_S)
        second = threads.submit(groups.take, STORAGE, "ref-01", digest_of("ref-01"), quick, lambda: None)
        assert has_led.wait(LIMIT_S)
        assert take(groups, "ref-16", fetches) == b"ref-16"
        may_end.set()
        assert first.result(LIMIT_S) is not None
        assert second.result(LIMIT_S) is not None
    assert sorted(map(len, fetches.calls)) == [1, 16]
