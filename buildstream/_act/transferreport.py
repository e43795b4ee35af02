"""What people read of a transfer while it runs and once it is over."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .._messenger import Messenger
from .._model.message import ElementLabel, MessageType
from .._remote.retry import Cancellation, Effects
from .._remote.tally import Tally, size_text

_MENTIONED_BYTES = 1 << 20  # transfers from this size on are mentioned at their end


class TransferReport:
    """Messages of the transfers of one element.

    Args:
        messenger: Where they go.
        effects: The clock, and who can end a transfer.
        element: Whom they are about; asked at each message.
    """

    def __init__(
        self, messenger: Messenger, effects: Effects, element: Callable[[], ElementLabel | None]
    ) -> None:
        self._messenger = messenger
        self._effects = effects
        self._element = element

    def send(self, kind: MessageType, text: str, detail: str | None = None) -> None:
        """Sends a message about the element."""
        self._messenger.send(kind, text, detail=detail, element=self._element())

    @contextmanager
    def operation(self) -> Iterator[Cancellation]:
        """The block of calls that the job of this thread can end."""
        cancellation = Cancellation()
        with self._effects.supervise(cancellation):
            yield cancellation

    @contextmanager
    def counted(self, text: str) -> Iterator[Tally]:
        """The block of a transfer, announced as TEXT; tells of bytes every few seconds and at the end."""
        self.send(MessageType.STATUS, text)
        tally = Tally(
            self._effects.now_s,
            lambda tally: self.send(
                MessageType.STATUS,
                f"{text}: {size_text(tally.moved_bytes)} of {size_text(tally.expected_bytes)}",
            ),
        )
        yield tally
        if tally.moved_bytes >= _MENTIONED_BYTES:
            self.send(
                MessageType.STATUS, f"{text}: {size_text(tally.moved_bytes)} in {tally.blobs} blobs, done"
            )
