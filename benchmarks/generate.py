#!/usr/bin/env python3
"""Makes BuildStream projects of a chosen size and shape.

    generate.py [--kind KIND] SHAPE COUNT DIRECTORY

SHAPE tells what element number i needs besides the base:

    wide   nothing
    chain  element i - 1
    tree   element (i - 1) // 4, so that everything hangs from a few
    mesh   i // 2 and i // 3 and i - 1: many ways lead to every element

KIND is `manual` (each element runs one command of a shell; the default) or
`stack` (nothing is ever built; for loading and keys).  The element all.bst
brings in everything.  The same arguments give the same project.
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
}


def generate(directory: Path, shape: str, count: int, kind: str = "manual") -> None:
    """Writes a project of COUNT elements and all.bst into DIRECTORY, which is created."""
    elements = directory / "elements"
    elements.mkdir(parents=True)
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
        path.write_text(_manual(number, sorted(needs)) if kind == "manual" else _stack(sorted(needs)))
    (elements / "all.bst").write_text(_stack([number for number in range(count) if number not in needed]))


def make_base(directory: Path) -> None:
    """A shell and a few programs: one busybox if the machine has it, else the programs of the machine."""
    busybox = shutil.which("busybox")
    tools = _TOOLS if busybox is None else [busybox]
    subprocess.run([sys.executable, str(_MAKE_BASE), str(directory), *tools], check=True)
    if busybox is None:
        return
    for tool in _TOOLS:
        (directory / busybox[1:]).with_name(tool).symlink_to("busybox")
    if not os.path.lexists(directory / "bin"):
        # where the host has all programs in /usr/bin, scripts still ask for /bin/sh
        (directory / "bin").symlink_to(os.path.dirname(busybox)[1:])


def _name(number: int) -> str:
    return f"part-{number // 100:02d}/element-{number:04d}.bst"


def _list(key: str, names: list[str]) -> str:
    return f"{key}:\n" + "".join(f"- {name}\n" for name in names) if names else ""


def _stack(needs: list[int]) -> str:
    return "kind: stack\n" + _list("depends", [_name(number) for number in needs])


def _manual(number: int, needs: list[int]) -> str:
    return (
        "kind: manual\n"
        + _list("build-depends", ["base.bst", *[_name(need) for need in needs]])
        + "config:\n  install-commands:\n"
        + f'  - mkdir -p "%{{install-root}}/parts" && echo {number} > "%{{install-root}}/parts/{number}"\n'
    )


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shape", choices=list(SHAPES))
    parser.add_argument("count", type=int)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--kind", choices=["manual", "stack"], default="manual")
    arguments = parser.parse_args()
    if os.path.lexists(arguments.directory):
        parser.error(f"{arguments.directory} exists")
    generate(arguments.directory, arguments.shape, arguments.count, arguments.kind)


if __name__ == "__main__":
    main()
