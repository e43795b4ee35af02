"""As much of JSON Schema as the schemas of this project use."""

from typing import Any

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
_KNOWN = {
    *("$schema", "title", "description", "type", "const", "enum", "required", "properties", "items", "oneOf"),
    *("additionalProperties",),
}


def complaints(value: Any, schema: dict[str, Any], path: str = "$") -> list[str]:
    """What is wrong with VALUE, each with its place; members that the schema does not name are wrong."""
    assert set(schema) <= _KNOWN, f"unknown to this checker: {set(schema) - _KNOWN}"
    if "oneOf" in schema:
        return _one_of(value, schema["oneOf"], path)
    if "const" in schema and value != schema["const"]:
        return [f"{path}: {value!r} is not {schema['const']!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{path}: {value!r} is none of {schema['enum']}"]
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    if names and not any(_has_type(value, name) for name in names):
        return [f"{path}: {value!r} is no {' or '.join(names)}"]
    if isinstance(value, dict) and "properties" in schema:
        return _of_object(value, schema, path)
    if isinstance(value, list) and "items" in schema:
        return [c for n, item in enumerate(value) for c in complaints(item, schema["items"], f"{path}[{n}]")]
    return []


def _one_of(value: Any, schemas: list[dict[str, Any]], path: str) -> list[str]:
    found = [complaints(value, schema, path) for schema in schemas]
    matches = [found_complaints for found_complaints in found if not found_complaints]
    if len(matches) == 1:
        return []
    # the alternative that fits best tells most
    return min(found, key=len) if not matches else [f"{path}: {len(matches)} alternatives fit"]


def _has_type(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES[name])


def _of_object(value: dict[str, Any], schema: dict[str, Any], path: str) -> list[str]:
    properties = schema["properties"]
    found = [f"{path}: '{name}' is missing" for name in schema.get("required", []) if name not in value]
    for name, content in value.items():
        if name in properties:
            found += complaints(content, properties[name], f"{path}.{name}")
        elif "additionalProperties" not in schema:
            found.append(f"{path}: '{name}' is not described")
    return found
