"""Conditionals `(?)` and assertions `(!)` of YAML trees (format 4.7)."""

from .._exceptions import LoadError
from .._utils_nearmiss import did_you_mean
from ..exceptions import LoadErrorReason
from ..node import MappingNode, Node, ScalarNode, SequenceNode
from .expressions import Conditions, ExpressionError


def process_conditionals(node: MappingNode, conditions: Conditions, restricted: frozenset[str]) -> None:
    """Applies every conditional in the tree NODE, in place.

    Args:
        node: The tree.
        conditions: Evaluates the expressions.
        restricted: Keys that no conditional directly in NODE may set, applied or not.

    Raises:
        LoadError: USER_ASSERTION, EXPRESSION_FAILED, INVALID_DATA for a malformed conditional,
            ILLEGAL_COMPOSITE for a fragment that does not fit or sets a restricted key.
    """
    # a fragment may bring conditionals of its own: they come after those beside it
    while _process_own_conditionals(node, conditions, restricted):
        pass
    for value in node.value.values():
        if type(value) is not ScalarNode:
            _process_nested(value, conditions)


def _process_nested(node: Node, conditions: Conditions) -> None:
    if type(node) is MappingNode:
        process_conditionals(node, conditions, frozenset())
    elif type(node) is SequenceNode:
        for item in node.value:
            if type(item) is not ScalarNode:
                _process_nested(item, conditions)


def _process_own_conditionals(node: MappingNode, conditions: Conditions, restricted: frozenset[str]) -> bool:
    """Applies the conditionals directly in NODE; whether there were any."""
    if "(!)" in node.value:
        text = node.get_scalar("(!)")
        raise LoadError(f"{text.get_provenance()}: {text.as_str()}", LoadErrorReason.USER_ASSERTION)
    if "(?)" not in node.value:
        return False
    items = node.get_sequence("(?)")
    del node["(?)"]
    for item in items:
        expression, fragment = _read_conditional(item)
        try:
            applies = conditions.evaluate(expression)
        except ExpressionError as error:
            raise LoadError(
                f"{item.get_provenance()}: {error}",
                LoadErrorReason.EXPRESSION_FAILED,
                detail=did_you_mean(error.undefined, conditions.names()) if error.undefined else None,
            ) from error
        if type(fragment) is not MappingNode:
            raise LoadError(
                f"{item.get_provenance()}: Only values of type 'dict' can be composed.",
                LoadErrorReason.ILLEGAL_COMPOSITE,
            )
        _refuse_restricted_keys(fragment, restricted)
        if applies:
            fragment._composite(node)
    return True


def _read_conditional(item: Node) -> tuple[str, Node]:
    """The expression and the fragment of one item of the list."""
    if type(item) is not MappingNode or not item.value:
        problem = "Conditional statement is not a dictionary of one expression"
    elif len(item.value) > 1:
        problem = "Conditional statement has more than one key"
    else:
        return next(iter(item.value.items()))
    raise LoadError(f"{item.get_provenance()}: {problem}", LoadErrorReason.INVALID_DATA)


def _refuse_restricted_keys(fragment: MappingNode, restricted: frozenset[str]) -> None:
    for key, value in fragment.value.items():
        if key in restricted:
            raise LoadError(
                f"{value.get_provenance()}: The '{key}' key cannot be specified conditionally.",
                LoadErrorReason.ILLEGAL_COMPOSITE,
            )
