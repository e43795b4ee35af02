"""The base of source plugins."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from ._dataclass import dataclass
from ._exceptions import BstError, ImplError, LoadError
from ._source_info import SourceInfo, SourceInfoMedium, SourceVersionType
from ._utils_atomic import temporary_directory
from ._utils_url import split_alias
from .exceptions import ErrorDomain, LoadErrorReason
from .plugin import Plugin
from .types import CoreWarnings, SourceRef

if TYPE_CHECKING:
    from ._hosts import SourceHost
    from .node import MappingNode
    from .sourcemirror import SourceMirror
    from .storage import Directory

__all__ = [
    "AliasSubstitution",
    "Source",
    "SourceError",
    "SourceFetcher",
    "SourceInfo",
    "SourceInfoMedium",
    "SourceVersionType",
]


class SourceError(BstError):
    """Raised by source plugins for anything that makes the source fail.

    Args:
        message: What happened.
        detail: Further lines.
        reason: An identifier for tests and tools.
        temporary: Whether trying again might help.
    """

    default_domain = ErrorDomain.SOURCE

    def __init__(
        self, message: str, *, detail: str | None = None, reason: object = None, temporary: bool = False
    ) -> None:
        super().__init__(message, detail=detail, reason=reason, temporary=temporary)


@dataclass(frozen=True, slots=True)
class AliasSubstitution:
    """What replaces an alias for one attempt to download; plugins only hand it on.

    Args:
        target: A prefix of URLs, or the mirror that makes the URL.
        alias: The alias as the mirror knows it.
        alias_url: What the project says the alias of the source stands for.
    """

    target: "str | SourceMirror"
    alias: str = ""
    alias_url: str = ""

    def translate(self, source_url: str, extra_data: dict[str, Any] | None) -> str:
        """The URL to download; SOURCE_URL is what follows the alias.  For the core."""
        if isinstance(self.target, str):
            return self.target + source_url
        return self.target.translate_url(
            alias=self.alias, alias_url=self.alias_url, source_url=source_url, extra_data=extra_data
        )


class SourceFetcher:
    """Downloads one of the things that a source is made of; sources with several URLs have several."""

    def __init__(self) -> None:
        # Name-mangled: plugins have private names of their own.
        self.__alias: str | None = None

    def fetch(self, alias_override: AliasSubstitution | None = None, **kwargs: Any) -> None:
        """Downloads, to a place where the source finds it.

        Args:
            alias_override: To be given to `Source.translate_url()`.

        Raises:
            SourceError: The download failed.
        """
        raise ImplError(f"SourceFetcher '{type(self)}' does not implement fetch()")

    def get_source_info(self) -> SourceInfo | None:
        """Where it comes from, None if that can't be told."""
        return None

    def mark_download_url(self, url: str) -> None:
        """Says which URL is going to be downloaded, so that mirrors of its alias are tried."""
        self.__alias = split_alias(url)[0]

    def _get_alias(self) -> str | None:
        """The alias of the URL, None without one."""
        return self.__alias


