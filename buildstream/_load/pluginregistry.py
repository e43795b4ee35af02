"""Which kinds a project may use, and where the plugin of each kind comes from.

A project has one registry for each type of plugin.  Declared kinds are found
and imported when they are first used, so a declaration costs nothing.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .._dataclass import dataclass
from .._exceptions import LoadError, PluginError
from .._utils_nearmiss import did_you_mean, nearest_word
from ..exceptions import LoadErrorReason
from ..node import MappingNode, Node, ScalarNode, SequenceNode
from .pluginimport import PluginImporter, check_plugin_class
from .pluginlocation import PluginLocation, PluginType
from .pluginorigins import PluginOrigin, PluginProject, make_origin

if TYPE_CHECKING:
    from ..plugin import Plugin

__all__ = ["LoadedPlugin", "PluginProject", "PluginRegistry", "PluginType", "register_origins"]

_CORE_KINDS: dict[PluginType, frozenset[str]] = {
    PluginType.ELEMENT: frozenset(
        {"compose", "filter", "import", "junction", "link", "manual", "script", "stack"}
    ),
    PluginType.SOURCE: frozenset({"local", "remote", "tar", "workspace"}),
    PluginType.SOURCE_MIRROR: frozenset({"default"}),
}
_CORE_DISPLAY = "core plugin"


@dataclass(frozen=True, slots=True)
class LoadedPlugin:
    """A kind that can be instantiated."""

    kind: str  # as the project calls it
    plugin_class: "type[Plugin]"
    defaults_path: str | None  # absolute path of the file with the default configuration
    display: str  # where it comes from, for people
    allow_deprecated: bool  # whether its use gives no warning even if it is deprecated


@dataclass(frozen=True, slots=True)
class _Declaration:
    origin: PluginOrigin
    allow_deprecated: bool


class PluginRegistry:
    """The kinds of one type of plugin in one project.

    Args:
        plugin_type: Elements, sources or source mirrors.
    """

    def __init__(self, plugin_type: PluginType) -> None:
        self.plugin_type = plugin_type
        self._declarations: dict[str, _Declaration] = {}
        self._loaded: dict[str, LoadedPlugin] = {}
        self._importer = PluginImporter(plugin_type)

    def register(self, origin: PluginOrigin, kind: str, *, allow_deprecated: bool) -> None:
        """Declares KIND; it hides a core kind of the same name.

        Raises:
            PluginError: another origin has declared KIND (duplicate-plugin).
        """
        existing = self._declarations.get(kind)
        if existing is not None and existing.origin is not origin:
            raise PluginError(
                f"More than one {self.plugin_type.label} plugin registered as kind '{kind}'",
                reason="duplicate-plugin",
            )
        self._declarations[kind] = _Declaration(origin, allow_deprecated)

    def resolve(self, kind: str, provenance_node: Node) -> LoadedPlugin:
        """The class of KIND, imported when it is first asked for.

        Args:
            provenance_node: What uses the kind, for errors.

        Raises:
            PluginError: there is no such kind, or the plugin is not usable.
        """
        loaded = self._loaded.get(kind)
        if loaded is None:
            loaded = self._loaded[kind] = self._load(kind, provenance_node)
        return loaded

    def nearest_kind(self, kind: str) -> str | None:
        """The known kind that KIND is most probably a slip for, None if it resembles none."""
        return nearest_word(kind, self._known_kinds(), cutoff=0.8)

    def loaded(self) -> list[LoadedPlugin]:
        """The kinds used so far, in the order of their first use."""
        return list(self._loaded.values())

    def locate_declared(self, kind: str) -> PluginLocation | None:
        """Where the plugin of KIND is, None if the project does not declare it; core kinds do not count.

        Raises:
            PluginError: the plugin is declared, but can't be found.
        """
        declaration = self._declarations.get(kind)
        if declaration is None:
            return None
        return declaration.origin.locate(self.plugin_type, kind)

    def _load(self, kind: str, provenance_node: Node) -> LoadedPlugin:
        location = self.locate_declared(kind)
        if location is not None:
            plugin_class = self._importer.load_class(location, kind)
            allow_deprecated = self._declarations[kind].allow_deprecated
            return LoadedPlugin(
                kind, plugin_class, location.defaults_path, location.display, allow_deprecated
            )
        if kind in _CORE_KINDS[self.plugin_type]:
            return self._load_core(kind)
        raise PluginError(
            f"{provenance_node.get_provenance()}: No {self.plugin_type.label} plugin "
            f"registered for kind '{kind}'",
            reason="plugin-not-found",
            detail=did_you_mean(kind, self._known_kinds()),
        )

    def _load_core(self, kind: str) -> LoadedPlugin:
        from importlib import import_module

        package = f"buildstream.plugins.{self.plugin_type.folder}"
        module = import_module(f"{package}.{kind}")
        plugin_class = check_plugin_class(module, self.plugin_type, kind)
        defaults = os.path.splitext(str(module.__file__))[0] + ".yaml"
        defaults_path = defaults if os.path.exists(defaults) else None
        return LoadedPlugin(kind, plugin_class, defaults_path, _CORE_DISPLAY, allow_deprecated=False)

    def _known_kinds(self) -> set[str]:
        return {*self._declarations, *_CORE_KINDS[self.plugin_type]} - {"workspace"}


def register_origins(
    project: PluginProject, origins: SequenceNode, registries: Mapping[PluginType, PluginRegistry]
) -> None:
    """Declares the kinds of ORIGINS, the list `plugins` of project.conf, in REGISTRIES.

    Raises:
        LoadError: a declaration is not valid.
        PluginError: two origins declare one kind.
    """
    for node in origins:
        if not isinstance(node, MappingNode):
            raise _not_a_plugin(node)
        origin = make_origin(project, node)
        allow_deprecated = node.get_bool("allow-deprecated", False)
        for plugin_type, registry in registries.items():
            for item in node.get_sequence(plugin_type.key, []):
                kind, allowed = _read_item(item, allow_deprecated=allow_deprecated)
                registry.register(origin, kind, allow_deprecated=allowed)


def _read_item(item: Node, *, allow_deprecated: bool) -> tuple[str, bool]:
    """(kind, whether it may be deprecated) of an item of a list of kinds."""
    if isinstance(item, ScalarNode):
        return item.as_str() or "", allow_deprecated
    if isinstance(item, MappingNode):
        item.validate_keys(["kind", "allow-deprecated"])
        return item.get_str("kind"), item.get_bool("allow-deprecated", allow_deprecated)
    raise _not_a_plugin(item)


def _not_a_plugin(node: Node) -> LoadError:
    return LoadError(
        f"{node.get_provenance()}: Plugin is not specified as a string or a dictionary",
        LoadErrorReason.INVALID_DATA,
    )
