"""Compressed contents that clients send: never more output than they announce."""

from .._zstd import DamagedError, Decompressor
from .errors import invalid


def decompressed(data: bytes, size_bytes: int) -> bytes:
    """What the frames in DATA contain.

    Raises:
        CallError: It is not SIZE_BYTES, or DATA is damaged.
    """
    inflater = Inflater(size_bytes)
    content = b"".join(inflater.feed(data))
    inflater.finish()
    return content


class Inflater:
    """Decompresses a stream of frames.

    Args:
        size_bytes: What it must contain in all.
    """

    def __init__(self, size_bytes: int) -> None:
        self._left_bytes = size_bytes
        self._decompressor = Decompressor()

    def feed(self, data: bytes) -> "list[bytes]":
        """What DATA adds, in pieces.

        Raises:
            CallError: It is damaged, or more than there should be.
        """
        pieces: list[bytes] = []
        try:
            for piece in self._decompressor.feed(data):
                self._left_bytes -= len(piece)
                if self._left_bytes < 0:
                    raise invalid("The compressed blob contains more than its digest says")
                pieces.append(piece)
        except DamagedError as error:
            raise invalid(f"The compressed blob is damaged: {error}") from error
        return pieces

    def finish(self) -> None:
        """To be called at the end.

        Raises:
            CallError: The last frame is not complete.
        """
        if not self._decompressor.is_complete:
            raise invalid("The compressed blob is cut short")
