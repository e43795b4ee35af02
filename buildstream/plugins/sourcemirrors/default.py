"""default - prefixes of URLs to try instead of what an alias stands for

Configuration:

    name: mirror             name of the mirror
    aliases:
      alias: [https://...]   alias -> prefixes to try, in order
"""

from collections.abc import Sequence

from buildstream import MappingNode, SourceMirror


class DefaultSourceMirror(SourceMirror):
    """Replaces aliases by other prefixes."""

    def configure(self, node: MappingNode) -> None:
        node.validate_keys(["name", "kind", "aliases"])
        aliases = node.get_mapping("aliases")
        self._prefixes: dict[str, list[str]] = {
            alias: aliases.get_str_list(alias) for alias, _ in aliases.items()
        }
        self.set_supported_aliases(self._prefixes)

    def _get_alias_uris(self, alias: str) -> Sequence[str | SourceMirror]:
        return self._prefixes.get(alias, [])


def setup() -> type[SourceMirror]:
    """The class, for the plugin loader."""
    return DefaultSourceMirror
