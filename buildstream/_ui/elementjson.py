"""`bst show --json`; the manual describes the fields (using_inspect)."""

import json
from collections.abc import Iterable
from typing import Any

from .._model.elementdata import DependencyData, ElementData, FilePlace, SourceData

# raised when a field changes its meaning or goes away; new fields may come without
JSON_VERSION = 1


def render_elements(elements: Iterable[ElementData]) -> str:
    """One JSON object; each element stands on a line of its own."""
    return render_document({"version": JSON_VERSION}, {"elements": map(_element, elements)})


def render_document(head: dict[str, Any], lists: dict[str, Iterable[dict[str, Any]]]) -> str:
    """One JSON object of the entries of HEAD and of LISTS, with a line for each item of these."""
    entries = [f"{_text(name)}: {_text(value)}" for name, value in head.items()]
    for name, items in lists.items():
        lines = ",\n".join(_text(item) for item in items)
        entries.append(f"{_text(name)}: [\n{lines}\n]" if lines else f"{_text(name)}: []")
    return "{" + ",\n".join(entries) + "}\n"


def dependency_json(dependency: DependencyData) -> dict[str, Any]:
    """An edge, without the element that it begins at."""
    return {"name": dependency.name, "types": dependency.types, "strict": dependency.is_strict}


def _element(element: ElementData) -> dict[str, Any]:
    return {
        "name": element.name,
        "local-name": element.local_name,
        "junction": element.junction,
        "project": element.project,
        "kind": element.kind,
        "description": element.description,
        "state": element.state,
        "keys": {"strong": element.strong_key, "strict": element.strict_key, "weak": element.weak_key},
        "workspace": element.workspace,
        "dependencies": [dependency_json(dependency) for dependency in element.dependencies],
        "sources": [_source(source) for source in element.sources],
        "provenance": _place(element.place),
    }


def _source(source: SourceData) -> dict[str, Any]:
    return {
        "kind": source.kind,
        "directory": source.directory,
        "ref": source.ref,
        "key": source.key,
        "provenance": _place(source.place),
    }


def _place(place: FilePlace | None) -> dict[str, Any] | None:
    return None if place is None else {"file": place.file, "line": place.line, "column": place.column}


def _text(value: Any) -> str:
    # refs come from plugins; what JSON does not know is shown as its text
    return json.dumps(value, default=str, ensure_ascii=True)
