"""Where a source comes from: what `buildstream.source` gives to plugins to tell it."""

from typing import TYPE_CHECKING

from .types import FastEnum

if TYPE_CHECKING:
    from .node import MappingNode


class SourceInfoMedium(FastEnum):
    """How a source is obtained."""

    WORKSPACE = "workspace"
    """An open workspace."""

    LOCAL = "local"
    """Files of the project."""

    REMOTE_FILE = "remote-file"
    """One downloaded file."""

    GIT = "git"
    """A git repository."""

    BAZAAR = "bzr"
    """A Bazaar repository."""

    OCI_IMAGE = "oci-image"
    """An image of a container registry."""

    PYTHON_PACKAGE_INDEX = "pypi"
    """A package of a Python package index."""


class SourceVersionType(FastEnum):
    """What the version of a source is."""

    COMMIT = "commit"
    """The commit of a version control system."""

    SHA256 = "sha256"
    """The SHA-256 of a file."""

    CAS_DIGEST = "cas-digest"
    """The digest of a directory in the content store, as `{hash}/{size}`."""

    OCI_DIGEST = "oci-digest"
    """The digest of a container image."""

    INDEXED_VERSION = "indexed-version"
    """A version as the package index numbers it."""


class SourceInfo:
    """Where a source comes from; made by `Source.create_source_info()`."""

    def __init__(  # noqa: PLR0917  # a given signature
        self,
        kind: str,
        url: str,
        homepage: str | None,
        issue_tracker: str | None,
        provenance: "MappingNode | None",
        medium: SourceInfoMedium | str,
        version_type: SourceVersionType | str,
        version: str,
        *,
        version_guess: str | None = None,
        extra_data: dict[str, str] | None = None,
    ) -> None:
        self.kind = kind
        """The kind of the source plugin."""

        self.url = url
        """Where it is downloaded from."""

        self.homepage = homepage
        """Home page of the project that makes it."""

        self.issue_tracker = issue_tracker
        """Issue tracker of the project that makes it."""

        self.provenance = provenance
        """The `provenance` that was declared."""

        self.medium = medium
        """How it is obtained."""

        self.version_type = version_type
        """What `version` is."""

        self.version = version
        """Identifies the exact content."""

        self.version_guess = version_guess
        """What a person would call the version."""

        self.extra_data = extra_data
        """What else the plugin has to say."""

    def serialize(self) -> dict[str, str | dict[str, str]]:
        """The information as a dictionary of text, in a fixed order."""
        result: dict[str, str | dict[str, str]] = {"kind": self.kind, "url": self.url}
        if self.homepage is not None:
            result["homepage"] = self.homepage
        if self.issue_tracker is not None:
            result["issue-tracker"] = self.issue_tracker
        if self.provenance is not None:
            result["provenance"] = self.provenance.strip_node_info()
        result["medium"] = str(self.medium)
        result["version-type"] = str(self.version_type)
        result["version"] = self.version
        if self.version_guess is not None:
            result["version-guess"] = self.version_guess
        if self.extra_data:
            result["extra-data"] = self.extra_data
        return result
