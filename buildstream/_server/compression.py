"""Compressed contents: only zstd, and never more output at once than asked for."""

import sys

from .errors import invalid

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_LEVEL = 1  # the cache should not be slower than the network
_PIECE_BYTES = 1 << 20


def compressed(data: bytes) -> bytes:
    """DATA as one frame."""
    return bytes(zstd.compress(data, _LEVEL))


def decompressed(data: bytes, size_bytes: int) -> bytes:
    """What the frames in DATA contain.

    Raises:
        CallError: It is not SIZE_BYTES, or DATA is damaged.
    """
    inflater = Inflater(size_bytes)
    content = b"".join(inflater.feed(data))
    inflater.finish()
    return content


class Deflater:
    """Compresses a stream into one frame."""

    def __init__(self) -> None:
        self._compressor = zstd.ZstdCompressor(_LEVEL)

    def feed(self, data: bytes) -> bytes:
        """What there is of the frame after DATA; may be nothing."""
        return bytes(self._compressor.compress(data))

    def finish(self) -> bytes:
        """The end of the frame."""
        return bytes(self._compressor.flush())


class Inflater:
    """Decompresses a stream of frames.

    Args:
        size_bytes: What it must contain in all.
    """

    def __init__(self, size_bytes: int) -> None:
        self._left_bytes = size_bytes
        self._decompressor = zstd.ZstdDecompressor()
        self._is_between = True  # whether the last frame is complete

    def feed(self, data: bytes) -> "list[bytes]":
        """What DATA adds, in pieces.

        Raises:
            CallError: It is damaged, or more than there should be.
        """
        pieces: list[bytes] = []
        while data or not self._decompressor.needs_input:
            if self._decompressor.eof:
                data = self._decompressor.unused_data + data
                self._decompressor = zstd.ZstdDecompressor()
                self._is_between = True
                if not data:
                    break
            self._is_between = False
            try:
                piece = self._decompressor.decompress(data, min(_PIECE_BYTES, self._left_bytes + 1))
            except zstd.ZstdError as error:
                raise invalid(f"The compressed blob is damaged: {error}") from error
            data = b""
            self._left_bytes -= len(piece)
            if self._left_bytes < 0:
                raise invalid("The compressed blob contains more than its digest says")
            if piece:
                pieces.append(piece)
            elif not self._decompressor.eof and self._decompressor.needs_input:
                break
        return pieces

    def finish(self) -> None:
        """To be called at the end.

        Raises:
            CallError: The last frame is not complete.
        """
        if not (self._is_between or self._decompressor.eof):
            raise invalid("The compressed blob is cut short")
