"""Weak, strict and strong cache keys of a pipeline (keys specification 1.3 to 1.11).

The document of an element lists its whole build scope.  Documents that begin
with the same members share the work: the SHA-256 state that has taken in a prefix
of scopes is kept, and copied for every scope that begins with it.  So the cost
grows with the members that scopes add to their prefixes, not with their sizes.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from hashlib import sha256
from operator import itemgetter
from typing import TYPE_CHECKING

from .._dataclass import dataclass
from .._load.pluginfaults import plugin_code
from .._load.resolved import ResolvedElement
from .canonical import canonical_json, key_of_json, plugin_key_json
from .scopes import NO_PREFIX, Scope, ScopeTable

if TYPE_CHECKING:
    from hashlib import _Hash

    from ..element import Element
    from ..source import Source

ARTIFACT_VERSION = 11  # of the 2.8 series; part of every key
_DOCUMENT_START = f'{{"core-artifact-version":{ARTIFACT_VERSION},"dependencies":['.encode("ascii")


@dataclass(frozen=True, slots=True)
class SourceKeys:
    """Keys of the sources of one element."""

    entries: str  # canonical JSON of the list that enters the element's document
    combined: str  # names the combined staged sources
    individual: tuple[str, ...]  # one a source; names the source staged alone


_NO_SOURCES = SourceKeys("[]", key_of_json("[]"), ())


@dataclass(slots=True)
class ElementKeys:
    """What is known of an element's keys; None while some source has no ref."""

    sources: SourceKeys | None = None
    weak: str | None = None
    strict: str | None = None


def source_key(source: "Source") -> str:
    """The key of SOURCE staged alone, which has a ref."""
    return key_of_json(_unique_key(source))


def _unique_key(plugin: "Element | Source") -> str:
    """Canonical JSON of what PLUGIN says that it depends on."""
    with plugin_code(plugin, "get_unique_key"):
        unique = plugin.get_unique_key()
    return plugin_key_json(unique, plugin)


def source_keys(element: ResolvedElement) -> SourceKeys | None:
    """The keys of ELEMENT's sources, None if one of them has no ref yet."""
    if not element.sources:
        return _NO_SOURCES
    entries, individual = [], []
    for source in element.sources:
        with plugin_code(source.plugin, "is_resolved"):
            is_resolved = source.plugin.is_resolved()
        if not is_resolved:
            return None
        unique = _unique_key(source.plugin)
        individual.append(key_of_json(unique))
        directory = f'"directory":{canonical_json(source.directory)},' if source.directory else ""
        entries.append("{" + directory + f'"key":{unique},"name":{canonical_json(source.kind)}' + "}")
    text = "[" + ",".join(entries) + "]"
    return SourceKeys(text, key_of_json(text), tuple(individual))


class _ScopeHashes:
    """SHA-256 states of documents that have taken in a scope.

    Elements stand in documents by a *fragment*: a comma and `["project","name"]`,
    in some documents with a key as third item.

    Args:
        scopes: The scopes of all elements.
        fragments: By position of the element, None if a key is not known; may grow, but no
            scope is asked for before its members are there.
    """

    def __init__(self, scopes: ScopeTable, fragments: Sequence[bytes | None]) -> None:
        self._scopes = scopes
        self._fragments = fragments
        # after the prefixes; None if there is a member without key
        self._states: dict[int, _Hash | None] = {NO_PREFIX: sha256(_DOCUMENT_START)}

    def forget(self) -> None:
        """Gives back the memory of all states."""
        self._states.clear()

    def after(self, scope: Scope) -> "_Hash | None":
        """A state of the caller's own that has taken in SCOPE; None if it has a member without key."""
        missing = []
        prefix = scope.prefix
        while prefix not in self._states:
            missing.append(prefix)
            prefix = self._scopes.prefixes[prefix].prefix
        state = self._states[prefix]
        for index in reversed(missing):
            state = self._states[index] = self._extended(state, prefix, self._scopes.ending(index))
            prefix = index
        return self._extended(state, prefix, scope.rest)

    def _extended(self, state: "_Hash | None", prefix: int, rest: Sequence[int]) -> "_Hash | None":
        """A copy of STATE, which has taken in PREFIX, that has taken in the members REST behind it."""
        if state is None:
            return None
        if not rest:
            return state.copy()
        fragments: Sequence[bytes | None] = (self._fragments[rest[0]],)
        if len(rest) > 1:  # for one index it gives the item, not a tuple
            fragments = itemgetter(*rest)(self._fragments)
        try:
            text = b"".join(fragments)  # type: ignore[arg-type]  # or else a TypeError
        except TypeError:
            return None  # a fragment is not known
        extended = state.copy()
        extended.update(text[1:] if prefix == NO_PREFIX else text)
        return extended


