"""The types of project options: how each is declared, assigned, checked and exported (format 2.8)."""

import os
from enum import Enum

from .._dataclass import dataclass
from .._exceptions import LoadError, PlatformError
from .._model.platform import canonical_arch, host_arch
from .._utils_nearmiss import did_you_mean
from ..exceptions import LoadErrorReason
from ..node import MappingNode, Node, _assert_symbol_name


class OptionType(Enum):
    """The `type` of a declaration."""

    BOOL = "bool"
    ENUM = "enum"
    FLAGS = "flags"
    ELEMENT_MASK = "element-mask"
    ARCH = "arch"
    OS = "os"


@dataclass(frozen=True, slots=True)
class OptionContext:
    """What computed defaults and values are taken from."""

    element_path: str
    uname: os.uname_result


class Option:
    """The base of all types: a name, an optional variable to export to, and a value.

    Args:
        name: The option's name.
        node: Its declaration.
        context: The project and the machine.

    Raises:
        LoadError: INVALID_DATA or INVALID_SYMBOL_NAME, if the declaration is wrong.
    """

    option_type: OptionType
    extra_keys: tuple[str, ...] = ()
    value: bool | str | list[str]  # as expressions see it

    def __init__(self, name: str, node: MappingNode, context: OptionContext) -> None:
        self.name = name
        node.validate_keys(["type", "description", "variable", *self.extra_keys])
        node.get_str("description")
        variable = node.get_scalar("variable", None)
        self.variable: str | None = None if variable.is_none() else variable.as_str()
        if self.variable is not None:
            _assert_symbol_name(self.variable, "variable name", ref_node=variable)
        self.declare(node, context)

    @property
    def text(self) -> str:
        """The value as it is exported."""
        raise NotImplementedError

    def declare(self, node: MappingNode, context: OptionContext) -> None:
        """Reads the keys of this type and sets the default value."""
        raise NotImplementedError

    def set_from_node(self, node: MappingNode) -> None:
        """Takes the value from NODE, a mapping of option names."""
        raise NotImplementedError

    def set_from_text(self, text: str) -> None:
        """Takes the value from the command line."""
        raise NotImplementedError

    def resolve(self) -> None:
        """Checks a value that could not be checked when it was set."""


class BoolOption(Option):
    """True or false."""

    option_type = OptionType.BOOL
    extra_keys: tuple[str, ...] = ("default",)
    value: bool

    @property
    def text(self) -> str:
        return "1" if self.value else "0"

    def declare(self, node: MappingNode, context: OptionContext) -> None:
        self.value = node.get_bool("default")

    def set_from_node(self, node: MappingNode) -> None:
        self.value = node.get_bool(self.name)

    def set_from_text(self, text: str) -> None:
        if text not in ("True", "true", "False", "false"):
            raise LoadError(
                f"Invalid value for boolean option {self.name}: {text}", LoadErrorReason.INVALID_DATA
            )
        self.value = text in ("True", "true")


class EnumOption(Option):
    """One of the declared values."""

    option_type = OptionType.ENUM
    extra_keys: tuple[str, ...] = ("values", "default")
    value: str

    @property
    def text(self) -> str:
        return self.value

    def declare(self, node: MappingNode, context: OptionContext) -> None:
        self.values = _read_values(self, node)
        self.value = self._checked(node.get_str("default"), node.get_node("default"))

    def set_from_node(self, node: MappingNode) -> None:
        self.value = self._checked(node.get_str(self.name), node.get_node(self.name))

    def set_from_text(self, text: str) -> None:
        self.value = self._checked(text, None)

    def _checked(self, value: str, node: Node | None) -> str:
        if value not in self.values:
            raise _invalid_value(self, value, self.values, node)
        return value


class OsOption(EnumOption):
    """The operating system, as `uname -s` reports it unless it is assigned."""

    option_type = OptionType.OS
    extra_keys: tuple[str, ...] = ("values",)

    def declare(self, node: MappingNode, context: OptionContext) -> None:
        self.values = _read_values(self, node)
        self.value = context.uname.sysname

    def resolve(self) -> None:
        self._checked(self.value, None)


