"""What the front end may know of one element: for `show`, headings and summaries."""

from collections.abc import Callable
from enum import Enum

from .._dataclass import dataclass
from .message import ElementLabel


class DisplayState(Enum):
    """The state of an element as it is shown; the value is the text."""

    NO_REFERENCE = "no reference"
    JUNCTION = "junction"
    WAITING = "waiting"
    FAILED = "failed"
    CACHED = "cached"
    FETCH_NEEDED = "fetch needed"
    BUILDABLE = "buildable"
    AVAILABLE = "available"  # a remote has the artifact
    NOT_CACHED = "not cached"  # neither here nor in a remote


def _waiting() -> DisplayState:
    return DisplayState.WAITING


def _empty_text() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class ElementView:
    """One element, as values; what costs something is a function, called only if it is shown.

    The functions that give YAML give the text of a dump, which ends with a line break.
    """

    name: str  # full name, with the junctions
    kind: str
    label: Callable[[], ElementLabel]  # the key to show, and whether it is the strict key
    state: Callable[[], DisplayState] = _waiting
    description: str = ""
    workspace_directory: str | None = None  # absolute; None if no workspace is open
    config: Callable[[], str] = _empty_text  # YAML
    variables: Callable[[], str] = _empty_text  # YAML mapping
    environment: Callable[[], str] = _empty_text  # YAML mapping
    public: Callable[[], str] = _empty_text  # YAML
    dependencies: Callable[[], str] = _empty_text  # YAML list of full names: build, then run time only
    build_dependencies: Callable[[], str] = _empty_text  # YAML list of full names
    runtime_dependencies: Callable[[], str] = _empty_text  # YAML list of full names
    source_info: Callable[[], str] = _empty_text  # YAML list of mappings
    artifact_cas_digest: Callable[[], str] = _empty_text  # HASH/SIZE of the files; empty if not cached
