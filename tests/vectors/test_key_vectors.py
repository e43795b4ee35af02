"""Keys, orders and resolved data of small projects, and the documents behind some of the keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from buildstream._keys.canonical import canonical_json, generate_key
from tests.testutils.space import TestSpace
from tests.vectors.asserting import assert_answers, require_packages
from tests.vectors.recording import VECTORS, find_recordings, load_recording

_DOCUMENTS = json.loads((VECTORS / "keys" / "element-kinds" / "documents.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", find_recordings("keys"), ids=lambda path: load_recording(path).identifier)
def test_answers_as_recorded(space: TestSpace, path: Path) -> None:
    if path.parent.name == "plugin-kinds":
        require_packages()
    assert_answers(space, path)


@pytest.mark.parametrize("entry", _DOCUMENTS["elements"], ids=lambda entry: entry["element"])
def test_documents_of_elements_hash_to_their_keys(entry: dict[str, Any]) -> None:
    weak = entry["weak-document"]
    strict = {**weak, "dependencies": entry["strict-dependencies"], "weak-cache-key": entry["weak-key"]}
    assert generate_key(weak) == entry["weak-key"]
    assert generate_key(strict) == entry["strict-key"]


@pytest.mark.parametrize("entry", _DOCUMENTS["sources"], ids=lambda entry: entry["key"][:8])
def test_documents_of_sources_hash_to_their_keys(entry: dict[str, Any]) -> None:
    assert generate_key(entry["document"]) == entry["key"]


def test_canonical_json_escapes_as_specified() -> None:
    value = {
        "z": [True, False, None, 1, -2, ""],
        "é": "\x7f|\x01|/<>&'|\"\\|\n\t|\u2028|😀",
        "A": {"b": {}, "a": []},
    }
    assert canonical_json(value) == (
        '{"A":{"a":[],"b":{}},"z":[true,false,null,1,-2,""],'
        '"\\u00e9":"\x7f|\\u0001|/<>&\'|\\"\\\\|\\n\\t|\\u2028|\\ud83d\\ude00"}'
    )
    assert generate_key(value) == "5b47710b493652247219b2cd5a684c03c317996bcabcdffc9ab03b32c8f9c72e"
