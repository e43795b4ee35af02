"""Jinja2 for the expressions of projects: nothing but values in reach, and nothing that grows without bounds.

Imports Jinja2, so it is imported itself when an expression needs it.
"""

import re
from typing import Any

from jinja2 import StrictUndefined
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

_MAXIMUM_LENGTH = 100_000  # of a text or a list that an expression makes
_MAXIMUM_BITS = 10_000  # of a power
# methods and filters that make texts as long as they are told
_PADDING_METHODS = frozenset(("center", "expandtabs", "format", "format_map", "ljust", "rjust", "zfill"))
_PADDING_FILTERS = ("center", "format", "indent", "wordwrap")
_LONG_FIELD = re.compile(r"\d{4}|\*")


class ExpressionEnvironment(ImmutableSandboxedEnvironment):
    """Compiles expressions.

    They are refused what leads out of the values that options have, and what
    would take more memory or time than any condition needs.
    """

    intercepted_binops = frozenset(("*", "**", "%"))

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined)
        self.globals = {}
        for name in _PADDING_FILTERS:
            del self.filters[name]

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether an expression may use the attribute ATTR."""
        return attr not in _PADDING_METHODS and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """The result of an operation that may be large."""
        if not _is_bounded(operator, left, right):
            raise SecurityError(f"the result of '{operator}' is too large")
        return super().call_binop(context, operator, left, right)


def _is_bounded(operator: str, left: Any, right: Any) -> bool:
    if operator == "%":
        return not (isinstance(left, str) and _LONG_FIELD.search(left))
    if operator == "**":
        return not (isinstance(left, int) and isinstance(right, int)) or (
            left.bit_length() * abs(right) <= _MAXIMUM_BITS
        )
    for value, count in ((left, right), (right, left)):
        if isinstance(value, (str, list, tuple)) and isinstance(count, int):
            return len(value) * count <= _MAXIMUM_LENGTH
    return True
