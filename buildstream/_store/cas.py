"""The content store of a cache directory: blobs, trees, and trees extracted to the host."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING

from .._exceptions import CASError
from .._model.digest import EMPTY_DIGEST, Digest, digest_from_bytes
from .._model.tree import FileEntry, TreeDirectory
from .adopt import TreeAdopter
from .batchwriter import Content
from .capture import CaptureBase, capture_directory, capture_overlay, require_directory
from .cleanup import Cleaner, RecordSet
from .completeness import CompleteTrees
from .directories import DirectoryStore
from .diskfiles import DiskFiles
from .elsewhere import Elsewhere
from .extract import TreeExtractor
from .flushing import Flusher, last_flush_ns
from .frozen import FrozenDirectory
from .layout import StoreLayout, TreeForm, storage_errors
from .manyblobs import ManyBlobs
from .objects import ObjectStore
from .objectuse import ObjectUse, object_uses, remove_unused
from .placing import FilePlacer, Placement
from .private_tree import PrivateFiles, extract_private
from .sessions import Session, StoreLock
from .stagedtrees import StagedTreesCache
from .statcache import digest_directory, store_directory
from .trash import discard, empty_trash, trash_emptied_in_background
from .usage import StoreLimits, StoreUsage
from .verifiedcontents import VerifiedContents

if TYPE_CHECKING:
    from .blobworkers import StoredBatch
    from .check import StoreCheck
    from .incoming import IncomingBlob


class Cas:
    """The content store.

    Safe to use from several threads, and from several processes that share
    the cache directory.

    Args:
        directory: `<cachedir>/cas`; `trees`, `tmp` and `trash` are beside it.
        durable: Whether `flush` makes sure that data survives a loss of power.
        limits: How much it may take; by default there is no limit.
        disk: Writes and synchronises.

    Raises:
        CASError: The directory can't be used, or was written by a newer version.
    """

    def __init__(
        self,
        directory: str,
        *,
        durable: bool = True,
        limits: StoreLimits | None = None,
        disk: DiskFiles | None = None,
    ) -> None:
        disk = disk or DiskFiles()
        self._layout = StoreLayout(directory)
        self._lock = StoreLock(self._layout)
        self._session: Session | None = None
        self.usage = StoreUsage(self._layout, limits or StoreLimits())
        self._durable = durable
        self._objects = ObjectStore(self._layout, self._lock, self.usage, disk)
        self._trees = DirectoryStore(
            self._objects,
            CompleteTrees(self._layout.objects, self._layout.stats),
            VerifiedContents(self._layout.stats, "tree"),
        )
        self._objects.synced_ns = last_flush_ns(self._layout)
        self._flusher = Flusher(self._layout, self._lock, self._objects.writer, disk)
        self._extractors = {
            form: TreeExtractor(
                self._layout,
                form,
                self._objects,
                self._lock,
                read_directory=self.read_directory,
                look_back=self._flusher.look_back,
                announce=self._announce,
            )
            for form in TreeForm
        }
        self.many = ManyBlobs(self._objects, self._trees, self._lock)
        self.elsewhere: Elsewhere | None = None  # to be set by who knows another store
        # what trees give that are laid over each other, by them, bottom first
        self.merged_trees: dict[tuple[Digest, ...], Digest] = {}
        self.staged_trees = StagedTreesCache()

    @property
    def directory(self) -> str:
        """Absolute path of `<cachedir>/cas`."""
        return self._layout.cas

    @property
    def heal(self) -> Callable[[Digest], bool] | None:
        """Gets a blob that is missing or was corrupt from elsewhere, such as a remote.

        To be set by who can; None if nobody can.  It stores the blob by `insert` or `receive`
        and gives whether it did.  Called in any thread when the blob is read; must not raise.
        """
        return self._objects.heal

    @heal.setter
    def heal(self, heal: Callable[[Digest], bool] | None) -> None:
        self._objects.heal = heal

    def verify_on_use(self) -> None:
        """Lets `contains_tree` be content with names, for who is about to read every file of the trees.

        What is wrong with one is found then. Saves a system call for each file.
        """
        self._trees.verifies_on_use = True

    @property
    def stored_bytes(self) -> int:
        """The size of all new blobs that the calling thread has stored since it runs."""
        return self._objects.writer.stored.total_bytes

    @property
    def incoming_directory(self) -> str:
        """Where files are written that are to become objects."""
        return self._layout.incoming

    @property
    def quarantine_directory(self) -> str:
        """Where corrupt objects are moved to."""
        return self._layout.quarantine

    # --- Blobs

    def add_bytes(self, data: bytes) -> Digest:
        """Stores DATA and gives its digest.

        Raises:
            CASError: It can't be written; with reason `cache-too-full` if the disk is full.
        """
        return self._objects.add_bytes(data)

    def add_file(self, path: str, *, executable: bool = False, consume: bool = False) -> Digest:
        """Stores the content of a regular file and gives its digest.

        Args:
            path: A host path; a symbolic link is not followed.
            executable: Which of the two forms of the object is made, if there is none.
            consume: Whether the file may become the object: it stays where it
                is, gets mode and time of an object, and must not be written to
                any more.

        Raises:
            CASError: It can't be read or written; with reason `cache-too-full` if the disk is full.
        """
        return self._objects.add_file(path, executable=executable, consume=consume)

    def insert(self, digest: Digest, data: bytes, *, executable: bool = False) -> None:
        """Stores what a remote gave for DIGEST.

        Raises:
            CASError: DATA is something else (`corrupt-blob`), or can't be written.
        """
        found = digest_from_bytes(data)
        if found != digest:
            raise CASError(f"What came for {digest} is {found}", reason="corrupt-blob")
        self._objects.insert(digest, data, executable=executable)

    def insert_all(self, contents: Iterable[Content]) -> list[Digest]:
        """Stores what a remote gave for many digests; much cheaper than `insert` for each.

        Gives the digests for which it was something else: of those nothing is stored. Whoever the blobs
        are for calls `note_stored`.

        Raises:
            CASError: One can't be written.
        """
        return self._objects.insert_all(contents)

    def store_batch(
        self, message: bytes, wanted: Sequence[Digest], executable: set[str]
    ) -> "StoredBatch | None":
        """Stores what a remote gave for many digests, by another process, as it came.

        Args:
            message: An encoded BatchReadBlobsResponse.
            wanted: What was asked for; nothing else is stored.
            executable: Hashes of those that are executable.

        Returns:
            What became of each; None if there are no other processes: see `insert_all`.

        Raises:
            CASError: `cache-too-full`.
        """
        return self._objects.store_batch(message, wanted, executable)

    def load_batch(
        self, prefix: bytes, wanted: Sequence[Digest], *, compresses: bool
    ) -> tuple[bytes, list[Digest]] | None:
        """Reads many blobs for a remote, by another process: an encoded BatchUpdateBlobsRequest.

        Args:
            prefix: The beginning of the message.
            wanted: The blobs, which are verified.
            compresses: Whether they are compressed where it makes them smaller.

        Returns:
            The message, and what is left out as it is not there or damaged; None if there are no
            other processes: see `read_bytes`.
        """
        return self._objects.load_batch(prefix, wanted, compresses=compresses)

    def note_stored(self, size_bytes: int) -> None:
        """Counts blobs in `stored_bytes` of the calling thread that another one has stored for it."""
        self._objects.writer.stored.add(size_bytes)

    @contextmanager
    def receive(self, digest: Digest) -> Iterator["IncomingBlob"]:
        """The block in which a large blob is taken in piece by piece; see IncomingBlob."""
        from .incoming import IncomingBlob

        incoming = IncomingBlob(self._layout, self._objects, digest)
        try:
            yield incoming
        finally:
            incoming.close()

    def read_bytes(self, digest: Digest) -> bytes:
        """The content of a blob, verified.

        Raises:
            CASError: With reason `missing-blob`, or `corrupt-blob` once it has been put into quarantine.
        """
        return self._objects.read_bytes(digest)

    def contains(self, digest: Digest) -> bool:
        """Whether the blob is present with the right size; costs a system call or two."""
        return self._objects.contains(digest)

    def absent(self, digests: Iterable[Digest]) -> list[Digest]:
        """Those of DIGESTS that are not present, in their order; much cheaper than `contains` for each.

        A blob that another process has stored lately may be among them.
        """
        return self._objects.absent(digests)

    def contains_all(self, digests: Sequence[Digest]) -> bool:
        """Whether all these blobs are present, here or elsewhere."""
        lacking = [digest for digest in digests if not self.contains(digest)]
        return not lacking or (self.elsewhere is not None and self.elsewhere.holds(lacking))

    def bring_all(self, digests: Sequence[Digest]) -> bool:
        """Makes sure that blobs which are elsewhere are present here; gives whether all are."""
        lacking = [digest for digest in digests if not self.contains(digest)]
        return not lacking or (self.elsewhere is not None and self.elsewhere.bring(lacking))

    def claim(self, digest: Digest) -> bool:
        """Whether the blob is present; then no clean-up deletes it as long as the session lasts.

        For a blob that a record is going to refer to; those of records that were read need no claim.
        """
        return self._objects.claim(digest)

    def object_path(self, digest: Digest, *, executable: bool = False) -> str:
        """The path of a file with the verified content of a blob; it must not be written to.

        Its mode is 0644, or 0755 if EXECUTABLE; its modification time is 1321009871.

        Raises:
            CASError: With reason `missing-blob` or `corrupt-blob`.
        """
        return self._objects.object_path(digest, executable=executable)

    def read_path(self, digest: Digest, *, executable: bool = False) -> AbstractContextManager[str]:
        """The block in which all of a file is read, for somebody outside of the store, at the path given.

        As `object_path`; but what another command has seen to be right, not this one, is hashed meanwhile.

        Raises:
            CASError: As for `object_path`, perhaps only at the end of the block.
        """
        return self._objects.read_path(digest, executable=executable)

    def link(self, entry: FileEntry, path: str) -> bool:
        """Makes PATH, where nothing is, a second name of the object for ENTRY, verified.

        Returns:
            False if file systems don't allow it.

        Raises:
            CASError: With reason `missing-blob` or `corrupt-blob`.
            OSError: Another failure of the link.
        """
        return self._objects.try_link(entry.digest, path, executable=entry.is_executable)

    def placer(self, stack: ExitStack, placement: Placement) -> FilePlacer:
        """What makes the files of a tree; see FilePlacer."""
        return FilePlacer(stack, self._objects, placement)

    def verify(self, digest: Digest) -> bool:
        """Whether the blob is present and its content right; the content is read once per process."""
        return self._objects.verify(digest)

    def publish_file(self, descriptor: int, path: str, digest: Digest) -> None:
        """Makes the file at PATH a blob: one in `incoming_directory` that the caller has written and hashed.

        Raises:
            CASError: It can't be renamed.
        """
        with storage_errors("store", path):
            self._objects.writer.publish(descriptor, path, digest, executable=False)

    def open(self, digest: Digest) -> tuple[int, bool]:
        """A descriptor for reading a blob, and whether its content is known to be right; it is not read here.

        Raises:
            CASError: With reason `missing-blob` or `corrupt-blob`.
        """
        return self._objects.open(digest)

    def note_uses_since(self, time_ns: int) -> None:
        """Makes `claim` note the use of what was last used before TIME_NS, in nanoseconds since the epoch."""
        self._objects.protected_since_ns = time_ns

    def uses(self) -> Iterator[ObjectUse]:
        """All objects with the time of their last use, in no order.  Costs a system call for each.

        Raises:
            CASError: They can't be listed.
        """
        return object_uses(self._layout.objects)

    def remove_unused(self, uses: Iterable[ObjectUse]) -> list[ObjectUse]:
        """Deletes objects unless they were claimed since they were seen; gives those that are gone.

        Raises:
            CASError: One can't be deleted.
        """
        with self._lock.exclusive():
            return [use for use in uses if remove_unused(use)]

    def recheck(self, digest: Digest) -> bool:
        """As `verify`, but the content is read even if it was seen to be right before."""
        return self._objects.recheck(digest)

    # --- Directories and trees

    def add_directory(self, directory: TreeDirectory) -> Digest:
        """Stores a directory, not what its entries refer to, and gives its digest."""
        return self._trees.add(directory)

    def read_directory(self, digest: Digest) -> TreeDirectory:
        """The decoded directory with this digest; decoded ones are kept.

        Raises:
            CASError: The blob is absent, corrupt or no directory.
        """
        return self._trees.read(digest)

    def contains_tree(self, digest: Digest) -> bool:
        """Whether all directories and files of the tree are present, here or elsewhere.

        Remembers the complete trees and subtrees it has seen until
        `forget_presence`.  Costs a system call for each blob the first time.
        """
        return self._trees.contains_tree(digest) or (
            self.elsewhere is not None and self.elsewhere.holds_tree(digest)
        )

    def bring_tree(self, digest: Digest) -> None:
        """Makes sure that a tree is present here if it is elsewhere, as all of it is about to be read."""
        if self.elsewhere is not None and not self._trees.contains_tree(digest):
            self.elsewhere.bring_tree(digest)

    def not_elsewhere(self, blobs: Mapping[Digest, bool]) -> Mapping[Digest, bool]:
        """Those of BLOBS, with their values, that are not brought from elsewhere when they are needed."""
        return blobs if self.elsewhere is None else self.elsewhere.absent(blobs)

    def missing_blobs(self, digest: Digest) -> list[Digest]:
        """What is missing of a tree, as far as the directories that are present tell; each blob once.

        What is not missing is claimed, so that the tree is complete once these are added.
        """
        return self._trees.missing_blobs(digest)

    def _missing_everywhere(self, digest: Digest, is_tree: bool) -> list[Digest]:
        """What is neither here nor elsewhere of a tree, or of a blob."""
        missing = self.missing_blobs(digest) if is_tree else [] if self.contains(digest) else [digest]
        if not missing or self.elsewhere is None:
            return missing
        is_held = self.elsewhere.holds_tree(digest) if is_tree else self.elsewhere.holds(missing)
        return [] if is_held else missing

    def forget_presence(self) -> None:
        """Forgets which trees were complete, after blobs were deleted."""
        self._trees.forget_presence()

    def verified_ns(self, digest: Digest) -> int:
        """Objects of the tree that have not been changed since then are right; 0 if none are known to be.

        In nanoseconds since the epoch, of the clock of the file system.
        """
        return self._trees.verified_ns(digest)

    def note_verified(self, digest: Digest, file_count: int) -> None:
        """Notes for later commands that all FILE_COUNT files of the tree DIGEST are right."""
        self._trees.note_verified(digest, file_count)

    def import_directory(self, path: str, *, mtimes: bool = False, consume: bool = False) -> Digest:
        """Stores a host directory and gives the digest of the tree.

        Regular files, directories and symbolic links are stored, other files
        are left out.  Of modes, only the execute bit of the owner is kept.

        Args:
            path: A host directory.
            mtimes: Whether modification times of files and subdirectories are
                recorded, in microseconds.
            consume: As for `add_file`; files with several names are copied.

        Raises:
            CASError: Something can't be read or stored, or has a name that is not UTF-8.
        """
        require_directory(path)
        return capture_directory(self._objects, path, mtimes=mtimes, consume=consume)

    def digest_directory(self, path: str, *, mtimes: bool = False, stores_many: bool = False) -> Digest:
        """The digest that `import_directory` would give; reads only what has changed since the last time.

        Nothing is stored, unless STORES_MANY is set and many files have to be read: those are stored
        while they are at hand. Ask `missing_blobs` before the tree is used.

        Raises:
            CASError: Something can't be read, or stored, or has a name that is not UTF-8.
        """
        require_directory(path)
        tree = digest_directory(
            self._objects, self._layout.stats, path, mtimes=mtimes, stores_many=stores_many
        )
        if tree.stored:
            self._trees.note_stored(tree.digest, tree.stored, tree.file_count, is_new=tree.is_new)
        return tree.digest

    def store_directory(
        self, path: str, missing: Iterable[Digest] | None = None, *, mtimes: bool = False
    ) -> Digest:
        """As `import_directory`, but files that are not MISSING and have not changed are not read again.

        Args:
            path: A host directory.
            missing: What `missing_blobs` gave for the tree; None if that was not asked: all is read.
            mtimes: As for `import_directory`.

        Raises:
            CASError: Something can't be read or stored, or has a name that is not UTF-8.
        """
        require_directory(path)
        hashes = None if missing is None else frozenset(digest.hash for digest in missing)
        return store_directory(self._objects, self._layout.stats, path, hashes, mtimes=mtimes)

    def capture_overlay(
        self,
        base: Digest | None,
        upper_path: str,
        *,
        before: Digest | None = None,
        private: PrivateFiles | None = None,
        mtimes: bool = False,
        consume: bool = False,
    ) -> Digest:
        """Stores a tree with the changes that the upper directory of an overlay holds.

        Directories that end up with the same entries keep their digest; others
        lose their properties.

        Args:
            base: The tree under the overlay; None is an empty one.
            upper_path: The upper directory, of an overlay mounted with `userxattr`.
            before: What the overlay showed before the changes: the base, unless the upper
                directory had content then.
            private: What files were in the upper directory before.
            mtimes: As for `import_directory`, for what is in the upper directory.
            consume: As for `add_file`; files with several names are copied.

        Raises:
            CASError: Something can't be read or stored, or has a name that is not UTF-8.
        """
        require_directory(upper_path)
        return capture_overlay(
            self._objects,
            self.read_directory,
            CaptureBase(EMPTY_DIGEST if base is None else base, before, private),
            upper_path,
            mtimes=mtimes,
            consume=consume,
        )

    # --- Extracted trees

    def extracted_tree(self, digest: Digest, form: TreeForm = TreeForm.LINKS) -> str:
        """As `extracted_trees`, for one tree."""
        return self.extracted_trees([digest], form)[0]

    def extracted_trees(self, digests: Iterable[Digest], form: TreeForm) -> list[str]:
        """The paths of host directories with the content of trees; they must not be written to.

        Each is built the first time.  Files are 0644 or 0755 and directories
        0755, modified at 1321009871 unless another time was recorded.  No file is a
        hard link of another one of any such tree.

        Args:
            digests: The trees.
            form: What their files are; stubs have no content but in an overlay over `stub_layers`.

        Raises:
            CASError: A blob is missing or corrupt, or the disk is full.
        """
        digests = tuple(digests)
        for digest in digests:
            self.bring_tree(digest)
        return self._extractors[form].extract(digests)

    @property
    def stub_layers(self) -> tuple[str, str, int]:
        """What an overlay of all trees of stubs is made of.

        Returns:
            The directory of the trees; that of the objects they name; and a number that has changed if
            another object has come in the place of a corrupt one, so that an older overlay must not be used.
        """
        stubs = self._layout.extracted[TreeForm.STUBS]
        return stubs, self._layout.objects, self._objects.quarantine_count

    def unsound_trees(self, digests: Iterable[Digest], form: TreeForm) -> list[Digest]:
        """Those of the extracted trees that are not there any more with all their contents.

        Costs a look at each file.
        """
        return self._extractors[form].unsound(digests)

    def extract_private(self, content: FrozenDirectory, path: str) -> PrivateFiles:
        """Builds CONTENT at PATH, which must not exist, for the caller alone.

        As `extracted_tree`, but the files are copies: each has one name, and no
        file of another tree has its inode.  They may be changed; what this gives
        tells which of them were not.

        Raises:
            CASError: A blob is missing or corrupt, or the disk is full.
        """
        if self.elsewhere is not None:
            for tree in content.stored_trees():
                self.bring_tree(tree)
        return extract_private(self._objects, self.read_directory, content, path)

    def adopt_tree(self, digest: Digest, path: str, form: TreeForm = TreeForm.LINKS) -> bool:
        """Makes a directory just captured with consume=True the extracted tree of its digest.

        Args:
            digest: What the capture gave.
            path: The directory.  Modes and times below it may be changed in any case.
            form: What the files of the tree are; stubs take the places of the files.

        Returns:
            Whether it was adopted, and so is gone from PATH.  False if there is such
            a tree, or if the directory is not exactly what extracting would make, or if
            extracting will be as fast.

        Raises:
            CASError: The disk refuses.
        """
        return TreeAdopter(self._extractors[form], self._objects, self.read_directory).adopt(digest, path)

    # --- Sessions and clean-up

    def begin_session(self) -> None:
        """Protects all that is used, claimed or added from now on until `close`.

        Raises:
            CASError: The disk refuses.
        """
        if self._session is None:
            self._session = Session(self._layout)
            self._layout.adopt_session(self._session.name)
            self._objects.protected_since_ns = self._session.started_ns

    def close(self) -> None:
        """Ends the session; all records are on the disk then, if the store is durable.

        Raises:
            CASError: The disk refuses.
        """
        self._objects.workers.close()
        if self._session is not None:
            self._trees.finish()
        self._objects.finish()
        if self._objects.blob_workers is not None:
            self._objects.blob_workers.close()
        if self._durable:
            self._flusher.finish()
        self.usage.synchronize()
        if self._session is not None:
            self._session.close()
            self._session = None

    def _announce(self, trees: Sequence[Digest]) -> None:
        if self._session is not None and trees:
            with self._lock.shared():
                self._session.announce(trees)

    def protecting(self) -> AbstractContextManager[None]:
        """The block in which nothing is cleaned up; to be left soon."""
        return self._lock.shared()

    def cleaner(self, sets: Sequence[RecordSet], should_stop: Callable[[], bool] = lambda: False) -> Cleaner:
        """What cleans up this store, in which SETS are all that keeps contents alive; see Cleaner."""
        return Cleaner(self._layout, self._objects, self._lock, self.usage, sets, should_stop=should_stop)

    def check(self, *, repairs: bool) -> "StoreCheck":
        """What looks through all of this store; REPAIRS says whether what is wrong is put aside."""
        from .check import StoreCheck

        return StoreCheck(
            self._layout,
            self._objects,
            self.read_directory,
            self._missing_everywhere,
            repairs=repairs,
            heal=self.heal or (lambda _: False),
        )

    def new_scratch_path(self) -> str:
        """A path for a scratch directory, which is thrown away if this process does not do that."""
        return self._layout.new_path(self._layout.build)

    # --- Maintenance

    def let_go(self, path: str) -> None:
        """To be called before what is at PATH is deleted, of which files were stored with `consume`.

        The objects of large ones are known to be right: they stay so, although to delete another name of a
        file changes it.  These names are gone afterwards.
        """
        self._objects.let_go(path)

    def discard(self, path: str) -> None:
        """Makes a path disappear at once, by moving it into the trash.

        Raises:
            CASError: It can't be moved or deleted.
        """
        self.let_go(path)
        discard(self._layout, path)

    def trash_emptied_in_background(self, interval_s: float = 10.0) -> AbstractContextManager[None]:
        """The block in which what was discarded is deleted every INTERVAL_S, by a thread."""
        return trash_emptied_in_background(self._layout, interval_s)

    def empty_trash(self) -> None:
        """Deletes what was discarded; to be called in the background.

        Raises:
            CASError: Something can't be deleted.
        """
        empty_trash(self._layout)

    def flush(self) -> None:
        """Makes all that was added so far durable.

        To be called before a record is written that makes it reachable.  Does
        nothing if nothing was added, or if the store is not durable.
        """
        if self._durable:
            self._flusher.flush()

    def new_temporary_path(self) -> str:
        """A path on the file system of the store where nothing is, for a file to be added."""
        return self._layout.new_path(self._layout.temporary)
