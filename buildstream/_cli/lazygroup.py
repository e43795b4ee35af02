"""A group of commands whose modules are imported when a command is looked at."""

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any, NamedTuple

import click


class Place(NamedTuple):
    """Where a command is defined, and what the list of commands says of it."""

    module: str  # beside this one
    attribute: str
    summary: str


class CommandTable(MutableMapping[str, click.Command]):
    """Commands by name; importing one does not import the others."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self.places = places
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            place = self.places[name]
            module = import_module(f"{__package__}.{place.module}")
            self._loaded[name] = getattr(module, place.attribute)
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self.places

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


class LazyGroup(click.Group):
    """A group with the commands of PLACES."""

    def __init__(self, *arguments: Any, places: Mapping[str, Place], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.commands = CommandTable(places)
        self._places = places

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands without importing them."""
        rows = [(name, self._places[name].summary) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
