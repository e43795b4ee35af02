"""What entered the cache keys of the last builds of each element, to tell later what has changed.

A small file each build, `inputs/PROJECT/NORMALNAME/KEY.json`; the newest few of an element are kept,
whether their artifacts are or not.  The public data, which is most of it and which many elements have
in common, is in a file of its own by hash, `inputs/.shared/HASH`, and written once.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from .._dataclass import dataclass
from .._load.elementhost import artifact_name
from .._load.resolved import ResolvedElement
from .._plan.record import ElementRecord
from ..utils import save_file_atomic

INPUTS_VERSION = 1
# builds of an element that are kept
MOST_BUILDS = 4
# what is shared, at most; an old build may then not be explained any more
MOST_SHARED = 4096
_SHARED_PART = 1  # the public data
_SHARED_DIRECTORY = ".shared"  # no name of a project


@dataclass(frozen=True, slots=True)
class KeyInputs:
    """What entered the keys of one build."""

    key: str  # strong key
    parts: tuple[str, ...]  # as `KeyTable.parts` gave them
    build_dependencies: dict[str, str]  # direct ones, `PROJECT/NAME` -> key
    runtime_dependencies: tuple[str, ...]  # direct ones, `PROJECT/NAME`
    built_s: float  # seconds since the epoch


class KeyInputStore:
    """Keeps and finds inputs of keys; may be used from several threads and processes.

    Args:
        directory: `<cachedir>/inputs`; made when something is stored.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._shared: dict[str, str] = {}  # text -> hash, of what is stored already

    def store(self, record: ElementRecord, parts: Sequence[str], keys: dict[str, str]) -> None:
        """Keeps what a build of RECORD, which has ended, was made of.

        KEYS are those of the direct build dependencies.  Failing to write is no failure of the build.
        """
        element = record.element
        content = {
            "version": INPUTS_VERSION,
            "parts": [
                self._reference(part) if number == _SHARED_PART else part for number, part in enumerate(parts)
            ],
            "build-dependencies": keys,
            "runtime-dependencies": [name_in_project(child) for child in element.runtime_dependencies],
        }
        with suppress(OSError):
            path = self._path(element, record.strong_key or "")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with save_file_atomic(path, "w") as file:
                file.write(json.dumps(content, separators=(",", ":")))
            self._forget_old(os.path.dirname(path))

    def builds(self, element: ResolvedElement) -> list[KeyInputs]:
        """The last builds of ELEMENT, newest first; what can't be read is left out."""
        found = [self._read(path) for path in self._paths(os.path.dirname(self._path(element, "x")))]
        return [inputs for inputs in found if inputs is not None]

    def _path(self, element: ResolvedElement, key: str) -> str:
        return os.path.join(self._directory, f"{artifact_name(element, key)}.json")

    @staticmethod
    def _paths(directory: str) -> list[str]:
        """The files of an element, newest first."""
        dated = []
        with suppress(OSError), os.scandir(directory) as entries:
            dated = [(entry.stat().st_mtime_ns, entry.path) for entry in entries if _is_build(entry.name)]
        return [path for _, path in sorted(dated, reverse=True)]

    def _forget_old(self, directory: str) -> None:
        if len(os.listdir(directory)) > MOST_BUILDS:
            for path in self._paths(directory)[MOST_BUILDS:]:
                os.unlink(path)

    def _read(self, path: str) -> KeyInputs | None:
        try:
            with open(path, encoding="utf-8") as file:
                content = json.load(file)
                built_s = os.fstat(file.fileno()).st_mtime
            if content["version"] != INPUTS_VERSION:
                return None
            return KeyInputs(
                key=os.path.basename(path).removesuffix(".json"),
                parts=tuple(self._resolve(part) for part in content["parts"]),
                build_dependencies=dict(content["build-dependencies"]),
                runtime_dependencies=tuple(content["runtime-dependencies"]),
                built_s=built_s,
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    # what is shared

    def _reference(self, part: str) -> dict[str, str]:
        """A reference to a file with PART."""
        name = self._shared.get(part)
        if name is None:
            name = hashlib.sha256(part.encode("ascii")).hexdigest()
            with suppress(OSError):
                self._write_shared(name, part)
            self._shared[part] = name
        return {"shared": name}

    def _write_shared(self, name: str, part: str) -> None:
        path = os.path.join(self._directory, _SHARED_DIRECTORY, name)
        if os.path.exists(path):
            os.utime(path)
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with save_file_atomic(path, "w") as file:
            file.write(part)
        names = os.listdir(os.path.dirname(path))
        if len(names) > MOST_SHARED:
            paths = [os.path.join(os.path.dirname(path), other) for other in names]
            for oldest in sorted(paths, key=os.path.getmtime)[: len(names) - MOST_SHARED]:
                os.unlink(oldest)

    def _resolve(self, part: object) -> str:
        if isinstance(part, str):
            return part
        name = cast("dict[str, str]", part)["shared"]
        path = os.path.join(self._directory, _SHARED_DIRECTORY, os.path.basename(name))
        with open(path, encoding="ascii") as file:
            return file.read()


def name_in_project(element: ResolvedElement) -> str:
    """`PROJECT/NAME`, which stays the same whatever junction leads to the project."""
    return f"{element.project_name}/{element.name}"


def _is_build(name: str) -> bool:
    return name.endswith(".json")
