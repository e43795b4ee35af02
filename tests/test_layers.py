"""Imports go downwards through the layers only, as doc/source/arch_overview.rst draws them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "buildstream"

# from the top; modules of one line may import each other
LAYERS = [
    ["_cli"],
    ["_ui"],
    ["_commands"],
    ["_schedule"],
    ["_act"],
    ["_sandbox", "_store", "_remote"],
    ["_plan"],
    ["_keys"],
    ["_config"],
    ["_load"],
]
RANKS = {name: rank for rank, names in enumerate(LAYERS) for name in names}
LOWEST = len(LAYERS)  # the plugin interface and everything below it


def modules() -> list[Path]:
    """All modules of the program but generated ones."""
    return [path for path in sorted(PACKAGE.rglob("*.py")) if "_protos" not in path.parts]


def imported(tree: ast.AST, package: list[str]) -> Iterator[str]:
    """The dotted names below buildstream that TREE, a module of PACKAGE, imports when it runs."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            start = package[: len(package) - node.level + 1]
            yield from (
                ".".join([*start, *(node.module or "").split("."), alias.name]).replace("..", ".")
                for alias in node.names
            )
        else:
            yield from imported(node, package)


def layer(name: str) -> int:
    """The rank of a dotted name below buildstream."""
    return RANKS.get(name.lstrip(".").split(".")[0], LOWEST)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_downwards(path: Path) -> None:
    relative = path.relative_to(PACKAGE).with_suffix("")
    own = layer(".".join(relative.parts))
    if relative.parts[0] in ("__main__", "plugins"):
        own = 0 if relative.parts[0] == "__main__" else LOWEST
    names = imported(ast.parse(path.read_text(encoding="utf-8")), list(relative.parts[:-1]))
    upward = [name for name in names if layer(name) < own]
    assert upward == []
