"""Questions to the person: plain text on the error stream, answers from standard input."""

import os
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import TextIO

from .._dataclass import dataclass
from .._exceptions import BstError
from .style import DETAIL, LABEL, VALUE, Paint

_EXPLANATION_WIDTH = 79


class Choice(Enum):
    """What to do after a failure or an interrupt; the value is what the person enters."""

    CONTINUE = "continue"
    QUIT = "quit"
    TERMINATE = "terminate"
    RETRY = "retry"
    LOG = "log"
    SHELL = "shell"


_DESCRIPTIONS = {
    Choice.CONTINUE: "Continue queueing jobs as much as possible",
    Choice.QUIT: "Exit after all ongoing jobs complete",
    Choice.TERMINATE: "Terminate any ongoing jobs and exit",
    Choice.RETRY: "Retry this job",
    Choice.LOG: "View the full log file",
    Choice.SHELL: "Drop into a shell in the failed build sandbox",
}
_CONFIRMATIONS = {
    Choice.CONTINUE: "Continuing with other non failing elements",
    Choice.QUIT: "Completing ongoing tasks before quitting",
    Choice.TERMINATE: "Terminating all jobs",
    Choice.RETRY: "Retrying failed job",
}
_LABEL_WIDTH = len("(t)erminate")


@dataclass(frozen=True, slots=True)
class PromptStreams:
    """Where questions are written and answers are read."""

    input: TextIO
    output: TextIO

    def write(self, text: str) -> None:
        """Shows TEXT at once."""
        self.output.write(text)
        self.output.flush()

    def read_answer(self, prompt: str) -> str:
        """The line entered at PROMPT, stripped; raises EOFError at the end of input."""
        self.write(prompt)
        if self.input.isatty():
            _wait_for_input(self.input)
        line = self.input.readline()
        if not line:
            raise EOFError
        return line.strip()


def _wait_for_input(stream: TextIO) -> None:
    """Returns once STREAM can be read, or raises what the handler of a signal raises; for the main thread.

    A signal that comes just before a blocking read would be noticed only after the next input.
    """
    import select
    import signal

    read_end, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    previous = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    try:
        while stream.fileno() not in select.select([stream.fileno(), read_end], [], [])[0]:
            os.read(read_end, 4096)  # the handler has run, and the wait goes on
    finally:
        signal.set_wakeup_fd(previous)
        os.close(read_end)
        os.close(write_end)


