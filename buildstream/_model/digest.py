"""The name of a blob in the content store."""

import hashlib
from typing import NamedTuple

_HEX_DIGITS = frozenset("0123456789abcdef")


class Digest(NamedTuple):
    """SHA-256 of a blob and its size, as in the Remote Execution API."""

    hash: str  # 64 lower-case hex digits
    size: int  # bytes

    def is_well_formed(self) -> bool:
        """Whether this can be the name of a blob; what was read from a damaged file may not be."""
        return len(self.hash) == 64 and self.size >= 0 and set(self.hash) <= _HEX_DIGITS

    def __str__(self) -> str:
        return f"{self.hash}/{self.size}"


def digest_from_bytes(data: bytes) -> Digest:
    """The digest of DATA."""
    return Digest(hashlib.sha256(data).hexdigest(), len(data))


EMPTY_DIGEST = digest_from_bytes(b"")
