"""The bytes of protocol buffer messages, field by field, without the library, which takes long to import."""

TYPE_CHECKING = False  # importing it from typing takes longer than all that is here
if TYPE_CHECKING:
    from collections.abc import Iterator


class WireError(ValueError):
    """Bytes that are no message."""


def fields(message: bytes) -> "Iterator[tuple[int, int | bytes]]":
    """Yields number and value of the integer and the length-delimited fields; skips others.

    Raises:
        WireError: MESSAGE is none.
        IndexError: It is cut short.
    """
    position = 0
    while position < len(message):
        key, value_start = read_varint(message, position)
        wire_type = key & 7
        if key < 8:
            raise WireError("field number 0")
        if wire_type == 0:
            integer, position = read_varint(message, value_start)
            yield key >> 3, integer
        elif wire_type == 2:
            length, start = read_varint(message, value_start)
            position = start + length
            if position > len(message):
                raise WireError("a field is cut short")
            yield key >> 3, message[start:position]
        else:
            position = skip_field(message, position)


def skip_field(data: bytes, position: int) -> int:
    """The position behind the field that starts at POSITION."""
    key, position = read_varint(data, position)
    wire_type = key & 7
    if wire_type == 0:
        _, position = read_varint(data, position)
    elif wire_type == 1:
        position += 8
    elif wire_type == 2:
        length, position = read_varint(data, position)
        position += length
    elif wire_type == 5:
        position += 4
    else:
        raise WireError(f"unknown wire type {wire_type}")
    if position > len(data):
        raise WireError("a field is cut short")
    return position


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """A variable-length integer and the position behind it."""
    value = data[position]
    position += 1
    if value < 0x80:
        return value, position
    value &= 0x7F
    shift = 7
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position
        shift += 7
        if shift > 63:
            raise WireError("an integer is too long")


# --- Encoding


def text_field(number: int, text: str) -> bytes:
    """A field with a number below 2048; nothing if TEXT is empty."""
    return message_field(number, text.encode()) if text else b""


def message_field(number: int, content: bytes) -> bytes:
    """A field that holds an encoded message, or one of several texts."""
    return length_prefixed(varint(number << 3 | 2), content)


def integer_field(number: int, value: int) -> bytes:
    """A field with a number, or a truth value; nothing if it is 0."""
    return varint(number << 3) + varint(value & 0xFFFF_FFFF_FFFF_FFFF) if value else b""


def length_prefixed(tag: bytes, content: bytes) -> bytes:
    """A field of bytes behind its TAG."""
    length = len(content)
    if length < 0x80:
        return b"%b%c%b" % (tag, length, content)
    return tag + varint(length) + content


def varint(value: int) -> bytes:
    """A number that is not negative, in variable length."""
    if value < 0x80:
        return b"%c" % value
    if value < 0x4000:
        return b"%c%c" % (value & 0x7F | 0x80, value >> 7)
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