class ArchOption(EnumOption):
    """The architecture: the declared spelling of this machine's unless it is assigned."""

    option_type = OptionType.ARCH
    extra_keys: tuple[str, ...] = ("values",)

    def declare(self, node: MappingNode, context: OptionContext) -> None:
        self.values = _read_values(self, node)
        self.value = host = host_arch(context.uname)
        items = node.get_sequence("values")
        # backwards, so that the first spelling of several wins
        for index in reversed(range(len(items))):
            item = items.scalar_at(index)
            try:
                canonical = canonical_arch(item.as_str())
            except PlatformError as error:
                raise LoadError(
                    f"{item.get_provenance()}: Invalid value for arch option '{self.name}': {error}",
                    LoadErrorReason.INVALID_DATA,
                ) from error
            if canonical == host:
                self.value = item.as_str()

    def resolve(self) -> None:
        self._checked(self.value, None)


class FlagsOption(Option):
    """Any of the declared values; a default keeps its order, an assigned list is sorted."""

    option_type = OptionType.FLAGS
    extra_keys: tuple[str, ...] = ("values", "default")
    value: list[str]

    @property
    def text(self) -> str:
        return ",".join(self.value)

    def declare(self, node: MappingNode, context: OptionContext) -> None:
        self.values = self.valid_values(node, context)
        default = node.get_sequence("default", [])
        self.value = self._checked(default.as_str_list(), default)

    def valid_values(self, node: MappingNode, context: OptionContext) -> list[str]:
        """The values that may be chosen."""
        return _read_values(self, node)

    def set_from_node(self, node: MappingNode) -> None:
        sequence = node.get_sequence(self.name)
        self.value = sorted(self._checked(sequence.as_str_list(), sequence))

    def set_from_text(self, text: str) -> None:
        self.value = sorted(self._checked("".join(text.split()).split(","), None))

    def _checked(self, value: list[str], node: Node | None) -> list[str]:
        if not set(value).issubset(self.values):
            raise _invalid_value(self, value, self.values, node)
        return value


class ElementMaskOption(FlagsOption):
    """Any of the project's element files."""

    option_type = OptionType.ELEMENT_MASK
    extra_keys: tuple[str, ...] = ("default",)

    def valid_values(self, node: MappingNode, context: OptionContext) -> list[str]:
        names = []
        for directory, subdirectories, files in os.walk(context.element_path):
            subdirectories.sort()
            prefix = os.path.relpath(directory, context.element_path)
            names += [
                os.path.normpath(os.path.join(prefix, file))
                for file in sorted(files)
                if file.endswith(".bst")
            ]
        return names


def option_class(option_type: OptionType) -> type[Option]:
    """The class of the options of a type."""
    classes: tuple[type[Option], ...] = (
        BoolOption,
        EnumOption,
        FlagsOption,
        ElementMaskOption,
        ArchOption,
        OsOption,
    )
    return next(candidate for candidate in classes if candidate.option_type is option_type)


def _read_values(option: Option, node: MappingNode) -> list[str]:
    values = node.get_str_list("values", [])
    if not values:
        raise LoadError(
            f"{node.get_provenance()}: "
            f"No values specified for {option.option_type.value} option '{option.name}'",
            LoadErrorReason.INVALID_DATA,
        )
    return values


def _invalid_value(option: Option, value: str | list[str], valid: list[str], node: Node | None) -> LoadError:
    prefix = f"{node.get_provenance()}: " if node is not None else ""
    unknown = next(item for item in ([value] if isinstance(value, str) else value) if item not in valid)
    return LoadError(
        f"{prefix}Invalid value for {option.option_type.value} option '{option.name}': {value}\n"
        f"Valid values: {', '.join(valid)}",
        LoadErrorReason.INVALID_DATA,
        detail=did_you_mean(unknown, valid),
    )
