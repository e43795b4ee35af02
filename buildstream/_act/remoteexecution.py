"""Builds on a cluster: what an action needs goes there, and what came of it comes back into the store."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from .._exceptions import SandboxError
from .._model.digest import EMPTY_DIGEST, Digest, digest_from_bytes
from .._model.message import MessageType
from .._remote.channel import Channel
from .._remote.download import Downloader
from .._remote.errors import Failure, RemoteError, checked_digest
from .._remote.execution import ActionCacheClient, ExecutionClient
from .._remote.remote import Remote
from .._remote.retry import Cancellation, Effects
from .._remote.sharedreads import Lacking
from .._remote.tally import Tally
from .._remote.upload import Uploader
from .._remotespec import RemoteExecutionSettings, RemoteSpec, RemoteType
from .._sandbox.action import Action, directories_of_tree, output_path
from .._sandbox.remote import ActionOutcome
from .._store.cas import Cas
from ..sandbox.sandbox import ActivityReporter
from .announcer import Announcer

if TYPE_CHECKING:
    from .._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import ActionResult, OutputDirectory
    from .._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import Digest as DigestMessage

_LOOK_S = 0.5  # how often somebody who waits looks whether the operation was given up
_STAGES = {
    "CACHE_CHECK": "The remote build is looked up in the action cache",
    "QUEUED": "The remote build is queued",
    "EXECUTING": "The remote build is running",
}


class RemoteExecution:
    """Runs actions on a cluster; services are connected to when the first action needs them.

    Args:
        settings: Where the services are; one that executes is among them.
        cache_storage: Where the storage is if the settings do not say.
        cas: The store.
        effects: Clock, waiting and chance; and who can end what is under way.
        announcer: Told of what happens, in the log of the job.
    """

    def __init__(
        self,
        settings: RemoteExecutionSettings,
        cache_storage: RemoteSpec | None,
        cas: Cas,
        effects: Effects,
        announcer: Announcer,
    ) -> None:
        storage = settings.storage_service or cache_storage
        execution = settings.execution_service
        assert storage is not None, "the configuration was checked"
        assert execution is not None, "the configuration was checked"
        self._cas = cas
        self._effects = effects
        self._announcer = announcer
        self._storage = Remote(replace(storage, type=RemoteType.STORAGE), effects)
        self._execution_spec = execution
        self._action_cache_spec = settings.action_cache_service
        self._lock = threading.Lock()
        self._channels: list[Channel] = []
        self._execution: ExecutionClient | None = None
        self._action_cache: ActionCacheClient | None = None
        self._uploading = threading.Lock()
        self._uploaded: set[Digest] = set()  # directories that the storage has, with all below them

    def close(self) -> None:
        """Ends all connections."""
        self._storage.close()
        for channel in self._channels:
            channel.close()

    # running

    def run(self, action: Action, reporter: ActivityReporter) -> ActionOutcome:
        """See `ActionRunner`."""
        cancellation = Cancellation()
        with self._effects.supervise(cancellation):
            try:
                with self._lock:
                    self._open(cancellation)
                return self._run(action, reporter, cancellation)
            except RemoteError as error:
                failure = SandboxError(str(error), detail=error.detail, reason=error.reason)
                failure.temporary = error.failure in (Failure.TRANSIENT, Failure.TIMEOUT)
                raise failure from error

    def _run(self, action: Action, reporter: ActivityReporter, cancellation: Cancellation) -> ActionOutcome:
        known = self._known_result(action, cancellation)
        if known is not None:
            try:
                return self._take(action, known, reporter, cancellation)
            except _OutputsLost:  # the result outlived what it is about
                self._send(MessageType.INFO, "What the action cache knows is gone: the action is run again")
        assert self._execution is not None, "it has been opened"
        skips_cache = known is not None
        # a second time if the storage had forgotten what the action needs, or what came of it
        for is_last in (False, True):
            self._upload(action, reporter, cancellation)
            try:
                with reporter.activity("Waiting for the remote build to complete"):
                    response = self._execution.execute(
                        action.digest,
                        cancellation,
                        self._note_stage,
                        skips_cache=skips_cache,
                    )
            except RemoteError as error:
                if error.status != "FAILED_PRECONDITION" or is_last:
                    raise
                self._uploaded.clear()
                continue
            try:
                return self._take(action, response.result, reporter, cancellation)
            except _OutputsLost as lost:
                if is_last or not response.cached_result:
                    raise RemoteError(str(lost), Failure.MISSING) from lost
                skips_cache = True
        raise AssertionError("the last attempt gives something, or raises")

    def _known_result(self, action: Action, cancellation: Cancellation) -> "ActionResult | None":
        if self._action_cache is None:
            return None
        try:
            result = self._action_cache.get(action.digest, cancellation)
        except RemoteError as error:
            cancellation.check()
            kind = MessageType.STATUS if error.failure is Failure.LEFT_ALONE else MessageType.WARN
            self._send(kind, f"Failed to query action cache: {error}")
            return None
        if result is not None:
            self._send(MessageType.INFO, "Action result found in action cache")
        return result

    def _note_stage(self, stage: str) -> None:
        text = _STAGES.get(stage)
        if text is not None:
            self._send(MessageType.STATUS, text)

    # there

    def _upload(self, action: Action, reporter: ActivityReporter, cancellation: Cancellation) -> None:
        """Gives the storage all that ACTION needs and that it has not got."""
        # one at a time: most of it is what others need too
        with reporter.activity("Uploading input root"), _turn(self._uploading, cancellation):
            digests = [self._cas.add_bytes(action.command), self._cas.add_bytes(action.message)]
            directories, files = self._unknown(action.input_root)
            uploader = Uploader(
                self._storage.cas, self._cas, cancellation, self._tally(), self._storage.suspects
            )
            with _saying(f"Failed to upload to the storage service {self._storage.url}"):
                uploader.push([*digests, *directories, *files])
            self._uploaded.update(directories)

    def _unknown(self, root: Digest) -> tuple[dict[Digest, None], dict[Digest, None]]:
        """Directories of a tree of which it is not known that the storage has them, and their files."""
        directories: dict[Digest, None] = {}
        files: dict[Digest, None] = {}
        waiting = [root]
        while waiting:
            current = waiting.pop()
            if current in directories or current in self._uploaded:
                continue
            directories[current] = None
            directory = self._cas.read_directory(current)
            files.update(dict.fromkeys(file.digest for file in directory.files))
            waiting.extend(child.digest for child in directory.directories)
        return directories, files

    # back

    def _take(
        self,
        action: Action,
        result: "ActionResult",
        reporter: ActivityReporter,
        cancellation: Cancellation,
    ) -> ActionOutcome:
        """Brings into the store what RESULT names, and into the log what the command has written.

        Raises:
            _OutputsLost: It does not name all outputs of ACTION, or the storage has not got all of it.
            RemoteError: The result is not one that was asked for.
        """
        if result.output_files:
            raise RemoteError("Output files were returned when we didn't request any.", Failure.CORRUPT)
        entries = _requested(action, result)
        downloader = Downloader(
            self._storage.cas,
            self._cas,
            cancellation,
            self._tally(),
            self._storage.reads_into(self._cas),
        )
        with reporter.activity("Downloading the result of the remote build"):
            texts = [
                self._text(downloader, result.stdout_digest, result.stdout_raw),
                self._text(downloader, result.stderr_digest, result.stderr_raw),
            ]
            outputs = {path: self._tree(downloader, entry) for path, entry in entries.items()}
            self._fetch_trees(downloader, outputs)
        log = self._announcer.messenger.task_log()
        for text in texts:
            if log is not None and text:
                log.write(text)
        return ActionOutcome(result.exit_code, outputs)

    def _fetch_trees(self, downloader: Downloader, outputs: Mapping[str, Digest]) -> None:
        roots = [root for root in dict.fromkeys(outputs.values()) if root != EMPTY_DIGEST]
        with self._reading():
            lacking = downloader.fetch_trees(roots, wanted=self._cas.not_elsewhere) if roots else None
        if lacking:
            self._check(lacking)

    def _reading(self) -> AbstractContextManager[None]:
        return _saying(f"Failed to download from the storage service {self._storage.url}")

    def _check(self, lacking: Lacking) -> None:
        """Raises what is to be said of blobs that did not come."""
        self._storage.suspects.update(lacking.corrupt)
        first = [*lacking.missing, *lacking.corrupt][0]
        raise _OutputsLost(f"The storage service {self._storage.url} does not have {first}, which was built")

    def _tree(self, downloader: Downloader, entry: "OutputDirectory") -> Digest:
        """The root of an output directory, whose directories may have to be fetched still."""
        root = _digest(entry.root_directory_digest)
        if root is not None:
            return root
        tree = _digest(entry.tree_digest)
        if tree is None:
            raise RemoteError("Output directory structure had no digest attached.", Failure.CORRUPT)
        try:
            top, directories = directories_of_tree(self._blob(downloader, tree))
        except (ValueError, IndexError) as error:
            raise RemoteError(
                f"Output directory '{entry.path}' is no tree: {error}", Failure.CORRUPT
            ) from error
        for directory in directories:
            self._cas.add_bytes(directory)
        return digest_from_bytes(top)

    def _text(self, downloader: Downloader, message: "DigestMessage", raw: bytes) -> bytes:
        digest = _digest(message)
        return raw if digest is None else self._blob(downloader, digest)

    def _blob(self, downloader: Downloader, digest: Digest) -> bytes:
        if digest == EMPTY_DIGEST:
            return b""
        if not self._cas.contains(digest):
            with self._reading():
                lacking = downloader.fetch_blobs({digest: False})
            if lacking:
                self._check(lacking)
        return self._cas.read_bytes(digest)

    # connecting

    def _open(self, cancellation: Cancellation) -> None:
        """Connects to the services, once."""
        if self._execution is not None:
            return
        with _saying(f"Failed to initialize the remote storage service {self._storage.url}"):
            self._storage.open(cancellation)
        if self._action_cache_spec is not None:
            url = self._action_cache_spec.url
            with _saying(f"Failed to initialize the remote action cache service {url}"):
                self._action_cache = ActionCacheClient(self._channel(self._action_cache_spec))
        spec = self._execution_spec
        with _saying(f"Failed to initialize the remote execution service {spec.url}"):
            self._execution = ExecutionClient(self._channel(spec), spec.url)

    def _channel(self, spec: RemoteSpec) -> Channel:
        channel = Channel(spec, self._effects)
        self._channels.append(channel)
        return channel

    def _tally(self) -> Tally:
        return Tally(self._effects.now_s, lambda _: None)

    def _send(self, kind: MessageType, text: str) -> None:
        self._announcer.messenger.send(kind, text)


class _OutputsLost(Exception):
    """A result does not name what was asked for, or the storage has not got what it names."""


def _requested(action: Action, result: "ActionResult") -> "dict[str, OutputDirectory]":
    """The output directories of ACTION in its RESULT, by sandbox path relative to the root.

    Raises:
        _OutputsLost: The command has succeeded, but one of them is not there.
    """
    given = {output_path(entry.path, action.work_directory): entry for entry in result.output_directories}
    found = {path: given[path] for path in action.outputs if path in given}
    absent = [path for path in action.outputs if path not in found]
    if absent and not result.exit_code:
        raise _OutputsLost(f"The remote execution server gave no output directory '/{absent[0]}'")
    return found


def _digest(message: "DigestMessage") -> Digest | None:
    """The digest in a field; None if it was left out.

    Raises:
        RemoteError: It can't be one.
    """
    return checked_digest(Digest(message.hash, message.size_bytes)) if message.hash else None


@contextmanager
def _turn(lock: threading.Lock, cancellation: Cancellation) -> Iterator[None]:
    """The block that holds LOCK; waiting for it ends when the operation is given up."""
    while not lock.acquire(timeout=_LOOK_S):
        cancellation.check()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _saying(what: str) -> Iterator[None]:
    """Puts WHAT before the errors of services in the block."""
    try:
        yield
    except RemoteError as error:
        raise RemoteError(
            f"{what}: {error}", error.failure, status=error.status, detail=error.detail
        ) from error
