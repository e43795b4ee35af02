"""A source that writes down how it is used; `mode` says how it behaves."""

import os
from typing import Any

from buildstream import Source, SourceError, SourceFetcher, SourceInfoMedium, SourceVersionType

from ._calls import note


class NotingFetcher(SourceFetcher):
    """Fetches nothing, and fails where the address says so."""

    def __init__(self, source: "NotingSource", url: str, *, is_primary: bool) -> None:
        super().__init__()
        self._source, self._url, self._is_primary = source, url, is_primary
        self.mark_download_url(url)

    def fetch(self, alias_override: Any = None, **kwargs: Any) -> None:
        extra_data: dict[str, Any] = {}
        url = self._source.translate_url(
            self._url,
            alias_override=alias_override,
            primary=self._is_primary,
            suffix="/suffix",
            extra_data=extra_data,
        )
        note(self._source.name, "fetcher", self._url, url, extra_data, type(alias_override).__name__, kwargs)
        if "FAIL" in url:
            raise SourceError(f"no {url}")


class NotingSource(Source):
    """Fetches an empty file that is named like the ref."""

    BST_MIN_VERSION = "2.0"

    def configure(self, node: Any) -> None:
        node.validate_keys(["url", "ref", "mode", "extra", *Source.COMMON_CONFIG_KEYS])
        self.original_url = node.get_str("url")
        self.ref = node.get_str("ref", None)
        self.mode = node.get_str("mode", "")
        self.extra = node.get_str_list("extra", [])
        extra_data: dict[str, Any] = {}
        if "mark" in self.mode:
            self.url = None
            self.mark_download_url(self.original_url)
        else:
            self.url = self.translate_url(self.original_url, extra_data=extra_data)
        for url in self.extra:
            self.mark_download_url(url, primary=False)
        directories = [self.get_mirror_directory(), self.get_project_directory()]
        note(self.name, "configure", self.original_url, self.url, extra_data, self.ref, *directories)

    def preflight(self) -> None:
        note(self.name, "preflight")
        if "refuse" in self.mode:
            raise SourceError("refused", detail="detail", reason="refusal")

    def get_unique_key(self) -> Any:
        return [self.original_url, self.ref, {"tuple": (1, None, True)}]

    def load_ref(self, node: Any) -> None:
        self.ref = node.get_str("ref", None)
        note(self.name, "load_ref", self.ref)

    def get_ref(self) -> Any:
        return self.ref

    def set_ref(self, ref: Any, node: Any) -> None:
        note(self.name, "set_ref", ref, node.strip_node_info())
        node["ref"] = self.ref = ref

    def is_cached(self) -> bool:
        return os.path.exists(self._file)

    @property
    def _file(self) -> str:
        return os.path.join(self.get_mirror_directory(), f"file-{self.ref}")

    def track(self) -> Any:
        note(self.name, "track", self.url, self.ref)
        if "untrackable" in self.mode:
            raise SourceError(f"can't track {self.url}")
        return None if "constant" in self.mode else f"of-{os.path.basename(self.translate_url(self.original_url))}"

    def fetch(self) -> None:
        extra = [self.translate_url(url, primary=False) for url in self.extra]
        note(self.name, "fetch", self.url, extra, self.ref)
        if "FAIL" in str(self.url):
            raise SourceError(f"no {self.url}")
        self._make_file()

    def _make_file(self) -> None:
        with self.tempdir() as directory:
            note(self.name, "tempdir", os.path.dirname(directory) == self.get_mirror_directory())
        with open(self._file, "w", encoding="utf-8"):
            pass

    def get_source_fetchers(self) -> Any:
        return self._fetchers() if "fetchers" in self.mode else []

    def _fetchers(self) -> Any:
        yield NotingFetcher(self, self.original_url, is_primary=True)
        note(self.name, "between fetchers")
        for url in self.extra:
            yield NotingFetcher(self, url, is_primary=False)
        self._make_file()

    def validate_cache(self) -> None:
        note(self.name, "validate_cache")

    def stage(self, directory: str) -> None:
        note(self.name, "stage", sorted(os.listdir(directory)))
        with open(os.path.join(directory, f"file-{self.ref}"), "w", encoding="utf-8"):
            pass

    def collect_source_info(self) -> Any:
        return [
            self.create_source_info(
                self.url or "-",
                SourceInfoMedium.GIT,
                SourceVersionType.COMMIT,
                self.ref or "",
                version_guess="1.2",
                extra_data={"b": "1", "a": "2"},
            ),
            self.create_source_info("elsewhere", "custom", "own", "x"),
        ]


def setup() -> type[Source]:
    return NotingSource
