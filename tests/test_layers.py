"""Imports go downwards only; see doc/source/arch_overview.rst."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "buildstream"

# lowest first; modules of one line may import each other
LAYERS = [
    ["_dataclass", "exceptions", "_exceptions", "_version", "_protos", "data"],
    ["_model"],
    [
        "types",
        "_tasklog",
        "_messenger",
        "_hosts",
        "_requests",
        "node",
        "_provenance",
        "_nodecomposition",
        "_utils_*",
        "utils",
        "_remotespec",
        "_zstd",
        "_background",
    ],
    [
        "plugin",
        "element",
        "_element_proxy",
        "_element_layout",
        "buildelement",
        "scriptelement",
        "source",
        "_source_info",
        "_download",
        "_download_ftp",
        "_download_open",
        "_download_part",
        "downloadablefilesource",
        "sourcemirror",
        "sandbox",
        "storage",
        "",  # the package itself, which only hands out the public names
        "plugins",
    ],
    ["_load"],
    ["_config"],
    ["_keys"],
    ["_plan"],
    ["_store"],
    ["_server"],
    ["_remote"],
    ["_sandbox"],
    ["_act"],
    ["_schedule"],
    ["_commands"],
    ["_ui"],
    ["_cli", "__main__"],
]


def layer_of(module: str) -> int:
    """Position in LAYERS of MODULE, the first component of a path below the package."""
    for position, names in enumerate(LAYERS):
        if module in names or (module.startswith("_utils_") and "_utils_*" in names):
            return position
    pytest.fail(f"buildstream/{module} has no layer: add it to LAYERS")


def imports_of(tree: ast.Module, path: Path) -> Iterator[tuple[int, str]]:
    """(line, first component below the package) of every import that happens at run time."""
    hidden = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for statement in node.body
        for child in ast.walk(statement)
    }
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.ImportFrom):
            if node.level == 0 and (node.module or "").split(".")[0] == "buildstream":
                parts = (node.module or "").split(".")[1:]
                yield from ((node.lineno, parts[0] if parts else alias.name) for alias in node.names)
            elif node.level == depth:
                parts = (node.module or "").split(".") if node.module else []
                yield from ((node.lineno, parts[0] if parts else alias.name) for alias in node.names)


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if "_protos" not in path.parts]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_downwards(path: Path) -> None:
    relative = path.relative_to(PACKAGE)
    module = relative.parts[0].removesuffix(".py")
    if relative == Path("__init__.py"):
        return
    own = layer_of(module)
    public = {p.stem for p in PACKAGE.glob("*.py")} | {p.name for p in PACKAGE.iterdir() if p.is_dir()}
    for line, imported in imports_of(ast.parse(path.read_text(encoding="utf-8")), path):
        # a public name of the package itself, such as Element, lives in the plugin layer
        other = layer_of(imported if imported in public else "")
        assert other <= own, f"{relative}:{line} imports {imported}, which is above {module}"
