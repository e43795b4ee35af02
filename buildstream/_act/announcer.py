"""Messages of the engine, attributed to elements."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from .._load.resolved import ResolvedElement
from .._messenger import Messenger
from .._model.message import ElementLabel, MessageType
from .._plan.record import ElementRecord
from .._requests import HostCommand
from .hostcommand import run_host_command
from .jobcontrol import CurrentJob

if TYPE_CHECKING:
    from .._plan.pipeline import Pipeline


class Announcer:
    """Sends messages about elements, and knows which job the calling thread runs.

    Args:
        messenger: Where messages go.
    """

    def __init__(self, messenger: Messenger) -> None:
        self.messenger = messenger
        self.jobs = CurrentJob()
        self.pipeline: Pipeline | None = None  # set once it is loaded

    def record(self, element: ResolvedElement) -> ElementRecord:
        """The record of ELEMENT in the pipeline."""
        assert self.pipeline is not None
        return self.pipeline.record(element)

    def label(self, element: ResolvedElement | None, full_name: str) -> ElementLabel:
        """How messages name an element; those of sources, sandboxes and of loading show no key."""
        if element is None or self.pipeline is None or element.index < 0:
            return ElementLabel(full_name, "", False)
        return self.record(element).label

    def send(
        self,
        element: ResolvedElement | None,
        full_name: str,
        kind: MessageType,
        brief: str,
        detail: str | None,
    ) -> None:
        self.messenger.send(kind, brief, detail=detail, element=self.label(element, full_name))

    def activity(
        self,
        element: ResolvedElement | None,
        full_name: str,
        name: str,
        *,
        detail: str | None,
        silent_nested: bool,
    ) -> AbstractContextManager[None]:
        return self.messenger.activity(
            name, element=self.label(element, full_name), detail=detail, silent_nested=silent_nested
        )

    def run_host_command(self, command: HostCommand) -> tuple[int, str]:
        return run_host_command(command, log=self.messenger.task_log(), control=self.jobs.control)
