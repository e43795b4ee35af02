"""The message of an artifact, read and written; see the keys specification 2.3.

By hand: loading the protocol buffer library takes longer than all else that a short command does with it.
"""

from collections import defaultdict

from .._model.digest import Digest
from .._model.wire import WireError, fields, integer_field, message_field, text_field
from .._plan.artifactview import ArtifactView, BuildDependencyName, BuildSandboxState

_FORMAT = 2  # version field of the message


def bytes_from_view(artifact: ArtifactView) -> bytes:
    """The canonical bytes of the message that describes ARTIFACT: fields in the order of their numbers."""
    return b"".join(
        (
            integer_field(1, _FORMAT),
            integer_field(2, artifact.is_success),
            text_field(3, artifact.error),
            text_field(4, artifact.error_detail),
            text_field(5, artifact.strong_key),
            text_field(6, artifact.weak_key),
            integer_field(7, artifact.was_workspaced),
            digest_field(8, artifact.files),
            *(message_field(9, _dependency_bytes(each)) for each in artifact.build_dependencies),
            digest_field(10, artifact.public_data),
            *(message_field(11, text_field(1, name) + digest_field(2, log)) for name, log in artifact.logs),
            digest_field(12, artifact.buildtree),
            digest_field(13, artifact.sources),
            digest_field(14, artifact.low_diversity_meta),
            digest_field(15, artifact.high_diversity_meta),
            text_field(16, artifact.strict_key),
            digest_field(17, artifact.buildroot),
            b""
            if artifact.build_sandbox is None
            else message_field(18, _state_bytes(artifact.build_sandbox)),
        )
    )


def digest_field(number: int, digest: Digest | None) -> bytes:
    """A field that holds a digest; nothing if there is none."""
    if digest is None:
        return b""
    return message_field(number, text_field(1, digest.hash) + integer_field(2, digest.size))


def _dependency_bytes(dependency: BuildDependencyName) -> bytes:
    return (
        text_field(1, dependency.project_name)
        + text_field(2, dependency.element_name)
        + text_field(3, dependency.key)
        + integer_field(4, dependency.was_workspaced)
    )


def _state_bytes(state: BuildSandboxState) -> bytes:
    return b"".join(
        (
            *(
                message_field(1, text_field(1, name) + text_field(2, value))
                for name, value in state.environment
            ),
            text_field(2, state.working_directory),
            *(digest_field(3, digest) for digest in state.subsandboxes),
            *(message_field(4, path.encode()) for path in state.marked_directories),
        )
    )


def view_from_bytes(data: bytes) -> ArtifactView | None:
    """The artifact that an encoded message describes; None if it is none."""
    try:
        return _view(Message(data))
    except (WireError, IndexError, UnicodeDecodeError):
        return None


class Message:
    """A message as the values of its fields by number.

    Raises:
        WireError: It is none.
        IndexError: It is cut short.
    """

    def __init__(self, data: bytes) -> None:
        self._values: defaultdict[int, list[int | bytes]] = defaultdict(list)
        for number, value in fields(data):
            self._values[number].append(value)

    def all(self, number: int) -> list[bytes]:
        """The values of a field that may be repeated."""
        return [value for value in self._values.get(number, ()) if isinstance(value, bytes)]

    def integer(self, number: int) -> int:
        """A number; 0 if there is none."""
        values = [value for value in self._values.get(number, ()) if isinstance(value, int)]
        value = values[-1] if values else 0
        return value - (1 << 64) if value >= 1 << 63 else value

    def text(self, number: int) -> str:
        """A text; empty if there is none."""
        texts = [value.decode() for value in self.all(number)]
        return texts[-1] if texts else ""

    def message(self, number: int) -> "Message | None":
        """A message in this one."""
        parts = self.all(number)
        # the parts of one that comes several times are merged, and so are those of the parts together
        return Message(b"".join(parts)) if parts else None

    def digest(self, number: int) -> Digest | None:
        """A digest in this message."""
        message = self.message(number)
        return None if message is None else _digest(message)


def _digest(message: Message) -> Digest:
    return Digest(message.text(1), message.integer(2))


def _view(message: Message) -> ArtifactView:
    none = Digest("", 0)
    state = message.message(18)
    return ArtifactView(
        is_success=bool(message.integer(2)),
        error=message.text(3),
        error_detail=message.text(4),
        strong_key=message.text(5),
        strict_key=message.text(16),
        weak_key=message.text(6),
        was_workspaced=bool(message.integer(7)),
        files=message.digest(8),
        build_dependencies=tuple(map(_dependency, message.all(9))),
        public_data=message.digest(10) or none,
        logs=tuple(map(_log, message.all(11))),
        buildtree=message.digest(12),
        sources=message.digest(13),
        buildroot=message.digest(17),
        low_diversity_meta=message.digest(14) or none,
        high_diversity_meta=message.digest(15) or none,
        build_sandbox=None if state is None else _sandbox_state(state),
    )


def _dependency(data: bytes) -> BuildDependencyName:
    message = Message(data)
    return BuildDependencyName(message.text(1), message.text(2), message.text(3), bool(message.integer(4)))


def _log(data: bytes) -> tuple[str, Digest]:
    message = Message(data)
    return message.text(1), message.digest(2) or Digest("", 0)


def _sandbox_state(message: Message) -> BuildSandboxState:
    variables = [Message(data) for data in message.all(1)]
    return BuildSandboxState(
        environment=tuple((variable.text(1), variable.text(2)) for variable in variables),
        working_directory=message.text(2),
        marked_directories=tuple(data.decode() for data in message.all(4)),
        subsandboxes=tuple(_digest(Message(data)) for data in message.all(3)),
    )
