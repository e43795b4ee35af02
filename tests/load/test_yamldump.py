"""The YAML that is written: format 1.5, command line 2.2."""

import random
from io import StringIO
from pathlib import Path

import pytest

from buildstream._load.roundtrip import dump_roundtrip, load_roundtrip, save_roundtrip
from buildstream._load.yamldump import dump
from buildstream.exceptions import LoadErrorReason

from .trees import load_error, tree

PLAIN = [
    "1.0",
    "null",
    "true",
    "yes",
    "~",
    "=",
    "<<",
    "0x1f",
    "2011-11-11",
    "a:b",
    "a#c",
    "-x",
    "?x",
    "a,b",
    "a]",
]
PLAIN += ["it's", 'a"b', "a\\b", "x %{a}", "é", "😀"]
SINGLE = [
    " a",
    "a ",
    "a: b",
    "a #c",
    "#c",
    "- x",
    "-",
    "*x",
    "&x",
    "!x",
    "%{a}",
    "@x",
    "`x",
    "? x",
    "[a]",
    "{a}",
]
SINGLE += ["|", ">", "x:", "---", "...", '"q"']
DOUBLE = {
    "'q'": "'q'",
    "a\nb": "a\\nb",
    "a\tb": "a\\tb",
    'x: "\n': 'x: \\"\\n',
    "\x07\x1b\x7f": "\\a\\e\\x7F",
}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        *[(text, text) for text in PLAIN],
        *[(text, f"'{text}'") for text in SINGLE],
        *[(text, f'"{written}"') for text, written in DOUBLE.items()],
    ],
)
def test_scalars(text: str, written: str) -> None:
    assert dump({"k": text}) == f"k: {written}\n"
    assert dump([text]) == f"- {written}\n"


def test_shapes() -> None:
    data = {
        "empty": "",
        "none": [],
        "nothing": {},
        "list": ["a", "", ["b", ["c"]], {"d": "e", "f": ["g"]}, [], {}, [{"h": "i"}]],
        "mapping": {"j": {"k": "l"}, "m": ["n"]},
        "": "o",
    }
    assert dump(data) == (
        "empty:\n"
        "none: []\n"
        "nothing: {}\n"
        "list:\n"
        "- a\n"
        "- \n"
        "- - b\n"
        "  - - c\n"
        "- d: e\n"
        "  f:\n"
        "  - g\n"
        "- []\n"
        "- {}\n"
        "- - h: i\n"
        "mapping:\n"
        "  j:\n"
        "    k: l\n"
        "  m:\n"
        "  - n\n"
        "'': o\n"
    )
    assert dump({}) == "{}\n"
    assert dump([]) == "[]\n"


def test_values_of_code_are_written_as_python_prints_them() -> None:
    assert dump({"a": None, "b": True, "c": 3}) == "a: None\nb: True\nc: 3\n"


def _random_data(generator: random.Random, depth: int) -> object:
    choice = generator.random()
    if depth and choice < 0.3:
        return {
            _random_text(generator): _random_data(generator, depth - 1)
            for _ in range(generator.randint(0, 3))
        }
    if depth and choice < 0.6:
        return [_random_data(generator, depth - 1) for _ in range(generator.randint(0, 3))]
    return _random_text(generator)


def _random_text(generator: random.Random) -> str:
    characters = "ab1 :#-?,[]{}&*!|>'\"%@`\\=<.~é\xa0\n\t\x00\x1b\x7f\x85\u2028\ufeff\U0001f600"
    return "".join(generator.choices(characters, k=generator.randint(0, 5)))


def test_the_fast_writer_equals_the_general_one() -> None:
    generator = random.Random(2)
    for _ in range(300):
        data = {_random_text(generator): _random_data(generator, 4) for _ in range(3)}
        stream = StringIO()
        dump_roundtrip(data, stream)
        assert dump(data) == stream.getvalue()


def test_long_keys() -> None:
    key = "k" * 500
    assert tree(dump({key: "v"})).strip_node_info() == {key: "v"}


ORIGINAL = """\
# first
kind: yes
ref:  010   # why
date: 2011-11-11
none: ~
empty:

quoted: 'x'
other: "y"
list:
    - a
    -   b: c
text: |
  one
  two
# last
"""

SAVED = """\
# first
kind: yes
ref: 011    # why
date: 2011-11-11
none: ~
empty:

quoted: 'x'
other: "y"
list:
- a
- b: c
text: |
  one
  two
# last
new: 1.50
"""


def test_a_file_that_is_changed_keeps_its_rest(tmp_path: Path) -> None:
    path = tmp_path / "x.bst"
    path.write_text(ORIGINAL)
    path.chmod(0o640)
    data = load_roundtrip(str(path))
    assert data["ref"] == "010"
    data["ref"] = "011"
    data["new"] = "1.50"
    save_roundtrip(data, str(path))
    assert path.read_text() == SAVED
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "project.refs"
    path.write_text("")
    data = load_roundtrip(str(path))
    data["projects"] = {"top": {"x.bst": [{"ref": "5891b5b522d5df08"}]}}
    save_roundtrip(data, str(path))
    assert path.read_text() == "projects:\n  top:\n    x.bst:\n    - ref: 5891b5b522d5df08\n"


def test_a_file_that_can_not_be_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "x.bst"
    path.write_text("a: b\n")
    data = load_roundtrip(str(path))
    data["a"] = object()
    with pytest.raises(Exception, match="object"):
        save_roundtrip(data, str(path))
    assert path.read_text() == "a: b\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["- a", "text", "a: [", "a: b: c"])
def test_files_that_can_not_be_changed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.bst"
    path.write_text(text)
    with load_error(LoadErrorReason.INVALID_YAML, str(path)):
        load_roundtrip(str(path))


def test_absent_file_and_directory(tmp_path: Path) -> None:
    with load_error(LoadErrorReason.MISSING_FILE):
        load_roundtrip(str(tmp_path / "missing"))
    with load_error(LoadErrorReason.LOADING_DIRECTORY):
        load_roundtrip(str(tmp_path))
