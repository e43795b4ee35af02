"""Blobs by digest: one file per blob and executable bit, written once, verified when read."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import compress
from time import time_ns
from typing import TYPE_CHECKING

from .._model.digest import EMPTY_DIGEST, Digest, digest_from_bytes
from .._model.tree import FileEntry
from .batchwriter import BatchWriter, Content, verified
from .blobtrees import fields_of
from .blobworkers import BlobWorkers, StoredBatch
from .diskfiles import DiskFiles
from .filedigest import RunningDigest, digest_from_descriptor, read_file, read_small
from .fileworker import FOUND, HASH_BYTES, LEFT, MADE
from .layout import MTIME_NS, StoreLayout, cas_error
from .objectwriter import ObjectWriter
from .presence import AbsenceIndex
from .sessions import CLOCK_SLACK_NS, StoreLock
from .usage import StoreUsage
from .verification import LARGE_BYTES, ObjectVerifier
from .workers import Workers

if TYPE_CHECKING:
    from .blobserving import Terms

_NO_LINK = (errno.EMLINK, errno.EPERM, errno.EXDEV)  # too many, not allowed, another file system
_NAMES_AND_LINK = 2  # names of an object with one link


class ObjectStore:
    """The blobs of a store.

    A blob is the file `objects/<2 digits>/<62 digits>`, or the same with `.x`
    behind it: then it is executable.  Either may exist alone; the other is
    made from it when asked for.  All have one modification time, so that an
    object can be linked into a tree as it is.  Safe to use from several
    threads and processes.
    """

    def __init__(self, layout: StoreLayout, lock: StoreLock, usage: StoreUsage, disk: DiskFiles) -> None:
        self._layout = layout
        self._usage = usage
        self._lock = lock
        self._verifier = ObjectVerifier(layout)
        self.writer = ObjectWriter(layout, self._verifier, usage, disk)
        self._batch_writer = BatchWriter(layout, self._verifier, usage, self.writer, disk)
        # tests that watch what is written need it written here
        self.blob_workers = BlobWorkers(layout) if type(disk) is DiskFiles else None
        self._absence = AbsenceIndex(layout.objects, self.contains, self._verifier.remembered_digests)
        self._verifier.on_forgotten = self._absence.forget
        # what was used since is not cleaned up; until a session begins, nobody else knows of this
        self.protected_since_ns = time_ns() - CLOCK_SLACK_NS
        self.synced_ns = 0  # what was changed since may not be on the disk
        self.heal: Callable[[Digest], bool] | None = None  # see `Cas.heal`
        self.workers = Workers(layout)

    # --- Presence

    def contains(self, digest: Digest) -> bool:
        """Whether the blob is there with the right size.  Costs one or two system calls.

        An object that was written to, as its time tells, is verified.
        """
        return digest == EMPTY_DIGEST or self._verifier.find(digest, executable=False) is not None

    def lacking(self, digests: Iterable[Digest]) -> list[Digest]:
        """Those of DIGESTS that `contains` denies, in their order."""
        return [digest for digest in self._verifier.unusual(digests) if not self.contains(digest)]

    def unclaimed(self, digests: Iterable[Digest]) -> list[Digest]:
        """Those of DIGESTS that `claim` denies, in their order; the others are claimed."""
        return [digest for digest in digests if not self.claim(digest)]

    def absent(self, digests: Iterable[Digest]) -> list[Digest]:
        """Those of DIGESTS that are not there; much cheaper than `contains` for each of many."""
        return self._absence.absent(digests)

    def are_listed(self, digests: Iterable[Digest]) -> bool:
        """Whether there are objects by these names, whatever their content may be."""
        return self._absence.are_listed(digests)

    def object_path(self, digest: Digest, *, executable: bool = False) -> str:
        """The path of a file with the content of DIGEST, never to be written to.

        Its mode is 0644, or 0755 if EXECUTABLE.  The content is verified unless
        it was before.

        Raises:
            CASError: The blob is absent or corrupt.
        """
        path = self._verifier.path(digest, executable=executable)
        if self._verifier.is_intact(path, digest):
            return path
        twin = self._verifier.path(digest, executable=not executable)
        if self._verifier.is_intact(twin, digest):
            self.writer.copy_in(twin, digest, executable=executable)
        elif digest == EMPTY_DIGEST:
            self.writer.write(b"", digest, executable=executable)
        elif self._is_healed(digest):
            if not self._verifier.is_intact(path, digest):
                self.writer.copy_in(twin, digest, executable=executable)
        else:
            raise self._verifier.absence(digest)
        return path

    def read_bytes(self, digest: Digest) -> bytes:
        """The content of a blob.

        Raises:
            CASError: The blob is absent or corrupt.
        """
        if digest == EMPTY_DIGEST:
            return b""
        data = self._read(digest)
        if data is None and self._is_healed(digest):
            data = self._read(digest)
        if data is None:
            raise self._verifier.absence(digest)
        return data

    @contextmanager
    def read_path(self, digest: Digest, *, executable: bool = False) -> Iterator[str]:
        """The block in which the file at this path is read, all of it, for somebody outside of the store.

        As `object_path`; but what is large, and was not read by this command, is hashed meanwhile.

        Raises:
            CASError: The blob is absent or corrupt, perhaps only at the end of the block.
        """
        path = None
        if digest.size >= LARGE_BYTES:
            path = self._verifier.find(digest, executable=executable)
        if path is None or self._verifier.was_read(path):
            yield self.object_path(digest, executable=executable)
            return
        try:
            running = RunningDigest(path)
        except OSError as error:
            raise cas_error("read", path, error) from error
        try:
            yield path
        finally:
            found, status = running.finish()
        if found == digest:
            self._verifier.remember(path, status)
            return
        self._verifier.forget(path, digest.size)
        if not self._verifier.is_intact(path, digest):
            raise self._verifier.absence(digest)

    def _read(self, digest: Digest) -> bytes | None:
        for executable in (False, True):
            path = self._verifier.path(digest, executable=executable)
            try:
                data = read_file(path, digest.size)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise cas_error("read", path, error) from error
            found = digest_from_bytes(data)
            if found != digest:
                if found.hash != digest.hash:
                    self._verifier.quarantine(path, digest.hash)
                continue
            return data
        return None

    def _is_healed(self, digest: Digest) -> bool:
        """Whether a blob that is missing or was corrupt has been got from elsewhere."""
        return self.heal is not None and self.heal(digest)

    def open(self, digest: Digest) -> tuple[int, bool]:
        """A descriptor for reading a blob of the right size, and whether its content is known to be right.

        Raises:
            CASError: The blob is absent.
        """
        path = self._verifier.find(digest, executable=False)
        try:
            if path is None:
                raise self._verifier.absence(digest)
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            return descriptor, self._verifier.is_remembered(path, os.fstat(descriptor))
        except FileNotFoundError:  # deleted meanwhile
            raise self._verifier.absence(digest) from None
        except OSError as error:
            raise cas_error("read", self._layout.objects, error) from error

    def claim(self, digest: Digest, *, executable: bool = False) -> bool:
        """Whether the blob is there; it then stays as long as the session lasts."""
        if digest == EMPTY_DIGEST:
            return True
        path = self._verifier.find(digest, executable=executable)
        return path is not None and self._protect(path)

    def _protect(self, path: str) -> bool:
        """Notes that the object at PATH is used in this session; False if it is gone.

        The time of the last access tells it; reading an object may set that too, which does no harm.
        """
        try:
            before = os.lstat(path)
            if before.st_ctime_ns >= self.synced_ns:
                # perhaps written by another process, and not on the disk yet
                self.writer.has_unflushed = True
            if before.st_atime_ns >= self.protected_since_ns:
                return True
            with self._lock.shared():
                os.utime(path, ns=(time_ns(), MTIME_NS))
        except FileNotFoundError:
            return False
        except OSError:
            return True  # a store that can only be read is not cleaned up either
        if self._verifier.is_remembered(path, before):
            self._verifier.note_changed(path, os.lstat(path))
        return True

    def finish(self) -> None:
        """To be called before the session ends: tells other commands what was seen to be right."""
        self._verifier.finish()

    # --- Insertion

    def begin_storing(self) -> None:
        """To be called before workers make objects, which are charged only then."""
        self._usage.begin_counting()

    def doubt_usage(self) -> None:
        """To be called after workers have perhaps made objects of which they did not tell."""
        self._usage.doubt()

    def add_bytes(self, data: bytes) -> Digest:
        """Stores DATA and gives its digest."""
        digest = digest_from_bytes(data)
        if not self.claim(digest):
            self.writer.write(data, digest, executable=False)
        return digest

    def add_file(self, path: str, *, executable: bool = False, consume: bool = False) -> Digest:
        """Stores the content of the file at PATH and gives its digest.

        Args:
            path: A regular file; links are not followed.
            executable: Whether the object is made executable; a twin with the
                other bit counts as present too.
            consume: Whether the file may become the object, with its mode and
                times changed.  It stays where it is, linked to the object, and
                must not be written to any more.

        Raises:
            CASError: PATH can't be read or the object can't be written.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise cas_error("read", path, error) from error
        try:
            status = os.fstat(descriptor)
            return self.add_open_file(descriptor, path, status, executable=executable, consume=consume)
        finally:
            os.close(descriptor)

    def add_open_file(
        self, descriptor: int, path: str, status: os.stat_result, *, executable: bool, consume: bool
    ) -> Digest:
        """As `add_file`, for a file that was opened for reading and whose status is known."""
        try:
            data = read_small(descriptor, status.st_size)
            digest = digest_from_descriptor(descriptor) if data is None else digest_from_bytes(data)
            if digest == EMPTY_DIGEST:
                return digest
            # A file with a second name could be changed by that.
            may_adopt = consume and status.st_nlink == 1 and status.st_size == digest.size
            if may_adopt and self.writer.adopt(descriptor, path, digest, executable=executable):
                return digest
            if self.claim(digest, executable=executable):
                return digest
            if data is None:
                return self.writer.copy_from(descriptor, executable=executable)
            self.writer.write(data, digest, executable=executable)
            return digest
        except OSError as error:
            raise cas_error("store", path, error) from error

    def take_over(self, hashes: bytes, sizes: Sequence[int], executables: bytes, states: bytes) -> bytes:
        """Takes over objects that a worker has made or found; `begin_storing` was called before.

        Args:
            hashes: Of files, one after the other.
            sizes: Of these.
            executables: For each whether its object is to be executable.
            states: What the worker has answered.

        Returns:
            The states, LEFT where what was found is not right, or not there any more.

        Raises:
            CASError: `cache-too-full`; what was made is deleted.
        """
        if MADE in states:
            paths = (
                self._verifier.path_of(_hash_at(hashes, number), executables[number])
                for number, state in enumerate(states)
                if state == MADE
            )
            is_made = (state == MADE for state in states)
            self.writer.note_made(paths, sum(compress(sizes, is_made)))
            self._absence.forget()
        if FOUND not in states:
            return states
        checked = bytearray(states)
        for number, state in enumerate(states):
            if state == FOUND:
                digest = Digest(_hash_at(hashes, number), sizes[number])
                if not self.claim(digest, executable=bool(executables[number])):
                    checked[number] = LEFT
        return bytes(checked)

    def insert(self, digest: Digest, data: bytes, *, executable: bool) -> None:
        """Stores DATA, whose digest the caller has verified, over what may be there."""
        if digest != EMPTY_DIGEST:
            self.writer.write(data, digest, executable=executable)

    def insert_all(self, contents: Iterable[Content]) -> list[Digest]:
        """Stores those of CONTENTS that are what their digests say; gives the digests of the others."""
        good, corrupt = verified(contents)
        self._batch_writer.write([content for content in good if content.digest != EMPTY_DIGEST])
        return corrupt

    def store_batch(
        self, message: bytes, wanted: Sequence[Digest], executable: set[str]
    ) -> StoredBatch | None:
        """Stores those of the blobs WANTED that are in MESSAGE; see `BlobWorkers.store`.

        Raises:
            CASError: `cache-too-full`.
        """
        if self.blob_workers is None:
            return None
        size_bytes = sum(digest.size for digest in wanted)
        charged_bytes = 0

        def charge() -> None:
            nonlocal charged_bytes
            self._usage.charge(size_bytes, self._layout.incoming)
            charged_bytes = size_bytes

        batch = self.blob_workers.store(message, wanted, executable, charge)
        if batch is None and charged_bytes:
            self._usage.give_back(charged_bytes)
            self._usage.doubt()
        if batch is not None:
            self._usage.give_back(size_bytes - sum(size for _, size in batch.stored))
            self._verifier.remember_made(batch.made, batch.when)
            self.writer.has_unflushed = True
        return batch

    def load_batch(
        self, prefix: bytes, wanted: Sequence[Digest], *, compresses: bool
    ) -> tuple[bytes, list[Digest]] | None:
        """A message with the blobs WANTED; see `BlobWorkers.load`."""
        if self.blob_workers is None:
            return None
        return self.blob_workers.load(prefix, wanted, compresses=compresses)

    def keep(
        self, message: bytes, wanted: bytes, size_bytes: int, count: int, *, executable: bool
    ) -> list[Digest] | None:
        """See `ManyBlobs.keep`."""
        if self.blob_workers is None:
            return None
        self._usage.charge(size_bytes, self._layout.incoming)
        answer = self.blob_workers.keep(message, wanted, executable=executable)
        self.writer.has_unflushed = True
        if answer is None:
            self._usage.give_back(size_bytes)
            return None
        left, when = answer
        self._usage.give_back(sum(digest.size for digest in left))
        if left:
            kept = set(fields_of(wanted)).difference(left)
            paths = [self._verifier.path_of(name, executable) for name, _ in kept]
            self._verifier.remember_made(paths, when)
        else:
            self._verifier.remember_kept(wanted, count, when, executable=executable)
        return left

    @property
    def has_seen_corruption(self) -> bool:
        """Whether an object turned out corrupt, so that others are not taken for right by their looks."""
        return self._verifier.has_seen_corruption

    @property
    def quarantine_count(self) -> int:
        """How many objects this process has found to be corrupt."""
        return self._verifier.quarantine_count

    @property
    def absence_count(self) -> int:
        """How many blobs this process wanted to use that were not there."""
        return self._verifier.absence_count

    def serve(self, kind: str, message: bytes, terms: "Terms", count: int) -> tuple[object, bytes] | None:
        """What another process answers to a request about COUNT blobs; see `BlobWorkers.serve`."""
        if self.blob_workers is None or self._verifier.has_seen_corruption:
            return None
        answer = self.blob_workers.serve(kind, message, terms, count)
        self.writer.has_unflushed = True  # if only by what another process stored, and is used from now on
        return answer

    # --- Verification

    def link(self, digest: Digest, destination: str, *, executable: bool) -> None:
        """Links the verified object to DESTINATION.

        Raises:
            CASError: The blob is absent or corrupt.
            OSError: The link can't be made.
        """
        path = self.object_path(digest, executable=executable)
        os.link(path, destination)
        self._verifier.note_changed(path, os.lstat(destination))  # making a link changed the ctime

    def unlink(self, path: str, digest: Digest, *, executable: bool) -> None:
        """Deletes PATH, perhaps another name of the object: what is remembered of that stays true.

        Raises:
            OSError: It can't be deleted.
        """
        self._unlink(path, self._verifier.path(digest, executable=executable))

    def _unlink(self, path: str, object_path: str) -> None:
        is_known = False
        with suppress(FileNotFoundError):  # there is no object
            before = os.lstat(object_path)
            is_known = os.path.samestat(before, os.lstat(path)) and self._verifier.is_remembered(
                object_path, before
            )
        os.unlink(path)
        if is_known:
            self._verifier.note_changed(object_path, os.lstat(object_path))

    def let_go(self, path: str) -> None:
        """See `Cas.let_go`."""
        adopted = self.writer.adopted
        for name in [name for name in adopted if name == path or name.startswith(f"{path}/")]:
            with suppress(OSError):  # it has gone already, or became part of an extracted tree
                self._unlink(name, adopted.pop(name))

    def try_link(self, digest: Digest, destination: str, *, executable: bool) -> bool:
        """As `link`; False if the file system does not allow a link there."""
        try:
            self.link(digest, destination, executable=executable)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            return False
        return True

    def try_link_alone(self, digest: Digest, destination: str, *, executable: bool) -> bool:
        """As `try_link`; False, and there is nothing, if the object would have more than these two names."""
        path = self.object_path(digest, executable=executable)
        if os.lstat(path).st_nlink > 1 or not self.try_link(digest, destination, executable=executable):
            return False
        if os.lstat(destination).st_nlink == _NAMES_AND_LINK:
            return True
        os.unlink(destination)
        return False

    def are_unchanged(self, files: Iterable[FileEntry], since_ns: int) -> bool:
        """Whether the objects of FILES are there; those that were changed, or look wrong, are hashed.

        Args:
            files: Each needs the form of the object that it names.
            since_ns: When they were seen to be right, in the time of the file system.

        Raises:
            CASError: One can't be read.
        """
        lstat = os.stat
        parent = os.open(self._layout.objects, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for entry in files:
                digest = entry.digest
                size = digest.size
                if not size:
                    continue
                path = object_name(entry)
                try:
                    status = lstat(path, dir_fd=parent, follow_symlinks=False)
                except OSError:
                    return False
                is_unchanged = status.st_ctime_ns <= since_ns and status.st_mtime_ns == MTIME_NS
                if not (is_unchanged and status.st_size == size) and not self._verifier.is_intact(
                    f"{self._layout.objects}/{path}", digest
                ):
                    return False
        finally:
            os.close(parent)
        return True

    def verify(self, digest: Digest) -> bool:
        """Whether the blob is present and intact; what is corrupt goes into quarantine."""
        if digest == EMPTY_DIGEST:
            return True
        return any(
            self._verifier.is_intact(self._verifier.path(digest, executable=executable), digest)
            for executable in (False, True)
        )

    def recheck(self, digest: Digest) -> bool:
        """As `verify`, but the content is read even if it was seen to be right before."""
        for executable in (False, True):
            self._verifier.forget(self._verifier.path(digest, executable=executable), digest.size)
        return self.verify(digest)

    def is_object(self, status: os.stat_result, digest: Digest, *, executable: bool) -> bool:
        """Whether STATUS is that of the object itself, by inode."""
        try:
            return os.path.samestat(status, os.lstat(self._verifier.path(digest, executable=executable)))
        except OSError:
            return False

    def put_aside(self, path: str, digest_hash: str) -> None:
        """Moves the object at PATH, which is not what its name says, into quarantine."""
        self._verifier.quarantine(path, digest_hash)

    def size_of(self, digest_hash: str) -> int:
        """The size in bytes of the blob with this hash; 0 if it is not there."""
        for executable in (False, True):
            with suppress(OSError):
                return os.lstat(self._verifier.path(Digest(digest_hash, 0), executable=executable)).st_size
        return 0


def _hash_at(hashes: bytes, number: int) -> str:
    return hashes[HASH_BYTES * number : HASH_BYTES * (number + 1)].hex()


def object_name(entry: FileEntry) -> str:
    """The object for ENTRY, relative to the directory of objects."""
    name = entry.digest.hash
    return f"{name[:2]}/{name[2:]}.x" if entry.is_executable else f"{name[:2]}/{name[2:]}"
