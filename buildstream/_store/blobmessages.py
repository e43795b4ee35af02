"""Messages of the Remote Execution API taken apart and put together by hand, where little else is done.

To load the library for that takes as long as to store a thousand blobs.
"""

import sys
from typing import Any

from .._model.wire import read_varint


def field_at(message: bytes, position: int, end: int) -> tuple[int, int, int]:
    """Tag, start and end of the field at POSITION; of a number its value in place of the start."""
    tag = message[position]
    position += 1
    if tag >= 0x80:
        tag, position = read_varint(message, position - 1)
    kind = tag & 7
    if kind == 2:
        length = message[position]
        position += 1
        if length >= 0x80:
            length, position = read_varint(message, position - 1)
        start, position = position, position + length
    elif kind == 0:
        start, position = read_varint(message, position)
    elif kind in (1, 5):
        start, position = position, position + (8 if kind == 1 else 4)
    else:
        raise ValueError("an unknown kind of field")
    if position > end:
        raise ValueError("a field is cut short")
    return tag, start, position


def decompressed(data: bytes, size: int) -> bytes:
    """The SIZE bytes that DATA is one frame of; nothing if it is not."""
    decompressor = zstd().ZstdDecompressor()
    try:
        content = bytes(decompressor.decompress(data, size + 1))
    except zstd().ZstdError:
        return b""
    return content if decompressor.eof and not decompressor.unused_data else b""


def zstd() -> Any:
    """The module that compresses."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        if sys.argv[4] not in sys.path:
            sys.path.append(sys.argv[4])
        from backports import zstd
    return zstd
