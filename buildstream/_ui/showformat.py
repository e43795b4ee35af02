"""The format language of `bst show`, and the reports that are written in it."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from .._model.elementrow import DisplayState, ElementView
from .._tasklog import brief_key
from .style import KIND, NAME, PLAIN, STATE_PROFILES, VALUE, Paint, Profile, key_profile

# symbols whose value needs the cache keys and the local caches
_STATE_SYMBOLS = ("state", "key", "full-key", "artifact-cas-digest")

# symbols whose value costs little and has no effects: it may be asked for twice
_CHEAP_SYMBOLS = ("name", "kind", "key", "full-key", "description", "state", "workspaced", "workspace-dirs")

_Field = Callable[[ElementView, int], tuple[str, Profile]]


def needs_state(element_format: str) -> bool:
    """Whether ELEMENT_FORMAT shows something that the caches have to be asked for."""
    return any(_find_token(symbol, element_format) for symbol in _STATE_SYMBOLS)


def render_report(
    views: Sequence[ElementView], element_format: str, *, paint: Paint, key_length: int = 8
) -> str:
    """One text for all VIEWS, a line break between them and one at the end.

    Line breaks that end ELEMENT_FORMAT do not count at the end of the report,
    those that end a value do.
    """
    simple = _simple_format(element_format)
    last = len(views) - 1
    rows = []
    for position, view in enumerate(views):
        row = None
        if simple is not None and position < last:
            row = _render_simple(view, simple, paint, key_length)
        if row is None:
            text = element_format if position < last else element_format.rstrip("\n")
            row = render_element(view, text, paint=paint, key_length=key_length)
        rows.append(row)
    return "\n".join(rows) + "\n"


def _simple_format(element_format: str) -> list[tuple[str, _Field | None]] | None:
    """The texts of ELEMENT_FORMAT, each with what comes behind it; None if it has more than cheap tokens."""
    parts: list[tuple[str, _Field | None]] = []
    pieces = re.split(r"%\{([a-z-]+)\}", element_format)
    for text, symbol in zip(pieces[::2], [*pieces[1::2], None], strict=True):
        if "%" in text or (symbol is not None and symbol not in _CHEAP_SYMBOLS):
            return None
        parts.append((text, _FIELDS[symbol] if symbol is not None else None))
    return parts


def _render_simple(
    view: ElementView, parts: list[tuple[str, _Field | None]], paint: Paint, key_length: int
) -> str | None:
    """The element as :func:`render_element` renders it; None if a value may have or make up a token."""
    texts = []
    for text, field in parts:
        texts.append(text)
        if field is not None:
            value, profile = field(view, key_length)
            if "%" in value:
                return None
            texts.append(paint(value, profile))
    return "".join(texts)


def render_element(view: ElementView, element_format: str, *, paint: Paint, key_length: int = 8) -> str:
    """ELEMENT_FORMAT with the values of VIEW.

    Symbols are replaced one after the other, so a value may bring tokens of
    symbols that come later.  What is no token stays as it is.
    """
    text = element_format
    for symbol, field in _FIELDS.items():
        if "%{" not in text:
            break
        if _find_token(symbol, text):
            value, profile = field(view, key_length)
            text = _replace_token(symbol, text, value, profile, paint)
    return text


def render_artifact_report(rows: Iterable[tuple[str, DisplayState]], *, paint: Paint) -> str:
    """The report of `bst artifact show`, for pairs of the name to show and the state."""
    lines = [
        f"{paint(f'{state.value:>12}', STATE_PROFILES[state])} {paint(name, VALUE)}\n" for name, state in rows
    ]
    return "".join([*lines, "\n"])


@cache
def _token(symbol: str) -> tuple[str, re.Pattern[str]]:
    """How the token of SYMBOL begins, and what matches it."""
    # a format specification, a conversion or an index may follow, as in str.format
    return f"%{{{symbol}", re.compile(r"%\{" + symbol + r"((?:[:!\[][^}]*)?)\}")


def _find_token(symbol: str, text: str) -> bool:
    start, pattern = _token(symbol)
    return start in text and pattern.search(text) is not None


def _replace_token(symbol: str, text: str, value: str, profile: Profile, paint: Paint) -> str:
    def substitute(match: re.Match[str]) -> str:
        try:
            formatted = ("{0" + match.group(1) + "}").format(value)
        except (ValueError, LookupError, TypeError):
            return match.group(0)
        return paint(formatted, profile)

    return _token(symbol)[1].sub(substitute, text)


def _show_key(view: ElementView, key_length: int) -> tuple[str, Profile]:
    label = view.label()
    return brief_key(label.key, key_length), key_profile(is_strict=label.is_strict)


def _show_full_key(view: ElementView, _key_length: int) -> tuple[str, Profile]:
    label = view.label()
    return label.key, key_profile(is_strict=label.is_strict)


def _show_description(view: ElementView, _key_length: int) -> tuple[str, Profile]:
    return " ".join(view.description.splitlines()), key_profile(is_strict=view.label().is_strict)


def _show_state(view: ElementView, _key_length: int) -> tuple[str, Profile]:
    state = view.state()
    return state.value, STATE_PROFILES[state]


def _show_workspaced(view: ElementView, _key_length: int) -> tuple[str, Profile]:
    return "" if view.workspace_directory is None else "(workspaced)", VALUE


def _show_workspace_directory(view: ElementView, _key_length: int) -> tuple[str, Profile]:
    directory = view.workspace_directory
    return "" if directory is None else f"Workspace: {directory}", PLAIN


def _text_field(get: Callable[[ElementView], str]) -> _Field:
    return lambda view, _key_length: (get(view), PLAIN)


def _list_field(get: Callable[[ElementView], str]) -> _Field:
    return lambda view, _key_length: (get(view).rstrip("\n"), PLAIN)


# in the order of substitution
_FIELDS: dict[str, _Field] = {
    "name": lambda view, _key_length: (view.name, NAME),
    "kind": lambda view, _key_length: (view.kind, KIND),
    "key": _show_key,
    "full-key": _show_full_key,
    "description": _show_description,
    "state": _show_state,
    "config": _text_field(lambda view: view.config()),
    "vars": _text_field(lambda view: view.variables()),
    "env": _text_field(lambda view: view.environment()),
    "public": _text_field(lambda view: view.public()),
    "workspaced": _show_workspaced,
    "workspace-dirs": _show_workspace_directory,
    "deps": _list_field(lambda view: view.dependencies()),
    "build-deps": _list_field(lambda view: view.build_dependencies()),
    "runtime-deps": _list_field(lambda view: view.runtime_dependencies()),
    "source-info": _text_field(lambda view: view.source_info()),
    "artifact-cas-digest": _text_field(lambda view: view.artifact_cas_digest()),
}
