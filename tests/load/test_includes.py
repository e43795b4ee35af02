"""Includes: format 4.6, 10.3 and 10.4."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from buildstream._load.includes import Includes
from buildstream._load.options import OptionPool
from buildstream._load.variables import Variables
from buildstream.exceptions import LoadErrorReason
from buildstream.node import ScalarNode

from .trees import load_error, tree


class Context:
    """A project in a directory, with the option `t` and the junction `sub.bst` to a subdirectory."""

    def __init__(self, directory: Path, junction: str | None = None, *, option: bool = True) -> None:
        self.directory = str(directory)
        self.junction = junction
        self.options = OptionPool(str(directory))
        self.options.load(tree(f"t: {{type: bool, description: d, default: {option}}}"))
        self.options.resolve()
        self._subproject: Context | None = None

    @property
    def project(self) -> object:
        return self

    def display(self, shortname: str) -> str:
        return f"{self.junction}:{shortname}" if self.junction else shortname

    def base_variables(self) -> Variables:
        return Variables(tree("v: subproject"))

    def junction_context(self, path: str, provenance_node: ScalarNode) -> "Context":
        assert path == "sub.bst"
        if self._subproject is None:
            self._subproject = Context(Path(self.directory, "sub"), "sub.bst")
        return self._subproject


Process = Callable[..., Any]


@pytest.fixture
def process(tmp_path: Path) -> Process:
    """Writes files, processes a document with the name given, and gives its plain data."""

    def run(text: str, files: dict[str, str], **arguments: bool) -> Any:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        node = tree(text)
        Includes(Context(tmp_path)).process(node, **arguments)
        return node.strip_node_info()

    return run


def test_the_includer_and_the_last_include_win(process: Process) -> None:
    result = process(
        "(@): [i1.yml, i2.yml]\nC: el",
        {"i1.yml": "{A: 1, B: 1, C: 1, Z1: 1}", "i2.yml": "{B: 2, C: 2, Z2: 2}"},
    )
    assert list(result.items()) == [("C", "el"), ("B", "2"), ("Z2", "2"), ("A", "1"), ("Z1", "1")]


def test_includes_at_any_depth_and_in_included_files(process: Process) -> None:
    result = process(
        "x: {(@): a.yml}\ny: [{(@): a.yml}, [{(@): dir/b.yml}]]",
        # paths are relative to the project, not to the including file
        {"a.yml": "(@): dir/b.yml\na: 1", "dir/b.yml": "b: 2"},
    )
    assert result == {"x": {"a": "1", "b": "2"}, "y": [{"a": "1", "b": "2"}, [{"b": "2"}]]}


def test_absolute_paths(process: Process, tmp_path: Path) -> None:
    assert process(f"(@): {tmp_path}/a.yml", {"a.yml": "a: 1"}) == {"a": "1"}


def test_an_empty_list_stays(process: Process) -> None:
    assert process("(@): []\na: b", {}) == {"(@)": [], "a": "b"}


@pytest.mark.parametrize(
    ("text", "reason", "message"),
    [
        ("(@): nope.yml", LoadErrorReason.MISSING_FILE, "a.bst [line 1 column 5]: Could not find file at "),
        ("(@): ''", LoadErrorReason.LOADING_DIRECTORY, "a.bst [line 1 column 5]: "),
        ("(@): bad.yml", LoadErrorReason.INVALID_YAML, "a.bst [line 1 column 5]: bad.yml: Malformed"),
        (
            "(@): {a: b}",
            LoadErrorReason.INVALID_DATA,
            "a.bst [line 1 column 5]: Value of '(@)' is not one of",
        ),
        ("(@): [[a]]", LoadErrorReason.INVALID_DATA, "a.bst [line 1 column 5]: "),
        (
            "(@): loop.yml",
            LoadErrorReason.RECURSIVE_INCLUDE,
            "loop2.yml [line 1 column 5]: trying to recursively",
        ),
        ("(@): clash.yml\na: b", LoadErrorReason.ILLEGAL_COMPOSITE, "a.bst [line 1 column 0]: "),
    ],
)
def test_errors(process: Process, text: str, reason: LoadErrorReason, message: str) -> None:
    files = {
        "bad.yml": "- a",
        "loop.yml": "(@): loop2.yml",
        "loop2.yml": "(@): loop.yml",
        "clash.yml": "a: [b]",
    }
    with load_error(reason, message):
        process(text, files)


def test_a_long_chain_is_an_error(process: Process) -> None:
    files = {f"{index}.yml": f"(@): {index + 1}.yml" for index in range(400)}
    with load_error(LoadErrorReason.RECURSIVE_INCLUDE):
        process("(@): 0.yml", files)


def test_one_file_twice_side_by_side(process: Process) -> None:
    assert process("(@): [a.yml, a.yml]", {"a.yml": "l: {(>): [x]}"}) == {"l": {"(>)": ["x", "x"]}}


def test_junctions(process: Process) -> None:
    files = {
        "sub/inc.yml": "(@): local.yml\nk: '%{v}'\n(?):\n- t: {'o': '%{v}'}",
        "sub/local.yml": "l: '%{v}'",
    }
    # what is included directly is expanded, its own local includes are not
    expected = {"k": "subproject", "o": "subproject", "l": "%{v}"}
    assert process("(@): sub.bst:inc.yml", files) == expected
    assert process("(@): sub.bst:inc.yml", files, process_conditionals=False) == expected
    assert process("(@): sub.bst:inc.yml\na: b", files, only_local=True) == {"a": "b"}


def test_files_of_junctions_are_displayed_with_them(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/inc.yml").write_text("(@): local.yml\na: b")
    (tmp_path / "sub/local.yml").write_text("c: d")
    node = tree("(@): sub.bst:inc.yml")
    Includes(Context(tmp_path)).process(node)
    assert str(node.get_node("a").get_provenance()) == "sub.bst:sub.bst:inc.yml [line 2 column 3]"
    assert str(node.get_node("c").get_provenance()) == "sub.bst:local.yml [line 1 column 3]"


def test_undefined_variables_across_junctions(process: Process) -> None:
    with load_error(LoadErrorReason.UNRESOLVED_VARIABLE, "sub.bst:sub.bst:inc.yml [line 1 column 3]"):
        process("(@): sub.bst:inc.yml", {"sub/inc.yml": "a: '%{nope}'"})


def test_expansion_depends_on_the_first_way_to_a_file(process: Process) -> None:
    files = {"sub/inc.yml": "{(@): local.yml}", "sub/local.yml": "l: '%{v}'"}
    # visited from last to first
    assert process("(@): ['sub.bst:local.yml', 'sub.bst:inc.yml']", files) == {"l": "%{v}"}
    assert process("(@): ['sub.bst:inc.yml', 'sub.bst:local.yml']", files) == {"l": "subproject"}


I_YML = "a: inc\nb: inc\n(?):\n- t: {a: inccond, b: inccond}"
INCLUDER = "a: proj\n(?):\n- t: {b: projcond}\n(@): "


def test_conditionals_of_includes_in_elements(process: Process) -> None:
    assert process(INCLUDER + "i.yml", {"i.yml": I_YML}) == {"a": "proj", "b": "projcond"}


def test_conditionals_of_includes_in_the_project(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "i.yml").write_text(I_YML)
    (tmp_path / "sub/i.yml").write_text(I_YML)
    for include, expected in (("i.yml", "inccond"), ("sub.bst:i.yml", "proj")):
        context = Context(tmp_path)
        node = tree(INCLUDER + include)
        Includes(context).process(node, process_conditionals=False)
        context.options.process_node(node)
        assert node.strip_node_info() == {"a": expected, "b": "projcond"}


def test_includes_inside_of_fragments(process: Process) -> None:
    text = "a: plain\n(?):\n- t: {(@): i.yml}\n- not t: {(@): missing.yml}"
    # in an element, what is not taken is not loaded, and the plain value wins
    assert process(text, {"i.yml": "a: included"}) == {"a": "plain"}
    # in the project, the file is merged into the fragment first
    with load_error(LoadErrorReason.MISSING_FILE):
        process(text, {"i.yml": "a: included"}, process_conditionals=False)
    fragment = process(
        "a: plain\n(?):\n- t: {(@): i.yml}", {"i.yml": "a: included"}, process_conditionals=False
    )
    assert fragment == {"a": "plain", "(?)": [{"t": {"a": "included"}}]}
