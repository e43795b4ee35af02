"""Deleting what has not been used for the longest time, and what nothing refers to.

A clean-up keeps records from the most recently used one backwards, as long as what
they refer to fits; drops the others; then deletes all objects and extracted trees that
no record refers to.  Whatever a live session has used, written, announced or protected since it
began stays, so it may run beside builds of any process.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import field
from typing import NamedTuple

from .._dataclass import dataclass
from .._exceptions import CASError
from .._model.digest import Digest
from .._model.directorybytes import TreeDecodeError
from .._model.tree import decode_directory
from .layout import StoreLayout, TreeForm
from .objects import ObjectStore
from .records import Records
from .sessions import AnnouncedTrees, StoreLock, live_sessions, oldest_start_ns
from .trash import discard, empty_trash
from .usage import StoreUsage

_TREE_MARK = "/"  # before the hash of a directory whose content is marked too


class Reference(NamedTuple):
    """A content that a record needs."""

    digest: Digest
    is_tree: bool  # whether the content is a directory, with all below it
    part: str = "files"  # what it is of the record, as reports show it


@dataclass(frozen=True, slots=True)
class RecordSet:
    """Records that keep contents alive.

    Attributes:
        kind: "artifact" or "source", as reports show it.
        records: The records.
        references: Tells what a record with these bytes refers to; nothing if it can't be read.
        is_needed: Tells whether the record of this name must never be dropped.
    """

    kind: str
    records: Records
    references: Callable[[bytes], Sequence[Reference]]
    is_needed: Callable[[str], bool] = lambda _: False


class Candidate(NamedTuple):
    """A record that a clean-up looks at."""

    used_ns: int  # when it was last used, since the epoch
    kind: str
    name: str
    set_index: int


@dataclass(slots=True)
class CleanupPlan:
    """What a clean-up would keep and drop."""

    announced: AnnouncedTrees  # those that it knows of already are kept
    dropped: list[Candidate] = field(default_factory=list)  # the least recently used last
    kept: int = 0  # number of records
    kept_bytes: int = 0  # of what these refer to
    marked: set[str] = field(default_factory=set)  # hashes of these contents, and marks of trees


@dataclass(slots=True)
class CleanupReport:
    """What a clean-up did."""

    dropped: list[Candidate] = field(default_factory=list)
    deleted_objects: int = 0
    deleted_bytes: int = 0
    deleted_trees: int = 0
    used_bytes: int = 0  # what objects take now


class Cleaner:
    """Cleans up one store.

    Args:
        layout: Where it is.
        objects: Its blobs.
        lock: What others take while they protect something.
        usage: Is told what remains.
        sets: All records that keep something alive.
        should_stop: Whether to do no more; asked about often.
    """

    def __init__(
        self,
        layout: StoreLayout,
        objects: ObjectStore,
        lock: StoreLock,
        usage: StoreUsage,
        sets: Sequence[RecordSet],
        *,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._should_stop = should_stop
        self._layout = layout
        self._objects = objects
        self._lock = lock
        self._usage = usage
        self._sets = sets

    def plan(self, keep_bytes: int, *, unused_since_ns: int | None = None) -> CleanupPlan:
        """What has to go so that no more than KEEP_BYTES are left; costs a look at all that is kept.

        Args:
            keep_bytes: How much may stay, as far as it is not in use.
            unused_since_ns: Records that were not used since then go in any case.
        """
        protected_ns = oldest_start_ns(self._layout)
        plan = CleanupPlan(AnnouncedTrees(self._layout))
        marker = _Marker(self._objects, plan.marked)
        plan.kept_bytes += marker.mark(_trees(plan.announced.fresh()))
        waiting: list[Candidate] = []
        for candidate in sorted(self.candidates(), reverse=True):
            self._check()
            is_needed = self._sets[candidate.set_index].is_needed(candidate.name)
            if is_needed or candidate.used_ns >= protected_ns:
                plan.kept += 1
                plan.kept_bytes += marker.mark(self.references(candidate))
            else:
                waiting.append(candidate)
        for position, candidate in enumerate(waiting):
            self._check()
            if unused_since_ns is not None and candidate.used_ns < unused_since_ns:
                plan.dropped = waiting[position:]
                break
            fresh = marker.unmarked(self.references(candidate))
            size_bytes = sum(fresh.values())
            if plan.kept_bytes + size_bytes > keep_bytes:
                # what is older goes as well: first used, first kept
                plan.dropped = waiting[position:]
                break
            plan.kept += 1
            plan.kept_bytes += size_bytes
            plan.marked.update(fresh)
        return plan

    def run(self, keep_bytes: int, *, unused_since_ns: int | None = None) -> CleanupReport:
        """Makes room, so that no more than KEEP_BYTES are left as far as possible.

        When it is told to stop, it leaves the rest to the next clean-up.

        Raises:
            CASError: Something can't be read or deleted.
        """
        report = CleanupReport()
        # once more if it turned out that more is in use than records tell
        for _ in range(2):
            try:
                plan = self.plan(keep_bytes, unused_since_ns=unused_since_ns)
                self._carry_out(plan, report)
            except _Stopped:
                report.used_bytes = max(self._usage.used_bytes - report.deleted_bytes, 0)
                self._usage.set(report.used_bytes)
                break
            excess_bytes = report.used_bytes - keep_bytes
            if excess_bytes <= 0 or not plan.kept or keep_bytes <= 0:
                break
            keep_bytes = max(plan.kept_bytes - excess_bytes, 0)
        return report

    def _carry_out(self, plan: CleanupPlan, report: CleanupReport) -> None:
        marker = _Marker(self._objects, plan.marked)
        for candidate in plan.dropped:
            self._check()
            records = self._sets[candidate.set_index].records
            with self._lock.exclusive():
                # it may have been used meanwhile
                is_unused = records.used_ns(candidate.name) == candidate.used_ns
                if is_unused:
                    records.remove(candidate.name)
                    report.dropped.append(candidate)
            if not is_unused:
                marker.mark(self.references(candidate))
        self._sweep_trees(plan, marker, report)
        self._sweep_objects(plan, marker, report)
        self._discard_scratch()
        with suppress(CASError):  # it goes next time
            empty_trash(self._layout)
        self._usage.set(report.used_bytes)

    def candidates(self) -> Iterable[Candidate]:
        """All records, in no order."""
        for index, record_set in enumerate(self._sets):
            for name, used_ns in record_set.records.names_with_times():
                yield Candidate(used_ns, record_set.kind, name, index)

    def references(self, candidate: Candidate) -> Sequence[Reference]:
        """What a record refers to; nothing if it is gone or can't be read."""
        record_set = self._sets[candidate.set_index]
        data = record_set.records.read(candidate.name, is_use=False)
        return () if data is None else record_set.references(data)

    def unmarked(self, references: Iterable[Reference], marked: set[str]) -> dict[str, int]:
        """What REFERENCES lead to and MARKED lacks: sizes in bytes, to be added to it once counted."""
        return _Marker(self._objects, marked).unmarked(references)

    # --- Deleting

    def _sweep_trees(self, plan: CleanupPlan, marker: "_Marker", report: CleanupReport) -> None:
        """Deletes extracted trees; of stubs, all whose objects may go."""
        protected_ns = oldest_start_ns(self._layout)
        for form, directory in self._layout.extracted.items():
            for name in os.listdir(directory):
                self._check()
                while fresh := self._sweep_tree(
                    f"{directory}/{name}", plan, 0 if form is TreeForm.STUBS else protected_ns, report
                ):
                    marker.mark(_trees(fresh))

    def _sweep_tree(
        self, path: str, plan: CleanupPlan, protected_ns: int, report: CleanupReport
    ) -> list[Digest]:
        """As `_sweep_folder`, for a tree, which stays if it was used since PROTECTED_NS, if that is not 0."""
        with self._lock.exclusive(), suppress(FileNotFoundError):
            if fresh := plan.announced.fresh():
                return fresh
            is_used = 0 < protected_ns <= os.lstat(path).st_ctime_ns
            if not is_used and _TREE_MARK + os.path.basename(path) not in plan.marked:
                discard(self._layout, path)
                report.deleted_trees += 1
        return []

    def _sweep_objects(self, plan: CleanupPlan, marker: "_Marker", report: CleanupReport) -> None:
        protected_ns = oldest_start_ns(self._layout)
        report.used_bytes = 0
        for prefix in os.listdir(self._layout.objects):
            self._check()
            while fresh := self._sweep_folder(prefix, plan, protected_ns, report):
                marker.mark(_trees(fresh))

    def _sweep_folder(
        self, prefix: str, plan: CleanupPlan, protected_ns: int, report: CleanupReport
    ) -> list[Digest]:
        """Deletes what nobody needs of one folder of objects.

        Returns:
            Trees that are in use by now, and whose contents are not marked yet: then nothing is deleted.
        """
        directory = f"{self._layout.objects}/{prefix}"
        with self._lock.exclusive():
            if fresh := plan.announced.fresh():
                return fresh
            with os.scandir(directory) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    digest_hash = prefix + entry.name.removesuffix(".x")
                    is_used = digest_hash in plan.marked or status.st_atime_ns >= protected_ns
                    if is_used or entry.is_dir(follow_symlinks=False):
                        report.used_bytes += status.st_size
                        continue
                    os.unlink(entry.path)
                    report.deleted_objects += 1
                    report.deleted_bytes += status.st_size
        return []

    def _check(self) -> None:
        if self._should_stop():
            raise _Stopped

    def _discard_scratch(self) -> None:
        """Throws away the scratch directories of sessions that are gone."""
        found: list[tuple[str, str]] = []
        for directory in (self._layout.build, self._layout.temporary):
            with suppress(FileNotFoundError):
                found += [(directory, name) for name in os.listdir(directory)]
        # in this order: the session of what was found may have begun a moment before
        alive = live_sessions(self._layout)
        for directory, name in found:
            session = self._layout.session_of(name)
            if session is not None and session not in alive:
                discard(self._layout, f"{directory}/{name}")


