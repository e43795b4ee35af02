"""Names in requests: instances, digests, resources of byte streams."""

import re
from enum import Enum
from typing import TYPE_CHECKING

from grpc import StatusCode

from .._dataclass import dataclass
from .._model.digest import Digest
from .errors import CallError, invalid

if TYPE_CHECKING:
    from .._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import Digest as DigestMessage

_RESOURCE = re.compile(
    r"(?:(?P<instance>.+?)/)??(?:uploads/(?P<upload>[^/]+)/)?(?:blobs|compressed-blobs/(?P<compressor>[^/]+))"
    r"/(?P<hash>[0-9a-f]{64})/(?P<size>[0-9]{1,19})(?:/.*)?",
    re.DOTALL,
)
_DIGEST_FUNCTIONS = (0, 1)  # not said, SHA-256


class Compressor(Enum):
    """How the bytes of a stream are compressed."""

    IDENTITY = "identity"
    ZSTD = "zstd"


@dataclass(frozen=True, slots=True)
class Resource:
    """What a byte stream is about."""

    instance: str
    digest: Digest
    compressor: Compressor
    upload: str | None  # the identifier that the client chose for an upload


def resource_from_name(name: str) -> Resource:
    """The resource NAME.

    Raises:
        CallError: It is no name of a resource.
    """
    match = _RESOURCE.fullmatch(name)
    if match is None:
        raise invalid(f"'{name[:200]}' is not the name of a blob")
    compressor = match["compressor"] or "identity"
    if compressor not in ("identity", "zstd"):
        raise invalid(f"The compressor '{compressor[:50]}' is not supported, 'zstd' is")
    return Resource(
        match["instance"] or "",
        Digest(match["hash"], int(match["size"])),
        Compressor(compressor),
        match["upload"],
    )


def digest_from(message: "DigestMessage") -> Digest:
    """The digest in a request.

    Raises:
        CallError: It is no SHA-256 and size.
    """
    digest = Digest(message.hash, message.size_bytes)
    if not digest.is_well_formed():
        raise invalid(f"'{message.hash[:100]}/{message.size_bytes}' is not the digest of a blob")
    return digest


def fill_digest(message: "DigestMessage", digest: Digest) -> None:
    """Puts DIGEST into MESSAGE."""
    message.hash, message.size_bytes = digest.hash, digest.size


class Instances:
    """The instances of the server, which have contents in common but not names of assets and actions.

    Args:
        names: Their names; "" is the one for requests that name none.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = frozenset(names)

    def check(self, name: str) -> str:
        """Gives NAME.

        Raises:
            CallError: There is no such instance.
        """
        if name not in self.names:
            raise CallError(StatusCode.NOT_FOUND, f"This server has no instance '{name[:100]}'")
        return name


def check_digest_function(value: int) -> None:
    """Accepts SHA-256 only.

    Raises:
        CallError: It is another one.
    """
    if value not in _DIGEST_FUNCTIONS:
        raise invalid("The only digest function of this server is SHA256")
