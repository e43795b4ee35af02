"""bundle - several files, each from an address of its own

Configuration:

    urls: [files:one.txt, files:two.txt]   where the files are
    ref: [...]                             their checksums, written by `bst source track`
"""

import os
import re
import shutil
import urllib.request
from collections.abc import Iterable
from typing import Any

from buildstream import MappingNode, Source, SourceError, SourceFetcher, SourceRef, utils
from buildstream.source import AliasSubstitution


class BundleFetcher(SourceFetcher):
    """Downloads one of the files; mirrors of its alias are tried one after another."""

    def __init__(self, source: "BundleSource", url: str, checksum: str | None) -> None:
        super().__init__()
        self.source = source
        self.url = url
        self.checksum = checksum
        self.mark_download_url(url)

    def fetch(self, alias_override: AliasSubstitution | None = None, **_: Any) -> None:
        """Called once for each address, until it does not raise a SourceError."""
        found = self.source.download(self.url, alias_override)
        if found != self.checksum:
            raise SourceError(f"{self.source}: {self.url} has checksum {found}, not {self.checksum}")


class BundleSource(Source):
    """Keeps each file under its checksum in the mirror directory."""

    BST_MIN_VERSION = "2.0"

    def configure(self, node: MappingNode) -> None:
        node.validate_keys(["urls", "ref", *Source.COMMON_CONFIG_KEYS])
        self.urls = node.get_str_list("urls")
        for number, url in enumerate(self.urls):
            # one URL is the primary one; all others may have other aliases
            self.mark_download_url(url, primary=number == 0)
        self.load_ref(node)

    def preflight(self) -> None:
        pass

    def get_unique_key(self) -> Any:
        return [self.urls, self.checksums]

    def load_ref(self, node: MappingNode) -> None:
        self.checksums = node.get_str_list("ref", None)

    def get_ref(self) -> SourceRef:
        return self.checksums

    def set_ref(self, ref: SourceRef, node: MappingNode) -> None:
        assert isinstance(ref, list)  # what track() gives
        node["ref"] = self.checksums = ref

    def is_cached(self) -> bool:
        return all(os.path.exists(self._kept(checksum)) for checksum in self.checksums or ())

    def track(self, *, previous_sources_dir: str | None = None) -> SourceRef:
        with self.timed_activity("Looking for new files"):
            return [self.download(url, None) for url in self.urls]

    def get_source_fetchers(self) -> Iterable[SourceFetcher]:
        for url, checksum in zip(self.urls, self.checksums or (), strict=True):
            yield BundleFetcher(self, url, checksum)

    def stage(self, directory: str) -> None:
        for url, checksum in zip(self.urls, self.checksums or (), strict=True):
            name = re.split("[:/]", url)[-1]  # what follows the last folder, or the alias
            shutil.copyfile(self._kept(checksum), os.path.join(directory, name))

    def download(self, url: str, alias_override: AliasSubstitution | None) -> str:
        """Downloads URL, and gives the checksum under which it is kept then."""
        address = self.translate_url(url, alias_override=alias_override, primary=url == self.urls[0])
        # inside the mirror directory, so that renaming is all that is left to do
        with self.tempdir() as scratch:
            path = os.path.join(scratch, "file")
            try:
                # whatever scheme the project names
                with urllib.request.urlopen(address) as response, open(path, "wb") as file:  # noqa: S310
                    shutil.copyfileobj(response, file)
            except OSError as error:
                raise SourceError(f"{self}: Can't download {address}: {error}", temporary=True) from error
            checksum = utils.sha256sum(path)
            os.rename(path, self._kept(checksum))
        return checksum

    def _kept(self, checksum: str) -> str:
        return os.path.join(self.get_mirror_directory(), checksum)


def setup() -> type[Source]:
    """The class, for the plugin loader."""
    return BundleSource
