"""What the engine knows of an element while a command runs.

Records are changed in the main thread only, except for the run-time public
data: the job that builds the element changes it, and whoever first asks for
that of a cached element loads it.
"""

from enum import Enum
from typing import TYPE_CHECKING

from .._dataclass import dataclass
from .._keys.elementkeys import ElementKeys
from .._load.resolved import ResolvedElement
from .._model.message import ElementLabel

if TYPE_CHECKING:
    from ..node import MappingNode
    from .artifactview import ArtifactView

UNKNOWN_KEY = "?" * 64


class ArtifactState(Enum):
    """What the local cache holds for an element."""

    UNKNOWN = "unknown"  # not looked up yet, or no key to look it up by
    MISSING = "missing"
    CACHED = "cached"  # complete, and the build succeeded
    FAILED = "failed"  # complete, and the build failed


class SourceState(Enum):
    """What the local cache holds of an element's sources."""

    UNKNOWN = "unknown"
    STAGED = "staged"  # the tree of all sources is in the store
    FETCHED = "fetched"  # every original is there, but not staged into the store
    MISSING = "missing"  # something has to be fetched


@dataclass(slots=True, eq=False)
class ElementRecord:
    """The state of one element."""

    element: ResolvedElement
    keys: ElementKeys
    strong_key: str | None = None
    artifact_state: ArtifactState = ArtifactState.UNKNOWN
    artifact: "ArtifactView | None" = None  # set in the states CACHED and FAILED
    source_state: SourceState = SourceState.UNKNOWN
    is_required: bool = False  # whether its artifact is wanted
    is_scheduled: bool = False  # whether it is going to be built
    is_pull_pending: bool = False  # whether remotes are still to be asked for its artifact
    _label: ElementLabel | None = None  # the last one, as long as the key is the same
    # run-time public data: while it is being built as the plugin changes it, else as the artifact recorded it
    dynamic_public: "MappingNode | None" = None

    @property
    def is_cached(self) -> bool:
        """Whether a successful artifact is in the local cache."""
        return self.artifact_state is ArtifactState.CACHED

    @property
    def label(self) -> ElementLabel:
        """How messages name the element."""
        key = self.strong_key
        if self._label is not None and self._label.key == (key or UNKNOWN_KEY):
            return self._label
        self._label = ElementLabel(
            self.element.full_name, key or UNKNOWN_KEY, key is not None and key == self.keys.strict
        )
        return self._label
