"""Conditional expressions: the meaning of a Jinja2 `{% if %}` over the options (format 4.7).

Projects mostly write names, strings, comparisons and and/or/not.  These are
evaluated here, without Jinja2, whose import and compilation cost far more than
the rest of loading a project.  Whatever is not certain to mean the same here,
an undefined name for example, is left to Jinja2.
"""

import re
from collections.abc import Mapping
from typing import Any

# strings with escapes or line ends, floats and other integers are Jinja2's business
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<name>[A-Za-z_][A-Za-z0-9_]*(?!\w))
      | (?P<integer>(?:0|[1-9][0-9]*)(?![\w.]))
      | (?P<string>'[^'\\\r\n]*'|"[^"\\\r\n]*")
      | (?P<symbol>==|!=|[()\[\],])
    )\s*""",
    re.VERBOSE,
)
_LITERALS = {"true": True, "True": True, "false": False, "False": False}
# words with a meaning in the language, and names that templates define themselves
_RESERVED = frozenset(
    [
        "and",
        "or",
        "not",
        "in",
        "is",
        "if",
        "else",
        "none",
        "None",
        "self",
        "caller",
        "varargs",
        "kwargs",
        "loop",
    ]
)
_UNDEFINED = object()
# what Jinja2 says of it
_UNDEFINED_NAME = re.compile(r"'(\w+)' is undefined")
_TEMPLATE = "{{% if {} %}} True {{% else %}} False {{% endif %}}"


class ExpressionError(Exception):
    """An expression does not parse or can't be evaluated; the text says why.

    UNDEFINED is the name that it refers to although there is nothing of this name, if that is why.
    """

    def __init__(self, text: str, *, undefined: str | None = None) -> None:
        super().__init__(text)
        self.undefined = undefined


class _NotPlain(Exception):
    """The expression is outside of the subset that is evaluated here."""


class Conditions:
    """Evaluates expressions over fixed values, each distinct text once.

    Args:
        values: What each name stands for; not to be changed any more.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._results: dict[str, bool] = {}
        self._environment: Any = None  # Jinja2's, made when it is first needed

    def names(self) -> list[str]:
        """What expressions may refer to."""
        return list(self._values)

    def evaluate(self, text: str) -> bool:
        """Whether the expression TEXT is true.

        Raises:
            ExpressionError: If it does not parse, uses an undefined name or fails otherwise.
        """
        result = self._results.get(text)
        if result is None:
            try:
                result = _PlainExpression(text, self._values).evaluate()
            except (_NotPlain, RecursionError):
                result = self._evaluate_template(text)
            self._results[text] = result
        return result

    def _evaluate_template(self, text: str) -> bool:
        if self._environment is None:
            from .expressiontemplates import ExpressionEnvironment

            self._environment = ExpressionEnvironment()
        try:
            output = self._environment.from_string(_TEMPLATE.format(text)).render(self._values)
        except Exception as error:  # an expression can raise anything: it calls methods and divides
            undefined = _UNDEFINED_NAME.fullmatch(str(error))
            raise ExpressionError(
                f"Failed to evaluate expression ({text}): {error}",
                undefined=undefined[1] if undefined else None,
            ) from error
        if output not in (" True ", " False "):
            raise ExpressionError(f"Failed to evaluate expression: {text}")
        return bool(output == " True ")


class _PlainExpression:
    """A recursive descent parser that evaluates as it goes; nothing in the subset has side effects.

    An undefined name is a value that may be skipped by `and` and `or`, and that no operation accepts.
    """

    def __init__(self, text: str, values: Mapping[str, Any]) -> None:
        self._values = values
        self._tokens = _tokenize(text)
        self._position = 0

    def evaluate(self) -> bool:
        result = self._disjunction()
        if self._position != len(self._tokens):
            raise _NotPlain
        return _truth(result)

    def _accept(self, text: str) -> bool:
        """Steps over the next token if it is the word or symbol TEXT."""
        if self._position < len(self._tokens) and self._tokens[self._position] == text:
            self._position += 1
            return True
        return False

    def _disjunction(self) -> Any:
        result = self._conjunction()
        while self._accept("or"):
            right = self._conjunction()
            result = result if _truth(result) else right
        return result

    def _conjunction(self) -> Any:
        result = self._negation()
        while self._accept("and"):
            right = self._negation()
            result = right if _truth(result) else result
        return result

    def _negation(self) -> Any:
        if self._accept("not"):
            return not _truth(self._negation())
        return self._comparison()

    def _comparison(self) -> Any:
        left = self._operand()
        if self._accept("=="):
            return _defined(left) == _defined(self._operand())
        if self._accept("!="):
            return _defined(left) != _defined(self._operand())
        if self._accept("in"):
            return _contains(self._operand(), left)
        if self._accept("not"):
            if not self._accept("in"):
                raise _NotPlain
            return not _contains(self._operand(), left)
        return left

    def _operand(self) -> Any:
        if self._accept("("):
            return self._parenthesis()
        if self._accept("["):
            return self._items("]")
        if self._position == len(self._tokens):
            raise _NotPlain
        token = self._tokens[self._position]
        self._position += 1
        if token[0] in "'\"":
            return token[1:-1]
        if token.isdigit():
            return int(token)
        if token in _LITERALS:
            return _LITERALS[token]
        if token in _RESERVED or not token.isidentifier():
            raise _NotPlain
        return self._values.get(token, _UNDEFINED)

    def _parenthesis(self) -> Any:
        """The rest of a tuple, or of an expression in parentheses."""
        if self._accept(")"):
            return ()
        first = self._disjunction()
        if self._accept(")"):
            return first
        if not self._accept(","):
            raise _NotPlain
        return (_defined(first), *self._items(")"))

    def _items(self, end: str) -> list[Any]:
        items = []
        while not self._accept(end):
            items.append(_defined(self._disjunction()))
            if not self._accept(","):
                if not self._accept(end):
                    raise _NotPlain
                break
        return items


def _tokenize(text: str) -> list[str]:
    tokens = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        # the end of a tag ends the expression for Jinja2
        if match is None or match.lastgroup is None or "%}" in match[0]:
            raise _NotPlain
        tokens.append(match[match.lastgroup])
        position = match.end()
    return tokens


def _defined(value: Any) -> Any:
    if value is _UNDEFINED:
        raise _NotPlain
    return value


def _truth(value: Any) -> bool:
    return bool(_defined(value))


def _contains(container: Any, item: Any) -> bool:
    try:
        return _defined(item) in _defined(container)
    except TypeError as error:
        raise _NotPlain from error
