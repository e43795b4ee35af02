"""What a storage server can do, asked before anything else."""

from collections.abc import Mapping

from .._dataclass import dataclass
from .._model.wire import fields, read_varint, text_field
from .channel import Channel
from .errors import Failure, RemoteError, damaged_answer
from .retry import Cancellation

_DEFAULT_LIMIT_BYTES = (4 << 20) - (64 << 10)  # of a message that every server takes, less some overhead
_METHOD = "/build.bazel.remote.execution.v2.Capabilities/GetCapabilities"
_CACHE = 1  # of the fields of ServerCapabilities
_DIGEST_FUNCTIONS, _LIMIT, _COMPRESSORS, _UPDATE_COMPRESSORS = 1, 4, 6, 7  # of CacheCapabilities
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
    method = channel.stub_channel.unary_unary(_METHOD)

    def attempt() -> Mapping[int, set[int]]:
        message = channel.call_once(method, text_field(1, channel.instance_name), cancellation)
        try:
            return _cache_capabilities(message)
        except (ValueError, IndexError) as error:
            raise damaged_answer(error) from error

    try:
        cache = channel.retried(attempt, cancellation)
    except RemoteError as error:
        if error.status == "UNIMPLEMENTED":
            return StorageCapabilities()
        raise
    if cache[_DIGEST_FUNCTIONS] and _SHA256 not in cache[_DIGEST_FUNCTIONS]:
        raise RemoteError(
            "the CAS server does not support the configured digest function: SHA256", Failure.REFUSED
        )
    limit = max(cache[_LIMIT], default=0)
    is_limit = 0 < limit < _DEFAULT_LIMIT_BYTES
    return StorageCapabilities(
        batch_limit_bytes=limit if is_limit else _DEFAULT_LIMIT_BYTES,
        reads_zstd=_ZSTD in cache[_COMPRESSORS],
        updates_zstd=_ZSTD in cache[_UPDATE_COMPRESSORS],
        streams_zstd=_ZSTD in cache[_COMPRESSORS],
    )


def _cache_capabilities(message: bytes) -> Mapping[int, set[int]]:
    """The numbers in the CacheCapabilities of an encoded ServerCapabilities, by field.

    Raises:
        ValueError: MESSAGE is malformed; also IndexError.
    """
    found: dict[int, set[int]] = {
        number: set() for number in (_DIGEST_FUNCTIONS, _LIMIT, _COMPRESSORS, _UPDATE_COMPRESSORS)
    }
    for number, cache in fields(message):
        if number != _CACHE or isinstance(cache, int):
            continue
        for name, value in fields(cache):
            if name not in found:
                continue
            if isinstance(value, int):
                found[name].add(value)
            else:  # several, packed
                position = 0
                while position < len(value):
                    element, position = read_varint(value, position)
                    found[name].add(element)
    return found
