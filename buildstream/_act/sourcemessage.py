"""The message `Source`, which names the tree of a source."""

from .._model.digest import Digest


def message_of_files(digest: Digest) -> bytes:
    """The message for the tree DIGEST."""
    from .._protos.buildstream.v2.source_pb2 import Source as SourceMessage

    message = SourceMessage()
    message.files.hash, message.files.size_bytes = digest.hash, digest.size
    return message.SerializeToString(deterministic=True)


def files_of_message(data: bytes) -> Digest | None:
    """The tree that a message names, None if it can't be read."""
    from google.protobuf.message import DecodeError

    from .._protos.buildstream.v2.source_pb2 import Source as SourceMessage

    message = SourceMessage()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return None
    digest = Digest(message.files.hash, message.files.size_bytes)
    return digest if digest.is_well_formed() else None
