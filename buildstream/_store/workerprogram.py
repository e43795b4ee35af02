"""How programs of this package are started that do one thing, often, without all else that it loads."""

import os
import sys

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_PROGRAM = """\
import sys
sys.path.append({root!r})
from {package}.{module} import main
main()
"""


def command_of(module: str) -> list[str]:
    """The command that runs `main` of a MODULE of this package; the arguments of that may follow.

    Neither the environment nor installed packages change what it does, and it starts quickly.
    """
    options = ["-I", "-S", "-B"] if sys.dont_write_bytecode else ["-I", "-S"]
    program = _PROGRAM.format(root=_ROOT, package=__package__, module=module)
    return [sys.executable, *options, "-c", program]
