"""Damaged projects: a few hundred made anew from a fixed seed, and every case that ever ended badly."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from tests.fuzz.cases import Case, load_corpus, load_seeds
from tests.fuzz.execution import execute
from tests.fuzz.run import generate_cases

_COUNT = 120
_CORPUS = load_corpus()


@pytest.mark.parametrize("seed", range(4))
def test_damaged_projects_end_in_order(seed: int, tmp_path: Path) -> None:
    for case in islice(generate_cases(seed), _COUNT // 4):
        outcome = execute(case, str(tmp_path))
        assert outcome.fault is None, f"{outcome.fault}\n{case.to_json()}\n{outcome.stderr}"


@pytest.mark.parametrize("name", sorted(_CORPUS))
def test_kept_cases_end_in_order(name: str, tmp_path: Path) -> None:
    outcome = execute(_CORPUS[name], str(tmp_path))
    assert outcome.fault is None, f"{outcome.fault}\n{outcome.stderr}"


def test_seeds_are_valid(tmp_path: Path) -> None:
    # damage tells nothing if what is damaged does not load to begin with
    failed = [seed.arguments for seed in load_seeds() if execute(seed, str(tmp_path)).stderr.count("Error")]
    assert failed == []


def test_kept_text_gives_the_case_back() -> None:
    case = Case({"a": b"\xff\n", "b": b"text"}, ["show"], {"link": "a"}, ["pipe"])
    assert Case.from_json(case.to_json()) == case
