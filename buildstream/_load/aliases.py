"""Aliases and mirrors of a project: from a URL to the addresses that may be tried."""

from typing import TYPE_CHECKING

from .._exceptions import LoadError
from ..exceptions import LoadErrorReason
from ..node import MappingNode, ScalarNode
from .mirrors import make_mirror
from .variables import Variables

if TYPE_CHECKING:
    from ..sourcemirror import SourceMirror
    from .project import Project

# characters that are the same in a URL
_UNQUOTED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


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
            scope[name + "-uri"] = "file://" + _quoted(directory)
        self._project = project
        self._expansion = Variables(scope)
        self._aliases = config.get_mapping("aliases", {}).clone()
        self._expansion.expand(self._aliases)
        self._declared_mirrors = config.get_sequence("mirrors", [], allowed_types=[MappingNode])
        self._mirrors: list[SourceMirror] = []  # in the order to be tried

    def load_mirrors(self) -> None:
        """Makes the mirrors; until then there are none.

        Raises:
            LoadError: A declaration is not valid.
            PluginError: A plugin can't be loaded.
        """
        project = self._project
        override = project.override
        declared = self._declared_mirrors if override.mirrors is None else override.mirrors
        mirrors = []
        for item in declared:
            node = item.clone()
            if not isinstance(node, MappingNode):
                raise LoadError(
                    f"{item.get_provenance()}: A mirror is declared as a dictionary",
                    LoadErrorReason.INVALID_DATA,
                )
            self._expansion.expand(node)
            mirrors.append(make_mirror(project, node))
        default = override.default_mirror
        if project.junction is None and project.settings.default_mirror:
            default = project.settings.default_mirror
        if default is not None:
            # a stable sort: the default mirror first, the others as declared
            mirrors.sort(key=lambda mirror: mirror.name != default)
        self._mirrors = mirrors

    def get(self, alias: str) -> str | None:
        """The address that ALIAS stands for, None if there is no such alias."""
        if alias not in self._aliases:
            return None
        return self._aliases.get_str(alias)

    def node(self, alias: str) -> ScalarNode:
        """Where the address of ALIAS, which is declared, is written."""
        return self._aliases.get_scalar(alias)

    def names(self) -> list[str]:
        """Every alias that is declared."""
        return self._aliases.keys()

    def uris(self, alias: str, *, tracking: bool) -> "list[str | SourceMirror]":
        """Prefixes, or mirrors that make URLs, that the policy allows for ALIAS, in the order to be tried."""
        settings = self._project.settings
        policy = settings.track_policy if tracking else settings.fetch_policy
        are_mirrors_users = self._project.override.mirrors is not None
        uris: list[str | SourceMirror] = []
        if policy in ("all", "mirrors") or (policy == "user" and are_mirrors_users):
            for mirror in self._mirrors:
                uris.extend(mirror._get_alias_uris(alias))
        base = self.get(alias)
        if base is not None and policy in ("all", "aliases"):
            uris.append(base)
        return uris


def _quoted(path: str) -> str:
    """PATH as part of a URL; the module that can quote is imported only if it has to."""
    if _UNQUOTED.issuperset(path):
        return path
    from urllib.parse import quote

    return quote(path)
