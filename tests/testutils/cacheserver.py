"""A cache server in this process, written on the generated services alone, that can be told to misbehave."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from buildstream._protos.build.bazel.remote.asset.v1 import remote_asset_pb2, remote_asset_pb2_grpc
from buildstream._protos.build.bazel.remote.execution.v2 import (
    remote_execution_pb2 as reapi,
)
from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2_grpc as reapi_grpc
from buildstream._protos.google.bytestream import bytestream_pb2, bytestream_pb2_grpc

# called with the name of the method and the request; may abort the call through the context
Fault = Callable[[str, Any, grpc.ServicerContext], None]

_CHUNK_BYTES = 256 << 10


class CacheServer(
    reapi_grpc.ContentAddressableStorageServicer,
    reapi_grpc.CapabilitiesServicer,
    bytestream_pb2_grpc.ByteStreamServicer,
    remote_asset_pb2_grpc.FetchServicer,
    remote_asset_pb2_grpc.PushServicer,
):
    """Content by hash and names of it, in memory.

    Attributes:
        calls: Names of the methods that were called, in order.
        requests: The requests of unary calls, by name of the method.
        metadata: Headers of the last call.
        fault: Called first of all in every method.
        corrupt: Changes the content of blobs on their way out.
        refused: Hashes of blobs that are not taken in batches.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.blobs: dict[str, bytes] = {}
        self.blob_names: dict[str, Any] = {}
        self.directory_names: dict[str, Any] = {}
        self.calls: list[str] = []
        self.requests: dict[str, list[Any]] = {}
        self.metadata: dict[str, str] = {}
        self.fault: Fault = lambda name, request, context: None
        self.names_what_it_found = True  # which of several names an answer is about
        self.corrupt: Callable[[str, bytes], bytes] = lambda hash_, data: data
        self.refused: set[str] = set()
        self.refusal = grpc.StatusCode.RESOURCE_EXHAUSTED  # of these
        self.batch_limit_bytes = 0
        self.digest_functions = [reapi.DigestFunction.SHA256]
        self.truncate_after_bytes: int | None = None  # one stream that is read, once
        self.partial_uploads: dict[str, bytes] = {}
        self.lose_upload_after_bytes: int | None = None  # one stream that is written, once
        self.read_offsets: list[int] = []

    def _note(self, name: str, request: Any, context: Any) -> None:
        with self.lock:
            self.calls.append(name)
            self.requests.setdefault(name, []).append(request)
            self.metadata = dict(context.invocation_metadata())
        self.fault(name, request, context)

    # capabilities

    def GetCapabilities(self, request: Any, context: Any) -> Any:
        self._note("GetCapabilities", request, context)
        return reapi.ServerCapabilities(
            cache_capabilities=reapi.CacheCapabilities(
                digest_functions=self.digest_functions, max_batch_total_size_bytes=self.batch_limit_bytes
            )
        )

    # storage

    def FindMissingBlobs(self, request: Any, context: Any) -> Any:
        self._note("FindMissingBlobs", request, context)
        missing = [digest for digest in request.blob_digests if digest.hash not in self.blobs]
        return reapi.FindMissingBlobsResponse(missing_blob_digests=missing)

    def BatchReadBlobs(self, request: Any, context: Any) -> Any:
        self._note("BatchReadBlobs", request, context)
        answer = reapi.BatchReadBlobsResponse()
        for digest in request.digests:
            data = self.blobs.get(digest.hash)
            response = answer.responses.add(digest=digest)
            if data is None:
                response.status.code = grpc.StatusCode.NOT_FOUND.value[0]
            else:
                response.data = self.corrupt(digest.hash, data)
        return answer

    def BatchUpdateBlobs(self, request: Any, context: Any) -> Any:
        self._note("BatchUpdateBlobs", request, context)
        answer = reapi.BatchUpdateBlobsResponse()
        for update in request.requests:
            response = answer.responses.add(digest=update.digest)
            if update.digest.hash in self.refused:
                response.status.code = self.refusal.value[0]
            elif hashlib.sha256(update.data).hexdigest() != update.digest.hash:
                response.status.code = grpc.StatusCode.INVALID_ARGUMENT.value[0]
            else:
                self.blobs[update.digest.hash] = update.data
        return answer

    def GetTree(self, request: Any, context: Any) -> Any:
        self._note("GetTree", request, context)
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "not here")

    # streams

    def Read(self, request: Any, context: Any) -> Iterator[Any]:
        self._note("Read", request, context)
        self.read_offsets.append(request.read_offset)
        hash_ = request.resource_name.split("/")[-2]
        data = self.blobs.get(hash_)
        if data is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such blob")
            return
        data = self.corrupt(hash_, data)
        for offset in range(request.read_offset, len(data), _CHUNK_BYTES):
            limit = self.truncate_after_bytes
            if limit is not None and offset - request.read_offset >= limit:
                self.truncate_after_bytes = None
                context.abort(grpc.StatusCode.UNAVAILABLE, "broken off")
            yield bytestream_pb2.ReadResponse(data=data[offset : offset + _CHUNK_BYTES])

    def Write(self, requests: Iterator[Any], context: Any) -> Any:
        self._note("Write", None, context)
        name, data = "", b""
        for request in requests:
            if not name:
                name = request.resource_name
                data = self.partial_uploads.get(name, b"")[: request.write_offset]
            data += request.data
            if self.lose_upload_after_bytes is not None and len(data) > self.lose_upload_after_bytes:
                self.lose_upload_after_bytes = None
                self.partial_uploads[name] = data
                context.abort(grpc.StatusCode.UNAVAILABLE, "broken off")
        hash_ = name.split("/")[-2]
        if hashlib.sha256(data).hexdigest() != hash_:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "wrong content")
        self.blobs[hash_] = data
        return bytestream_pb2.WriteResponse(committed_size=len(data))

    def QueryWriteStatus(self, request: Any, context: Any) -> Any:
        self._note("QueryWriteStatus", request, context)
        data = self.partial_uploads.get(request.resource_name)
        if data is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such upload")
        return bytestream_pb2.QueryWriteStatusResponse(committed_size=len(data or b""))

    # names

    def FetchBlob(self, request: Any, context: Any) -> Any:
        self._note("FetchBlob", request, context)
        return self._fetch(
            request, context, self.blob_names, remote_asset_pb2.FetchBlobResponse, "blob_digest"
        )

    def FetchDirectory(self, request: Any, context: Any) -> Any:
        self._note("FetchDirectory", request, context)
        return self._fetch(
            request,
            context,
            self.directory_names,
            remote_asset_pb2.FetchDirectoryResponse,
            "root_directory_digest",
        )

    def _fetch(self, request: Any, context: Any, names: dict[str, Any], response: Any, field: str) -> Any:
        if not request.uris:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no URI")
        for uri in request.uris:
            if uri in names:
                return response(uri=uri if self.names_what_it_found else "", **{field: names[uri]})
        return context.abort(grpc.StatusCode.NOT_FOUND, "not known")

    def PushBlob(self, request: Any, context: Any) -> Any:
        self._note("PushBlob", request, context)
        if not request.uris:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no URI")
        self.blob_names.update(dict.fromkeys(request.uris, request.blob_digest))
        return remote_asset_pb2.PushBlobResponse()

    def PushDirectory(self, request: Any, context: Any) -> Any:
        self._note("PushDirectory", request, context)
        self.directory_names.update(dict.fromkeys(request.uris, request.root_directory_digest))
        return remote_asset_pb2.PushDirectoryResponse()


