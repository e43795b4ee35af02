"""A base for sandboxes made of programs of the host, by the script of the documentation."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import cast

EXAMPLES = Path(__file__).parents[2] / "doc" / "examples"
_SCRIPT = EXAMPLES / "make-base"

# enough for the commands of most tests
SHELL_TOOLS = (
    *("sh", "cat", "chmod", "cp", "echo", "env", "false", "find", "grep", "id", "install", "ln", "ls"),
    *("mkdir", "mv", "printf", "pwd", "readlink", "rm", "sed", "sleep", "sort", "stat", "test"),
    *("touch", "true", "uname", "wc", "["),
)


def make_host_base(directory: str, tools: Sequence[str]) -> None:
    """Copies TOOLS of the host and what they need to run into DIRECTORY, which is created.

    Raises:
        FileNotFoundError: The host lacks one of the tools.
    """
    loader = SourceFileLoader("make_base", str(_SCRIPT))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None, "a loader was given"
    module = module_from_spec(spec)
    loader.exec_module(module)
    make = cast("Callable[[str, Sequence[str]], None]", module.make_host_base)
    make(directory, tools)


def make_base(directory: Path, *, with_compiler: bool = False) -> None:
    """Runs the script as the documentation says, for its default tools."""
    options = ["--with-compiler"] if with_compiler else []
    subprocess.run([sys.executable, str(_SCRIPT), *options, str(directory)], check=True)
