"""The engine's side of a source plugin: aliases, mirrors, and capturing into the store."""

import os
from typing import TYPE_CHECKING, Any

from .._dataclass import dataclass
from .._model.digest import Digest
from .._utils_nearmiss import did_you_mean
from .._utils_url import split_alias
from ..node import MappingNode, ProvenanceInformation
from ..types import CoreWarnings
from .elementhost import BasePluginHost
from .services import Services

if TYPE_CHECKING:
    from ..source import AliasSubstitution, Source
    from ..storage import Directory
    from ..utils import FileListResult
    from .aliases import AliasTable
    from .project import JunctionLink, Project


@dataclass(frozen=True, slots=True)
class _AliasOwner:
    """What an alias means after all mapping by junctions."""

    project: "Project"
    alias: str  # in that project
    mapped_by: "JunctionLink | None"  # the last junction that mapped it
    mapped_alias: str  # what that junction mapped, or the alias itself


class SourceHost(BasePluginHost):
    """Implements `_hosts.SourceHost` for one source, or for one attempt with a forced address.

    Args:
        kind: The plugin's kind, which names its folder below the source directory.
        element_name: The owner's name in its project.
        source_provenance: The `provenance` mapping of the declaration.
        is_first_pass: Whether the owner is a junction.
        forced: (alias, substitution) of an attempt to download with one address of the alias.
    """

    def __init__(
        self,
        project: "Project",
        full_name: str,
        provenance: ProvenanceInformation,
        services: Services,
        *,
        kind: str,
        element_name: str,
        source_provenance: MappingNode | None,
        is_first_pass: bool,
        forced: "tuple[str, AliasSubstitution] | None" = None,
    ) -> None:
        super().__init__(project, full_name, provenance, services)
        self.kind = kind
        self.element_name = element_name
        self.source_provenance = source_provenance
        self.is_first_pass = is_first_pass
        self._forced = forced
        self._plugin: Source | None = None
        self._is_configured = False
        self._marked_urls: set[str] = set()
        self.primary_alias: str | None = None
        self._has_primary = False

    @property
    def _speaker(self) -> None:
        """Sources have no cache key that messages could show."""

    def attach(self, plugin: "Source") -> None:
        """Tells which plugin object this is the host of, before it is configured."""
        self._plugin = plugin

    def finish_configuring(self) -> None:
        """From here on, URLs with an alias must have been seen before."""
        self._is_configured = True

    @property
    def mirror_directory(self) -> str:
        directory = os.path.join(self.project.settings.source_directory, self.kind)
        if not os.path.isdir(directory):  # it is most often: each source asks
            os.makedirs(directory, exist_ok=True)
        return directory

    # capturing

    def digest_local(self, path: str, *, mtimes: bool) -> Digest:
        return self._services.digest_local(path, mtimes=mtimes)

    def store_local(self, digest: Digest, *, path: str, mtimes: bool) -> None:
        self._services.store_local(digest, path=path, mtimes=mtimes)

    def import_captured(
        self, directory: "Directory", digest: Digest, *, path: str, mtimes: bool
    ) -> "FileListResult":
        return self._services.import_captured(directory, digest, path=path, mtimes=mtimes)

    # URLs

    def mark_download_url(self, url: str, *, primary: bool) -> None:
        alias, _ = split_alias(url)
        if primary and self._forced is None:
            self._set_primary_alias(alias)
        if self._is_configured:
            assert alias is None or url in self._marked_urls, f"URL was not seen at configure time: {url}"
        else:
            self._marked_urls.add(url)
        if alias is None:
            assert self._plugin is not None
            brief = f"{self._plugin}: Use of unaliased source download URL: {url}"
            self._plugin.warn(brief, warning_token=CoreWarnings.UNALIASED_URL)
            return
        self._check_alias(alias, url)

    def used_aliases(self) -> set[str]:
        """The aliases of the URLs that the plugin has been configured with."""
        return {alias for alias, _ in map(split_alias, self._marked_urls) if alias is not None}

    def _set_primary_alias(self, alias: str | None) -> None:
        assert not self._has_primary or alias == self.primary_alias, "A source has one primary download URL"
        self._has_primary = True
        self.primary_alias = alias

    def _check_alias(self, alias: str, url: str) -> None:
        from ..source import SourceError

        owner = self._alias_owner(alias)
        table = self._table(owner.project)
        if table.get(owner.alias) is None:
            text = f"{self._plugin}: Invalid alias '{alias}' specified in URL: {url}"
            if owner.mapped_by is not None:
                text = (
                    f"junction element at {owner.mapped_by.provenance}: Mapped alias '{owner.alias}' "
                    f"for subproject alias '{owner.mapped_alias}' is invalid in the parent project"
                )
            raise SourceError(
                text,
                reason="invalid-source-alias",
                detail=did_you_mean(owner.alias, table.names()),
            )
        for tracking, word in ((False, "fetch"), (True, "tracking")):
            if not table.uris(owner.alias, tracking=tracking):
                raise SourceError(
                    f"{self._plugin}: No {word} URI found for alias '{alias}'",
                    reason="missing-source-alias-target",
                )

    def _table(self, project: "Project") -> "AliasTable":
        return project.pass_for(is_first_pass=self.is_first_pass).aliases

    def _alias_owner(self, alias: str) -> "_AliasOwner":
        """Where ALIAS is looked up: in a parent where the junction maps it."""
        from ..source import SourceError

        project = self.project
        mapped_by, mapped_alias = None, alias
        while project.junction is not None:
            junction = project.junction
            mapped = junction.parent_alias(alias)
            if mapped is None:
                if junction.parent.disallows_subproject_uris:
                    raise SourceError(
                        f"{self._plugin}: No alias mapping for subproject alias '{alias}'",
                        reason="missing-alias-mapping",
                        detail=f"Map it with 'aliases' in the junction element at {junction.provenance}.",
                    )
                break
            mapped_by, mapped_alias = junction, alias
            project, alias = junction.parent, mapped
        return _AliasOwner(project, alias, mapped_by, mapped_alias)

    def substitutions(self, alias: str | None, *, tracking: bool) -> "list[AliasSubstitution | None]":
        """What replaces ALIAS in each attempt, in order; [None] if there is nothing to substitute."""
        from ..source import AliasSubstitution

        if alias is None:
            return [None]
        owner = self._alias_owner(alias)
        table = self._table(owner.project)
        if table.get(owner.alias) is None:
            return [None]
        own = self._table(self.project).get(alias) or ""
        return [
            AliasSubstitution(uri, owner.alias, own) for uri in table.uris(owner.alias, tracking=tracking)
        ]

    def translate_url(
        self,
        url: str,
        *,
        alias_override: "AliasSubstitution | None",
        primary: bool,
        suffix: str | None,
        extra_data: dict[str, Any] | None,
    ) -> str:
        self.mark_download_url(url, primary=primary)
        if suffix:
            url += suffix
        alias, rest = split_alias(url)
        if self._forced is not None:
            if alias != self._forced[0]:
                return url
            return self._forced[1].translate(rest, extra_data)
        if alias_override is not None:
            return alias_override.translate(rest, extra_data)
        if alias is None:
            # a scheme that the project uses as the name of an alias is substituted all the same
            alias, separator, rest = url.partition(":")
            if not separator:
                return url
        if self._table(self.project).get(alias) is None:
            # also if a parent maps the alias: it only replaces what the project defines
            return url
        owner = self._alias_owner(alias)
        base = self._table(owner.project).get(owner.alias)
        return url if base is None else base + rest
