"""Small types of the plugin interface: enumerations, warning tokens, the shape of a source reference."""

from collections.abc import Iterator, KeysView
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

SourceRef = None | int | str | list[Any] | dict[str, Any]


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


class _FastEnumType(type):
    """Turns the plain attributes of a class body into members."""

    _members: dict[object, Any]  # by raw value, in declaration order

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> "_FastEnumType":
        if not bases:
            return super().__new__(mcs, name, bases, namespace)
        if len(bases) != 1:
            raise TypeError(f"Enumeration '{name}' must have exactly one base class")

        raw_values = {key: value for key, value in namespace.items() if not _is_dunder(key)}
        for key in raw_values:
            if hasattr(bases[0], key):
                raise AttributeError(f"Enumeration '{name}' may not redefine '{key}'")
        if len({type(value) for value in raw_values.values()}) > 1:
            raise TypeError(f"The values of enumeration '{name}' must all have one type")
        if len(set(raw_values.values())) != len(raw_values):
            raise ValueError(f"The values of enumeration '{name}' must be unique")

        body = {key: value for key, value in namespace.items() if _is_dunder(key)}
        cls = super().__new__(mcs, name, bases, {"__slots__": (), **body})
        members: dict[object, Any] = {}
        for key, value in raw_values.items():
            member: Any = object.__new__(cls)  # type: ignore[arg-type]  # cls is a class, through its metaclass
            object.__setattr__(member, "name", key)
            object.__setattr__(member, "value", value)
            members[value] = member
            type.__setattr__(cls, key, member)
        type.__setattr__(cls, "_members", members)
        return cls

    def __call__(cls, value: object) -> Any:
        for member in cls._members.values():
            if member is value or member.value == value:
                return member
        raise ValueError(f"Unknown enum value: {value}")

    def __iter__(cls) -> Iterator[Any]:
        return iter(cls._members.values())

    def __setattr__(cls, name: str, value: object) -> None:
        raise AttributeError(f"Enumeration '{cls.__name__}' can not be changed")

    def __repr__(cls) -> str:
        return f"<fastenum '{cls.__qualname__}'>"


if TYPE_CHECKING:
    # To a type checker it is an ordinary enumeration, so that `Action.ERROR` has the type `Action`.
    class FastEnum(Enum):
        """A light enumeration; see the definition used at run time below."""

        @classmethod
        def values(cls) -> KeysView[Any]: ...

else:

    class FastEnum(metaclass=_FastEnumType):
        """Base of light enumerations: each attribute of a subclass becomes a member.

        The values must be unique and of one type.  Only names with two leading
        and trailing underscores, such as `__str__`, remain ordinary attributes.
        `Cls(value)` gives the member with that value, or raises ValueError.  A
        member equals only itself, never its raw value.
        """

        __slots__ = ("name", "value")

        _members: ClassVar[dict[object, Any]] = {}

        @classmethod
        def values(cls) -> KeysView[Any]:
            """The raw values, in declaration order."""
            return cls._members.keys()

        def __eq__(self, other: object) -> bool:
            if type(self) is not type(other):
                return NotImplemented
            return self is other

        def __hash__(self) -> int:
            return object.__hash__(self)

        def __str__(self) -> str:
            return str(self.value)

        def __repr__(self) -> str:
            return f"<{type(self).__qualname__}.{self.name}: {self.value}>"

        def __reduce__(self) -> tuple[type, tuple[Any]]:
            return type(self), (self.value,)


class CoreWarnings:
    """Tokens of the warnings that the core emits; `fatal-warnings` of a project may list them."""

    OVERLAPS = "overlaps"
    """A file of one element overlaps a file of another, and is not whitelisted."""

    UNSTAGED_FILES = "unstaged-files"
    """Files could not be staged because they would replace a directory that is not empty."""

    REF_NOT_IN_TRACK = "ref-not-in-track"
    """The reference of a source is not on the branch that it tracks."""

    UNALIASED_URL = "unaliased-url"
    """The URL of a source does not use an alias."""

    UNAVAILABLE_SOURCE_INFO = "unavailable-source-info"
    """A source can not report where it comes from."""


CORE_WARNING_TOKENS = frozenset(
    {
        CoreWarnings.OVERLAPS,
        CoreWarnings.UNSTAGED_FILES,
        CoreWarnings.REF_NOT_IN_TRACK,
        CoreWarnings.UNALIASED_URL,
        CoreWarnings.UNAVAILABLE_SOURCE_INFO,
    }
)


class OverlapAction(FastEnum):
    """What to do when staged files overwrite files of an earlier staging call."""

    ERROR = "error"
    WARNING = "warning"
    IGNORE = "ignore"


class _Scope(FastEnum):
    """Which dependencies of an element are meant."""

    ALL = 1
    BUILD = 2
    RUN = 3
    NONE = 4
