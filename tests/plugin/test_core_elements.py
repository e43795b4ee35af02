"""Configuration, checks and cache keys of the core kinds, without an engine."""

from pathlib import Path
from typing import Any

import pytest

from buildstream import DependencyConfiguration, Element, ElementError, Source
from buildstream._exceptions import LoadError
from buildstream._load.pluginregistry import PluginRegistry, PluginType
from buildstream.exceptions import LoadErrorReason
from buildstream.node import MappingNode


def _make(host: Any, kind: str, config: dict[str, Any] | None = None, name: str = "element.bst") -> Any:
    """An element of KIND as the engine makes it: its defaults under CONFIG."""
    loaded = PluginRegistry(PluginType.ELEMENT).resolve(kind, MappingNode.from_dict({}))
    defaults: dict[str, dict[str, Any]] = {
        "compose": {"integrate": True, "include": [], "exclude": [], "include-orphans": True},
        "filter": {"include": [], "exclude": [], "include-orphans": False, "pass-integration": False},
        "import": {"source": "/", "target": "/"},
        "manual": {"strip-commands": [""]},
        "script": {"commands": [], "root-read-only": False},
    }
    element = loaded.plugin_class(host, name)
    element.configure(MappingNode.from_dict({**defaults.get(kind, {}), **(config or {})}))
    return element


def _depend(element: Element, *dependencies: tuple[str, dict[str, str] | None]) -> None:
    element.configure_dependencies(
        [
            DependencyConfiguration(
                element, path, MappingNode.from_dict(config) if config is not None else None
            )
            for path, config in dependencies
        ]
    )


@pytest.mark.parametrize(
    ("kind", "config", "key"),
    [
        ("import", {"target": "/usr"}, {"source": "/", "target": "/usr"}),
        ("stack", {"anything": "goes"}, 1),
        (
            "compose",
            {"integrate": False, "exclude": ["devel", "debug"]},
            {"exclude": ["debug", "devel"], "include": [], "integrate": False, "orphans": True},
        ),
        ("compose", {}, {"include": [], "integrate": True, "orphans": True}),
        ("filter", {"include": ["b", "a"]}, {"exclude": [], "include": ["a", "b"], "orphans": False}),
        ("junction", {"path": "x"}, 1),
        ("link", {"target": "x.bst"}, 1),
        (
            "manual",
            {},
            {"build-commands": [], "configure-commands": [], "install-commands": [], "strip-commands": [""]},
        ),
    ],
)
def test_unique_keys(host: Any, kind: str, config: dict[str, Any], key: object) -> None:
    assert _make(host, kind, config).get_unique_key() == key


def test_unique_key_of_build_elements(host: Any) -> None:
    # False counts as set, and the misspelling is part of the format
    host.variables = {"command-subdir": "sub", "notparallel": "False"}
    element = _make(host, "manual", {"build-commands": ["make"]})
    _depend(element, ("one.bst", None), ("dir.bst", {"location": "/opt", "digest-environment": "DIG"}))
    assert element.get_unique_key() == {
        "build-commands": ["make"],
        "command-subdir": "sub",
        "configure-commands": [],
        "digest-enviornment": {"DIG": ["dir.bst"]},
        "install-commands": [],
        "layout": {"/": ["one.bst"], "/opt": ["dir.bst"]},
        "notparallel": True,
        "strip-commands": [""],
    }


def test_plugins_may_replace_the_commands_of_build_elements(host: Any) -> None:
    element = _make(host, "manual", {"build-commands": ["make"]})
    element._BuildElement__commands = {"build-commands": ["other"]}
    assert element.get_unique_key() == {"build-commands": ["other"]}
    assert element.generate_script() == "(set -ex; other\n) || exit 1\n"


def test_unique_key_of_script_elements(host: Any) -> None:
    host.variables = {"cwd": "/work", "install-root": "/install"}
    element = _make(host, "script", {"commands": ["true"]})
    _depend(element, ("one.bst", {"location": "/opt"}), ("two.bst", None))
    assert element.get_unique_key() == {
        "commands": {"commands": ["true"]},
        "cwd": "/work",
        "install-root": "/install",
        "layout": {"/opt": ["one.bst"], "/": ["two.bst"]},
        "root-read-only": False,
    }


@pytest.mark.parametrize("kind", ["import", "manual", "compose", "filter", "script", "junction", "link"])
def test_unknown_keys_are_refused(host: Any, kind: str) -> None:
    with pytest.raises(LoadError) as caught:
        _make(host, kind, {"target": "x", "unknown": "x"})
    assert caught.value.reason is LoadErrorReason.INVALID_DATA


