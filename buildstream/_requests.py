"""What plugins ask of the engine, as values that pass through its layers."""

from collections.abc import Mapping, Sequence
from typing import IO, Any

from ._dataclass import dataclass
from .types import OverlapAction


@dataclass(frozen=True, slots=True)
class HostCommand:
    """A program of the host to run for a plugin.  Streams that are None go to the log of the task."""

    argv: Sequence[str]
    cwd: str | None = None  # None: where the process is
    env: Mapping[str, str] | None = None  # complete; None: that of the process
    stdin: IO[Any] | int | None = None
    stdout: IO[Any] | int | None = None
    stderr: IO[Any] | int | None = None
    capture: bool = False  # whether its standard output is wanted, as text


@dataclass(frozen=True, slots=True)
class SplitSelection:
    """Which files of an artifact are meant, by the domains of its split rules."""

    include: Sequence[str] | None = None  # domains; None or empty: all of them
    exclude: Sequence[str] | None = None  # domains; these win
    orphans: bool = True  # whether files of no domain are meant too

    @property
    def is_everything(self) -> bool:
        """Whether all files are meant, whatever the rules say."""
        return self.orphans and not self.include and not self.exclude


@dataclass(frozen=True, slots=True)
class StagingOptions:
    """How artifacts are staged."""

    path: str | None = None  # where in the sandbox; None: its root
    action: OverlapAction = OverlapAction.WARNING  # what files staged by earlier calls lead to
    files: SplitSelection = SplitSelection()
