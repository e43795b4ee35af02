"""Compressed contents that servers send."""

from collections.abc import Iterator

from .. import _zstd
from .errors import Failure, RemoteError

WORTH_COMPRESSING_BYTES = 512


def decompressed(data: bytes, size_bytes: int) -> bytes:
    """What the frames in DATA contain, or the beginning of it if that is more than SIZE_BYTES.

    Raises:
        RemoteError: DATA is damaged.
    """
    content = bytearray()
    for piece in Decompressor().feed(data):
        content += piece
        if len(content) > size_bytes:
            break
    return bytes(content)


class Decompressor:
    """Decompresses a stream of frames."""

    def __init__(self) -> None:
        self._decompressor = _zstd.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What DATA adds, in pieces of a mebibyte at most.

        Raises:
            RemoteError: It is damaged.
        """
        try:
            yield from self._decompressor.feed(data)
        except _zstd.DamagedError as error:
            raise RemoteError(f"What came is damaged: {error}", Failure.TRANSIENT) from error