def _trees(digests: Iterable[Digest]) -> list[Reference]:
    return [Reference(digest, is_tree=True) for digest in digests]


class _Stopped(Exception):
    """The clean-up was told to stop."""


class _Marker:
    """Finds all contents that references lead to.

    Args:
        objects: Where directories are read from.
        marked: Hashes of contents that were reached; grows.
    """

    def __init__(self, objects: ObjectStore, marked: set[str]) -> None:
        self._objects = objects
        self._marked = marked

    def mark(self, references: Iterable[Reference]) -> int:
        """Marks all that REFERENCES lead to; the size in bytes of what was not marked before."""
        fresh = self.unmarked(references)
        self._marked.update(fresh)
        return sum(fresh.values())

    def unmarked(self, references: Iterable[Reference]) -> dict[str, int]:
        """What REFERENCES lead to and is not marked: sizes in bytes by hash.  O(what is new)."""
        fresh: dict[str, int] = {}
        waiting = list(references)
        while waiting:
            digest, is_tree = waiting.pop()[:2]
            mark = _TREE_MARK + digest.hash if is_tree else digest.hash
            if mark in self._marked or mark in fresh:
                continue
            fresh[mark] = 0
            if digest.hash not in self._marked:
                fresh[digest.hash] = digest.size
            if not is_tree:
                continue
            try:
                directory = decode_directory(self._objects.read_bytes(digest))
            except (CASError, TreeDecodeError):
                continue  # incomplete, so of no use, but that is found out elsewhere
            for file in directory.files:
                if file.digest.hash not in self._marked:
                    fresh[file.digest.hash] = file.digest.size
            waiting.extend(Reference(child.digest, is_tree=True) for child in directory.directories)
        return fresh
