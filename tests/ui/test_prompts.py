"""Questions and answers."""

import io

import pytest

from buildstream._exceptions import BstError
from buildstream._ui.prompts import (
    Choice,
    PromptStreams,
    TextQuestion,
    ask_after_failure,
    ask_after_interrupt,
    ask_for_consent,
    ask_text,
    read_choice,
)
from buildstream._ui.style import choose_paint


def make_streams(answers: str) -> tuple[PromptStreams, io.StringIO]:
    output = io.StringIO()
    return PromptStreams(io.StringIO(answers), output), output


@pytest.mark.parametrize(
    ("answers", "choice"),
    [("\n", "continue"), ("q\n", "quit"), ("ret\n", "retry"), ("terminate\n", "terminate")],
)
def test_prefix_is_enough(answers: str, choice: str) -> None:
    streams, output = make_streams(answers)
    assert read_choice(streams, ["continue", "quit", "terminate", "retry"], "continue") == choice
    assert output.getvalue() == "Choice: [continue]: "


def test_wrong_and_ambiguous_answers_are_asked_again() -> None:
    streams, output = make_streams("x\nre\nretry\n")
    assert read_choice(streams, ["retry", "reset", "retry-all"], "reset") == "retry"
    assert output.getvalue() == (
        "Choice: [reset]: Error: Expected one of ['retry', 'reset', 'retry-all'], got x\n"
        "Choice: [reset]: Error: Ambiguous input. 're' can refer to one of ['retry', 'reset', 'retry-all']\n"
        "Choice: [reset]: "
    )
    with pytest.raises(EOFError):
        read_choice(streams, ["a"], "a")


FAILURE_QUESTION = """
Build failure on element: sub/fail.bst

Choose one of the following options:
  (c)ontinue  - Continue queueing jobs as much as possible
  (q)uit      - Exit after all ongoing jobs complete
  (t)erminate - Terminate any ongoing jobs and exit
  (r)etry     - Retry this job

Pressing ^C will terminate jobs and exit

Choice: [continue]: """


def test_failure_prompt() -> None:
    streams, output = make_streams("r\n")
    assert ask_after_failure(streams, "Build", "sub/fail.bst") is Choice.RETRY
    assert output.getvalue() == f"{FAILURE_QUESTION}\nRetrying failed job\n\n"


def test_log_and_shell_are_offered_if_possible_and_asked_again_after() -> None:
    looks = []

    def open_shell() -> None:
        raise BstError("no buildtree")

    streams, output = make_streams("log\ns\nq\n")
    choice = ask_after_failure(
        streams, "Build", "a.bst", show_log=lambda: looks.append("log"), open_shell=open_shell
    )
    assert (choice, looks) == (Choice.QUIT, ["log"])
    text = output.getvalue()
    assert (
        "  (r)etry     - Retry this job\n"
        "  (l)og       - View the full log file\n"
        "  (s)hell     - Drop into a shell in the failed build sandbox\n\n"
    ) in text
    assert "\nError while attempting to create interactive shell: no buildtree\n" in text
    assert text.count("Build failure on element: a.bst") == 3
    assert text.endswith("\nCompleting ongoing tasks before quitting\n\n")


def test_end_of_input_terminates() -> None:
    streams, output = make_streams("")
    assert ask_after_failure(streams, "Build", "a.bst") is Choice.TERMINATE
    assert output.getvalue().endswith("\nTerminating all jobs\n\n")


class InterruptedInput(io.StringIO):
    """Somebody presses ^C at the prompt."""

    def readline(self, _size: int = -1, /) -> str:  # type: ignore[override]
        raise KeyboardInterrupt


def test_interrupt_prompt() -> None:
    streams, output = make_streams("b\n\n")
    assert ask_after_interrupt(streams) is Choice.CONTINUE
    assert output.getvalue() == (
        "\nUser interrupted with ^C\n\n"
        "Choose one of the following options:\n"
        "  (c)ontinue  - Continue queueing jobs as much as possible\n"
        "  (q)uit      - Exit after all ongoing jobs complete\n"
        "  (t)erminate - Terminate any ongoing jobs and exit\n\n"
        "Pressing ^C again will terminate jobs and exit\n\n"
        "Choice: [continue]: Error: Expected one of ['continue', 'quit', 'terminate'], got b\n"
        "Choice: [continue]: \nContinuing with other non failing elements\n\n"
    )
    assert ask_after_interrupt(PromptStreams(InterruptedInput(), output)) is Choice.TERMINATE
    assert output.getvalue().endswith("\nTerminating all jobs at user request\n\n")


def test_text_question_is_asked_until_the_answer_is_valid() -> None:
    question = TextQuestion(
        "Select the element path",
        (f"{'word ' * 15}word wrapped here",),
        "Element path",
        "elements",
    )

    def validate(answer: str) -> None:
        if answer.startswith("/"):
            raise BstError(f"bad: {answer}", detail="why")

    streams, output = make_streams("/a\n\n")
    assert ask_text(streams, question, validate, paint=choose_paint(colors=False)) == "elements"
    words = "  " + " ".join(["word"] * 15)
    assert output.getvalue() == (
        "\nSelect the element path\n-----------------------\n\n"
        f"{words}\n  word wrapped here\n\n"
        "Element path [elements]: Error: bad: /a\n\nwhy\n\nElement path [elements]: "
    )


def test_text_question_without_default_needs_an_answer() -> None:
    streams, output = make_streams("\nfoo\n")
    question = TextQuestion("T", ("E",), "Project name")
    assert ask_text(streams, question, lambda _: None, paint=choose_paint(colors=True)) == "foo"
    assert output.getvalue() == (
        "\n\033[33mT\033[0m\n\033[36m\033[2m-\033[0m\n\n\033[2m  E\033[0m\n\n"
        "\033[33mProject name\033[0m: \033[33mProject name\033[0m: "
    )


@pytest.mark.parametrize(
    ("answers", "agrees"),
    [("yes\n", True), ("y\n", True), ("no\n", False), ("\n", False), ("", False), ("maybe\nyes\n", True)],
)
def test_consent_is_given_in_words(answers: str, agrees: bool) -> None:
    streams, output = make_streams(answers)
    assert ask_for_consent(streams, "This goes:\n  /a\n") is agrees
    assert "This goes:\n  /a\n\nAre you sure?\nChoice: [no]: " in output.getvalue()


def test_interrupt_is_no_consent() -> None:
    assert not ask_for_consent(PromptStreams(InterruptedInput(), io.StringIO()), "?\n")