def test_compose_runs_commands_only_to_integrate(host: Any) -> None:
    assert _make(host, "compose").BST_RUN_COMMANDS
    assert not _make(host, "compose", {"integrate": False}).BST_RUN_COMMANDS


def test_import_needs_a_source(host: Any) -> None:
    with pytest.raises(ElementError, match="An import element must have at least one source"):
        _make(host, "import").preflight()


def test_import_script(host: Any) -> None:
    host.variables = {"build-root": "/build", "install-root": "/install"}
    assert _make(host, "import", {"target": "/usr/"}).generate_script() == (
        "(set -ex; mkdir -p /install\n) || exit 1\n"
        "(set -ex; [ ! -e /install/usr ] || rmdir /install/usr\n) || exit 1\n"
        "(set -ex; mv /build/element /install/usr\n) || exit 1\n"
    )


def test_stack_dependencies_are_of_both_types(host: Any) -> None:
    stack = _make(host, "stack")
    dependency = _make(host, "manual")
    host.build = [dependency]
    with pytest.raises(ElementError) as caught:
        stack.preflight()
    assert caught.value.reason == "stack-requires-build-and-run"
    host.runtime = [dependency]
    stack.preflight()


def test_filter_has_one_build_dependency_with_files(host: Any) -> None:
    element = _make(host, "filter")
    manual, stack = _make(host, "manual"), _make(host, "stack")
    for build, runtime, reason in (
        ([], [], "filter-bdepend-wrong-count"),
        ([manual, stack], [], "filter-bdepend-wrong-count"),
        ([manual], [manual], "filter-bdepend-also-rdepend"),
        ([stack], [], "filter-bdepend-no-artifact"),
    ):
        host.build, host.runtime = build, runtime
        with pytest.raises(ElementError) as caught:
            element.preflight()
        assert caught.value.reason == reason
    host.build, host.runtime = [manual], [stack]
    element.preflight()
    assert element._get_source_element() is manual


def test_junctions(host: Any) -> None:
    config = {
        "path": "sub",
        "options": {"o": "v"},
        "aliases": {"theirs": "ours"},
        "overrides": {"a.bst": "b.bst"},
    }
    junction = _make(host, "junction", config)
    assert junction.path == "sub"
    assert junction.options.strip_node_info() == {"o": "v"}
    assert junction.overrides["a.bst"].as_str() == "b.bst"
    assert junction.get_parent_alias("theirs") == "ours"
    assert junction.get_parent_alias("other") is None
    identity = _make(host, "junction", {**config, "map-aliases": "identity"})
    assert identity.get_parent_alias("other") == "other"


def test_a_junction_can_not_override_with_itself(host: Any) -> None:
    with pytest.raises(ElementError) as caught:
        _make(host, "junction", {"overrides": {"x.bst": "j.bst"}}, name="j.bst")
    assert caught.value.reason == "override-junction-with-self"


def _make_source(host: Any, kind: str, config: dict[str, str]) -> Any:
    loaded = PluginRegistry(PluginType.SOURCE).resolve(kind, MappingNode.from_dict({}))
    source = loaded.plugin_class(host, "element.bst-0")
    source.configure(MappingNode.from_dict(config))
    assert isinstance(source, Source)
    return source


def test_local_is_captured_once(host: Any) -> None:
    Path(host.project.directory, "file").touch()
    source = _make_source(host, "local", {"path": "file"})
    assert source.is_resolved()
    assert source.get_unique_key() == host.digest.hash
    (info,) = source.collect_source_info()
    assert (info.url, info.version) == ("file", str(host.digest))
    assert host.captured == [(f"{host.project.directory}/file", False)]
    assert host.stored == []
    source._store_local_files()
    assert host.stored == [(host.digest, f"{host.project.directory}/file", False)]


def test_local_refuses_paths_outside_the_project(host: Any) -> None:
    with pytest.raises(LoadError) as caught:
        _make_source(host, "local", {"path": "../mirror"})
    assert caught.value.reason is LoadErrorReason.PROJ_PATH_INVALID


def test_a_workspace_is_captured_with_times(host: Any, tmp_path: Path) -> None:
    source = _make_source(host, "workspace", {"path": str(tmp_path), "last_build": ""})
    assert source.is_resolved()
    assert source.get_unique_key() == host.digest.hash
    assert host.captured == [(str(tmp_path), True)]
    assert not _make_source(host, "workspace", {"path": str(tmp_path / "gone")}).is_resolved()
