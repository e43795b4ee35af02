"""Declaring, finding, importing and checking plugins."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from buildstream import BuildElement, SourceMirror
from buildstream._exceptions import LoadError, PluginError
from buildstream._load.pluginregistry import LoadedPlugin, PluginRegistry, PluginType, register_origins
from buildstream.exceptions import LoadErrorReason
from buildstream.node import MappingNode

_NODE = MappingNode.from_dict({})

_PLUGIN = """
from buildstream import Element
class Plugin(Element):
    BST_MIN_VERSION = "2.0"
def setup():
    return Plugin
"""


@dataclass
class _Junction:
    full_name: str


@dataclass
class _Project:
    """What a registry needs to know of a project."""

    directory: str
    junction: _Junction | None = None
    subprojects: dict[str, "_Project"] = field(default_factory=dict)
    registries: dict[PluginType, PluginRegistry] = field(
        default_factory=lambda: {plugin_type: PluginRegistry(plugin_type) for plugin_type in PluginType}
    )

    def plugin_project(self, path: str, provenance_node: object) -> "_Project":
        return self.subprojects[path]

    def declare(self, *origins: dict[str, Any]) -> None:
        """Declares ORIGINS as `plugins` of project.conf does."""
        node = MappingNode.from_dict({"plugins": list(origins)})
        register_origins(self, node.get_sequence("plugins"), self.registries)

    def resolve(self, kind: str, plugin_type: PluginType = PluginType.ELEMENT) -> LoadedPlugin:
        return self.registries[plugin_type].resolve(kind, _NODE)


@pytest.fixture
def project(tmp_path: Path) -> _Project:
    """A project with an empty directory `plugins`."""
    (tmp_path / "project" / "plugins").mkdir(parents=True)
    return _Project(str(tmp_path / "project"))


def _add_plugin(project: _Project, kind: str, text: str = _PLUGIN) -> None:
    Path(project.directory, "plugins", f"{kind}.py").write_text(text, encoding="utf-8")


def _local(**lists: object) -> dict[str, Any]:
    return {"origin": "local", "path": "plugins", **lists}


def _reason(project: _Project, kind: str) -> object:
    with pytest.raises(PluginError) as caught:
        project.resolve(kind)
    return caught.value.reason


def test_core_kinds_need_no_declaration_and_import_nothing_else(project: _Project) -> None:
    for kind in ("import", "manual"):
        sys.modules.pop(f"buildstream.plugins.elements.{kind}", None)
    manual = project.resolve("manual")
    assert issubclass(manual.plugin_class, BuildElement)
    assert manual.defaults_path is not None
    assert manual.display == "core plugin"
    assert "buildstream.plugins.elements.import" not in sys.modules


@pytest.mark.parametrize(
    ("plugin_type", "kinds", "kinds_with_defaults"),
    [
        (
            PluginType.ELEMENT,
            ["compose", "filter", "import", "junction", "link", "manual", "script", "stack"],
            ["compose", "filter", "import", "manual", "script"],
        ),
        (PluginType.SOURCE, ["local", "remote", "tar", "workspace"], []),
        (PluginType.SOURCE_MIRROR, ["default"], []),
    ],
)
def test_all_core_kinds_load(
    project: _Project, plugin_type: PluginType, kinds: list[str], kinds_with_defaults: list[str]
) -> None:
    for kind in kinds:
        loaded = project.resolve(kind, plugin_type)
        assert loaded.plugin_class.__module__.endswith(f".{kind}")
        assert (loaded.defaults_path is not None) == (kind in kinds_with_defaults)


def test_a_local_plugin_uses_its_siblings_and_its_defaults(project: _Project) -> None:
    _add_plugin(project, "_shared", "VALUE = 5\n")
    _add_plugin(project, "one", "from ._shared import VALUE\n" + _PLUGIN)
    Path(project.directory, "plugins", "one.yaml").touch()
    project.declare(_local(elements=["one"]))
    loaded = project.resolve("one")
    assert loaded.defaults_path == str(Path(project.directory, "plugins", "one.yaml"))
    assert loaded.display == "project directory: plugins"
    assert loaded.plugin_class.__module__.rpartition(".")[2] == "one"
    assert project.resolve("one") is loaded
    assert [plugin.kind for plugin in project.registries[PluginType.ELEMENT].loaded()] == ["one"]


def test_two_projects_get_two_classes_of_one_plugin(project: _Project) -> None:
    _add_plugin(project, "one")
    other = _Project(project.directory)
    for each in (project, other):
        each.declare(_local(elements=["one"]))
    assert project.resolve("one").plugin_class is not other.resolve("one").plugin_class


def test_a_declared_kind_hides_the_core_kind(project: _Project) -> None:
    _add_plugin(project, "manual")
    project.declare(_local(elements=["manual"]))
    assert project.resolve("manual").display == "project directory: plugins"


def test_declarations_that_are_not_used_are_not_looked_at(project: _Project) -> None:
    project.declare(_local(elements=["missing"]), {"origin": "pip", "package-name": "???", "sources": ["x"]})
    project.resolve("stack")


def test_allow_deprecated_is_inherited_by_items(project: _Project) -> None:
    for kind in ("one", "two"):
        _add_plugin(project, kind)
    items = ["one", {"kind": "two", "allow-deprecated": False}]
    project.declare(_local(elements=items, **{"allow-deprecated": True}))
    assert project.resolve("one").allow_deprecated
    assert not project.resolve("two").allow_deprecated


def test_a_kind_may_be_declared_twice_by_one_origin_only(project: _Project) -> None:
    project.declare(_local(elements=["one", "one"], sources=["one"]))
    with pytest.raises(PluginError) as caught:
        project.declare(_local(elements=["one"]))
    assert caught.value.reason == "duplicate-plugin"


@pytest.mark.parametrize(
    "origin",
    [
        {"origin": "elsewhere"},
        {"origin": "local", "path": "plugins", "package-name": "x"},  # a key of another origin
        {"origin": "local", "path": "plugins", "elements": [["nested"]]},
    ],
)
def test_wrong_declarations(project: _Project, origin: dict[str, Any]) -> None:
    with pytest.raises(LoadError) as caught:
        project.declare(origin)
    assert caught.value.reason is LoadErrorReason.INVALID_DATA


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such_module\n", None),
        ("this is no Python\n", None),
        ("", "missing-setup-function"),
        ("def setup():\n    raise AttributeError\n", "missing-setup-function"),
        ("setup = 5\n", "setup-is-not-function"),
        ("def setup(argument):\n    pass\n", "setup-is-not-function"),
        ("def setup():\n    return 5\n", "setup-returns-not-type"),
        ("def setup():\n    return int\n", "setup-returns-bad-type"),
        (_PLUGIN.replace('BST_MIN_VERSION = "2.0"', "pass"), "missing-min-version"),
        (_PLUGIN.replace("2.0", "two"), "malformed-min-version"),
        (_PLUGIN.replace('"2.0"', "2.0"), "malformed-min-version"),
        (_PLUGIN.replace("2.0", "1.6"), "incompatible-major-version"),
        (_PLUGIN.replace("2.0", "2.999"), "incompatible-minor-version"),
    ],
)
def test_unusable_plugins(project: _Project, text: str, reason: str | None) -> None:
    _add_plugin(project, "bad", text)
    project.declare(_local(elements=["bad"]))
    assert _reason(project, "bad") == reason


def test_unknown_kinds(project: _Project) -> None:
    project.declare(_local(elements=["missing", "../escape"]))
    assert _reason(project, "missing") is None
    assert _reason(project, "../escape") is None
    assert _reason(project, "nowhere") == "plugin-not-found"


def test_plugins_of_another_project(project: _Project, tmp_path: Path) -> None:
    (tmp_path / "sub" / "plugins").mkdir(parents=True)
    sub = _Project(str(tmp_path / "sub"), junction=_Junction("sub.bst"))
    _add_plugin(sub, "one")
    sub.declare(
        _local(elements=["one"]), {"origin": "pip", "package-name": "no-such-package", "elements": ["two"]}
    )
    project.subprojects["sub.bst"] = sub
    project.declare({"origin": "junction", "junction": "sub.bst", "elements": ["one", "two", "manual"]})

    assert project.resolve("one").display == "junction: sub.bst (project directory: plugins)"
    assert _reason(project, "two") == "junction-plugin-load-error"
    # core kinds of the other project do not count
    assert _reason(project, "manual") == "junction-plugin-not-found"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed package with the mirror `mirrorkind`, the element `renamed` and a lie."""
    site = tmp_path / "site"
    modules = site / "bst_test_package"
    modules.mkdir(parents=True)
    (modules / "__init__.py").touch()
    mirror = _PLUGIN.replace("Element", "SourceMirror")
    (modules / "mirrorkind.py").write_text(mirror, encoding="utf-8")
    (modules / "realname.py").write_text(_PLUGIN, encoding="utf-8")
    (modules / "realname.yaml").touch()
    metadata = site / "bst_test_package-1.5.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: bst-test-package\nVersion: 1.5\n", encoding="utf-8"
    )
    (metadata / "entry_points.txt").write_text(
        "[buildstream.plugins.sourcemirrors]\nmirrorkind = bst_test_package.mirrorkind\n"
        "[buildstream.plugins.elements]\nrenamed = bst_test_package.realname\nlie = bst_test_package.lie\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(site))
    return "bst-test-package"


def test_plugins_of_python_packages(project: _Project, package: str) -> None:
    origin = {"origin": "pip", "elements": ["renamed", "lie", "other"], "source-mirrors": ["mirrorkind"]}
    project.declare({**origin, "package-name": f"{package}>=1.0"})
    mirror = project.resolve("mirrorkind", PluginType.SOURCE_MIRROR)
    assert issubclass(mirror.plugin_class, SourceMirror)
    assert mirror.display.startswith("python package 'bst-test-package' version 1.5 at: /")
    renamed = project.resolve("renamed")
    assert renamed.plugin_class.__module__.endswith(".realname")
    assert renamed.defaults_path is not None
    assert renamed.defaults_path.endswith("realname.yaml")
    assert _reason(project, "lie") == "plugin-not-found"
    assert _reason(project, "other") == "plugin-not-found"
    assert "bst_test_package.realname" not in sys.modules


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [
        ("bst-test-package>=2", "package-version-conflict"),
        ("no-such-package", "package-not-found"),
        ("not a requirement!", "package-malformed-requirement"),
    ],
)
def test_unusable_packages(project: _Project, package: str, requirement: str, reason: str) -> None:
    project.declare({"origin": "pip", "package-name": requirement, "elements": ["renamed"]})
    assert _reason(project, "renamed") == reason
