"""gunzip - a file that is downloaded compressed, and staged as it was before

Configuration, besides that of all sources which download one file:

    filename: greeting.txt   the name of the file; by default the last part of the URL, without `.gz`
"""

import gzip
import os
import shutil
from typing import Any

from buildstream import DownloadableFileSource, MappingNode, Source, SourceError


class GunzipSource(DownloadableFileSource):
    """Downloads, tracks and keeps what it downloads as its base does; only staging is its own."""

    BST_MIN_VERSION = "2.0"

    def configure(self, node: MappingNode) -> None:
        super().configure(node)
        node.validate_keys(["filename", *DownloadableFileSource.COMMON_CONFIG_KEYS])
        default = os.path.basename(self.url).removesuffix(".gz")
        self.filename = node.get_str("filename", default)

    def get_unique_key(self) -> Any:
        # with all that changes what is staged
        return [*super().get_unique_key(), self.filename]

    def stage(self, directory: str) -> None:
        target = os.path.join(directory, self.filename)
        try:
            with gzip.open(self._get_mirror_file()) as packed, open(target, "wb") as file:
                shutil.copyfileobj(packed, file)
        except OSError as error:
            raise SourceError(f"{self}: Can't unpack {self.url}: {error}") from error


def setup() -> type[Source]:
    """The class, for the plugin loader."""
    return GunzipSource
