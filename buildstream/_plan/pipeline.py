"""The elements of one command with their records, and which of them are needed.

What is needed is found out while the command runs: an element that turns out
not to be cached makes its build dependencies needed.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from .._keys.elementkeys import KeyTable
from .._load.resolved import ResolvedElement
from .record import ArtifactState, ElementRecord


class Pipeline:
    """Every element that the targets reach.

    Args:
        elements: Dependencies first; the `index` of each is its position.
        keys: Their keys, computed.
        is_strict: Whether an artifact is good only if its strict key fits.
    """

    def __init__(self, elements: Sequence[ResolvedElement], keys: KeyTable, *, is_strict: bool) -> None:
        self.elements = elements
        self.keys = keys
        self.is_strict = is_strict
        self.records = [ElementRecord(element, keys.keys[element.index]) for element in elements]
        if is_strict:
            for record in self.records:
                record.strong_key = record.keys.strict
        # called with each record that has just become required
        self.on_required: Callable[[ElementRecord], None] | None = None
        self._ready: set[ElementRecord] = set()

    def record(self, element: ResolvedElement) -> ElementRecord:
        """The record of ELEMENT."""
        return self.records[element.index]

    def refresh_keys(self, record: ElementRecord) -> None:
        """Takes keys that have been computed."""
        record.keys = self.keys.keys[record.element.index]
        if self.is_strict:
            record.strong_key = record.keys.strict

    def recompute_keys(self) -> None:
        """Computes all keys again, after refs have changed."""
        self.keys = KeyTable(self.elements)
        self.keys.compute()
        for record in self.records:
            self.refresh_keys(record)

    # readiness

    def is_ready(self, record: ElementRecord) -> bool:
        """Whether RECORD and everything it needs at run time is cached.

        A positive answer is remembered: artifacts do not vanish while a command
        runs.  Amortised O(elements + edges) over a command.
        """
        if record in self._ready:
            return True
        stack = [record]
        seen = {record}
        while stack:
            top = stack.pop()
            if not top.is_cached or top.strong_key is None:
                return False
            for child in top.element.runtime_dependencies:
                child_record = self.record(child)
                if child_record not in self._ready and child_record not in seen:
                    seen.add(child_record)
                    stack.append(child_record)
        self._ready |= seen
        return True

    # what is required

    def require(self, elements: Iterable[ResolvedElement], deps: str) -> None:
        """Marks what a build of ELEMENTS with `--deps DEPS` wants from the start."""
        for element in elements:
            if deps == "none":
                self._mark([self.record(element)], follow=False)
            elif deps == "build":
                self._mark([self.record(child) for child in element.build_dependencies])
            else:
                self._mark([self.record(element)])
        if deps == "all":
            for record in self.records:
                self._mark([record])

    def _mark(self, records: Iterable[ElementRecord], *, follow: bool = True) -> None:
        """Marks RECORDS, what is needed to build them and, if FOLLOW, what they need at run time."""
        queue = deque((record, follow) for record in records)
        while queue:
            record, follow = queue.popleft()
            if record.is_required:
                continue
            record.is_required = True
            if follow:
                queue.extend((self.record(child), True) for child in record.element.runtime_dependencies)
            if _has_to_be_built(record):
                record.is_scheduled = True
                queue.extend((self.record(child), True) for child in record.element.build_dependencies)
            if self.on_required:
                self.on_required(record)

    def schedule_build(self, record: ElementRecord) -> None:
        """To be called once remotes were asked for RECORD: if they had nothing, its build is required."""
        if record.is_required and _has_to_be_built(record):
            record.is_scheduled = True
            self._mark(map(self.record, record.element.build_dependencies))

    # strong keys in non-strict mode

    def update_strong_key(self, record: ElementRecord) -> None:
        """Computes the strong key of an element that is going to be built, from those of its dependencies."""
        if record.strong_key is None:
            record.strong_key = self.keys.strong(
                record.element, lambda element: self.record(element).strong_key
            )


def _has_to_be_built(record: ElementRecord) -> bool:
    return (
        record.artifact_state in (ArtifactState.MISSING, ArtifactState.FAILED)
        and not record.is_pull_pending
        and not record.is_scheduled
    )
