"""Why elements are built: values that `bst why` makes and the front end shows."""

from enum import Enum

from .._dataclass import dataclass
from .problem import Place


class CauseKind(Enum):
    """What made a build necessary in the first place."""

    CHANGED = "changed"  # something that enters the key: see the changes
    NEVER_BUILT = "never-built"  # in this cache directory
    NOT_CACHED = "not-cached"  # it was built with the same key, but the artifact is gone
    FAILED = "failed"  # the failure of its build is cached
    UNKNOWN = "unknown"  # the key is another one, but what entered the old one is not known


class Subject(Enum):
    """What kind of thing changed."""

    VARIABLE = "variable"
    SOURCE = "source"
    CONFIGURATION = "configuration"
    ENVIRONMENT = "environment"
    PUBLIC = "public"
    SANDBOX = "sandbox"
    DEPENDENCY = "dependency"
    PLUGIN = "plugin"
    PROJECT = "project"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that enters a key and is not what it was."""

    subject: Subject
    name: str  # of the variable, path of the key, ...
    old: str | None  # None: was not there
    new: str | None  # None: is not there any more
    place: Place | None = None  # where the new value is written, or what is nearest to it


@dataclass(frozen=True, slots=True)
class Cause:
    """A first cause: nothing that its elements are built with made the build necessary."""

    kind: CauseKind
    changes: tuple[Change, ...]  # of the kind CHANGED
    elements: tuple[str, ...]  # full names of those that it concerns itself, in staging order
    touched: int  # other elements with another key because of it


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one target is, or was, built."""

    element: str
    is_cached: bool
    # from the target down to the element that the cause concerns, full names
    chain: tuple[str, ...]
    cause: Cause | None  # None if it is cached and was built once only
    built_s: float | None  # when what it is compared with was built, seconds since the epoch


@dataclass(frozen=True, slots=True)
class WhyReport:
    """The answer for some targets."""

    explanations: tuple[Explanation, ...]  # one a target
    causes: tuple[Cause, ...]  # of all that has to be built, those that touch most first
    to_build: int
    total: int  # elements that were looked at
