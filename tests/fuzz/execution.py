"""Runs the program on a case, and says what is wrong with the way it ended."""

from __future__ import annotations

import os
import re
import resource
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.cases import Case
from tests.testutils.space import Result, TestSpace
from tests.vectors.forked import measure_in_process

_SECONDS = 20
"""What a run may take of the processor; by the clock thirty times that, as others may use the machine."""
_MEMORY_MIB = 300
"""What a run may take more than it begins with."""
_ADDRESS_SPACE = 3 << 30
"""Beyond this the run is refused memory: no mistake of the program shall stop the machine."""

_SUCCESS, _USAGE, _FAILURE = 0, 2, 255


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    fault: str | None  # None if all is well
    stderr: str
    cpu_s: float
    memory_mib: float  # beyond what the run began with


def execute(case: Case, scratch: str | None = None) -> Outcome:
    """Runs the program on CASE in a directory of its own below SCRATCH."""
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        space = TestSpace(Path(directory), shell_base=_no_shell)
        case.lay_out(space)
        arguments = ["--no-interactive", "--no-colors", *case.arguments]
        result, usage = measure_in_process(space, *arguments, prepare=_limit)
    memory_mib = max(0, usage.ru_maxrss - before_kib) / 1024
    cpu_s = usage.ru_utime + usage.ru_stime
    fault = _fault(result, memory_mib, is_report="lint" in case.arguments)
    return Outcome(fault, result.stderr, cpu_s, memory_mib)


def _fault(result: Result, memory_mib: float, *, is_report: bool) -> str | None:
    """What is wrong; a command that reports errors need not end with one itself."""
    if result.code in (-signal.SIGXCPU, -signal.SIGALRM):
        return "hangs"
    if result.code < 0:
        return f"ended by signal {-result.code}"
    if "Traceback" in result.stderr or re.search(r"\bBUG\b", result.stderr):
        return "traceback"
    if "RecursionError" in result.stderr:
        return "too deep"
    if result.code not in (_SUCCESS, _USAGE, _FAILURE):
        return f"status {result.code}"
    if result.code == _FAILURE and result.error is None and not is_report:
        return "error without domain"
    if memory_mib > _MEMORY_MIB:
        return f"takes {memory_mib:.0f} MiB"
    return None


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(30 * _SECONDS)
    # no run shall wait for a host that does not answer
    for scheme in ("http", "https", "ftp"):
        os.environ[f"{scheme}_proxy"] = "http://127.0.0.1:9"


def _no_shell() -> Path:
    raise AssertionError("nothing is built")
