"""Where nodes come from: parsed files, and positions in them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .node import MappingNode, Node


class NodeFile:
    """The identity of a parsed file.

    Args:
        filename: The path that was opened.
        shortname: The name within its project, for example the element name.
        displayname: The name shown to the user; the junction comes before the short name.
        project: The project on whose behalf the file was loaded.
    """

    __slots__ = (
        "_parse",
        "_toplevel",
        "displayname",
        "filename",
        "may_have_directives",
        "project",
        "shortname",
    )

    def __init__(
        self, filename: str, shortname: str, displayname: str, project: object | None = None
    ) -> None:
        self.filename = filename
        self.shortname = shortname
        self.displayname = displayname
        self.project = project
        # whether there may be a conditional, an include or an assertion in it
        self.may_have_directives = True
        self._toplevel: MappingNode | None = None
        self._parse: Callable[[], MappingNode] | None = None

    @property
    def toplevel(self) -> "MappingNode | None":
        """The tree as it was parsed, never changed; None while parsing, and for files that never were.

        Few files are ever asked for it, by errors and by what writes refs back: it is parsed again then.
        """
        if self._toplevel is None and self._parse is not None:
            self._toplevel = self._parse()
        return self._toplevel

    def set_parser(self, parse: "Callable[[], MappingNode]") -> None:
        """Tells how the tree is made again."""
        self._parse = parse

    def __reduce__(self) -> tuple[object, ...]:
        # only the names: a pickled node must not drag its whole file and project along
        return NodeFile, (self.filename, self.shortname, self.displayname)


class ProvenanceInformation:
    """Where a node comes from; its text is the usual prefix of an error message."""

    __slots__ = (
        "_col",
        "_displayname",
        "_filename",
        "_is_synthetic",
        "_line",
        "_node",
        "_project",
        "_shortname",
    )

    def __init__(self, node: "Node") -> None:
        file = node._file
        self._node = node
        self._filename = file.filename if file else ""
        self._shortname = file.shortname if file else ""
        self._displayname = file.displayname if file else ""
        self._project = file.project if file else None
        self._line = node._line + 1
        self._col = node._column
        self._is_synthetic = node._is_synthetic

    @property
    def _toplevel(self) -> "MappingNode | None":
        file = self._node._file
        return file.toplevel if file else None

    def __str__(self) -> str:
        if self._is_synthetic:
            return f"{self._displayname} [synthetic node]"
        return f"{self._displayname} [line {self._line} column {self._col}]"
