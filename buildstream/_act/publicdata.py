"""Public data as it is at run time: the element's own while it is built, else what its artifact recorded."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from .._load.resolved import ResolvedElement
from .._plan.record import ElementRecord
from .._requests import SplitSelection
from ..node import MappingNode
from .splitrules import PathFilter, PatternCache, split_filter

if TYPE_CHECKING:
    from .artifacts import ArtifactCache


class RuntimePublicData:
    """Public data of elements, and what depends on it alone.

    Args:
        record: Gives the record of an element.
        artifacts: Gives the artifact cache, once something was found in it.
    """

    def __init__(
        self,
        record: Callable[[ResolvedElement], ElementRecord],
        artifacts: "Callable[[], ArtifactCache]",
    ) -> None:
        self._record = record
        self._artifacts = artifacts
        self._split_patterns = PatternCache()

    def of(self, element: ResolvedElement) -> MappingNode:
        """What the plugin of ELEMENT sees; no copy."""
        record = self._record(element)
        if record.dynamic_public is None:
            if record.artifact is None:
                return element.public
            record.dynamic_public = self._artifacts().public_data(record.artifact)
        return record.dynamic_public

    def domain(self, element: ResolvedElement, domain: str) -> MappingNode | None:
        """A clone of one domain."""
        data = self.of(element).get_mapping(domain, None)
        return None if data is None else data.clone()

    def set_domain(self, element: ResolvedElement, domain: str, data: MappingNode) -> None:
        """Changes one domain to a clone of DATA."""
        self.of(element)[domain] = data.clone()

    def integration_commands(self, element: ResolvedElement) -> list[str]:
        """The commands to be run once the files of ELEMENT are staged."""
        bst = self.of(element).get_mapping("bst", None)
        return [] if bst is None else bst.get_str_list("integration-commands", [])

    def split_filter(self, element: ResolvedElement, files: SplitSelection) -> PathFilter | None:
        """Tells which files of ELEMENT are among FILES; None if all are."""
        if files.is_everything:
            return None
        bst = self.of(element).get_mapping("bst", {})
        return split_filter(bst.get_mapping("split-rules", {}), self._split_patterns, files)
