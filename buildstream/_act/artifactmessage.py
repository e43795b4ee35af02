"""Reading the message of an artifact; see the keys specification 2.3.

By hand: loading the protocol buffer library takes longer than all else that a short command does with it.
"""

from collections import defaultdict

from .._model.digest import Digest
from .._model.wire import WireError, fields
from .._plan.artifactview import ArtifactView, BuildDependencyName, BuildSandboxState


def view_from_bytes(data: bytes) -> ArtifactView | None:
    """The artifact that an encoded message describes; None if it is none."""
    try:
        return _view(_Message(data))
    except (WireError, IndexError, UnicodeDecodeError):
        return None


class _Message:
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

    def message(self, number: int) -> "_Message | None":
        """A message in this one."""
        parts = self.all(number)
        # the parts of one that comes several times are merged, and so are those of the parts together
        return _Message(b"".join(parts)) if parts else None

    def digest(self, number: int) -> Digest | None:
        """A digest in this message."""
        message = self.message(number)
        return None if message is None else _digest(message)


def _digest(message: _Message) -> Digest:
    return Digest(message.text(1), message.integer(2))


def _view(message: _Message) -> ArtifactView:
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
    message = _Message(data)
    return BuildDependencyName(message.text(1), message.text(2), message.text(3), bool(message.integer(4)))


def _log(data: bytes) -> tuple[str, Digest]:
    message = _Message(data)
    return message.text(1), message.digest(2) or Digest("", 0)


def _sandbox_state(message: _Message) -> BuildSandboxState:
    variables = [_Message(data) for data in message.all(1)]
    return BuildSandboxState(
        environment=tuple((variable.text(1), variable.text(2)) for variable in variables),
        working_directory=message.text(2),
        marked_directories=tuple(data.decode() for data in message.all(4)),
        subsandboxes=tuple(_digest(_Message(data)) for data in message.all(3)),
    )
