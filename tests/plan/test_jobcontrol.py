"""Suspending and ending a job while one of its children is being started."""

import threading

import pytest

from buildstream._act.jobcontrol import JobControl
from buildstream._exceptions import JobTerminated

PATIENCE_S = 60.0


class Child:
    """Notes what is done to it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def terminate(self) -> None:
        self.calls.append("terminate")

    def kill(self) -> None:
        self.calls.append("kill")

    def suspend(self) -> None:
        self.calls.append("suspend")

    def resume(self) -> None:
        self.calls.append("resume")


def test_a_suspension_waits_for_a_child_that_is_being_started() -> None:
    control, child = JobControl(), Child()
    is_starting, may_go_on, may_end = threading.Event(), threading.Event(), threading.Event()

    def job() -> None:
        with control.starting():
            is_starting.set()
            assert may_go_on.wait(PATIENCE_S)
            supervision = control.supervise(child)
            supervision.__enter__()
        assert may_end.wait(PATIENCE_S)
        supervision.__exit__(None, None, None)

    starter = threading.Thread(target=job)
    starter.start()
    assert is_starting.wait(PATIENCE_S)
    suspender = threading.Thread(target=control.suspend)
    suspender.start()
    assert child.calls == []
    may_go_on.set()
    suspender.join(PATIENCE_S)
    assert child.calls == ["suspend"]
    control.resume()
    assert child.calls == ["suspend", "resume"]
    may_end.set()
    starter.join(PATIENCE_S)
    assert not starter.is_alive()


def test_nothing_is_started_while_the_job_is_suspended() -> None:
    control = JobControl()
    order: list[str] = []
    control.suspend()

    def job() -> None:
        with control.starting():
            order.append("started")

    starter = threading.Thread(target=job)
    starter.start()
    order.append("resumed")
    control.resume()
    starter.join(PATIENCE_S)
    assert order == ["resumed", "started"]


def test_a_job_that_is_ended_while_suspended_starts_nothing() -> None:
    control = JobControl()
    control.suspend()
    caught: list[JobTerminated] = []

    def job() -> None:
        try:
            with control.starting():
                pytest.fail("it was told to end")
        except JobTerminated as error:
            caught.append(error)

    starter = threading.Thread(target=job)
    starter.start()
    control.terminate()
    starter.join(PATIENCE_S)
    assert len(caught) == 1
