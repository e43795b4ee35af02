"""Canonical JSON, the text that cache keys are the SHA-256 of (keys specification 1.1)."""

import hashlib
import json
import re

from .._exceptions import PluginError

# an escaped DEL, that is one with an even number of backslashes before it
_ESCAPED_DEL = re.compile(r"(?<!\\)((?:\\\\)*)\\u007f")
_encoder = json.JSONEncoder(ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
_encode_text = json.encoder.encode_basestring_ascii  # what the encoder does with a text, without its set-up
_EXPONENT = re.compile(r"e-0(\d)$")


def canonical_json(value: object) -> str:
    """VALUE as JSON: keys sorted by code point, no white space, ASCII only except a raw DEL.

    VALUE is made of dict with str keys, list, tuple, str, bool, int and None.
    """
    text = _encode_text(value) if type(value) is str else _encoder.encode(value)
    if "\\u007f" in text:
        text = _ESCAPED_DEL.sub("\\1\x7f", text)
    return text


def key_of_json(text: str) -> str:
    """The cache key of a text that is canonical JSON already."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def generate_key(value: object) -> str:
    """The cache key of VALUE: 64 lower-case hex digits."""
    return key_of_json(canonical_json(value))


def plugin_key_json(value: object, plugin: object) -> str:
    """Canonical JSON of what a plugin's get_unique_key() returned.

    Raises:
        PluginError: VALUE has something in it that JSON can't hold, such as a set or a Node.
    """
    text = _json_of(value, plugin)
    return _ESCAPED_DEL.sub("\\1\x7f", text) if "\\u007f" in text else text


def _json_of(value: object, plugin: object) -> str:
    """As canonical_json but for DEL, with the other types of mapping keys and floats that plugins may use."""
    if type(value) is str:
        return _encode_text(value)
    if value is None or isinstance(value, (str, bool, int)):
        return _encoder.encode(value)
    if isinstance(value, float):
        return _EXPONENT.sub(r"e-\1", _encoder.encode(value))
    if isinstance(value, (list, tuple)):
        texts = [_encode_text(item) if type(item) is str else _json_of(item, plugin) for item in value]
        return "[" + ",".join(texts) + "]"
    if isinstance(value, dict):
        named = {key if type(key) is str else _key_text(key, plugin): item for key, item in value.items()}
        members = [f"{_encode_text(key)}:{_json_of(named[key], plugin)}" for key in sorted(named)]
        return "{" + ",".join(members) + "}"
    raise _not_json(value, plugin)


def _key_text(key: object, plugin: object) -> str:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, (bool, int)):
        return canonical_json(key)
    raise _not_json(key, plugin)


def _not_json(value: object, plugin: object) -> PluginError:
    return PluginError(
        f"{plugin}: get_unique_key() returned a value of type '{type(value).__name__}', "
        "which can't be part of a cache key",
        detail="Use dict, list, tuple, str, bool, int and None only.",
    )
