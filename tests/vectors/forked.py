"""Runs the program in a forked copy of this process: as good as anew, without the time to start and import.

Hundreds of short runs take a fraction of the time; nothing that a run changes in memory is seen by the next.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import NoReturn

from tests.testutils.space import RecordedError, Result, TestSpace

# What nearly every run imports sooner or later
_COMMON_MODULES = (
    "buildstream._cli.tree",
    "buildstream._load.loader",
    "buildstream._load.project",
    "jinja2",
    "yaml",
)


def run_in_process(
    space: TestSpace,
    *arguments: str,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Result:
    """Runs the program in the project directory of a space, or in CWD; any exit status will do."""
    return measure_in_process(space, *arguments, cwd=cwd, environment=environment)[0]


def measure_in_process(
    space: TestSpace,
    *arguments: str,
    prepare: Callable[[], None] = lambda: None,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[Result, resource.struct_rusage]:
    """As run_in_process, with what the run used; PREPARE is called in the copy before it becomes the program.

    The status is negative if a signal ended the run.
    """
    _import_common_modules()
    environment = {**space.environment(), **(environment or {})}
    output = {name: space.directory / name for name in ("stdout", "stderr")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about threads: the copy has none of them
        child = os.fork()
    if child == 0:
        prepare()
        _run_and_exit(cwd or space.project_directory, environment, output, arguments)
    _, status, usage = os.wait4(child, 0)
    error, task_error = _recorded_errors(Path(environment["BST_TEST_ERROR_FILE"]))
    result = Result(
        stdout=output["stdout"].read_text(encoding="utf-8", errors="surrogateescape"),
        stderr=output["stderr"].read_text(encoding="utf-8", errors="surrogateescape"),
        code=os.waitstatus_to_exitcode(status),
        error=error,
        task_error=task_error,
    )
    return result, usage


@cache
def _import_common_modules() -> None:
    for name in _COMMON_MODULES:
        importlib.import_module(name)


def _run_and_exit(
    directory: Path, environment: Mapping[str, str], output: Mapping[str, Path], arguments: tuple[str, ...]
) -> NoReturn:
    status = 1
    try:
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(directory)
        sys.argv = ["bst", *arguments]
        sys.stdin = open(os.devnull, encoding="utf-8")
        os.dup2(sys.stdin.fileno(), 0)
        for descriptor, name in enumerate(("stdout", "stderr"), start=1):
            stream = open(output[name], "w", encoding="utf-8", errors="surrogateescape")
            os.dup2(stream.fileno(), descriptor)
            setattr(sys, name, stream)
        from buildstream._cli.main import run

        run()
        status = 0
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else 0 if ending.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status & 0xFF)


def _recorded_errors(path: Path) -> tuple[RecordedError | None, RecordedError | None]:
    if not path.exists():
        return None, None
    content = json.loads(path.read_text(encoding="utf-8"))
    main, task = content["main"], content["task"]
    return RecordedError(**main) if main else None, RecordedError(**task) if task else None