class Source(Plugin):
    """Base of source plugins: tracks, fetches and stages what elements are built from."""

    BST_REQUIRES_PREVIOUS_SOURCES_TRACK: bool = False
    """Whether `track()` needs the sources that come before this one."""

    BST_REQUIRES_PREVIOUS_SOURCES_FETCH: bool = False
    """Whether `fetch()` needs the sources that come before this one."""

    BST_REQUIRES_PREVIOUS_SOURCES_STAGE: bool = False
    """Whether `stage()` works on the sources that come before this one."""

    BST_STAGE_VIRTUAL_DIRECTORY: bool = False
    """Whether `stage_directory()` is called instead of `stage()`."""

    BST_CUSTOM_SOURCE_PROVENANCE: bool = False
    """Whether the plugin reads provenance itself; `provenance` of the declaration is an error then."""

    COMMON_CONFIG_KEYS: ClassVar[list[str]] = ["kind", "directory", "provenance"]
    """The keys that every source accepts, for `validate_keys()`."""

    _type_name = "source"
    _host: "SourceHost"

    def __init__(self, host: "SourceHost", name: str) -> None:
        super().__init__(host, name)

    # to be implemented by plugins

    def load_ref(self, node: "MappingNode") -> None:
        """Reads the reference from NODE, as `configure()` does from the declaration."""
        raise self._unimplemented("load_ref")

    def get_ref(self) -> SourceRef:
        """The reference, None if the source has none."""
        raise self._unimplemented("get_ref")

    def set_ref(self, ref: SourceRef, node: "MappingNode") -> None:
        """Takes REF, which `track()` gave, and writes it into NODE too."""
        raise self._unimplemented("set_ref")

    def is_resolved(self) -> bool:
        """Whether the source says exactly what its content is: by default, whether it has a reference."""
        return self.get_ref() is not None

    def is_cached(self) -> bool:
        """Whether what `fetch()` would download is there; only asked if the source is resolved."""
        raise self._unimplemented("is_cached")

    def track(self, *, previous_sources_dir: str | None = None) -> SourceRef:
        """Finds the newest reference, without changing this object.

        Args:
            previous_sources_dir: The earlier sources, staged, if the plugin requires them.

        Returns:
            The reference; None if the source has nothing to track.
        """
        return None

    def fetch(self, *, previous_sources_dir: str | None = None) -> None:
        """Downloads what the reference says; not called for a source with fetchers.

        Args:
            previous_sources_dir: The earlier sources, staged, if the plugin requires them.

        Raises:
            SourceError: The download failed, or gave something else.
        """
        raise self._unimplemented("fetch")

    def stage(self, directory: str) -> None:
        """Puts the content into the host directory DIRECTORY, which exists."""
        raise self._unimplemented("stage")

    def stage_directory(self, directory: "Directory") -> None:
        """Puts the content into DIRECTORY; only with BST_STAGE_VIRTUAL_DIRECTORY."""
        raise self._unimplemented("stage_directory")

    def init_workspace(self, directory: str) -> None:
        """Puts the content into a new workspace, by default the same as `stage()` does."""
        self.stage(directory)

    def init_workspace_directory(self, directory: "Directory") -> None:
        """Puts the content into a new workspace, by default the same as `stage_directory()` does."""
        self.stage_directory(directory)

    def get_source_fetchers(self) -> Iterable[SourceFetcher]:
        """The fetchers, for a source that downloads from several URLs.

        May be a generator: a fetcher is asked for after the one before it has fetched.
        """
        return []

    def validate_cache(self) -> None:
        """Checks what was fetched, before it is staged."""

    def collect_source_info(self) -> Iterable[SourceInfo] | None:
        """Where the source comes from, by default what its fetchers say."""
        infos = [
            info for fetcher in self.get_source_fetchers() if (info := fetcher.get_source_info()) is not None
        ]
        if infos:
            return infos
        self.warn(
            f"{self}: Source.collect_source_info() is not implemented in this plugin",
            warning_token=CoreWarnings.UNAVAILABLE_SOURCE_INFO,
        )
        return None

    # for plugins to call

    def get_mirror_directory(self) -> str:
        """The directory where sources of this kind keep what they download; it exists."""
        return self._host.mirror_directory

    def get_project_directory(self) -> str:
        """The directory of the project that declares the source."""
        return self._host.project.directory

    @contextmanager
    def tempdir(self) -> Iterator[str]:
        """Gives a new directory inside the mirror directory, removed at the end."""
        with temporary_directory(self.get_mirror_directory()) as directory:
            yield directory

    def translate_url(
        self,
        url: str,
        *,
        alias_override: AliasSubstitution | None = None,
        primary: bool = True,
        suffix: str | None = None,
        extra_data: dict[str, Any] | None = None,
    ) -> str:
        """The address to download from: URL with its alias replaced, by that of a mirror where one is tried.

        Args:
            alias_override: What `SourceFetcher.fetch()` was given.
            primary: Whether this is the main URL of the source.
            suffix: To be appended to URL before it is translated.
            extra_data: Filled by mirror plugins with hints on how to download.
        """
        return self._host.translate_url(
            url, alias_override=alias_override, primary=primary, suffix=suffix, extra_data=extra_data
        )

    def mark_download_url(self, url: str, *, primary: bool = True) -> None:
        """Says that URL may be downloaded; to be called in `configure()` unless `translate_url()` is.

        Args:
            primary: Whether this is the main URL of the source.
        """
        self._host.mark_download_url(url, primary=primary)

    def create_source_info(
        self,
        url: str,
        medium: SourceInfoMedium | str,
        version_type: SourceVersionType | str,
        version: str,
        *,
        version_guess: str | None = None,
        extra_data: dict[str, str] | None = None,
        provenance_node: "MappingNode | None" = None,
    ) -> SourceInfo:
        """Information on where the source comes from.

        Args:
            url: Where it is downloaded from.
            medium: How it is obtained.
            version_type: What `version` is.
            version: Identifies the exact content.
            version_guess: What a person would call the version.
            extra_data: What else there is to say.
            provenance_node: The provenance, by default the `provenance` of the declaration.

        Raises:
            LoadError: The provenance has a key that the project does not know, or a value that is no text.
        """
        provenance = provenance_node
        if provenance is None:
            provenance = self._host.source_provenance
        else:
            self._check_provenance(provenance)
        homepage: str | None = None
        issue_tracker: str | None = None
        if provenance is not None:
            homepage = provenance.get_str("homepage", None)
            issue_tracker = provenance.get_str("issue-tracker", None)
        return SourceInfo(
            self.get_kind(),
            url,
            homepage,
            issue_tracker,
            provenance,
            medium,
            version_type,
            version,
            version_guess=version_guess,
            extra_data=extra_data,
        )

    # for the core

    def _check_provenance(self, provenance: "MappingNode") -> None:
        """Checks that the project defines each key of PROVENANCE, and that the values are text."""
        attributes = self._host.project.source_provenance_attributes
        for key, value in provenance.items():
            if key not in attributes:
                raise LoadError(
                    f"{value.get_provenance()}: Unknown source provenance attribute: {key}",
                    LoadErrorReason.UNDEFINED_SOURCE_PROVENANCE_ATTRIBUTE,
                    detail="The project defines: " + ", ".join(attributes.keys()),
                )
            provenance.get_scalar(key)

    def _get_local_path(self) -> str | None:
        """The absolute path of what a junction may use in place, None if it has to be staged."""
        return None

    def _note_fetched(self, fetcher: "Source") -> None:
        """Told that FETCHER, this source or a clone of it for another address, has just fetched."""

    def _store_local_files(self) -> None:
        """Stores the files of this machine that the key was made of, as they may change before staging."""

    def _unimplemented(self, method: str) -> ImplError:
        return ImplError(f"Source plugin '{self.get_kind()}' does not implement {method}()")
