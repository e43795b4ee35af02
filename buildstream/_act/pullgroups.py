"""Artifacts that are fetched together, by the jobs that pull them.

An artifact is some hundred blobs, in three levels of directories that can be asked for only one after
the other.  A job that pulls it alone asks many small questions.  So a job takes along others of which
it is known already what they are called on the server; another one finds its own fetched.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import field
from itertools import islice

from .._dataclass import dataclass
from .._exceptions import BstError
from .._model.digest import Digest
from .._plan.artifactview import ArtifactView
from .._remote.remote import CacheRemotes, Remote

_MOST_TOGETHER = 16
_MOST_LEADERS = 4  # groups at a time
_LOOKED_AT = 64  # artifacts that are expected, to find some that are known
_LOOK_S = 0.5  # how often somebody who waits looks whether the operation was given up


@dataclass(frozen=True, slots=True)
class Fetched:
    """An artifact, all of which is in the store.

    Attributes:
        data: Its message.
        artifact: The same, decoded.
        blobs: How many of its blobs came just now, and for no other artifact.
        size_bytes: Of these.
    """

    data: bytes
    artifact: ArtifactView
    blobs: int
    size_bytes: int


@dataclass(slots=True, eq=False)
class _Group:
    """Artifacts that one job fetches."""

    digests: dict[str, Digest]  # of their messages, by ref
    found: Mapping[str, Fetched] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)


Fetch = Callable[[Mapping[str, Digest]], Mapping[str, Fetched]]


class PullGroups:
    """Who fetches what; safe to use from several threads.

    Args:
        digest_of: What the indexes have said already that a ref stands for, without asking them.
    """

    def __init__(self, digest_of: Callable[[CacheRemotes, str], Digest | None]) -> None:
        self._digest_of = digest_of
        self._lock = threading.Lock()
        self._coming: dict[str, CacheRemotes] = {}  # in the order in which they will be pulled
        self._groups: dict[tuple[Remote, str], _Group] = {}
        self._leaders = 0

    def expect(self, remotes: CacheRemotes, ref: str) -> None:
        """Tells that the artifact called REF is going to be pulled from one of REMOTES."""
        with self._lock:
            self._coming[ref] = remotes

    def forget(self, ref: str) -> None:
        """Tells that the artifact called REF is not pulled after all, or by its job alone."""
        with self._lock:
            self._coming.pop(ref, None)

    def take(
        self,
        storage: Remote,
        ref: str,
        digest: Digest,
        fetch: Fetch,
        check: Callable[[], None],
    ) -> Fetched | None:
        """The artifact called REF if it could be fetched from STORAGE together with others.

        Args:
            storage: Where contents are.
            ref: Of an artifact that was expected.
            digest: Of its message.
            fetch: Fetches artifacts by the digests of their messages; gives those that are complete.
            check: Called now and then; may end it by raising.

        Returns:
            None if the caller has to fetch it, and finds out what is wrong if something is.
        """
        with self._lock:
            own = self._groups.pop((storage, ref), None)
            led = None
            if self._leaders < _MOST_LEADERS and (own is None or not own.done.is_set()):
                led = self._gather(storage, {} if own is not None else {ref: digest})
                self._leaders += led is not None
        if led is not None:
            self._run(led, fetch)
        group = own or led
        if group is None:
            return None
        while not group.done.wait(_LOOK_S):
            check()
        return group.found.get(ref)

    def _run(self, group: _Group, fetch: Fetch) -> None:
        try:
            group.found = fetch(group.digests)
        except BstError:
            pass  # each of its jobs finds out by itself
        finally:
            with self._lock:
                self._leaders -= 1
            group.done.set()

    def _gather(self, storage: Remote, digests: dict[str, Digest]) -> _Group | None:
        """A new group of DIGESTS and of others from STORAGE; None if there are no others."""
        group, alone = _Group(digests), len(digests)
        for ref, remotes in list(islice(self._coming.items(), _LOOKED_AT)):
            if len(digests) >= _MOST_TOGETHER:
                break
            digest = None if ref in digests else self._digest_of(remotes, ref)
            if digest is not None and remotes.storages[0] is storage:
                digests[ref] = digest
                self._groups[storage, ref] = group
        for ref in digests:
            self._coming.pop(ref, None)
        return group if len(digests) > alone else None
