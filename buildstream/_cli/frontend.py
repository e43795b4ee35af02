"""The person's side of a session: what commands ask of the front end, on a console."""

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING

from .._dataclass import dataclass

if TYPE_CHECKING:
    from .._messenger import Messenger
    from .._model.session import CacheUsage, SessionHeading, SessionStatus, SessionSummary
    from .._schedule.job import Job, JobResult
    from .._schedule.scheduler import Decision, Scheduler
    from .._ui.console import Console

_DEFAULT_PAGER = "less"


@dataclass(frozen=True, slots=True)
class Manners:
    """How to behave towards the person."""

    element_format: str
    can_ask: bool  # whether a person is there
    asks_on_failure: bool
    environment: Mapping[str, str]


class FrontEnd:
    """Shows sessions on a console and asks questions there.

    Args:
        console: Where everything is shown.
        messenger: Whose clock counts for a session.
        manners: How to behave.
        open_shell: Opens a shell in the failed sandbox of the element with this full name.
        measure_cache: Tells how full the cache is; called in another thread while a session runs.
    """

    def __init__(
        self,
        console: "Console",
        messenger: "Messenger",
        manners: Manners,
        open_shell: Callable[[str], None],
        measure_cache: "Callable[[], CacheUsage]",
    ) -> None:
        self.can_ask = manners.can_ask
        self.asks_on_failure = manners.asks_on_failure
        self._console = console
        self._messenger = messenger
        self._manners = manners
        self._open_shell = open_shell
        self._measure_cache = measure_cache
        self._session: ExitStack | None = None
        self._project_name = ""
        self._session_name = ""

    def show_heading(self, heading: "SessionHeading") -> None:
        """Shows what is about to be done."""
        if heading.project is not None:
            self._project_name = heading.project[0]
        self._console.show_heading(heading, self._manners.element_format)

    def start_session(
        self, name: str, scheduler: "Scheduler", total: int, left_s: "Callable[[], float | None]"
    ) -> None:
        """From now on jobs run; TOTAL counts all elements of the pipeline, LEFT_S guesses when they end."""
        from .._model.session import ActiveTask, QueueTally, SessionStatus
        from .cachegauge import CacheGauge

        gauge = CacheGauge(self._measure_cache)
        started_s = self._messenger.now_s()
        self._session_name = name

        def status() -> "SessionStatus | None":
            now_s = self._messenger.now_s()
            return SessionStatus(
                elapsed_s=now_s - started_s,
                project=self._project_name,
                session=scheduler.result.session_elements,
                total=total,
                queues=tuple(
                    QueueTally(
                        queue.action, queue.complete_name, queue.processed, queue.skipped, queue.failed
                    )
                    for queue in scheduler.queues
                ),
                cache=gauge.usage,
                tasks=tuple(
                    ActiveTask(f"{job.queue.action}:{job.record.element.full_name}", job.elapsed_s)
                    for job in list(scheduler.active)
                ),
                left_s=left_s(),
            )

        self._session = ExitStack()
        self._session.enter_context(self._console.session(status))
        if self.can_ask:  # otherwise there is no status bar
            self._session.callback(gauge.stop)
            gauge.start()

    def tick(self, scheduler: "Scheduler") -> None:
        """Called about once a second while jobs run."""
        del scheduler  # the console asks by itself
        self._console.tick()

    def end_session(self) -> None:
        """No job runs any more."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def show_summary(self, summary: "SessionSummary") -> None:
        """Shows what was done."""
        self._notify(f"{self._session_name} {'failed' if summary.failed else 'succeeded'}", "")
        self._console.show_summary(summary, self._manners.element_format)

    def confirm(self, question: str) -> bool:
        """Whether the person agrees to what QUESTION, lines that end with a line break, tells."""
        from .._ui.prompts import PromptStreams, ask_for_consent

        with self._console.hold():
            return ask_for_consent(PromptStreams(sys.stdin, sys.stderr), question)

    def hold(self) -> AbstractContextManager[None]:
        """The block in which somebody else uses the terminal."""
        return self._console.hold()

    def gather(self) -> AbstractContextManager[None]:
        """A short block, at the end of which what is told in it is shown."""
        return self._console.gather()

    def ask_on_interrupt(self) -> "Decision":
        """What to do after ^C."""
        from .._schedule.scheduler import Decision
        from .._ui.prompts import PromptStreams, ask_after_interrupt

        with self._console.hold():
            return Decision(ask_after_interrupt(PromptStreams(sys.stdin, sys.stderr)).value)

    def ask_on_failure(self, job: object, result: object) -> "Decision":
        """What to do after a job has failed for good."""
        from .._schedule.job import Job, JobResult
        from .._schedule.scheduler import Decision
        from .._ui.prompts import PromptStreams, ask_after_failure

        assert isinstance(job, Job)
        assert isinstance(result, JobResult)
        name = job.record.element.full_name
        self._notify("BuildStream failure", f"{job.queue.action} on element {name}")
        with self._console.hold():
            choice = ask_after_failure(
                PromptStreams(sys.stdin, sys.stderr),
                job.queue.action,
                name,
                show_log=self._log_viewer(job),
                open_shell=self._shell_opener(name, result),
            )
        return Decision(choice.value)

    def page(self, text: str) -> None:
        """Shows TEXT through the pager if there is a terminal, else just writes it."""
        if not sys.stdout.isatty():
            sys.stdout.write(text)
            return
        import tempfile

        with tempfile.NamedTemporaryFile("w", prefix="bst-", suffix=".log", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            self._run_pager(file.name)

    def _log_viewer(self, job: "Job") -> Callable[[], None] | None:
        return (lambda: self._run_pager(job.log_path)) if job.log_path else None

    def _shell_opener(self, name: str, result: "JobResult") -> Callable[[], None] | None:
        has_sandbox = result.error is not None and result.error.sandbox
        return (lambda: self._open_shell(name)) if has_sandbox else None

    def _run_pager(self, path: str) -> None:
        import shlex
        import shutil
        import subprocess

        words = shlex.split(self._manners.environment.get("PAGER") or _DEFAULT_PAGER)
        if not words or shutil.which(words[0]) is None:
            words = ["cat"]
        subprocess.run([*words, path], env=self._manners.environment, check=False)

    def _notify(self, title: str, text: str) -> None:
        if self.can_ask:
            from .._ui.notify import notification_sequence

            self._console.show_text(notification_sequence(title, text, self._manners.environment))
