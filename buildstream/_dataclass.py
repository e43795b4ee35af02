"""`dataclass` for classes with slots, made in a small part of the time that the standard decorator takes.

A short command makes about a hundred such classes, and the standard library compiles six methods for each:
more than a third of all the time of such a command.  Here only `__init__` is compiled, and only once the
first instance is made; all other methods are plain functions.  For everybody else the classes are like
those of the standard library: `fields`, `replace`, `asdict` and type checkers take them as such.
"""

import dataclasses
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, get_origin

_FIELDS = "__dataclass_fields__"  # where the standard library looks for them
_ABSENT: Any = dataclasses.MISSING


def _dataclass(
    *, slots: bool, frozen: bool = False, eq: bool = True, order: bool = False
) -> Callable[[type], type]:
    """The decorator: like `dataclasses.dataclass`, with the parameters that are used here."""
    assert slots, "classes without slots are for the standard library"

    def decorate(cls: type) -> type:
        own = _own_fields(cls)
        fields: dict[str, Any] = {}
        for base in reversed(cls.__mro__[1:]):
            fields.update(getattr(base, _FIELDS, {}))
        inherited = set(fields)
        fields.update(own)
        attributes = dict(cls.__dict__)
        for name in ("__dict__", "__weakref__", *own):
            attributes.pop(name, None)
        attributes["__slots__"] = tuple(name for name in own if name not in inherited)
        attributes[_FIELDS] = fields
        attributes["__match_args__"] = tuple(fields)
        for name, method in _methods(fields, frozen=frozen, eq=eq, order=order).items():
            attributes.setdefault(name, method)
        made = type(cls)(cls.__name__, cls.__bases__, attributes)
        made.__qualname__ = cls.__qualname__
        if "__init__" not in attributes:
            made.__init__ = _init_compiled_later(made, fields, frozen=frozen)  # type: ignore[misc]
        return made

    return decorate


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - for other modules
else:
    dataclass = _dataclass


def _own_fields(cls: type) -> dict[str, Any]:
    """The fields that the annotations of CLS declare."""
    fields = {}
    class_variable: Any = ClassVar
    for name, annotation in cls.__annotations__.items():
        if get_origin(annotation) is class_variable:
            continue
        assert not isinstance(annotation, str) or "ClassVar" not in annotation, "quote what is inside"
        default = cls.__dict__.get(name, _ABSENT)
        if isinstance(default, dataclasses.Field):
            field: Any = default
        else:
            assert default.__class__.__hash__ is not None, f"{cls}: all instances would share one {name}"
            field = dataclasses.field(default=default)
        field.name, field.type = name, annotation
        field._field_type = dataclasses._FIELD  # type: ignore[attr-defined]  # told apart from class variables
        fields[name] = field
    return fields


# __init__


def _init_compiled_later(cls: Any, fields: Mapping[str, Any], *, frozen: bool) -> Callable[..., None]:
    """An `__init__` that puts the real one in its place when it is called first."""

    def init(self: object, *values: Any, **named: Any) -> None:
        made = cls.__init__ = _compile_init(cls, fields, frozen=frozen)
        made(self, *values, **named)

    init.__name__ = "__init__"
    return init


def _compile_init(cls: type, fields: Mapping[str, Any], *, frozen: bool) -> Callable[..., None]:
    names: dict[str, Any] = {"_ABSENT": _ABSENT}
    parameters, lines = ["self"], []
    for name, field in fields.items():
        value = name
        if field.default_factory is not _ABSENT:
            names[f"_make_{name}"] = field.default_factory
            value = f"_make_{name}() if {name} is _ABSENT else {name}"
            parameters.append(f"{name}=_ABSENT")
        elif field.default is not _ABSENT:
            names[f"_default_{name}"] = field.default
            parameters.append(f"{name}=_default_{name}")
        else:
            parameters.append(name)
        if frozen:
            names[f"_set_{name}"] = getattr(cls, name).__set__  # of the slot
            lines.append(f"_set_{name}(self, {value})")
        else:
            lines.append(f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "\n    ".join(lines or ["pass"])
    exec(f"def __init__({', '.join(parameters)}):\n    {body}", names)  # noqa: S102 - names of attributes
    init: Callable[..., None] = names["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


# the other methods


def _methods(fields: Mapping[str, Any], *, frozen: bool, eq: bool, order: bool) -> dict[str, Any]:
    methods: dict[str, Any] = {"__repr__": _represent}
    if frozen:
        methods.update(
            __setattr__=_refuse_to_set,
            __delattr__=_refuse_to_delete,
            __getstate__=_get_state,
            __setstate__=_set_state,
        )
    if eq:
        methods.update(_comparisons([name for name, field in fields.items() if field.compare], order=order))
        if not frozen:
            methods["__hash__"] = None
    return methods


def _comparisons(names: list[str], *, order: bool) -> dict[str, Any]:
    """Methods that compare and hash by the attributes NAMES."""
    key: Callable[[object], Any] = attrgetter(*names) if names else lambda _: ()

    def equals(self: object, other: object) -> bool:
        return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

    def hash_value(self: object) -> int:
        return hash(key(self))

    def is_less(self: object, other: object) -> bool:
        return key(self) < key(other) if other.__class__ is self.__class__ else NotImplemented

    def is_less_or_equal(self: object, other: object) -> bool:
        return key(self) <= key(other) if other.__class__ is self.__class__ else NotImplemented

    methods: dict[str, Any] = {"__eq__": equals, "__hash__": hash_value}
    if order:  # python turns the two round for the others
        methods.update(__lt__=is_less, __le__=is_less_or_equal)
    return methods


def _represent(self: Any) -> str:
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name, field in self.__dataclass_fields__.items())
    return f"{type(self).__qualname__}({values})"


def _refuse_to_set(_self: object, name: str, _value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _get_state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self.__dataclass_fields__]


def _set_state(self: Any, state: list[Any]) -> None:
    for name, value in zip(self.__dataclass_fields__, state, strict=True):
        object.__setattr__(self, name, value)
