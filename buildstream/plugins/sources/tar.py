"""tar - a downloaded archive

Configuration, besides that of DownloadableFileSource:

    base-dir: '*'   glob for the directory of the archive to stage, the first in
                    order of names; "" for the whole archive

Archives compressed with lzip, told by a URL that ends in `.lz`, need the host tool `lzip`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from buildstream import DownloadableFileSource, MappingNode, Source, SourceError, utils

if TYPE_CHECKING:
    import tarfile


class TarSource(DownloadableFileSource):
    """Stages the content of an archive."""

    BST_MIN_VERSION = "2.0"

    def configure(self, node: MappingNode) -> None:
        super().configure(node)
        node.validate_keys(["base-dir", *DownloadableFileSource.COMMON_CONFIG_KEYS])
        self.base_dir: str = node.get_str("base-dir", "*")
        self.is_lzip: bool = self.url.endswith(".lz")

    def preflight(self) -> None:
        if self.is_lzip:
            utils.get_host_tool("lzip")

    def get_unique_key(self) -> Any:
        return [*super().get_unique_key(), self.base_dir]

    def stage(self, directory: str) -> None:
        import lzma
        import tarfile
        import zlib

        from ._tar_extraction import BaseDirectoryNotFound, OutsideStagingArea, TarExtraction

        try:
            with self._open_archive() as archive:
                TarExtraction(archive, directory, utils.get_umask()).extract(self.base_dir)
        except BaseDirectoryNotFound as error:
            raise SourceError(
                f"{self}: Could not find base directory matching pattern: {self.base_dir}"
            ) from error
        except OutsideStagingArea as error:
            raise SourceError(
                f"{self}: Tarfile attempts to extract outside the staging area: {error.path} -> {error.final}"
            ) from error
        # whatever bytes an archive may hold: a bad stream, names with zeros, links to nothing or in circles
        except (
            tarfile.TarError,
            lzma.LZMAError,
            zlib.error,
            EOFError,
            KeyError,
            OSError,
            OverflowError,
            RecursionError,
            ValueError,
        ) as error:
            raise SourceError(f"{self}: Error staging source: {error}") from error

    @contextmanager
    def _open_archive(self) -> Iterator["tarfile.TarFile"]:
        import tarfile

        if not self.is_lzip:
            with tarfile.open(self._get_mirror_file()) as archive:
                yield archive
            return
        with self.tempdir() as directory:
            plain = os.path.join(directory, "archive.tar")
            with open(self._get_mirror_file(), "rb") as packed, open(plain, "wb") as unpacked:
                self.call(
                    [utils.get_host_tool("lzip"), "-d"],
                    stdin=packed,
                    stdout=unpacked,
                    fail=f"Failed to decompress {self.url}",
                )
            with tarfile.open(plain, mode="r:") as archive:
                yield archive


def setup() -> type[Source]:
    """The class, for the plugin loader."""
    return TarSource
