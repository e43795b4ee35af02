"""Projects that are built while something goes wrong."""

from tests.testutils.space import TestSpace

# a line of this text in a task log tells that a command runs
READY = "the command is ready"

_MANY = 700

_LAYER = """\
kind: manual
build-depends: [base.bst{more}]
config:
  build-commands:
  - |
    i=0; while [ $i -lt {count} ]; do i=$((i+1)); echo "{name} $i" > $i.txt; done
  install-commands:
  - |
    mkdir -p %{{install-root}}/{name}; cp *.txt %{{install-root}}/{name}/
    chmod +x %{{install-root}}/{name}/1.txt; ln -s 1.txt %{{install-root}}/{name}/first
"""


def write_layered_project(space: TestSpace) -> None:
    """A dozen elements, some of them in a chain, one with many files; the target is all.bst."""
    space.project()
    space.shell_base()
    for number in range(8):
        name = f"layer{number}"
        more = f", layer{number - 2}.bst" if number >= 2 else ""
        space.element(f"{name}.bst", _LAYER.format(name=name, more=more, count=40 + number))
    # so many that processes of their own read, store and check them out
    for number in range(_MANY):
        space.write(f"files/many/directory-{number % 7}/file-{number}", f"one of many: {number}\n")
    space.element("many.bst", "kind: import\nsources:\n- kind: local\n  path: files/many\n")
    layers = ", ".join(f"layer{number}.bst" for number in range(8))
    space.element("composed.bst", f"kind: compose\nbuild-depends: [{layers}]\n")
    space.element("all.bst", f"kind: stack\ndepends: [composed.bst, many.bst, {layers}]\n")


def write_endless_project(space: TestSpace, *, trap: str = "") -> None:
    """endless.bst, which never ends, and quick.bst beside it; TRAP is a first command of the shell."""
    space.project()
    space.shell_base()
    space.element(
        "endless.bst",
        "kind: manual\nbuild-depends: [base.bst]\nconfig:\n  install-commands:\n"
        f"  - |\n    {trap}\n    echo {READY}\n    while true; do sleep 1000; done\n",
    )
    space.element(
        "quick.bst",
        "kind: manual\nbuild-depends: [base.bst]\nconfig:\n  install-commands:\n"
        "  - echo quick > %{install-root}/quick\n",
    )
