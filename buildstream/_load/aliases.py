"""Aliases and mirrors of a project: from a URL to the addresses that may be tried."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from .._exceptions import LoadError
from ..exceptions import LoadErrorReason
from ..node import MappingNode, SequenceNode
from .variables import Variables

if TYPE_CHECKING:
    from .project import Project


class MirrorList:
    """One mirror of the kind `default`, or a plugin's mirror, as declared."""

    __slots__ = ("kind", "name", "node", "uris")

    def __init__(self, node: MappingNode) -> None:
        self.node = node
        self.kind: str = node.get_str("kind", "default")
        self.name: str = node.get_str("name")
        self.uris: Mapping[str, Sequence[str]] = {}
        if self.kind == "default":
            node.validate_keys(["name", "kind", "aliases"])
            aliases = node.get_mapping("aliases")
            self.uris = {alias: _uri_list(aliases, alias) for alias in aliases.keys()}
        else:
            node.validate_keys(["name", "kind", "config"])


def _uri_list(aliases: MappingNode, alias: str) -> list[str]:
    node = aliases.get_node(alias)
    if not isinstance(node, SequenceNode):
        raise LoadError(
            f"{node.get_provenance()}: The addresses of a mirror are given as a list",
            LoadErrorReason.INVALID_DATA,
        )
    return node.as_str_list()


class AliasTable:
    """Aliases and mirrors of one pass of a project, their variables expanded.

    Args:
        project: The owner; its settings say which policies apply.
        config: The composed project.conf.
        variables: The composed base variables.
    """

    def __init__(self, project: "Project", config: MappingNode, variables: MappingNode) -> None:
        scope = variables.clone()
        for name, directory in (
            ("project-root", project.directory),
            ("toplevel-root", project.toplevel.directory),
        ):
            scope[name] = directory
            scope[name + "-uri"] = "file://" + quote(directory)
        expansion = Variables(scope)
        self._project = project
        self._aliases = config.get_mapping("aliases", {}).clone()
        expansion.expand(self._aliases)
        self.mirrors, self.are_mirrors_users = self._read_mirrors(config, expansion)

    def _read_mirrors(self, config: MappingNode, expansion: Variables) -> tuple[list[MirrorList], bool]:
        override = self._project.override
        declared = override.mirrors
        is_users = declared is not None
        if declared is None:
            declared = config.get_sequence("mirrors", [], allowed_types=[MappingNode])
        mirrors = []
        for item in declared:
            node = item.clone()
            if not isinstance(node, MappingNode):
                raise LoadError(
                    f"{item.get_provenance()}: A mirror is declared as a dictionary",
                    LoadErrorReason.INVALID_DATA,
                )
            expansion.expand(node)
            mirrors.append(MirrorList(node))
        default = override.default_mirror
        if self._project.junction is None and self._project.settings.default_mirror:
            default = self._project.settings.default_mirror
        if default is not None:
            # a stable sort: the default mirror first, the others as declared
            mirrors.sort(key=lambda mirror: mirror.name != default)
        return mirrors, is_users

    def get(self, alias: str) -> str | None:
        """The address that ALIAS stands for, None if there is no such alias."""
        if alias not in self._aliases:
            return None
        return self._aliases.get_str(alias)

    def names(self) -> list[str]:
        """Every alias that is declared."""
        return self._aliases.keys()

    def uris(self, alias: str, *, tracking: bool) -> list[str]:
        """Addresses that the policy allows for ALIAS, in the order to be tried (format 2.7)."""
        settings = self._project.settings
        policy = settings.track_policy if tracking else settings.fetch_policy
        uris: list[str] = []
        if policy in ("all", "mirrors") or (policy == "user" and self.are_mirrors_users):
            for mirror in self.mirrors:
                uris.extend(mirror.uris.get(alias, ()))
        base = self.get(alias)
        if base is not None and policy in ("all", "aliases"):
            uris.append(base)
        return uris
