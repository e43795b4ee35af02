"""Log lines: the format, details, and tails of the logs of failed jobs."""

from pathlib import Path

import pytest

from buildstream._model.message import ElementLabel, Message, MessageType
from buildstream._model.messageformat import MessageFormatError
from buildstream._ui.logline import LogLineRenderer, LogOptions, read_tail

from .samples import BASE, BROKEN, BROKEN_KEY, STARTED_S, UNKNOWN_KEY

LOG_PATH = "/logs/demo/broken/fd91d933-build.log"


def render(message: Message, *, colors: bool = False, **options: object) -> str:
    log_options = LogOptions(log_directory="/logs", **options)  # type: ignore[arg-type]
    return LogLineRenderer(log_options, colors=colors).render(message)


def job_message(kind: MessageType, text: str, **fields: object) -> Message:
    return Message(
        kind,
        text,
        element=BROKEN,
        task_element=BROKEN,
        action="Build",
        **fields,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            Message(MessageType.START, "Build"),
            "[--:--:--][        ][    main:core activity                 ] START   Build\n",
        ),
        (
            Message(MessageType.SUCCESS, "Query cache", elapsed_s=0.4),
            "[00:00:00][        ][    main:core activity                 ] SUCCESS Query cache\n",
        ),
        (
            job_message(MessageType.START, "Build", log_path=LOG_PATH, is_scheduler=True),
            f"[--:--:--][fd91d933][   build:{'broken.bst':<30}] START   demo/broken/fd91d933-build.log\n",
        ),
        (
            job_message(MessageType.SUCCESS, "Build", log_path=LOG_PATH, is_scheduler=True, elapsed_s=3725.9),
            f"[01:02:05][fd91d933][   build:{'broken.bst':<30}] SUCCESS demo/broken/fd91d933-build.log\n",
        ),
        (
            job_message(MessageType.SKIPPED, "Pull", log_path=LOG_PATH, is_scheduler=True, elapsed_s=0.0),
            "[00:00:00][fd91d933][   build:broken.bst                    ] SKIPPED Pull\n",
        ),
        # a message about another element shows the element of the job
        (
            Message(
                MessageType.STATUS, "Staging base.bst", element=BASE, task_element=BROKEN, action="Build"
            ),
            "[--:--:--][fd91d933][   build:broken.bst                    ] STATUS  Staging base.bst\n",
        ),
        # before the keys are computed a label has none; while a key can't be known it is all question marks
        (
            Message(MessageType.WARN, "hm", element=ElementLabel("a.bst", "", is_strict=True)),
            "[--:--:--][        ][    main:a.bst                         ] WARNING hm\n",
        ),
        (
            Message(MessageType.INFO, "hm", element=ElementLabel("a.bst", UNKNOWN_KEY, is_strict=True)),
            "[--:--:--][????????][    main:a.bst                         ] INFO    hm\n",
        ),
    ],
)
def test_default_line(message: Message, line: str) -> None:
    assert render(message) == line


def test_every_token_and_literal_text() -> None:
    message = job_message(MessageType.SUCCESS, "done", elapsed_s=3.25, created_s=STARTED_S + 0.5)
    times = "%{elapsed} %{elapsed-us} %{wallclock} %{wallclock-us}"
    message_format = "%%" + times + "|%{key}%{key}|%{element}|%{action}|%{message}%%x"
    assert render(message, message_format=message_format, key_length=4) == (
        "%00:00:03 00:00:03.250000 20:11:52 20:11:52.500000"
        "|fd91fd91|   build:broken.bst                    |SUCCESS|done%x\n"
    )
    started = job_message(MessageType.START, "go")
    assert render(started, message_format="%{elapsed-us}") == "--:--:--.------\n"


@pytest.mark.parametrize("message_format", ["%{bogus} a", "100%", "%{message", "%s", "%{}"])
def test_wrong_format_is_an_error(message_format: str) -> None:
    with pytest.raises(MessageFormatError):
        LogLineRenderer(LogOptions("/logs", message_format=message_format), colors=False)


@pytest.mark.parametrize(("key_length", "column"), [(0, "[]"), (3, "[fd9]"), (80, f"[{BROKEN_KEY}]")])
def test_key_length(key_length: int, column: str) -> None:
    assert column in render(job_message(MessageType.INFO, "x"), key_length=key_length)


def test_debug_puts_pid_and_element_before_the_line() -> None:
    core = render(Message(MessageType.DEBUG, "x", pid=41), debug=True)
    assert core == (
        "pid:41   element name:n/a                           "
        "[--:--:--][        ][    main:core activity                 ] DEBUG   x\n"
    )
    assert "element name:broken.bst                    [" in render(
        job_message(MessageType.INFO, "x"), debug=True
    )


DETAIL = "one\n\n  two\nthree\n"
WHOLE = "\n    one\n    \n      two\n    three\n\n"


