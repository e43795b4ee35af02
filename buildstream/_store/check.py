"""Looking through a whole store: is every object what its name says, and every record complete."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from .._model.cachestate import CheckReport
from .._model.digest import Digest
from .._model.tree import TreeDirectory
from .cleanup import RecordSet
from .filedigest import digest_of_file
from .layout import StoreLayout, TreeForm
from .objects import ObjectStore
from .trash import discard
from .treecheck import TreeCheck

_BATCH = 256  # objects that are hashed between two reports of progress


class StoreCheck:
    """One look through a store.

    Args:
        layout: Where it is.
        objects: Its blobs.
        read_directory: Reads directories of trees.
        missing: What of a blob, or, if the second argument says so, of a tree is not there.
        repairs: Whether what is wrong is put aside, so that it is fetched or built again.
        heal: Tries to get a content from elsewhere.
    """

    def __init__(
        self,
        layout: StoreLayout,
        objects: ObjectStore,
        read_directory: Callable[[Digest], TreeDirectory],
        missing: Callable[[Digest, bool], list[Digest]],
        *,
        repairs: bool,
        heal: Callable[[Digest], bool],
    ) -> None:
        self._layout = layout
        self._objects = objects
        self._read_directory = read_directory
        self._missing = missing
        self._repairs = repairs
        self._heal = heal
        self.report = CheckReport()

    def objects(self, advance: Callable[[int], None]) -> None:
        """Hashes every object, on all processors; ADVANCE is told how many more are done."""
        paths = self._object_paths()
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            while batch := list(islice(paths, _BATCH)):
                for (path, expected), found in zip(batch, pool.map(_digest, batch), strict=True):
                    self._note_object(path, expected, found)
                advance(len(batch))
        self.report.corrupt.sort()
        self.report.foreign.sort()

    def _note_object(self, path: str, expected: str, found: Digest | None) -> None:
        report = self.report
        report.objects += 1
        if found is not None:
            report.object_bytes += found.size
            if found.hash == expected:
                return
        report.corrupt.append(expected)
        if self._repairs:
            self._objects.put_aside(path, expected)

    def _object_paths(self) -> Iterator[tuple[str, str]]:
        for prefix in sorted(os.listdir(self._layout.objects)):
            directory = f"{self._layout.objects}/{prefix}"
            if not os.path.isdir(directory):
                self._note_foreign(directory)
                continue
            for name in os.listdir(directory):
                digest_hash = prefix + name.removesuffix(".x")
                if Digest(digest_hash, 0).is_well_formed():
                    yield f"{directory}/{name}", digest_hash
                else:
                    self._note_foreign(f"{directory}/{name}")

    def _note_foreign(self, path: str) -> None:
        self.report.foreign.append(path)
        if self._repairs:
            discard(self._layout, path)

    def records(self, sets: Sequence[RecordSet], advance: Callable[[int], None]) -> None:
        """Looks whether all that records refer to is there."""
        for record_set in sets:
            for name in record_set.records.names():
                self.report.records += 1
                self._check_record(record_set, name)
                advance(1)

    def _check_record(self, record_set: RecordSet, name: str) -> None:
        data = record_set.records.read(name, is_use=False)
        if data is None:
            return  # gone meanwhile
        references = record_set.references(data)
        if not references:
            self.report.unreadable.append((record_set.kind, name))
        else:
            missing = [digest for reference in references for digest in self._missing(*reference[:2])]
            if self._repairs:
                healed = [digest for digest in missing if self._heal(digest)]
                self.report.healed.extend(digest.hash for digest in healed)
                missing = [digest for digest in missing if digest not in healed]
            if not missing:
                return
            self.report.incomplete.append((record_set.kind, name, len(missing)))
        if self._repairs:
            record_set.records.remove(name)

    def trees(self, advance: Callable[[int], None]) -> None:
        """Looks whether extracted trees are what they were."""
        for form, directory in self._layout.extracted.items():
            for name in sorted(os.listdir(directory)):
                self.report.trees += 1
                path = f"{directory}/{name}"
                if not self._is_sound(form, name, path):
                    self.report.damaged_trees.append(name)
                    if self._repairs:
                        discard(self._layout, path)
                advance(1)

    def _is_sound(self, form: TreeForm, name: str, path: str) -> bool:
        digest = Digest(name, self._objects.size_of(name))
        return TreeCheck(form, self._objects, self._read_directory).sound([(path, digest)])[0]


def _digest(named: tuple[str, str]) -> Digest | None:
    """What is at a path; None if that is no regular file, or can't be read."""
    try:
        return digest_of_file(named[0])
    except OSError:
        return None
