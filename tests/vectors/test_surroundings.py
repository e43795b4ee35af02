"""Keys depend on the project alone: not on path, person, locale, time zone, hash seed or directory order."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from random import Random

import pytest

from tests.testutils.space import TestSpace
from tests.vectors.asserting import require_packages
from tests.vectors.recording import VECTORS, copy_project, load_recording, parse_records

_RECORDING = VECTORS / "kitchen-sink" / "expected-sweet.json"
# languages whose rules for letters and numbers differ; the program must not ask which are installed
_LOCALES = ("C", "C.UTF-8", "POSIX", "tr_TR.UTF-8", "de_DE.UTF-8", "", "nonsense")
_TIME_ZONES = ("UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Kiritimati", ":/nowhere")
_PLACES = ("project", "deep/er/and deeper", "ünï/日本", "a%{b}c", "x[1]*?", ".hidden/..")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("original") / "project"
    copy_project(_RECORDING.parent, directory)
    return directory


@pytest.mark.parametrize("seed", range(20))
def test_surroundings_do_not_change_keys(space: TestSpace, original: Path, seed: int) -> None:
    require_packages()
    random = Random(seed)
    project = space.directory / "elsewhere" / random.choice(_PLACES)
    _copy_in_other_order(random, original, project)
    recording = load_recording(_RECORDING)
    answer = space.bst(
        *recording.arguments,
        cwd=project,
        environment={
            "PYTHONHASHSEED": str(seed * 7919),
            "LC_ALL": random.choice(_LOCALES),
            "LANG": random.choice(_LOCALES),
            "TZ": random.choice(_TIME_ZONES),
            "USER": random.choice(("root", "tomjon", "ü", "")),
            "LOGNAME": random.choice(("root", "nobody")),
            "COLUMNS": str(random.randint(1, 300)),
        },
    )
    answered = [(element["name"], element["full-key"]) for element in parse_records(answer.stdout)]
    assert answered == [(element["name"], element["full-key"]) for element in recording.elements]


def _copy_in_other_order(random: Random, source: Path, destination: Path) -> None:
    """Copies a tree, making the entries of each directory in an order of its own, with times of their own."""
    destination.mkdir(parents=True, exist_ok=True)
    entries = list(source.iterdir())
    random.shuffle(entries)
    for entry in entries:
        target = destination / entry.name
        if entry.is_dir() and not entry.is_symlink():
            _copy_in_other_order(random, entry, target)
            continue
        shutil.copy2(entry, target, follow_symlinks=False)
        if not entry.is_symlink():
            time_s = random.randint(0, 2_000_000_000)
            os.utime(target, (time_s, time_s))
