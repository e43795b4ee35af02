"""FastEnum and the names of the package."""

import copy
import pickle
import types
from typing import cast

import pytest

import buildstream
from buildstream import FastEnum, OverlapAction
from buildstream.types import _Scope


class Colour(FastEnum):
    """An enumeration with a method of its own."""

    RED = "red"
    BLUE = "blue"

    def __str__(self) -> str:
        return self.name.lower() + "!"


def test_members_are_found_by_value_and_equal_only_themselves() -> None:
    assert OverlapAction("error") is OverlapAction.ERROR
    assert OverlapAction(OverlapAction.ERROR) is OverlapAction.ERROR
    assert cast("object", "error") != OverlapAction.ERROR
    assert cast("object", OverlapAction.ERROR) != Colour.RED
    assert {Colour.RED: 1}[Colour("red")] == 1
    with pytest.raises(ValueError, match="Unknown enum value: 5"):
        _Scope(5)


def test_members_have_names_values_and_texts() -> None:
    assert [(member.name, member.value) for member in Colour] == [("RED", "red"), ("BLUE", "blue")]
    assert list(Colour.values()) == ["red", "blue"]
    assert str(OverlapAction.ERROR) == "error"
    assert str(Colour.BLUE) == "blue!"
    assert repr(Colour.RED) == "<Colour.RED: red>"
    assert repr(OverlapAction) == "<fastenum 'OverlapAction'>"


def test_members_survive_copying_and_pickling() -> None:
    assert copy.deepcopy(OverlapAction.IGNORE) is OverlapAction.IGNORE
    assert pickle.loads(pickle.dumps(OverlapAction.IGNORE)) is OverlapAction.IGNORE


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"A": 1, "B": 1}, ValueError),  # two names for one value
        ({"A": 1, "B": "b"}, TypeError),  # two types
        ({"values": 1}, AttributeError),  # would hide an attribute of the base
    ],
)
def test_wrong_enumerations_are_refused(body: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        types.new_class("Wrong", (FastEnum,), exec_body=lambda namespace: namespace.update(body))


def test_enumerations_can_not_be_changed() -> None:
    with pytest.raises(AttributeError):
        Colour.GREEN = "green"  # type: ignore[attr-defined]


def test_every_documented_name_can_be_imported() -> None:
    names = """Plugin Element ElementError DependencyConfiguration BuildElement ScriptElement Source
        SourceError SourceFetcher SourceInfo SourceInfoMedium SourceVersionType DownloadableFileSource
        SourceMirror SourceMirrorError Sandbox SandboxCommandError Directory DirectoryError FileType FileStat
        Node MappingNode ScalarNode SequenceNode ProvenanceInformation CoreWarnings OverlapAction FastEnum
        SourceRef UtilError ProgramNotFoundError utils __version__""".split()  # noqa: SIM905  # one name a line would be a page
    missing = [name for name in names if not hasattr(buildstream, name) or name not in dir(buildstream)]
    assert missing == []
    assert not hasattr(buildstream, "PluginError")
