"""Project options: their declarations, where their values come from, and what they mean (format 2.8)."""

import os
from collections.abc import Sequence

from .._exceptions import LoadError
from .._utils_nearmiss import did_you_mean
from ..exceptions import LoadErrorReason
from ..node import MappingNode, _assert_symbol_name
from .conditionals import process_conditionals
from .expressions import Conditions
from .optiontypes import Option, OptionContext, OptionType, option_class


class OptionPool:
    """The options of one project.

    Use it in this order: :meth:`load`, the values from the weakest to the strongest
    source, :meth:`resolve`, then the rest.

    Args:
        element_path: The directory of the project's elements, for element masks.
        uname: The machine, for the defaults of `arch` and `os`; this one if absent.
    """

    def __init__(self, element_path: str, uname: os.uname_result | None = None) -> None:
        self._context = OptionContext(element_path, uname or os.uname())
        self._options: dict[str, Option] = {}
        self._conditions: Conditions | None = None

    def load(self, options_node: MappingNode) -> None:
        """Reads the declarations.

        Raises:
            LoadError: INVALID_DATA for a wrong declaration, INVALID_SYMBOL_NAME for a wrong name.
        """
        for name in options_node.keys():
            node = options_node.get_mapping(name)
            _assert_symbol_name(name, "option name", ref_node=node, allow_dashes=False)
            make = option_class(node.get_enum("type", OptionType))
            self._options[name] = make(name, node, self._context)

    def load_yaml_values(self, node: MappingNode) -> None:
        """Sets the values that a junction or the user configuration gives.

        Raises:
            LoadError: INVALID_DATA for an unknown option or an invalid value.
        """
        for name, value in node.items():
            option = self._options.get(name)
            if option is None:
                raise LoadError(
                    f"{value.get_provenance()}: Unknown option '{name}' specified",
                    LoadErrorReason.INVALID_DATA,
                    detail=did_you_mean(name, self._options),
                )
            option.set_from_node(node)

    def load_cli_values(self, values: Sequence[tuple[str, str]], *, ignore_unknown: bool) -> None:
        """Sets the pairs of name and value that the command line gives.

        Raises:
            LoadError: INVALID_DATA for an invalid value, and unless IGNORE_UNKNOWN for an unknown option.
        """
        for name, value in values:
            option = self._options.get(name)
            if option is not None:
                option.set_from_text(value)
            elif not ignore_unknown:
                raise LoadError(
                    f"Unknown option '{name}' specified on the command line",
                    LoadErrorReason.INVALID_DATA,
                    detail=did_you_mean(name, self._options),
                )

    def resolve(self) -> None:
        """Finishes the values; from now on they are fixed.

        Raises:
            LoadError: INVALID_DATA if this machine is none that an `arch` or `os` option supports.
        """
        for option in self._options.values():
            option.resolve()
        self._conditions = Conditions({name: option.value for name, option in self._options.items()})

    def process_node(self, node: MappingNode, *, restricted: Sequence[str] | None = None) -> None:
        """Evaluates the conditionals in the tree NODE, in place; see :func:`process_conditionals`."""
        assert self._conditions is not None, "options are resolved before conditionals are evaluated"
        process_conditionals(node, self._conditions, frozenset(restricted or ()))

    def export_variables(self, variables: MappingNode) -> None:
        """Sets the variables that options are exported to, in the order of declaration."""
        for option in self._options.values():
            if option.variable is not None:
                variables[option.variable] = option.text

    def printable(self) -> list[tuple[str, str]]:
        """Pairs of name and value as text, sorted by name."""
        return sorted((name, option.text) for name, option in self._options.items())
