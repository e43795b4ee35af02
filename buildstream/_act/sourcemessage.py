"""The message `Source`, which names the tree of a source."""

from .._model.digest import Digest
from .._model.wire import WireError
from .artifactmessage import Message, digest_field

_FILES = 2


def message_of_files(digest: Digest) -> bytes:
    """The message for the tree DIGEST."""
    return digest_field(_FILES, digest)


def files_of_message(data: bytes) -> Digest | None:
    """The tree that a message names, None if it can't be read."""
    try:
        digest = Message(data).digest(_FILES)
    except (WireError, IndexError, UnicodeDecodeError):
        return None
    return digest if digest is not None and digest.is_well_formed() else None
