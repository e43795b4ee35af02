#!/usr/bin/env python3
"""Makes BuildStream projects of a chosen size and shape.

    generate.py [--kind KIND] SHAPE COUNT DIRECTORY

SHAPE tells what element number i needs besides the base:

    wide   nothing
    chain  element i - 1
    tree   element (i - 1) // 4, so that everything hangs from a few
    mesh   i // 2 and i // 3 and i - 1: many ways lead to every element
    layers five elements of the hundred before its own, at run time as well
    deep   five of the hundred elements before it, at run time as well: long ways, large scopes

KIND is `manual` (each element runs one command of a shell; the default),
`import` (a source of one file) or `stack`; the last two need no sandbox.  The
element all.bst brings in everything.  The same arguments give the same project.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_MAKE_BASE = Path(__file__).parents[1] / "doc" / "examples" / "make-base"
_TOOLS = ["sh", "cat", "echo", "mkdir", "rm", "true", "find"]

SHAPES: dict[str, Callable[[int], set[int]]] = {
    "wide": lambda _: set(),
    "chain": lambda i: {i - 1},
    "tree": lambda i: {(i - 1) // 4},
    "mesh": lambda i: {i // 2, i // 3, i - 1},
    "layers": lambda i: {(i // 100 - 1) * 100 + (i * step + step) % 100 for step in _STEPS if i >= 100},
    "deep": lambda i: {max(0, i - 1 - (i * step + step) % 100) for step in _STEPS},
}
_STEPS = (1, 7, 13, 31, 57)
# shapes whose elements need each other at run time as well
_RUNTIME = ("layers", "deep")


def generate(directory: Path, shape: str, count: int, kind: str = "manual") -> None:
    """Writes a project of COUNT elements and all.bst into DIRECTORY, which is created."""
    elements = directory / "elements"
    elements.mkdir(parents=True)
    is_runtime = shape in _RUNTIME
    (directory / "project.conf").write_text(
        f"name: {shape}-{count}\nmin-version: 2.0\nelement-path: elements\n"
        "environment:\n  PATH: /usr/bin:/bin:/usr/sbin:/sbin\n"
    )
    if kind == "manual":
        make_base(directory / "files" / "base")
        (elements / "base.bst").write_text("kind: import\nsources:\n- kind: local\n  path: files/base\n")
    needed: set[int] = set()
    for number in range(count):
        needs = SHAPES[shape](number) if number else set()
        needed |= needs
        path = elements / _name(number)
        path.parent.mkdir(exist_ok=True)
        names = [_name(need) for need in sorted(needs)]
        if kind == "manual":
            path.write_text(_manual(number, names, is_runtime=is_runtime))
        elif kind == "import":
            path.write_text(_import(directory, number, names))
        else:
            path.write_text("kind: stack\n" + _list("depends", names))
    tops = [_name(number) for number in range(count) if number not in needed]
    (elements / "all.bst").write_text("kind: stack\n" + _list("depends", tops))


def make_base(directory: Path, *more: str) -> None:
    """A shell, a few programs and MORE: one busybox if the machine has it, else its programs."""
    busybox = shutil.which("busybox")
    names = [*_TOOLS, *more]
    tools = names if busybox is None else [busybox]
    subprocess.run([sys.executable, str(_MAKE_BASE), str(directory), *tools], check=True)
    if busybox is None:
        return
    for tool in names:
        (directory / busybox[1:]).with_name(tool).symlink_to("busybox")
    if not os.path.lexists(directory / "bin"):
        # where the host has all programs in /usr/bin, scripts still ask for /bin/sh
        (directory / "bin").symlink_to(os.path.dirname(busybox)[1:])


def _name(number: int) -> str:
    return f"part-{number // 100:02d}/element-{number:04d}.bst"


def _list(key: str, names: list[str]) -> str:
    return f"{key}:\n" + "".join(f"- {name}\n" for name in names) if names else ""


def _import(directory: Path, number: int, names: list[str]) -> str:
    content = directory / "files" / f"{number:04d}"
    content.mkdir(parents=True)
    (content / f"{number}.txt").write_text(f"{number}\n")
    return f"kind: import\nsources:\n- kind: local\n  path: files/{content.name}\n" + _list("depends", names)


def _manual(number: int, names: list[str], *, is_runtime: bool) -> str:
    if is_runtime:
        needs = _list("build-depends", ["base.bst"]) + _list("depends", names)
    else:
        needs = _list("build-depends", ["base.bst", *names])
    return (
        f"kind: manual\n{needs}config:\n  install-commands:\n"
        f'  - mkdir -p "%{{install-root}}/parts" && echo {number} > "%{{install-root}}/parts/{number}"\n'
    )


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shape", choices=list(SHAPES))
    parser.add_argument("count", type=int)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--kind", choices=["manual", "import", "stack"], default="manual")
    arguments = parser.parse_args()
    if os.path.lexists(arguments.directory):
        parser.error(f"{arguments.directory} exists")
    generate(arguments.directory, arguments.shape, arguments.count, arguments.kind)


if __name__ == "__main__":
    main()