def _fragment(plain: bytes, key: str | None) -> bytes | None:
    return None if key is None else plain[:-1] + f',"{key}"]'.encode("ascii")


def _hash_of_fragments(fragments: Iterable[bytes | None]) -> "_Hash | None":
    """The state after a scope with these fragments; None if one is not known."""
    known = list(fragments)
    if None in known:
        return None
    return sha256(_DOCUMENT_START + b"".join(known)[1:])  # type: ignore[arg-type]  # just checked


class KeyTable:
    """The keys of all elements of a pipeline, computed in one pass.

    Args:
        elements: Every element, dependencies first; their `index` is the position here.
    """

    def __init__(self, elements: Sequence[ResolvedElement]) -> None:
        self._elements = elements
        self._scopes = ScopeTable(elements)
        self._tails: list[tuple[str, ...] | None] = []  # the documents after their dependencies
        self._plain: list[bytes] = []  # fragments without key
        self._weak_fragments: list[bytes | None] = []
        self._strict_fragments: list[bytes | None] = []
        self._without_key = _ScopeHashes(self._scopes, self._plain)
        self._with_weak = _ScopeHashes(self._scopes, self._weak_fragments)
        self._with_strict = _ScopeHashes(self._scopes, self._strict_fragments)
        # canonical JSON of what elements share: by identity, or by value where that can be hashed
        self._texts: dict[Hashable, str] = {}
        # the last one: what stays out of it, all of it, and its canonical JSON
        self._environment: tuple[frozenset[str], dict[str, str], str] = (frozenset(), {}, "{}")
        self.keys: list[ElementKeys] = [ElementKeys() for _ in elements]

    def compute(self, progress: Callable[[], None] | None = None) -> None:
        """Computes weak and strict keys of every element, dependencies first; to be called once."""
        for element in self._elements:
            self._compute_element(element)
            if progress:
                progress()
        # strong keys are few, and made without them
        for hashes in (self._without_key, self._with_weak, self._with_strict):
            hashes.forget()

    def _compute_element(self, element: ResolvedElement) -> None:
        keys = self.keys[element.index] = ElementKeys(sources=source_keys(element))
        self._tails.append(None if keys.sources is None else self._tail(element, keys.sources))
        scope = self._scopes.build(element)
        keys.weak = self._document_key(element, self._weak_hash(element, scope), "")
        keys.strict = self._document_key(element, self._with_strict.after(scope), keys.weak)
        name = element.project_name
        project = self._shared_json(name, lambda: name)
        plain = f",[{project},{canonical_json(element.name)}]".encode("ascii")
        self._plain.append(plain)
        self._weak_fragments.append(_fragment(plain, keys.weak))
        self._strict_fragments.append(_fragment(plain, keys.strict))

    def parts(self, element: ResolvedElement) -> tuple[str, ...] | None:
        """The document of ELEMENT but for its dependencies, as texts to be put together.

        The second is the public data.  None while some source has no ref.
        """
        tail = self._tails[element.index]
        return None if tail is None else ("".join(tail[:-2]), *tail[-2:])

    def strong(
        self, element: ResolvedElement, strong_of: Callable[[ResolvedElement], str | None]
    ) -> str | None:
        """The key of ELEMENT built on dependencies with the keys STRONG_OF; None if one is not known.

        Cost: linear in the build scope.
        """
        scope = self._scopes.in_order(self._scopes.build(element))
        fragments = (_fragment(self._plain[i], strong_of(self._elements[i])) for i in scope)
        return self._document_key(element, _hash_of_fragments(fragments), self.keys[element.index].weak)

    def _weak_hash(self, element: ResolvedElement, scope: Scope) -> "_Hash | None":
        """The state after the dependencies of the weak document."""
        if element.plugin.BST_STRICT_REBUILD:
            return self._with_weak.after(scope)
        if not element.strict_dependencies:
            return self._without_key.after(scope)
        strict = {dependency.index for dependency in element.strict_dependencies}
        return _hash_of_fragments(
            self._weak_fragments[i] if i in strict else self._plain[i] for i in self._scopes.in_order(scope)
        )

    def _document_key(self, element: ResolvedElement, state: "_Hash | None", weak: str | None) -> str | None:
        """The key of the document with the dependencies that STATE, which is used up, has taken in.

        WEAK is "" for the weak document itself.  None if something that enters it is not known.
        """
        tail = self._tails[element.index]
        if state is None or tail is None or weak is None:
            return None
        weak_member = f',"weak-cache-key":"{weak}"' if weak else ""
        state.update("".join(["]", *tail, weak_member, "}"]).encode("ascii"))
        return state.hexdigest()

    def _tail(self, element: ResolvedElement, sources: SourceKeys) -> tuple[str, ...]:
        """Everything of the document that stands behind `dependencies`, but for the weak key.

        In parts, of which the largest, environment and public data, are shared between elements.
        """
        plugin = element.plugin
        build_root = canonical_json(element.variables.get("build-root"))
        parts = [
            f',"element-base-key":{{"build-root":{build_root}}}',
            f',"element-plugin-key":{_unique_key(plugin)}',
            f',"element-plugin-name":{canonical_json(plugin.get_kind())}',
            f',"element-plugin-version":{int(plugin.BST_ARTIFACT_VERSION)}',
        ]
        end = f',"sources":{sources.entries}'
        texts = ["".join(parts)]
        if plugin.BST_RUN_COMMANDS:
            texts += [',"environment":', self._environment_json(element)]
            sandbox = self._shared_json(element.sandbox, element.sandbox.key_value)
            end = f',"sandbox":{sandbox}{end}'
        fatal = element.project.fatal_warnings
        texts.append(f',"fatal-warnings":{self._shared_json(id(fatal), lambda: fatal)},"public":')
        return *texts, self._public_json(element), end

    def _environment_json(self, element: ResolvedElement) -> str:
        hidden, environment = element.environment_nocache, element.environment
        if self._environment[:2] != (hidden, environment):
            # most elements have that of the one before; plugins may add to their own, hence a copy
            keyed = {name: value for name, value in environment.items() if name not in hidden}
            if all(type(value) is str for value in keyed.values()):
                text = self._shared_json(tuple(keyed.items()), lambda: keyed)
            else:
                text = canonical_json(keyed)
            self._environment = (hidden, environment.copy(), text)
        return self._environment[2]

    def _shared_json(self, identity: Hashable, value: Callable[[], object]) -> str:
        """Canonical JSON of VALUE, made once for everything of one IDENTITY."""
        text = self._texts.get(identity)
        if text is None:
            text = self._texts[identity] = canonical_json(value())
        return text

    def _public_json(self, element: ResolvedElement) -> str:
        # nodes live as long as the elements, so an identity is not used twice
        return self._shared_json(id(element.public), element.public.strip_node_info)
