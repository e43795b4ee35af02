"""Contents compressed with zstd, as cache servers and their clients exchange them."""

import sys
from collections.abc import Iterator
from typing import Any

_LEVEL = 1  # to be faster than the network
_PIECE_BYTES = 1 << 20  # of output at once, whatever the input says


class DamagedError(Exception):
    """Raised when compressed data is no such thing."""


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def compressed(data: bytes) -> bytes:
    """DATA as one frame."""
    return bytes(_zstd().compress(data, _LEVEL))


class Deflater:
    """Compresses a stream into one frame."""

    def __init__(self) -> None:
        self._compressor = _zstd().ZstdCompressor(_LEVEL)

    def feed(self, data: bytes) -> bytes:
        """What there is of the frame after DATA; may be nothing."""
        return bytes(self._compressor.compress(data))

    def finish(self) -> bytes:
        """The end of the frame."""
        return bytes(self._compressor.flush())


class Decompressor:
    """Decompresses a stream of frames."""

    def __init__(self) -> None:
        self._module = _zstd()
        self._decompressor = self._module.ZstdDecompressor()
        self._is_between = True  # frames

    @property
    def is_complete(self) -> bool:
        """Whether the last frame has come to its end."""
        return self._is_between or bool(self._decompressor.eof)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What DATA adds, in pieces of a mebibyte at most.

        Raises:
            DamagedError: DATA can't be decompressed.
        """
        while data or not self._decompressor.needs_input:
            if self._decompressor.eof:
                data = self._decompressor.unused_data + data
                self._decompressor = self._module.ZstdDecompressor()
                self._is_between = True
                if not data:
                    return
            self._is_between = False
            try:
                piece = self._decompressor.decompress(data, _PIECE_BYTES)
            except self._module.ZstdError as error:
                raise DamagedError(str(error)) from error
            data = b""
            if piece:
                yield piece
            elif self._decompressor.needs_input and not self._decompressor.eof:
                return
