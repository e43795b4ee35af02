"""Messages, activities, jobs and task logs."""

import subprocess
import threading
from pathlib import Path

import pytest

from buildstream._exceptions import BstError
from buildstream._messenger import Messenger, Task
from buildstream._model.message import ElementLabel, Message, MessageType

from .samples import BASE, BASE_KEY, BROKEN, UNKNOWN_KEY, FakeClock


class Recorder:
    """A messenger whose messages are kept."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.messages: list[Message] = []
        self.progress: list[tuple[int, int | None]] = []
        self.messenger = Messenger(
            self.messages.append, self.clock, version="2.8.1", on_progress=self._note_progress
        )

    def _note_progress(self, task: Task) -> None:
        self.progress.append((task.current, task.maximum))

    def told(self) -> list[tuple[MessageType, str]]:
        return [(message.kind, message.text) for message in self.messages]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_activity_tells_start_and_success_with_the_time_taken(recorder: Recorder) -> None:
    with recorder.messenger.activity("Staging", element=BASE, detail="lines"):
        recorder.clock.now_s += 5
    start, success = recorder.messages
    assert (start.kind, start.detail, start.element, start.elapsed_s) == (
        MessageType.START,
        "lines",
        BASE,
        None,
    )
    assert (success.kind, success.detail, success.elapsed_s) == (MessageType.SUCCESS, None, 5.0)


def test_activity_fails_for_errors_of_ours_only(recorder: Recorder) -> None:
    with pytest.raises(BstError), recorder.messenger.activity("Staging"):
        raise BstError("no")
    with pytest.raises(ValueError, match="bug"), recorder.messenger.activity("Staging"):
        raise ValueError("bug")
    assert recorder.told() == [
        (MessageType.START, "Staging"),
        (MessageType.FAIL, "Staging"),
        (MessageType.START, "Staging"),
    ]


def test_silent_activity_lets_only_unconditional_messages_pass(recorder: Recorder) -> None:
    messenger = recorder.messenger
    with messenger.activity("Outer", silent_nested=True), messenger.activity("Inner"):
        for kind in MessageType:
            messenger.send(kind, "nested")
    messenger.send(MessageType.STATUS, "after")
    assert [message.kind for message in recorder.messages if message.text == "nested"] == [
        MessageType.INFO,
        MessageType.WARN,
        MessageType.FAIL,
        MessageType.ERROR,
        MessageType.BUG,
    ]
    assert (MessageType.START, "Inner") not in recorder.told()
    assert recorder.told()[-2:] == [(MessageType.SUCCESS, "Outer"), (MessageType.STATUS, "after")]


def test_silence_and_jobs_belong_to_one_thread(recorder: Recorder) -> None:
    messenger = recorder.messenger
    with messenger.silence(), messenger.job(action="Build", element=BASE, log_path=None):
        thread = threading.Thread(target=lambda: messenger.send(MessageType.STATUS, "elsewhere"))
        thread.start()
        thread.join()
        messenger.send(MessageType.STATUS, "here")
    (message,) = recorder.messages
    assert (message.text, message.task_element, message.action) == ("elsewhere", None, None)


@pytest.mark.parametrize(
    ("maximum", "took_s", "detail"),
    [
        (None, 3.0, "2 subtasks processed"),
        (5, 3.0, "2 of 5 subtasks processed"),
        (5, 2.9, None),  # quick tasks say nothing
    ],
)
def test_long_simple_task_tells_how_many_subtasks_it_had(
    recorder: Recorder, maximum: int | None, took_s: float, detail: str | None
) -> None:
    with recorder.messenger.simple_task("Loading elements") as task:
        if maximum is not None:
            task.set_maximum(maximum)
        recorder.messenger.send(MessageType.STATUS, "silenced")
        task.advance()
        task.advance()
        recorder.clock.now_s += took_s
    assert recorder.told() == [
        (MessageType.START, "Loading elements"),
        (MessageType.SUCCESS, "Loading elements"),
    ]
    assert recorder.messages[1].detail == detail
    assert recorder.progress == [(1, maximum), (2, maximum)]


def test_time_stands_still_while_paused(recorder: Recorder) -> None:
    messenger, clock = recorder.messenger, recorder.clock
    with messenger.activity("Asking"):
        clock.now_s += 1
        messenger.pause()
        clock.now_s += 100
        messenger.pause()
        assert messenger.now_s() == pytest.approx(clock.now_s - 100)
        messenger.resume()
        messenger.resume()
        clock.now_s += 2
    assert recorder.messages[-1].elapsed_s == pytest.approx(3)
    assert recorder.messages[-1].created_s == clock.now_s


def test_task_log_holds_every_message_and_the_raw_output(recorder: Recorder, tmp_path: Path) -> None:
    # two messages about other elements show their own name, one of them has no key
    messenger = recorder.messenger
    path = tmp_path / "logs" / "demo" / "broken" / "fd91d933-build.log"
    with messenger.job(action="Build", element=BROKEN, log_path=str(path)):
        messenger.send(MessageType.START, "Build", element=BROKEN, log_path=str(path), is_scheduler=True)
        messenger.send(MessageType.LOG, "Build environment for element broken.bst", detail="A: 1\n\nB: 2\n")
        with messenger.activity("Staging dependencies", element=BROKEN, silent_nested=True):
            messenger.send(MessageType.STATUS, "Staging base.bst/2e43b99f", element=BASE)
        with messenger.activity("Running commands", element=ElementLabel("broken.bst", "", is_strict=True)):
            subprocess.run(["printf", r"raw\n"], stdout=messenger.task_log(), check=True)
            recorder.clock.now_s += 3725
        messenger.send(MessageType.SKIPPED, "Pull", elapsed_s=4.0, element=BROKEN)
    assert messenger.task_log() is None
    assert path.read_text() == (
        "BuildStream 2.8.1 - Sunday, 22-11-2026 at 20:11:52\n"
        "[--:--:--] START   [fd91d933] broken.bst: Build\n"
        "[--:--:--] LOG     [fd91d933] broken.bst: Build environment for element broken.bst\n"
        "\n"
        "    A: 1\n"
        "    \n"
        "    B: 2\n"
        "[--:--:--] START   [fd91d933] broken.bst: Staging dependencies\n"
        "[--:--:--] STATUS  [2e43b99f] base.bst: Staging base.bst/2e43b99f\n"
        "[00:00:00] SUCCESS [fd91d933] broken.bst: Staging dependencies\n"
        "[--:--:--] START   broken.bst: Running commands\n"
        "raw\n"
        "[01:02:05] SUCCESS broken.bst: Running commands\n"
        "[--:--:--] SKIPPED [fd91d933] broken.bst: Pull\n"
    )
    assert (MessageType.STATUS, "Staging base.bst/2e43b99f") not in recorder.told()


def test_task_log_is_appended_to_and_survives_odd_text(recorder: Recorder, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    for text in ("one", "\udcff two"):
        with recorder.messenger.job(action="Track", element=None, log_path=str(path)):
            recorder.messenger.send(MessageType.INFO, text)
    head = "BuildStream 2.8.1 - Sunday, 22-11-2026 at 20:11:52\n"
    assert path.read_text() == f"{head}[--:--:--] INFO: one\n{head}[--:--:--] INFO: \\udcff two\n"


def test_key_of_the_job_is_asked_at_each_message(recorder: Recorder) -> None:
    keys = iter([UNKNOWN_KEY, BASE_KEY])
    with recorder.messenger.job(
        action="Track", element=lambda: ElementLabel("base.bst", next(keys), is_strict=True), log_path=None
    ):
        recorder.messenger.send(MessageType.INFO, "before")
        recorder.messenger.send(MessageType.INFO, "after")
    assert [message.task_element.key for message in recorder.messages if message.task_element] == [
        UNKNOWN_KEY,
        BASE_KEY,
    ]


def test_termination_is_noted_in_open_logs_only(recorder: Recorder, tmp_path: Path) -> None:
    ended, open_log = tmp_path / "ended.log", tmp_path / "open.log"
    with recorder.messenger.job(action="Build", element=BASE, log_path=str(ended)):
        pass
    with recorder.messenger.job(action="Build", element=BASE, log_path=str(open_log)):
        recorder.messenger.note_termination()
    assert open_log.read_text().endswith("\n\n\nForcefully terminated\n")
    assert "terminated" not in ended.read_text()


def test_log_that_cannot_be_opened_is_an_os_error(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OSError, match="file"),
        recorder.messenger.job(action="Build", element=BASE, log_path=str(tmp_path / "file" / "a.log")),
    ):
        pytest.fail("the job must not start")
    recorder.messenger.send(MessageType.INFO, "outside")
    assert recorder.messages[-1].action is None
