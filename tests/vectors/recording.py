"""Recorded answers of `bst show`: how they are asked for and stored, and how projects are laid out."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

VECTORS = Path(__file__).parent

#: Every symbol that can be recorded, by the name it has in FORMAT.
SYMBOLS = (
    "name",
    "kind",
    "description",
    "full-key",
    "state",
    "vars",
    "env",
    "public",
    "config",
    "deps",
    "build-deps",
    "runtime-deps",
)

#: Starts the line before each recorded value; no value of a vector contains it.
MARK = "@@vector@@"


@dataclass(frozen=True, slots=True)
class Recording:
    """One call of `bst show` and what BuildStream 2.8 answered."""

    path: Path
    """The JSON file it is kept in."""
    options: tuple[str, ...]
    """Options before the command."""
    show_options: tuple[str, ...]
    """Options of `show`, FORMAT apart."""
    targets: tuple[str, ...]
    symbols: tuple[str, ...]
    """The recorded symbols, `name` first."""
    elements: tuple[dict[str, str], ...]
    """Symbol to text for each element, in the order of the answer; trailing line breaks are removed."""

    @property
    def identifier(self) -> str:
        """The project's folder and the name of the recording, as `keys/scopes/all-of-a`."""
        relative = self.path.relative_to(VECTORS)
        return str(relative.parent / relative.stem.removeprefix("expected-"))

    @property
    def arguments(self) -> list[str]:
        """The command line after the program's name."""
        fixed = ["--no-interactive", "--no-colors"]
        return [
            *fixed,
            *self.options,
            "show",
            *self.show_options,
            "--format",
            show_format(self.symbols),
            *self.targets,
        ]


def show_format(symbols: Iterable[str]) -> str:
    """The FORMAT that makes `bst show` answer with one record an element, for `parse_records`."""
    return "".join(f"{MARK}{symbol}\n%{{{symbol}}}\n" for symbol in symbols) + f"{MARK}end"


def parse_records(text: str) -> tuple[dict[str, str], ...]:
    """The records in the standard output of a `show` that was given `show_format`."""
    records: list[dict[str, str]] = []
    values: dict[str, list[str]] = {}
    symbol = "end"
    for line in text.split("\n"):
        if not line.startswith(MARK):
            values.setdefault(symbol, []).append(line)
            continue
        symbol = line.removeprefix(MARK)
        if symbol == "end":
            records.append({name: "\n".join(lines).rstrip("\n") for name, lines in values.items()})
            values = {}
        elif symbol == "name":
            values = {}
    return tuple(records)


def load_recording(path: Path) -> Recording:
    """Reads a recording; multi-line values are stored as lists of lines."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return Recording(
        path=path,
        options=tuple(stored["options"]),
        show_options=tuple(stored["show-options"]),
        targets=tuple(stored["targets"]),
        symbols=tuple(stored["symbols"]),
        elements=tuple(
            {
                symbol: value if isinstance(value, str) else "\n".join(value)
                for symbol, value in element.items()
            }
            for element in stored["elements"]
        ),
    )


def save_recording(recording: Recording) -> None:
    """Writes a recording to its path."""
    stored = {
        "options": recording.options,
        "show-options": recording.show_options,
        "targets": recording.targets,
        "symbols": recording.symbols,
        "elements": [
            {symbol: value.split("\n") if "\n" in value else value for symbol, value in element.items()}
            for element in recording.elements
        ],
    }
    recording.path.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def find_recordings(*folders: str) -> list[Path]:
    """The recordings below some folders of the vectors, sorted."""
    return sorted(path for folder in folders for path in (VECTORS / folder).glob("**/expected-*.json"))


def copy_project(vector: Path, destination: Path) -> None:
    """Lays out the project of a vector's folder in a directory that is empty or does not exist.

    `project/` is copied; `special-files.yaml` beside it, if any, adds what version control does not keep:
    empty directories, modes, symbolic links and names in other scripts.
    """
    shutil.copytree(vector / "project", destination, symlinks=True, dirs_exist_ok=True)
    description = vector / "special-files.yaml"
    if not description.exists():
        return
    special = yaml.safe_load(description.read_text(encoding="utf-8"))
    for name, file in special.get("files", {}).items():
        path = destination / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file["text"], encoding="utf-8", newline="")
        path.chmod(int(file["mode"], 8))
    for name, target in special.get("symlinks", {}).items():
        path = destination / name
        path.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(target, path)
    for name, mode in special.get("directories", {}).items():
        path = destination / name
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(int(mode, 8))
