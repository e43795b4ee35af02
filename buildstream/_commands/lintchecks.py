"""What BuildStream accepts but is hardly ever meant: the warnings of `bst lint` itself."""

import re
from typing import TYPE_CHECKING

from .._load.resolved import ResolvedElement, build_scope
from .._load.sourcehost import SourceHost
from .._utils_nearmiss import did_you_mean, nearest_word
from ..node import MappingNode, Node, ScalarNode, SequenceNode
from .lintrepair import place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .._load.project import Project
    from .lintproblems import ProblemCollector

MISSING_REF = "missing-ref"
MISSPELT_PUBLIC = "misspelt-public-key"
MISSPELT_VARIABLE = "misspelt-variable"
UNKNOWN_DOMAIN = "unknown-domain"
UNUSED_ALIAS = "unused-alias"
UNUSED_NOCACHE = "unused-nocache"

_REFERENCE = re.compile(r"%\{([a-zA-Z][a-zA-Z0-9_-]*)\}")
_PUBLIC_KEYS = ("integration-commands", "overlap-whitelist", "split-rules")
# names that people make up resemble known ones now and then: only a slip of the finger counts
_SLIP = 0.8


def check_element(element: ResolvedElement, defaults: MappingNode, collector: "ProblemCollector") -> None:
    """Looks at one element whose dependencies are in order; DEFAULTS are the variables of its kind."""
    _check_refs(element, collector)
    _check_variables(element, defaults, collector)
    _check_public(element, collector)
    _check_nocache(element, collector)
    if element.kind in ("compose", "filter"):
        _check_domains(element, collector)


def check_aliases(
    project: "Project", elements: "Iterable[ResolvedElement]", collector: "ProblemCollector"
) -> None:
    """Looks for aliases of PROJECT that none of ELEMENTS, which are all there are, uses."""
    used: set[str] = set()
    for element in elements:
        if element.project is not project:
            continue
        for source in element.sources:
            host = source.plugin._host
            assert isinstance(host, SourceHost)
            used |= host.used_aliases()
        if element.kind == "junction":
            used.update(_texts(element.config.get_mapping("aliases", {})))
    table = project.complete().aliases
    for alias in table.names():
        place = place_of(table.node(alias))
        if alias not in used and place is not None:
            collector.add_warning(
                UNUSED_ALIAS, place, f"No source uses the alias '{alias}'", "Remove it from the project."
            )


def _check_refs(element: ResolvedElement, collector: "ProblemCollector") -> None:
    for source in element.sources:
        if not source.plugin.is_resolved():
            collector.add_warning(
                MISSING_REF,
                place_of(source.node),
                f"The {source.kind} source has no ref: the element can't be built",
                f"Try tracking it with `bst source track {element.full_name}`.",
            )


def _check_variables(element: ResolvedElement, defaults: MappingNode, collector: "ProblemCollector") -> None:
    own = element.node.get_mapping("variables", {})
    unknown = [name for name in own.keys() if name not in defaults]
    if not unknown:
        return
    referenced = {name for text in _texts(element.node) for name in _REFERENCE.findall(text)}
    for name in unknown:
        meant = nearest_word(name, defaults.keys(), cutoff=_SLIP)
        if name not in referenced and meant is not None:
            collector.add_warning(
                MISSPELT_VARIABLE,
                place_of(own.get_node(name)),
                f"Nothing refers to the variable '{name}'",
                f"Did you mean '{meant}'?",
            )


def _check_public(element: ResolvedElement, collector: "ProblemCollector") -> None:
    public = element.node.get_mapping("public", {}).get_mapping("bst", {})
    for key, node in public.items():
        hint = did_you_mean(key, _PUBLIC_KEYS, cutoff=_SLIP)
        if key not in _PUBLIC_KEYS and hint:
            collector.add_warning(
                MISSPELT_PUBLIC, place_of(node), f"Nothing reads the key '{key}' of public data", hint
            )


def _check_nocache(element: ResolvedElement, collector: "ProblemCollector") -> None:
    for node in element.node.get_sequence("environment-nocache", []):
        if node.as_str() not in element.environment:
            collector.add_warning(
                UNUSED_NOCACHE,
                place_of(node),
                f"'{node.as_str()}' is no variable of the environment",
                did_you_mean(node.as_str(), element.environment),
            )


def _check_domains(element: ResolvedElement, collector: "ProblemCollector") -> None:
    dependencies = element.build_dependencies if element.kind == "filter" else build_scope(element)
    known: set[str] = set()
    for dependency in dependencies:
        bst = dependency.public.get_mapping("bst", {})
        known.update(bst.get_mapping("split-rules", {}).keys())
    for key in ("include", "exclude"):
        for node in element.config.get_sequence(key, []):
            if node.as_str() not in known:
                collector.add_warning(
                    UNKNOWN_DOMAIN,
                    place_of(node),
                    f"No dependency has the split domain '{node.as_str()}'",
                    did_you_mean(node.as_str(), known),
                )


def _texts(node: Node) -> "Iterator[str]":
    """Every text in the tree NODE."""
    if isinstance(node, ScalarNode):
        yield node.as_str() or ""
    elif isinstance(node, MappingNode):
        for child in node.values():
            yield from _texts(child)
    elif isinstance(node, SequenceNode):
        for child in node:
            yield from _texts(child)
