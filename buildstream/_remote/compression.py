"""Blobs compressed with zstd on their way, where the server can do that and the way is long enough."""

import sys
from collections.abc import Iterator
from typing import Any

from .errors import Failure, RemoteError

_LEVEL = 1  # to be faster than the network
_PIECE_BYTES = 1 << 20  # of output at once, whatever the input says
WORTH_COMPRESSING_BYTES = 512


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def compressed(data: bytes) -> bytes:
    """DATA as one frame."""
    return bytes(_zstd().compress(data, _LEVEL))


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
        self._module = _zstd()
        self._decompressor = self._module.ZstdDecompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What DATA adds, in pieces of a mebibyte at most.

        Raises:
            RemoteError: It is damaged.
        """
        while data or not self._decompressor.needs_input:
            if self._decompressor.eof:
                data = self._decompressor.unused_data + data
                if not data:
                    return
                self._decompressor = self._module.ZstdDecompressor()
            try:
                piece = self._decompressor.decompress(data, _PIECE_BYTES)
            except self._module.ZstdError as error:
                raise RemoteError(f"What came is damaged: {error}", Failure.TRANSIENT) from error
            data = b""
            if piece:
                yield piece
            elif self._decompressor.needs_input and not self._decompressor.eof:
                return
