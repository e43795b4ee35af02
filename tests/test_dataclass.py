"""The quick decorator gives what the one of the standard library gives."""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from buildstream._dataclass import dataclass as quick


def make_classes(dataclass: Any) -> dict[str, Any]:
    @dataclass(frozen=True, slots=True)
    class Point:
        """A place."""

        kind: ClassVar[str] = "point"
        x: int
        y: int = 2
        tags: "tuple[str, ...]" = ()

        @property
        def total(self) -> int:
            return self.x + self.y

    @dataclass(frozen=True, slots=True)
    class Named(Point):
        name: str = dataclasses.field(default="", compare=False)
        notes: list[str] = dataclasses.field(default_factory=list, compare=False)

    @dataclass(slots=True)
    class Tally:
        count: int = 0
        found: list[int] = dataclasses.field(default_factory=list)

        def __post_init__(self) -> None:
            self.found.append(self.count)

    @dataclass(slots=True, eq=False)
    class Thing:
        value: int

    @dataclass(frozen=True, slots=True, order=True)
    class Version:
        major: int
        minor: int = 0

        def __repr__(self) -> str:
            return f"v{self.major}"

    @dataclass(frozen=True, slots=True)
    class Nothing:
        pass

    return {cls.__name__: cls for cls in (Point, Named, Tally, Thing, Version, Nothing)}


STANDARD = make_classes(dataclasses.dataclass)
QUICK = make_classes(quick)


def changed_count(tally: Any, count: int) -> object:
    tally.count = count
    return tally.count


# what to do with the classes; the answer, or the name of the error, has to be the same
EXPERIMENTS: dict[str, Callable[[Any], object]] = {
    "positions": lambda c: repr(c["Point"](1, 3, ("a",))).replace("<locals>.", ""),
    "defaults": lambda c: repr(c["Point"](1)),
    "names": lambda c: repr(c["Point"](y=4, x=1)),
    "missing": lambda c: c["Point"](),
    "too many": lambda c: c["Point"](1, 2, (), 4),
    "unknown name": lambda c: c["Point"](1, z=4),
    "class variable": lambda c: (c["Point"].kind, c["Point"](1).kind),
    "property": lambda c: c["Point"](1).total,
    "documentation": lambda c: c["Point"].__doc__,
    "inherited fields first": lambda c: repr(c["Named"](1, 2, (), "n")),
    "factories make new values": lambda c: c["Named"](1).notes is not c["Named"](1).notes,
    "given values instead": lambda c: c["Named"](1, notes=["x"]).notes,
    "equal": lambda c: (c["Point"](1) == c["Point"](1), c["Point"](1) == c["Point"](2), c["Point"](1) != 1),
    "equal but for what does not count": lambda c: c["Named"](1, name="a") == c["Named"](1, name="b"),
    "not equal to a subclass": lambda c: c["Named"](1) == c["Point"](1),
    "usable as a key": lambda c: len({c["Point"](1), c["Point"](1), c["Point"](2)}),
    "changeable ones are no keys": lambda c: {c["Tally"]()},
    "changeable": lambda c: changed_count(c["Tally"](), 5),
    "post init": lambda c: c["Tally"](7).found,
    "identity": lambda c: (c["Thing"](1) == c["Thing"](1), len({c["Thing"](1), c["Thing"](1)})),
    "no other attributes": lambda c: setattr(c["Thing"](1), "other", 1),
    "no dictionary": lambda c: c["Thing"](1).__dict__,
    "frozen": lambda c: setattr(c["Point"](1), "x", 2),
    "frozen against deletion": lambda c: delattr(c["Point"](1), "x"),
    "order": lambda c: [
        c["Version"](1) < c["Version"](1, 2),
        c["Version"](2) <= c["Version"](2),
        c["Version"](3) > c["Version"](2, 9),
        c["Version"](3) >= c["Version"](4),
    ],
    "order of other things": lambda c: c["Version"](1) < 3,
    "own method": lambda c: repr(c["Version"](3)),
    "empty": lambda c: (repr(c["Nothing"]()), c["Nothing"]() == c["Nothing"](), len({c["Nothing"]()})),
    "replace": lambda c: repr(dataclasses.replace(c["Named"](1, name="a"), name="b")),
    "asdict": lambda c: dataclasses.asdict(c["Named"](1)),
    "astuple": lambda c: dataclasses.astuple(c["Tally"](1)),
    "fields": lambda c: [(f.name, f.type, f.default) for f in dataclasses.fields(c["Point"])],
    "is_dataclass": lambda c: [dataclasses.is_dataclass(cls) for cls in c.values()],
    "match": lambda c: c["Named"].__match_args__,
    "copy": lambda c: repr(copy.copy(c["Named"](1, name="x"))),
    "deepcopy": lambda c: repr(copy.deepcopy(c["Tally"](3))),
    # python 3.10 gives a derived class the slots of its base once more
    "slots": lambda c: (c["Point"].__slots__, hasattr(c["Named"](1), "__dict__")),
    "names of the class": lambda c: (c["Point"].__name__, c["Point"].__qualname__, c["Point"].__module__),
}


def outcome(experiment: Callable[[Any], object], classes: dict[str, Any]) -> object:
    try:
        return experiment(classes)
    except (TypeError, AttributeError) as error:
        return type(error).__name__


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_gives_what_the_standard_library_gives(experiment: Callable[[Any], object]) -> None:
    assert outcome(experiment, QUICK) == outcome(experiment, STANDARD)


def test_errors_name_the_method() -> None:
    with pytest.raises(TypeError, match=r"Point\.__init__\(\) missing 1 required positional argument: 'x'"):
        QUICK["Point"]()


@quick(frozen=True, slots=True)
class Place:
    name: str
    line: int = 0


def test_instances_can_be_pickled() -> None:
    place = Place("x", 3)
    assert pickle.loads(pickle.dumps(place)) == place
