"""The Remote Asset services Fetch and Push: which blob or directory a URI stands for."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from google.protobuf.message import DecodeError
from grpc import StatusCode

from .._model.digest import Digest
from .._protos.build.bazel.remote.asset.v1.remote_asset_pb2 import (
    FetchBlobRequest,
    FetchBlobResponse,
    FetchDirectoryRequest,
    FetchDirectoryResponse,
    PushBlobRequest,
    PushBlobResponse,
    PushDirectoryRequest,
    PushDirectoryResponse,
    Qualifier,
)
from .._protos.buildstream.server.v1.asset_record_pb2 import AssetRecord
from .._protos.buildstream.v2.artifact_pb2 import Artifact
from .._store.records import Records
from .calls import Call, Kind, Method
from .completeness import Completeness
from .errors import CallError, invalid
from .metrics import Metrics
from .names import Instances, check_digest_function, digest_from, fill_digest
from .settings import Right
from .storage import Storage

_FETCH = "build.bazel.remote.asset.v1.Fetch"
_PUSH = "build.bazel.remote.asset.v1.Push"
_ARTIFACT_URI = "urn:fdc:buildstream.build:2020:artifact:"
_NANOSECONDS = 1_000_000_000
_MOST_URIS = 1000
_Response = TypeVar("_Response", FetchBlobResponse, FetchDirectoryResponse)


class Assets:
    """Names of blobs and of directories, which are two worlds.

    A name is a URI with qualifiers.  It is given out only while it has not
    expired and all that was pushed with it is there.

    Args:
        storage: The blobs.
        completeness: Finds out what is missing.
        records: Of one instance: `blob/<hash>` and `directory/<hash>`.
        instances: Which there are.
        metrics: Counts look-ups.
        has_contents: Whether the server keeps the contents too; otherwise
            nobody knows what is missing.
    """

    def __init__(
        self,
        storage: Storage,
        completeness: Completeness,
        records: Callable[[str], Records],
        instances: Instances,
        metrics: Metrics,
        *,
        has_contents: bool = True,
    ) -> None:
        self._storage = storage
        self._completeness = completeness
        self._records = records
        self._instances = instances
        self._metrics = metrics
        self._has_contents = has_contents

    def methods(self) -> list[Method]:
        """What it serves."""
        read, push, unary = Right.READ, Right.PUSH, Kind.UNARY
        blob = FetchBlobRequest, FetchBlobResponse
        directory = FetchDirectoryRequest, FetchDirectoryResponse
        new_blob = PushBlobRequest, PushBlobResponse
        new_directory = PushDirectoryRequest, PushDirectoryResponse
        return [
            Method(_FETCH, "FetchBlob", read, unary, *blob, self.fetch_blob),
            Method(_FETCH, "FetchDirectory", read, unary, *directory, self.fetch_directory),
            Method(_PUSH, "PushBlob", push, unary, *new_blob, self.push_blob),
            Method(_PUSH, "PushDirectory", push, unary, *new_directory, self.push_directory),
        ]

    # --- Fetch

    def fetch_blob(self, request: FetchBlobRequest, call: Call) -> FetchBlobResponse:
        """The blob that the first known of several URIs stands for."""
        response = FetchBlobResponse()
        response.blob_digest.CopyFrom(self._fetch("blob", request, response))
        return response

    def fetch_directory(self, request: FetchDirectoryRequest, call: Call) -> FetchDirectoryResponse:
        """The directory that the first known of several URIs stands for."""
        response = FetchDirectoryResponse()
        response.root_directory_digest.CopyFrom(self._fetch("directory", request, response))
        return response

    def _fetch(self, kind: str, request: Any, response: _Response) -> Any:
        instance = self._check(request)
        for uri in request.uris:
            name = f"{kind}/{_key(uri, request.qualifiers)}"
            record = self._read(instance, name)
            if record is None or not self._is_valid(record, request) or self._missing(instance, name, record):
                continue
            self._records(instance).touch(name)
            self._metrics.add("asset_lookups_total", 1, {"kind": kind, "outcome": "hit"})
            response.uri = uri
            response.qualifiers.extend(record.qualifiers)
            if record.HasField("expire_at"):
                response.expires_at.CopyFrom(record.expire_at)
            return record.digest
        self._metrics.add("asset_lookups_total", 1, {"kind": kind, "outcome": "miss"})
        raise CallError(StatusCode.NOT_FOUND, f"This cache has no {kind} of that name")

    def _read(self, instance: str, name: str) -> AssetRecord | None:
        data = self._records(instance).read(name, is_use=False)
        if data is None:
            return None
        try:
            return AssetRecord.FromString(data)
        except DecodeError:  # damaged: as if it were not there
            return None

    def _is_valid(self, record: AssetRecord, request: Any) -> bool:
        if record.HasField("expire_at") and _nanoseconds(record.expire_at) <= self._storage.clock():
            return False
        oldest = request.oldest_content_accepted if request.HasField("oldest_content_accepted") else None
        return oldest is None or _nanoseconds(record.pushed_at) >= _nanoseconds(oldest)

    def _missing(self, instance: str, name: str, record: AssetRecord) -> Digest | None:
        if not self._has_contents:
            return None
        return _missing_of_record(self._completeness, instance, name, record)

    # --- Push

    def push_blob(self, request: PushBlobRequest, call: Call) -> PushBlobResponse:
        """Makes URIs stand for a blob."""
        instance = self._check(request)
        digest = digest_from(request.blob_digest)
        for blob in (digest, *map(digest_from, request.references_blobs)):
            self._require_blob(blob)
        trees = list(map(digest_from, request.references_directories))
        self._push("blob", instance, request, digest, self._complete_trees(request, digest, trees))
        return PushBlobResponse()

    def push_directory(self, request: PushDirectoryRequest, call: Call) -> PushDirectoryResponse:
        """Makes URIs stand for a directory."""
        instance = self._check(request)
        digest = digest_from(request.root_directory_digest)
        trees = [digest, *map(digest_from, request.references_directories)]
        if self._has_contents:
            for tree in trees:
                self._require(self._completeness.missing_of_tree(tree))
        for blob in map(digest_from, request.references_blobs):
            self._require_blob(blob)
        self._push("directory", instance, request, digest, trees)
        return PushDirectoryResponse()

    def _complete_trees(self, request: PushBlobRequest, digest: Digest, trees: list[Digest]) -> list[Digest]:
        """Those of TREES that are complete; of an artifact only its files have to be.

        Clients push artifacts whose build tree they have in part only.
        """
        if not self._has_contents:
            return trees
        required = set(trees)
        if any(uri.startswith(_ARTIFACT_URI) for uri in request.uris):
            try:
                artifact = Artifact.FromString(self._storage.read(digest))
            except DecodeError as error:
                raise invalid("The blob is not an artifact") from error
            required = {digest_from(artifact.files)} if artifact.HasField("files") else set()
        complete = []
        for tree in trees:
            missing = self._completeness.missing_of_tree(tree)
            if missing is None:
                complete.append(tree)
            elif tree in required:
                self._require(missing)
        return complete

    def _require_blob(self, blob: Digest) -> None:
        if self._has_contents and not self._storage.use(blob):
            self._require(blob)

    def _require(self, missing: Digest | None) -> None:
        if missing is not None:
            raise CallError(
                StatusCode.FAILED_PRECONDITION,
                f"Blob {missing}, or a directory in it, has to be uploaded first",
            )

    def _push(self, kind: str, instance: str, request: Any, digest: Digest, trees: Sequence[Digest]) -> None:
        now_ns = self._storage.clock()
        if request.HasField("expire_at") and _nanoseconds(request.expire_at) <= now_ns:
            raise invalid("The asset would be expired already")
        record = AssetRecord(qualifiers=request.qualifiers, references_blobs=request.references_blobs)
        record.pushed_at.seconds, record.pushed_at.nanos = divmod(now_ns, _NANOSECONDS)
        if request.HasField("expire_at"):
            record.expire_at.CopyFrom(request.expire_at)
        fill_digest(record.digest, digest)
        for tree in trees:
            if kind == "blob" or tree != digest:
                fill_digest(record.references_directories.add(), tree)
        self._storage.flush()
        for uri in request.uris:
            record.uri = uri
            name = f"{kind}/{_key(uri, request.qualifiers)}"
            self._records(instance).write(name, record.SerializeToString())
            self._completeness.forget((instance, name))

    # --- Both

    def _check(self, request: Any) -> str:
        """The instance of a request whose URIs are there."""
        check_digest_function(request.digest_function)
        if not request.uris or not all(request.uris):
            raise invalid("A URI is needed")
        if len(request.uris) > _MOST_URIS:
            raise invalid(f"More than {_MOST_URIS} URIs")
        return self._instances.check(request.instance_name)


def remove_incomplete(records: Records, instance: str, completeness: Completeness, before_ns: int) -> int:
    """Removes names that were not used since BEFORE_NS and that blobs are missing of; gives their number.

    Raises:
        CASError: The disk fails.
    """
    removed = 0
    for name, used_ns in records.names_with_times():
        if used_ns > before_ns:
            break
        data = records.read(name, is_use=False)
        try:
            record = AssetRecord.FromString(data or b"")
        except DecodeError:
            record = AssetRecord()
        if not record.digest.hash or _missing_of_record(completeness, instance, name, record):
            removed += records.remove(name)
    return removed


def _missing_of_record(
    completeness: Completeness, instance: str, name: str, record: AssetRecord
) -> Digest | None:
    blobs = [digest_from(message) for message in record.references_blobs]
    trees = [digest_from(message) for message in record.references_directories]
    (trees if name.startswith("directory/") else blobs).append(digest_from(record.digest))
    return completeness.missing((instance, name), blobs, trees)


def _key(uri: str, qualifiers: Iterable[Qualifier]) -> str:
    pairs = sorted((qualifier.name, qualifier.value) for qualifier in qualifiers)
    return hashlib.sha256(json.dumps([uri, pairs]).encode()).hexdigest()


def _nanoseconds(timestamp: Any) -> int:
    return int(timestamp.seconds) * _NANOSECONDS + int(timestamp.nanos)
