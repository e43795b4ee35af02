"""The prompt of interactive shells in sandboxes."""

from .._model.message import ElementLabel
from .._tasklog import brief_key
from .style import LABEL, VALUE, Paint, key_profile


def shell_prompt(label: ElementLabel, *, paint: Paint, key_length: int, colors: bool) -> str:
    """The variable PS1: key and name of an element, and the working directory as the shell knows it."""
    parts = (
        ("[", LABEL),
        (brief_key(label.key, key_length), key_profile(is_strict=label.is_strict)),
        ("@", LABEL),
        (label.full_name, VALUE),
        (":", LABEL),
        ("$PWD" if colors else "${PWD}", VALUE),
        ("]$", LABEL),
    )
    return "".join([paint(text, profile) for text, profile in parts]) + " "
