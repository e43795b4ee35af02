"""What a load depends on besides the files of the project."""

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from .._dataclass import dataclass

if TYPE_CHECKING:
    from ..node import MappingNode, SequenceNode


@dataclass(frozen=True, slots=True)
class ProjectOverride:
    """What the user configuration says of one project, by its name."""

    options: "MappingNode | None" = None
    mirrors: "SequenceNode | None" = None  # replaces the project's list, also when empty
    default_mirror: str | None = None


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """Everything outside a project's files that loading depends on."""

    max_jobs: int  # value of the variable max-jobs
    source_directory: str  # absolute; plugins keep what they download below it
    cli_options: tuple[tuple[str, str], ...] = ()  # -o NAME VALUE, for the toplevel project only
    default_mirror: str | None = None  # --default-mirror, for the toplevel project only
    fetch_policy: str = "all"  # all, aliases, mirrors or user
    track_policy: str = "aliases"
    overrides: Mapping[str, ProjectOverride] = field(default_factory=dict)  # by project name
    host_environment: Mapping[str, str] = field(default_factory=dict)  # expands shell settings
    # may change the content of element files and of project.conf, as they were read, in place
    amend: "Callable[[MappingNode], object]" = lambda _tree: None
