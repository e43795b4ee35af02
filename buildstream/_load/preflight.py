"""Checks of a resolved element before anything is done with it (plugin specification 8.4)."""

from typing import TYPE_CHECKING

from .._exceptions import BstError
from ..element import ElementError
from ..exceptions import ErrorDomain
from ..source import SourceError
from .pluginfaults import plugin_code

if TYPE_CHECKING:
    from .resolved import ResolvedElement


def check_element(element: "ResolvedElement") -> None:
    """Runs the preflight of ELEMENT and of its sources.

    Raises:
        ElementError: Something is forbidden for the kind, or the plugin refuses.
        SourceError: A source refuses.
    """
    plugin = element.plugin
    _check_forbidden(element)
    with plugin_code(plugin, "preflight"):
        try:
            plugin.preflight()
        except BstError as error:
            raise ElementError(f"{plugin}: {error}", reason=error.reason, detail=error.detail) from error
    if element.sources:
        first = element.sources[0].plugin
        if first.BST_REQUIRES_PREVIOUS_SOURCES_TRACK or first.BST_REQUIRES_PREVIOUS_SOURCES_FETCH:
            raise ElementError(
                f"{first}: {first.get_kind()} cannot be the first source of an element "
                "as it requires access to previous sources"
            )
    for source in element.sources:
        with plugin_code(source.plugin, "preflight"):
            try:
                source.plugin.preflight()
            except BstError as error:
                raise SourceError(f"{source.plugin}: {error}", reason=error.reason) from error


def _check_forbidden(element: "ResolvedElement") -> None:
    plugin = element.plugin
    forbids_runtime, forbids_build = plugin.BST_FORBID_RDEPENDS, plugin.BST_FORBID_BDEPENDS
    runtime, build = bool(element.runtime_dependencies), bool(element.build_dependencies)
    problem = None
    if forbids_runtime and forbids_build and (runtime or build):
        problem = ("Dependencies", "element-forbidden-depends")
    elif forbids_runtime and runtime:
        problem = ("Runtime dependencies", "element-forbidden-rdepends")
    elif forbids_build and build:
        problem = ("Build dependencies", "element-forbidden-bdepends")
    elif plugin.BST_FORBID_SOURCES and element.sources:
        problem = ("Sources", "element-forbidden-sources")
    if problem:
        raise BstError(
            f"{plugin}: {problem[0]} are forbidden for '{plugin.get_kind()}' elements",
            domain=ErrorDomain.ELEMENT,
            reason=problem[1],
        )