def read_choice(streams: PromptStreams, choices: Sequence[str], default: str) -> str:
    """One of CHOICES, entered in full or as a prefix that fits no other; asks until there is one.

    Raises EOFError at the end of input.
    """
    while True:
        answer = streams.read_answer(f"Choice: [{default}]: ")
        if not answer:
            return default
        if answer in choices:
            return answer
        matches = [choice for choice in choices if choice.startswith(answer)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            streams.write(f"Error: Ambiguous input. '{answer}' can refer to one of {matches}\n")
        else:
            streams.write(f"Error: Expected one of {list(choices)}, got {answer}\n")


def ask_after_failure(
    streams: PromptStreams,
    action: str,
    full_name: str,
    *,
    show_log: Callable[[], None] | None = None,
    open_shell: Callable[[], None] | None = None,
) -> Choice:
    """What to do after a job failed for good: CONTINUE, QUIT, TERMINATE or RETRY.

    A log and a shell are offered if there are functions for them; after such a
    look the question is asked again.  ^C and the end of input mean TERMINATE.
    """
    looks = {Choice.LOG: show_log, Choice.SHELL: open_shell}
    offered = {choice: look for choice, look in looks.items() if look is not None}
    choices = [Choice.CONTINUE, Choice.QUIT, Choice.TERMINATE, Choice.RETRY, *offered]
    title = f"{action} failure on element: {full_name}"
    while True:
        choice = _ask(streams, title, choices, "Pressing ^C will terminate jobs and exit")
        if choice not in offered:
            return _confirm(streams, choice, _CONFIRMATIONS[choice])
        _take_look(streams, offered, choice)


def ask_after_interrupt(streams: PromptStreams) -> Choice:
    """What to do after ^C: CONTINUE, QUIT or TERMINATE; another ^C means TERMINATE."""
    choices = [Choice.CONTINUE, Choice.QUIT, Choice.TERMINATE]
    hint = "Pressing ^C again will terminate jobs and exit"
    try:
        streams.write(_render_question("User interrupted with ^C", choices, hint))
        choice = Choice(read_choice(streams, [choice.value for choice in choices], Choice.CONTINUE.value))
    except (KeyboardInterrupt, EOFError):
        return _confirm(streams, Choice.TERMINATE, "Terminating all jobs at user request")
    return _confirm(streams, choice, _CONFIRMATIONS[choice])


def ask_for_consent(streams: PromptStreams, question: str) -> bool:
    """Whether the person says yes to QUESTION, which ends with a line break; no answer means no."""
    streams.write(f"\n{question}\nAre you sure?\n")
    try:
        return read_choice(streams, ["no", "yes"], "no") == "yes"
    except (KeyboardInterrupt, EOFError):
        streams.write("\n")
        return False


@dataclass(frozen=True, slots=True)
class TextQuestion:
    """A question that is answered by a text."""

    title: str
    explanation: tuple[str, ...]  # paragraphs
    prompt: str
    default: str | None = None


def ask_text(
    streams: PromptStreams, question: TextQuestion, validate: Callable[[str], None], *, paint: Paint
) -> str:
    """The first answer that VALIDATE accepts; it raises BstError for the others.

    Raises EOFError at the end of input.
    """
    streams.write(_render_explanation(question, paint))
    default = "" if question.default is None else f" [{question.default}]"
    prompt = f"{paint(question.prompt, VALUE)}{default}: "
    while True:
        answer = streams.read_answer(prompt) or question.default
        if not answer:
            continue
        try:
            validate(answer)
        except BstError as error:
            detail = f"\n{error.detail.rstrip()}\n\n" if error.detail else ""
            streams.write(f"Error: {error}\n{detail}")
        else:
            return answer


def _ask(streams: PromptStreams, title: str, choices: Sequence[Choice], hint: str) -> Choice:
    try:
        streams.write(_render_question(title, choices, hint))
        return Choice(read_choice(streams, [choice.value for choice in choices], Choice.CONTINUE.value))
    except (KeyboardInterrupt, EOFError):
        return Choice.TERMINATE


def _take_look(streams: PromptStreams, looks: Mapping[Choice, Callable[[], None]], choice: Choice) -> None:
    try:
        looks[choice]()
    except BstError as error:
        streams.write(f"\nError while attempting to create interactive shell: {error}\n\n")


def _confirm(streams: PromptStreams, choice: Choice, text: str) -> Choice:
    streams.write(f"\n{text}\n\n")
    return choice


def _render_question(title: str, choices: Sequence[Choice], hint: str) -> str:
    options = ""
    for choice in choices:
        label = f"({choice.value[0]}){choice.value[1:]}"
        options += f"  {label:<{_LABEL_WIDTH}} - {_DESCRIPTIONS[choice]}\n"
    return f"\n{title}\n\nChoose one of the following options:\n{options}\n{hint}\n\n"


def _render_explanation(question: TextQuestion, paint: Paint) -> str:
    import textwrap

    underline = "-" * len(question.title)
    text = f"\n{paint(question.title, VALUE)}\n{paint(underline, LABEL)}\n"
    for paragraph in question.explanation:
        wrapped = textwrap.fill(paragraph, _EXPLANATION_WIDTH, initial_indent="  ", subsequent_indent="  ")
        text += f"\n{paint(wrapped, DETAIL)}\n"
    return f"{text}\n"
