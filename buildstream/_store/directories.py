"""Directories of trees: read, decoded and kept, and which trees are complete."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import cast

from .._exceptions import CASError
from .._model.digest import EMPTY_DIGEST, Digest
from .._model.directorybytes import TreeDecodeError
from .._model.tree import TreeDirectory, decode_directory, encode_directory
from .blobtrees import fields_of
from .completeness import CompleteTrees
from .objects import ObjectStore
from .verifiedcontents import VerifiedContents
from .workers import DIRECTORY_SIZE, WORTHWHILE

_ENTRIES_KEPT = 500_000  # of decoded directories, some 300 bytes each
_WORTH_REMEMBERING = 2_000  # files of a tree; fewer are verified in no time


class DirectoryStore:
    """The directories of a store.  Safe to use from several threads.

    Args:
        complete_trees: What other commands have seen to be there.
        verified_trees: What other commands have seen to be right.
    """

    def __init__(
        self, objects: ObjectStore, complete_trees: CompleteTrees, verified_trees: VerifiedContents
    ) -> None:
        self._objects = objects
        self._complete_trees = complete_trees
        self._verified_trees = verified_trees
        self._directories: dict[str, TreeDirectory] = {}  # decoded, by hash
        self._entry_count = 0  # in these
        self._complete: set[str] = set()  # hashes of trees that were seen to be complete
        self._claimed: set[str] = set()  # of those that stay so as long as the session lasts
        self._quarantine_count = 0  # of objects, when these were last known to be right
        self.verifies_on_use = False  # whether a tree that has all names is taken to be complete

    def add(self, directory: TreeDirectory) -> Digest:
        """Stores a directory, not what its entries refer to, and gives its digest."""
        return self._objects.add_bytes(encode_directory(directory))

    def read(self, digest: Digest) -> TreeDirectory:
        """The decoded directory with this digest; decoded ones are kept.

        Raises:
            CASError: The blob is absent, corrupt or no directory.
        """
        known = self._directories.get(digest.hash)
        if known is not None:
            return known
        try:
            directory = decode_directory(self._objects.read_bytes(digest))
        except TreeDecodeError as error:
            raise CASError(f"Blob {digest} is not a directory: {error}") from error
        self._keep(digest, directory)
        return directory

    def contains_tree(self, digest: Digest) -> bool:
        """Whether all directories and files of the tree are present.

        Remembers the complete trees and subtrees it has seen until `forget_presence`, or until an
        object turns out corrupt; the trees also from one command to the next.  Costs a system call
        for each blob the first time.
        """
        self._forget_after_corruption()
        if digest.hash in self._complete or digest == EMPTY_DIGEST:
            return True
        if self._complete_trees.is_known(digest):
            self._complete.add(digest.hash)
            return True
        if self.verifies_on_use:
            return self._has_all_names(digest)
        note = self._complete_trees.note
        return next(self._missing_blobs(digest, self._objects.lacking, self._complete, note), None) is None

    def note_stored(self, digest: Digest, hashes: frozenset[str], file_count: int, *, is_new: bool) -> None:
        """Notes that the tree DIGEST has been stored in this session, and so is complete and claimed.

        Args:
            digest: The tree.
            hashes: Of all its directories.
            file_count: How many files it has.
            is_new: Whether no file was there already, so that none can be damaged.
        """
        self._complete |= hashes
        self._claimed |= hashes
        self._complete_trees.note(digest, file_count + len(hashes), is_claimed=True)
        if is_new:
            self.note_verified(digest, file_count)

    def finish(self) -> None:
        """To be called before the session ends: tells other commands which trees are complete."""
        self._forget_after_corruption()
        if self._objects.absence_count:  # perhaps of a tree that was taken to be complete
            self._complete_trees.delete()
        self._complete_trees.save()

    def _forget_after_corruption(self) -> None:
        """Takes no tree to be complete, or claimed, that was before an object went into quarantine."""
        count = self._objects.quarantine_count
        if count != self._quarantine_count:
            self._quarantine_count = count
            self._forget_complete()

    def _forget_complete(self) -> None:
        # new ones: who looks through a tree right now adds to the old ones
        self._complete, self._claimed = set(), set()
        self._complete_trees.forget()

    def verified_ns(self, digest: Digest) -> int:
        """Objects of the tree that have not been changed since then are right; see VerifiedContents."""
        return self._verified_trees.since_ns(digest.hash)

    def note_verified(self, digest: Digest, file_count: int) -> None:
        """Notes that all FILE_COUNT files of the tree DIGEST are right, if it is worth the trouble."""
        if file_count >= _WORTH_REMEMBERING:
            self._verified_trees.remember(digest.hash)

    def note_names(self, field: bytes) -> None:
        """Notes that directories of a tree are right, and its files have objects; FIELD is its root."""
        ((name, _),) = fields_of(field)
        self._complete.add(name)

    def missing_blobs(self, digest: Digest) -> list[Digest]:
        """What is missing of a tree, as far as the directories that are present tell; each blob once.

        What is not missing is claimed, so that the tree is complete once these are added.
        """
        self._forget_after_corruption()
        note = partial(self._complete_trees.note, is_claimed=True)
        return list(dict.fromkeys(self._missing_blobs(digest, self._objects.unclaimed, self._claimed, note)))

    def _has_all_names(self, digest: Digest) -> bool:
        """Whether all directories of a tree can be read, and there is an object by the name of each file."""
        if not self._objects.are_listed([digest]):
            return False  # to read it would get it from elsewhere
        visited: set[Digest] = set()
        waiting = [digest]
        count = 0
        while waiting:
            current = waiting.pop()
            if current in visited:
                continue
            visited.add(current)
            try:
                directory = self.read(current)
            except CASError:  # missing, or damaged, and in quarantine now
                return False
            if not self._objects.are_listed([file.digest for file in directory.files]):
                return False
            waiting.extend(subdirectory.digest for subdirectory in directory.directories)
            count += len(directory.files)
            if count >= WORTHWHILE:
                count = 0
                waiting = self._look(waiting, visited)
        return True

    def _look(self, directories: list[Digest], visited: set[Digest]) -> list[Digest]:
        """Has workers look through DIRECTORIES and all below; gives those that they find fault with."""
        left: list[Digest] = []
        waiting = directories

        def take(digest: Digest, answer: object) -> None:
            if answer is None:
                left.append(digest)
                visited.discard(digest)
            else:
                waiting.extend(Digest(*child) for child in cast("list[tuple[str, int]]", answer))

        with self._objects.workers.borrowed() as group:
            if group is None:
                return directories
            while waiting or group.advance():
                found = set(waiting) - visited
                waiting.clear()
                visited |= found
                for digest in found:
                    group.submit("look", tuple(digest), DIRECTORY_SIZE, partial(take, digest))
        return left

    def forget_presence(self) -> None:
        """Forgets which trees were complete, after blobs were deleted."""
        self._forget_complete()
        self._directories.clear()
        self._entry_count = 0

    def _keep(self, digest: Digest, directory: TreeDirectory) -> None:
        if self._entry_count > _ENTRIES_KEPT:
            self._directories.clear()
            self._entry_count = 0
        self._directories[digest.hash] = directory
        self._entry_count += 1 + sum(map(len, directory[:3]))

    def _missing_blobs(
        self,
        digest: Digest,
        missing_of: Callable[[Iterable[Digest]], list[Digest]],
        complete: set[str],
        note: Callable[[Digest, int], None],
    ) -> Iterator[Digest]:
        """Yields missing blobs of a tree, perhaps several times.

        Trees in COMPLETE are not looked at; if nothing is missing, those that were are added, and
        NOTE is told how many blobs they have.
        """
        visited: set[str] = set()
        waiting = [digest]
        is_complete = True
        count = 0
        while waiting:
            current = waiting.pop()
            if current.hash in visited or current.hash in complete:
                continue
            visited.add(current.hash)
            if missing_of((current,)):
                is_complete = False
                yield current
                continue
            try:
                directory = self.read(current)
            except CASError:  # damaged, and in quarantine now
                is_complete = False
                yield current
                continue
            count += len(directory.files)
            for blob in missing_of(file.digest for file in directory.files):
                is_complete = False
                yield blob
            waiting.extend(subdirectory.digest for subdirectory in directory.directories)
        if is_complete:
            complete |= visited
            if visited:
                note(digest, count + len(visited))
