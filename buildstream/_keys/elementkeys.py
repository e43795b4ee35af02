"""Weak, strict and strong cache keys of a pipeline (keys specification 1.3 to 1.11).

The document of an element lists its whole build closure, so keys cost the sum
of the closures' sizes in bytes hashed.  What is done in Python about a member
of a closure is picking a text from a list: the text of an element's document
without its dependencies is made once, and so is the text by which it stands in
the documents of others.  The closures are kept as arrays of positions and
merged by dict updates, which run in C.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from .._load.resolved import ResolvedElement
from .canonical import canonical_json, key_of_json, plugin_key_json

ARTIFACT_VERSION = 11  # of the 2.8 series; part of every key


@dataclass(slots=True)
class SourceKeys:
    """Keys of the sources of one element."""

    entries: str  # canonical JSON of the list that enters the element's document
    combined: str  # names the combined staged sources
    individual: tuple[str, ...]  # one a source; names the source staged alone


@dataclass(slots=True)
class ElementKeys:
    """What is known of an element's keys; None while some source has no ref."""

    sources: SourceKeys | None = None
    weak: str | None = None
    strict: str | None = None


def source_keys(element: ResolvedElement) -> SourceKeys | None:
    """The keys of ELEMENT's sources, None if one of them has no ref yet."""
    entries, individual = [], []
    for source in element.sources:
        if not source.plugin.is_resolved():
            return None
        unique = plugin_key_json(source.plugin.get_unique_key(), source.plugin)
        individual.append(key_of_json(unique))
        directory = f'"directory":{canonical_json(source.directory)},' if source.directory else ""
        entries.append("{" + directory + f'"key":{unique},"name":{canonical_json(source.kind)}' + "}")
    text = "[" + ",".join(entries) + "]"
    return SourceKeys(text, key_of_json(text), tuple(individual))


class KeyTable:
    """The keys of all elements of a pipeline, computed in one pass.

    Args:
        elements: Every element, dependencies first; their `index` is the position here.
    """

    def __init__(self, elements: Sequence[ResolvedElement]) -> None:
        self._elements = elements
        self._closures: list[array[int]] = []  # run scope of each element, itself last
        self._tails: list[str | None] = []  # the document after its dependencies
        # by what an element stands in the documents of others: without key, with weak and with strict key
        self._plain: list[str] = []
        self._with_weak: list[str | None] = []
        self._with_strict: list[str | None] = []
        self._texts: dict[int, str] = {}  # canonical JSON of shared public data, by identity
        self.keys: list[ElementKeys] = []
        for element in elements:
            self._plain.append(f"[{canonical_json(element.project_name)},{canonical_json(element.name)}]")
            self._closures.append(self._closure(element))
            self._tails.append(None)
            self._with_weak.append(None)
            self._with_strict.append(None)
            self.keys.append(ElementKeys())

    def _closure(self, element: ResolvedElement) -> "array[int]":
        merged = self._merge(element.runtime_dependencies)
        merged[element.index] = None
        return array("I", merged)

    def _merge(self, dependencies: Iterable[ResolvedElement]) -> dict[int, None]:
        """The run scopes of DEPENDENCIES one after the other, each element where it came first.

        A run scope is closed under run-time dependencies, so leaving out what came
        before gives the same order as one walk with a shared set of visited elements.
        """
        merged: dict[int, None] = {}
        for dependency in dependencies:
            merged.update(dict.fromkeys(self._closures[dependency.index]))
        return merged

    def compute(self, progress: Callable[[], None] | None = None) -> None:
        """Computes weak and strict keys of every element, dependencies first."""
        for element in self._elements:
            self.compute_element(element)
            if progress:
                progress()

    def compute_element(self, element: ResolvedElement) -> None:
        """Computes (again) the keys of ELEMENT; those of its dependencies must be there."""
        index = element.index
        keys = self.keys[index] = ElementKeys(sources=source_keys(element))
        self._tails[index] = None if keys.sources is None else self._tail(element, keys.sources)
        scope = list(self._merge(element.build_dependencies))
        keys.weak = self._weak(element, scope)
        keys.strict = self._document_key(index, [self._with_strict[i] for i in scope], keys.weak)
        self._with_weak[index] = self._fragment(index, keys.weak)
        self._with_strict[index] = self._fragment(index, keys.strict)

    def strong(
        self, element: ResolvedElement, strong_of: Callable[[ResolvedElement], str | None]
    ) -> str | None:
        """The key of ELEMENT built on dependencies with the keys STRONG_OF; None if one is not known."""
        scope = self._merge(element.build_dependencies)
        fragments = [self._fragment(i, strong_of(self._elements[i])) for i in scope]
        return self._document_key(element.index, fragments, self.keys[element.index].weak)

    def _weak(self, element: ResolvedElement, scope: list[int]) -> str | None:
        fragments: list[str | None]
        if element.plugin.BST_STRICT_REBUILD:
            fragments = [self._with_weak[i] for i in scope]
        else:
            strict = {dependency.index for dependency in element.strict_dependencies}
            fragments = [self._with_weak[i] if i in strict else self._plain[i] for i in scope]
        return self._document_key(element.index, fragments, "")

    def _fragment(self, index: int, key: str | None) -> str | None:
        return None if key is None else f'{self._plain[index][:-1]},"{key}"]'

    def _document_key(self, index: int, fragments: list[str | None], weak: str | None) -> str | None:
        """The key of the document with these dependencies; WEAK is "" for the weak document itself.

        None if something that enters it is not known.
        """
        tail = self._tails[index]
        if tail is None or weak is None or None in fragments:
            return None
        weak_member = f',"weak-cache-key":"{weak}"' if weak else ""
        dependencies = ",".join(cast("list[str]", fragments))
        return key_of_json(
            f'{{"core-artifact-version":{ARTIFACT_VERSION},"dependencies":[{dependencies}]{tail}{weak_member}}}'
        )

    def _tail(self, element: ResolvedElement, sources: SourceKeys) -> str:
        """Everything of the document that stands behind `dependencies`, but for the weak key."""
        plugin = element.plugin
        build_root = canonical_json(element.variables.get("build-root"))
        parts = [
            f',"element-base-key":{{"build-root":{build_root}}}',
            f',"element-plugin-key":{plugin_key_json(plugin.get_unique_key(), plugin)}',
            f',"element-plugin-name":{canonical_json(plugin.get_kind())}',
            f',"element-plugin-version":{int(plugin.BST_ARTIFACT_VERSION)}',
        ]
        if plugin.BST_RUN_COMMANDS:
            hidden = element.environment_nocache
            environment = {name: value for name, value in element.environment.items() if name not in hidden}
            parts.append(f',"environment":{canonical_json(environment)}')
        parts.append(f',"fatal-warnings":{canonical_json(element.project.fatal_warnings)}')
        parts.append(f',"public":{self._public_json(element)}')
        if plugin.BST_RUN_COMMANDS:
            parts.append(f',"sandbox":{canonical_json(element.sandbox.key_value())}')
        parts.append(f',"sources":{sources.entries}')
        return "".join(parts)

    def _public_json(self, element: ResolvedElement) -> str:
        # the nodes live as long as the elements, so an identity is not used twice
        text = self._texts.get(id(element.public))
        if text is None:
            text = canonical_json(element.public.strip_node_info())
            self._texts[id(element.public)] = text
        return text
