"""The terminal as commands see it: heading, status, summary, and questions."""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from .._model.session import ActiveTask, QueueTally, SessionHeading, SessionStatus, SessionSummary
from .console import Console
from .notify import notification_sequence
from .prompts import Choice, PromptStreams, ask_after_failure, ask_after_interrupt

if TYPE_CHECKING:
    from .._schedule.job import Job, JobResult
    from .._schedule.scheduler import Decision, Scheduler


class Frontend:
    """Implements `_commands.app.UserInterface` for a person at a terminal, or a log.

    Args:
        console: Where everything is shown.
        element_format: Of the pipeline in headings and summaries.
        streams: For questions; None where nobody can be asked.
        asks_on_failure: Whether failures are to be decided about.
        page: Shows a long text.
        now_s: The session clock.
        environ: Tells whether the terminal shows notifications.
    """

    def __init__(
        self,
        console: Console,
        element_format: str,
        *,
        streams: PromptStreams | None,
        asks_on_failure: bool,
        page: Callable[[str], None],
        now_s: Callable[[], float],
        environ: Mapping[str, str],
    ) -> None:
        self._console = console
        self._element_format = element_format
        self._streams = streams
        self._page = page
        self._now_s = now_s
        self._environ = environ
        self._session: ExitStack | None = None
        self._name = ""
        self._project_name = ""
        # opens a shell in the sandbox of a failed build: (full name of the element)
        self.open_shell: Callable[[str], None] | None = None
        self.can_ask = streams is not None
        self.asks_on_failure = asks_on_failure

    def show_heading(self, heading: SessionHeading) -> None:
        self._project_name = heading.project[0] if heading.project else ""
        self._console.show_heading(heading, self._element_format)

    def start_session(self, name: str, scheduler: "Scheduler", total: int) -> None:
        self._name = name
        started_s = self._now_s()
        self._session = ExitStack()
        self._session.enter_context(
            self._console.session(lambda: self._status(scheduler, total, started_s))
        )

    def _status(self, scheduler: "Scheduler", total: int, started_s: float) -> SessionStatus | None:
        if not scheduler.active:
            return None
        now_s = self._now_s()
        return SessionStatus(
            elapsed_s=now_s - started_s,
            project=self._project_name,
            session=scheduler.result.session_elements,
            total=total,
            queues=tuple(
                QueueTally(queue.action, queue.complete_name, queue.processed, queue.skipped, queue.failed)
                for queue in scheduler.queues
            ),
            cache=None,
            tasks=tuple(
                ActiveTask(f"{job.queue.action}:{job.record.element.full_name}", now_s - job.started_s)
                for job in list(scheduler.active)
            ),
        )

    def tick(self, scheduler: "Scheduler") -> None:
        self._console.tick()

    def end_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def show_summary(self, summary: SessionSummary) -> None:
        self._console.show_summary(summary, self._element_format)
        outcome = "failed" if summary.failed else "succeeded"
        self._notify(f"{self._name} {outcome}", "")

    def _notify(self, title: str, text: str) -> None:
        sequence = notification_sequence(title, text, self._environ) if self._streams is not None else ""
        if sequence:
            self._console.show_text(sequence)

    def ask_on_interrupt(self) -> "Decision":
        from .._schedule.scheduler import Decision

        assert self._streams is not None
        with self._console.hold():
            return Decision(ask_after_interrupt(self._streams).value)

    def ask_on_failure(self, job: "Job", result: "JobResult") -> "Decision":
        from .._schedule.scheduler import Decision

        assert self._streams is not None
        full_name = job.record.element.full_name
        self._notify("BuildStream failure", f"{job.queue.action} on element {full_name}")
        is_debuggable = result.error is not None and result.error.sandbox and self.open_shell is not None

        def show_log() -> None:
            with open(job.log_path, encoding="utf-8", errors="replace") as file:
                self._page(file.read())

        def open_shell() -> None:
            assert self.open_shell is not None
            self.open_shell(full_name)

        with self._console.hold():
            choice: Choice = ask_after_failure(
                self._streams,
                job.queue.action,
                full_name,
                show_log=show_log if os.path.exists(job.log_path) else None,
                open_shell=open_shell if is_debuggable else None,
            )
        return Decision(choice.value)
