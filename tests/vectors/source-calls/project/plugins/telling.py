"""A mirror that writes down what it is asked for."""

from typing import Any

from buildstream import SourceMirror

from ._calls import note


class TellingMirror(SourceMirror):
    """Makes addresses that no source can be fetched from."""

    BST_MIN_VERSION = "2.2"

    def configure(self, node: Any) -> None:
        node.validate_keys(["aliases"])
        self.set_supported_aliases(node.get_str_list("aliases"))

    def translate_url(self, *, alias: str, alias_url: str, source_url: str, extra_data: Any) -> str:
        note(str(self), alias, alias_url, source_url, extra_data)
        if extra_data is not None:
            extra_data["http-auth"] = "bearer"
        return f"told://FAIL/{source_url}"


def setup() -> type[SourceMirror]:
    return TellingMirror
