"""dated - a mirror that keeps a folder for each day

Configuration:

    alias: files                       which alias it is a mirror of
    folder: file:///srv/mirror         where it is
    day: 2024-01-01                    which day is wanted
"""

from typing import Any

from buildstream import MappingNode, SourceMirror


class DatedMirror(SourceMirror):
    """Makes addresses that a list of beginnings could not give."""

    BST_MIN_VERSION = "2.2"

    def configure(self, node: MappingNode) -> None:
        node.validate_keys(["alias", "folder", "day"])
        self.folder = node.get_str("folder")
        self.day = node.get_str("day")
        self.set_supported_aliases([node.get_str("alias")])

    def translate_url(
        self, *, alias: str, alias_url: str, source_url: str, extra_data: dict[str, Any] | None
    ) -> str:
        return f"{self.folder}/{self.day}/{source_url}"


def setup() -> type[SourceMirror]:
    """The class, for the plugin loader."""
    return DatedMirror