@contextmanager
def running(
    server: CacheServer,
    *,
    address: str = "127.0.0.1:0",
    credentials: grpc.ServerCredentials | None = None,
    has_assets: bool = True,
    has_storage: bool = True,
    add_services: Callable[[grpc.Server], None] = lambda grpc_server: None,
) -> Iterator[str]:
    """Runs SERVER, with what ADD_SERVICES adds; gives host and port, or ADDRESS if that is a socket."""
    grpc_server = grpc.server(ThreadPoolExecutor(16))
    if has_storage:
        reapi_grpc.add_ContentAddressableStorageServicer_to_server(server, grpc_server)
        reapi_grpc.add_CapabilitiesServicer_to_server(server, grpc_server)
        bytestream_pb2_grpc.add_ByteStreamServicer_to_server(server, grpc_server)
    if has_assets:
        remote_asset_pb2_grpc.add_FetchServicer_to_server(server, grpc_server)
        remote_asset_pb2_grpc.add_PushServicer_to_server(server, grpc_server)
    add_services(grpc_server)
    if credentials is None:
        port = grpc_server.add_insecure_port(address)
    else:
        port = grpc_server.add_secure_port(address, credentials)
    grpc_server.start()
    try:
        yield address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"
    finally:
        grpc_server.stop(None).wait()
