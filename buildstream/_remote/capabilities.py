"""What a storage server can do, asked before anything else."""

from .._dataclass import dataclass
from .channel import Channel
from .errors import Failure, RemoteError
from .retry import Cancellation

_DEFAULT_LIMIT_BYTES = (4 << 20) - (64 << 10)  # of a message that every server takes, less some overhead
_SHA256 = 1
_ZSTD = 1


@dataclass(frozen=True, slots=True)
class StorageCapabilities:
    """What matters of the capabilities of a server."""

    batch_limit_bytes: int = _DEFAULT_LIMIT_BYTES  # contents of one batch
    reads_zstd: bool = False  # whether it can send blobs compressed
    updates_zstd: bool = False  # whether it takes batches of compressed blobs
    streams_zstd: bool = False  # whether it reads and writes compressed streams


def ask_capabilities(channel: Channel, cancellation: Cancellation) -> StorageCapabilities:
    """The capabilities of the server; the least that any has, if it does not tell.

    Raises:
        RemoteError: The server does not answer, or does not know SHA-256.
    """
    from .._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import GetCapabilitiesRequest
    from .._protos.build.bazel.remote.execution.v2.remote_execution_pb2_grpc import CapabilitiesStub

    stub = CapabilitiesStub(channel.stub_channel)
    request = GetCapabilitiesRequest(instance_name=channel.instance_name)
    try:
        answer = channel.call(stub.GetCapabilities, request, cancellation)
    except RemoteError as error:
        if error.status == "UNIMPLEMENTED":
            return StorageCapabilities()
        raise
    cache = answer.cache_capabilities
    functions = list(cache.digest_functions)
    if functions and _SHA256 not in functions:
        raise RemoteError(
            "the CAS server does not support the configured digest function: SHA256", Failure.REFUSED
        )
    limit = cache.max_batch_total_size_bytes
    return StorageCapabilities(
        batch_limit_bytes=min(limit, _DEFAULT_LIMIT_BYTES) if limit > 0 else _DEFAULT_LIMIT_BYTES,
        reads_zstd=_ZSTD in cache.supported_compressors,
        updates_zstd=_ZSTD in cache.supported_batch_update_compressors,
        streams_zstd=_ZSTD in cache.supported_compressors,
    )
