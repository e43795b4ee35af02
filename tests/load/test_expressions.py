"""Conditional expressions: format 4.7."""

import random

import pytest

from buildstream._load.expressions import Conditions, ExpressionError

VALUES = {"t": True, "f": False, "e": "a", "fl": ["x", "y"], "none_chosen": []}

TRUE = [
    "t",
    "t == True",
    "t == 1",
    "e == 'a'",
    'e in ("a","c")',
    '"x" in fl',
    'not ("q" in fl)',
    "'q' not in fl",
    'fl == ["x","y"]',
    "fl|length == 2",
    "fl is defined",
    "t or undefined_name",
    'e.upper() == "A"',
    "e != 'b' and (f or t)",
    "not f and not none_chosen",
    "1 < 2",
    "e ~ 'b' == 'ab'",
    "'a' 'b' == 'ab'",
    "'\\x61' == e",
    "e in ('a',)",
    "(t)",
    "  t  ",
    "t, f",
    "f == f == f",
]
FALSE = [
    't == "True"',
    "undefined_name is defined",
    "[]",
    "()",
    "f",
    "0",
    "''",
    "none",
    "f and undefined_name",
]
FAILING = [
    "undefined_name",
    "not undefined_name",
    "e == a",
    "",
    "t f",
    "range(3)",
    "dict()",
    "t if t else f",
    "1/0",
    "'a' in 5",
    "e.nothing",
    "true %}",
    "t %} True {% else %} False {% endif %}{% if t",
    "(" * 3000,
    "012",
    "'a",
]


@pytest.mark.parametrize("text", TRUE)
def test_true(text: str) -> None:
    assert Conditions(VALUES).evaluate(text) is True


@pytest.mark.parametrize("text", FALSE)
def test_false(text: str) -> None:
    assert Conditions(VALUES).evaluate(text) is False


@pytest.mark.parametrize("text", FAILING)
def test_failing(text: str) -> None:
    conditions = Conditions(VALUES)
    with pytest.raises(ExpressionError, match="Failed to evaluate expression"):
        conditions.evaluate(text)
    # a failure is not remembered as a value
    with pytest.raises(ExpressionError):
        conditions.evaluate(text)


def _outcome(text: str) -> bool | None:
    """What the shortcut, or Jinja2 in its place, makes of TEXT; None is an error."""
    try:
        return Conditions(VALUES).evaluate(text)
    except ExpressionError:
        return None


def _outcome_of_jinja(text: str) -> bool | None:
    try:
        return Conditions(VALUES)._evaluate_template(text)
    except ExpressionError:
        return None


def test_the_shortcut_means_the_same_as_jinja() -> None:
    generator = random.Random(1)
    words = ["t", "f", "e", "fl", "nope", "'a'", '"x"', "1", "true", "False", "[", "]", "(", ")", ","]
    words += ["==", "!=", "in", "not in", "and", "or", "not", "not in", "==", "and", "or"]
    for _ in range(3000):
        text = " ".join(generator.choices(words, k=generator.randint(1, 7)))
        assert _outcome(text) is _outcome_of_jinja(text), text
