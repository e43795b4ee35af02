"""Settings and fixtures of all tests."""

import compileall
import os
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import buildstream
from tests.testutils.hostbase import SHELL_TOOLS, make_host_base
from tests.testutils.space import TestSpace

_MEMORY_DIRECTORY = "/dev/shm"


def pytest_configure(config: pytest.Config) -> None:
    """Keeps the person's own settings out of the tests, and temporary files in memory if possible."""
    if not hasattr(config, "workerinput"):
        # an editable installation has no byte code, and where PYTHONDONTWRITEBYTECODE is set it never gets
        # any: then each of some thousand runs of the program would compile all that it imports
        compileall.compile_dir(Path(buildstream.__file__).parent, quiet=1)
    for number in (signal.SIGINT, signal.SIGQUIT):
        # ignored by what a shell starts in the background, and by all that inherits it
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    for name in list(os.environ):
        if name.startswith(("BST_", "_BST_", "XDG_")):
            del os.environ[name]
    if os.access(_MEMORY_DIRECTORY, os.W_OK):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", _MEMORY_DIRECTORY)


@pytest.fixture(scope="session")
def shell_base(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Gives a directory with the host's shell and usual programs, made when it is first asked for."""

    @cache
    def make() -> Path:
        directory = tmp_path_factory.mktemp("shell-base")
        make_host_base(str(directory), SHELL_TOOLS)
        return directory

    return make


@pytest.fixture
def space(tmp_path: Path, shell_base: Callable[[], Path]) -> TestSpace:
    """A directory of its own to run the program in."""
    directory = tmp_path / "space"
    directory.mkdir()
    return TestSpace(directory, shell_base)
