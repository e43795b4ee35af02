"""text - a small file whose text is in the declaration

Configuration:

    filename: motd.txt   the name of the file
    text: Welcome        its one line
"""

import os
from typing import Any

from buildstream import MappingNode, Source, SourceError, SourceRef


class TextSource(Source):
    """Stages a file that is made on the spot."""

    BST_MIN_VERSION = "2.0"

    def configure(self, node: MappingNode) -> None:
        node.validate_keys(["filename", "text", *Source.COMMON_CONFIG_KEYS])
        self.filename = node.get_str("filename")
        self.text = node.get_str("text")
        if os.sep in self.filename:
            place = node.get_scalar("filename").get_provenance()
            raise SourceError(f"{place}: The name of the file must not have a directory")

    def preflight(self) -> None:
        pass

    def get_unique_key(self) -> Any:
        return [self.filename, self.text]

    # the text is all there is: no reference, nothing to download

    def load_ref(self, node: MappingNode) -> None:
        pass

    def get_ref(self) -> SourceRef:
        return None

    def set_ref(self, ref: SourceRef, node: MappingNode) -> None:
        pass

    def is_resolved(self) -> bool:
        return True

    def is_cached(self) -> bool:
        return True

    def fetch(self, *, previous_sources_dir: str | None = None) -> None:
        pass

    def stage(self, directory: str) -> None:
        with open(os.path.join(directory, self.filename), "w", encoding="utf-8") as file:
            file.write(f"{self.text}\n")


def setup() -> type[Source]:
    """The class, for the plugin loader."""
    return TextSource
