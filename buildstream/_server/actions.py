"""The service ActionCache: results of actions, given out while all their outputs are there."""

from collections.abc import Callable

from google.protobuf.message import DecodeError
from grpc import StatusCode

from .._exceptions import CASError
from .._model.digest import Digest
from .._model.directorybytes import TreeDecodeError
from .._model.tree import decode_directory
from .._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import (
    ActionResult,
    GetActionResultRequest,
    Tree,
    UpdateActionResultRequest,
)
from .._store.records import Records
from .calls import Call, Kind, Method
from .completeness import Completeness
from .errors import CallError, invalid
from .metrics import Metrics
from .names import Instances, check_digest_function, digest_from
from .settings import Right
from .storage import Storage

_SERVICE = "build.bazel.remote.execution.v2.ActionCache"
_LARGEST_INLINE_BYTES = 1 << 20


class Actions:
    """Results by the digest of the action.

    Args:
        storage: The blobs.
        completeness: Finds out what is missing.
        records: Of one instance, by hash and size of the action.
        instances: Which there are.
        metrics: Counts look-ups.
    """

    def __init__(
        self,
        storage: Storage,
        completeness: Completeness,
        records: Callable[[str], Records],
        instances: Instances,
        metrics: Metrics,
    ) -> None:
        self._storage = storage
        self._completeness = completeness
        self._records = records
        self._instances = instances
        self._metrics = metrics

    def methods(self) -> list[Method]:
        """What it serves."""
        unary = Kind.UNARY
        return [
            Method(
                _SERVICE, "GetActionResult", Right.READ, unary, GetActionResultRequest, ActionResult, self.get
            ),
            Method(
                _SERVICE,
                "UpdateActionResult",
                Right.PUSH,
                unary,
                UpdateActionResultRequest,
                ActionResult,
                self.update,
            ),
        ]

    def get(self, request: GetActionResultRequest, call: Call) -> ActionResult:
        """The result of an action whose outputs are all there."""
        instance = self._instances.check(request.instance_name)
        check_digest_function(request.digest_function)
        name = _name(digest_from(request.action_digest))
        data = self._records(instance).read(name, is_use=False)
        result = None
        if data is not None:
            try:
                result = ActionResult.FromString(data)
            except DecodeError:  # damaged: as if it were not there
                result = None
        if result is None or self._missing(instance, name, result) is not None:
            self._metrics.add("asset_lookups_total", 1, {"kind": "action", "outcome": "miss"})
            raise CallError(StatusCode.NOT_FOUND, "This cache has no result of that action")
        self._records(instance).touch(name)
        self._metrics.add("asset_lookups_total", 1, {"kind": "action", "outcome": "hit"})
        if request.inline_stdout and not result.stdout_raw:
            result.stdout_raw = self._inline(result, "stdout_digest")
        if request.inline_stderr and not result.stderr_raw:
            result.stderr_raw = self._inline(result, "stderr_digest")
        return result

    def update(self, request: UpdateActionResultRequest, call: Call) -> ActionResult:
        """Remembers the result of an action, whose outputs must have been uploaded."""
        instance = self._instances.check(request.instance_name)
        check_digest_function(request.digest_function)
        if not request.HasField("action_result"):
            raise invalid("The result is missing")
        name = _name(digest_from(request.action_digest))
        self._completeness.forget((instance, name))
        missing = self._missing(instance, name, request.action_result)
        if missing is not None:
            raise CallError(
                StatusCode.FAILED_PRECONDITION, f"Blob {missing}, or one in it, has to be uploaded first"
            )
        self._storage.flush()
        self._records(instance).write(name, request.action_result.SerializeToString())
        return request.action_result

    def _inline(self, result: ActionResult, field: str) -> bytes:
        if not result.HasField(field):
            return b""
        digest = digest_from(getattr(result, field))
        return self._storage.read(digest) if digest.size <= _LARGEST_INLINE_BYTES else b""

    def _missing(self, instance: str, name: str, result: ActionResult) -> Digest | None:
        blobs = [digest_from(file.digest) for file in result.output_files]
        blobs += [
            digest_from(getattr(result, f)) for f in ("stdout_digest", "stderr_digest") if result.HasField(f)
        ]
        roots: list[Digest] = []
        for directory in result.output_directories:
            if directory.HasField("tree_digest"):
                found = self._blobs_of_tree(digest_from(directory.tree_digest))
                if isinstance(found, Digest):
                    return found
                blobs += found
            if directory.HasField("root_directory_digest"):
                roots.append(digest_from(directory.root_directory_digest))
        return self._completeness.missing((instance, name), blobs, roots)

    def _blobs_of_tree(self, digest: Digest) -> list[Digest] | Digest:
        """The files of a `Tree` message, or its own digest if it is missing or damaged."""
        try:
            tree = Tree.FromString(self._storage.read(digest))
            directories = [
                decode_directory(message.SerializeToString()) for message in (tree.root, *tree.children)
            ]
        except (CASError, DecodeError, TreeDecodeError):
            return digest
        return [file.digest for directory in directories for file in directory.files]


def _name(digest: Digest) -> str:
    return f"{digest.hash[:2]}/{digest.hash[2:]}-{digest.size}"