@pytest.mark.parametrize(
    ("message", "limit", "shown"),
    [
        (job_message(MessageType.WARN, "x", detail=DETAIL), 4, WHOLE),
        (
            job_message(MessageType.WARN, "x", detail=DETAIL),
            2,
            "\n    one\n    \n    Message contains 2 additional lines\n\n",
        ),
        (job_message(MessageType.WARN, "x", detail=DETAIL), 0, ""),
        # failures and messages of the core are never cut
        (job_message(MessageType.BUG, "x", detail=DETAIL), 1, WHOLE),
        (Message(MessageType.WARN, "x", detail=DETAIL), 1, WHOLE),
        (job_message(MessageType.INFO, "x", detail=""), 20, ""),
    ],
)
def test_detail(message: Message, limit: int, shown: str) -> None:
    assert render(message, message_lines=limit).split("x\n", 1)[1] == shown


def failed_job(path: Path, **fields: object) -> Message:
    return job_message(
        MessageType.FAIL, "Command failed", log_path=str(path), is_scheduler=True, elapsed_s=0.0, **fields
    )


def test_failed_job_shows_the_tail_of_its_log(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("gone\n[--:--:--] START   x\n\n    \n    false\nsaid\n\n\n")
    rule = "    " + "=" * 70
    assert render(failed_job(path), error_lines=7) == (
        "[00:00:00][fd91d933][   build:broken.bst                    ] FAILURE Command failed\n"
        "\n"
        "    Printing the last 7 lines from log file:\n"
        f"    {path}\n"
        f"{rule}\n"
        "    [--:--:--] START   x\n"
        "\n"
        "    \n"
        "        false\n"
        "    said\n"
        f"{rule}\n"
        "\n"
    )


def test_failed_job_names_only_the_log_when_not_verbose() -> None:
    message = job_message(MessageType.FAIL, "no", log_path=LOG_PATH, is_scheduler=True)
    line, _, rest = render(message, verbose=False).partition("\n")
    assert line.endswith("FAILURE no")
    assert rest == "\n    Log file:     demo/broken/fd91d933-build.log\n\n"
    with_detail = job_message(MessageType.FAIL, "no", log_path=LOG_PATH, is_scheduler=True, detail="why")
    assert render(with_detail, verbose=False).endswith(
        "no\n\n    why\n\n    Log file:     demo/broken/fd91d933-build.log\n\n"
    )


def test_no_tail_is_shown_if_none_is_wanted(tmp_path: Path) -> None:
    assert render(failed_job(tmp_path / "a.log"), error_lines=0).endswith("Command failed\n\n\n")
    # the failure of an activity is not the failure of the job
    assert render(job_message(MessageType.FAIL, "x")).endswith("FAILURE x\n")


def test_tail_of_a_long_log_and_of_a_missing_one(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    lines = [f"{number} {'x' * 997}" for number in range(1000)]
    path.write_text("\n".join(lines) + "\n")
    assert read_tail(str(path), 100) == "\n".join(lines[-100:])
    assert read_tail(str(path), 2000) == "\n".join(lines)
    assert read_tail(str(tmp_path / "missing"), 3) == ""


def test_colours() -> None:
    punctuation = "\033[36m\033[2m"
    time = f"\033[33m--\033[0m{punctuation}:\033[0m\033[33m--\033[0m{punctuation}:\033[0m\033[33m--\033[0m"

    def line(key: str, action: str, text: str) -> str:
        return (
            f"{punctuation}[\033[0m{time}{punctuation}][\033[0m{key}{punctuation}][\033[0m"
            f"\033[33m   build\033[0m{punctuation}:\033[0m\033[33mbroken.bst                    \033[0m"
            f"{punctuation}] \033[0m{action}{punctuation} \033[0m{text}\n"
        )

    start = job_message(MessageType.START, "Build", log_path=LOG_PATH, is_scheduler=True)
    assert render(start, colors=True) == line(
        "\033[33m\033[22mfd91d933\033[0m",
        "\033[34m\033[1m\033[2mSTART  \033[0m",
        "\033[33m\033[2mdemo/broken/fd91d933-build.log\033[0m",
    )
    failure = job_message(MessageType.FAIL, "no", detail="d1\n\nd2")
    assert render(failure, colors=True) == line(
        "\033[31m\033[2mfd91d933\033[0m", "\033[31m\033[1m\033[2mFAILURE\033[0m", "no"
    ) + ("\n\033[31m\033[1m\033[2m    d1\n    \n    d2\033[0m\n\n")
    loose = ElementLabel("broken.bst", BROKEN_KEY, is_strict=False)
    warning = Message(MessageType.WARN, "w", element=loose, action="Build", detail="a\nb")
    assert render(warning, colors=True, message_lines=1) == line(
        "\033[33m\033[2mfd91d933\033[0m", "\033[33m\033[1m\033[2mWARNING\033[0m", "w"
    ) + ("\n\033[2m    a\n\033[0m    \033[33m\033[2mMessage contains 1 additional lines\033[0m\n\n")
