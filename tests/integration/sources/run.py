#!/usr/bin/env python3
"""Runs two bst programs through fetching, tracking and checking out, and compares all that can be seen of it.

    run.py REFERENCE CANDIDATE [--scratch FOLDER] [--only steps|mirrors|retries|mirror-kinds]

Each gets the same project, with caches of its own.  Compared are, after every command: the exit status, how
many elements each queue has processed, what a server was asked for and in which order, the records of the
source caches byte for byte, what was downloaded, and the files of the project with checkouts in it.  What
differs in the same way after several commands is told once.

Known to differ: BuildStream 2.8 also stages the sources of a junction that it uses in place.

Exit status: 0 if nothing differs, else 1.
"""

import argparse
import itertools
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.integration.sources.program import Program, Seen
from tests.integration.sources.project import (
    MIRROR_KINDS,
    MIRROR_PLUGINS,
    STEPS,
    Step,
    fill_site,
    write_mirrored_project,
    write_project,
)
from tests.integration.sources.served import Site, site


def differences(reference: Seen, candidate: Seen) -> list[str]:
    """What differs, by aspect."""
    found = []
    for field in fields(Seen):
        left, right = getattr(reference, field.name), getattr(candidate, field.name)
        if left == right:
            continue
        if isinstance(left, dict):
            names = sorted(name for name in {*left, *right} if left.get(name) != right.get(name))
            left = {name: left.get(name) for name in names}
            right = {name: right.get(name) for name in names}
        found.append(f"{field.name}:\n        {left}\n        {right}")
    return found


class Comparison:
    """Tells what it has compared, and what differs."""

    def __init__(self) -> None:
        self.compared = 0
        self.differing = 0
        self._last: list[str] = []

    def add(self, title: str, found: list[str]) -> None:
        """Notes one comparison."""
        self.compared += 1
        news = [text for text in found if text not in self._last]
        self.differing += bool(news)
        self._last = found
        if news:
            print(title)
            for text in news:
                print(f"    {text}", flush=True)


def perform(step: Step, program: Program, server: Site) -> Seen:
    """Runs one step."""
    program.forget(*step.forget)
    for path, text in step.write.items():
        target = program.project / path
        if text is None:
            shutil.rmtree(target) if target.is_dir() else target.unlink()
        else:
            target.write_text(text)
    server.take_asked()
    result = program.run(*step.arguments)
    asked = server.take_asked()
    return program.see(result, sorted(asked) if step.has_any_order else asked)


def compare_steps(commands: Sequence[str], scratch: Path, comparison: Comparison) -> None:
    """The steps of one project, once for each place that refs can be kept in."""
    for storage in ("inline", "project.refs"):
        with site() as server:
            fill_site(server)
            # the same place, so that nothing that is written down can differ by it
            programs = []
            for index, command in enumerate(commands):
                project = scratch / storage / str(index) / "project"
                write_project(project, server.url, storage)
                programs.append(Program(command, project.parent / "home", project))
            for step in STEPS:
                seen = [perform(step, program, server) for program in programs]
                comparison.add(f"{storage}: {' '.join(step.arguments)}", differences(*seen))


POLICIES = ("all", "mirrors", "aliases", "user")


@dataclass(frozen=True, slots=True)
class Arena:
    """The project with mirrors, a server for it, and who is compared in it."""

    commands: Sequence[str]
    scratch: Path
    project: Path
    server: Site
    ref: str

    def outcomes(self, action: str, configuration: str) -> list[str]:
        """What differs when the one source is fetched, or tracked, with fresh caches."""
        seen = []
        for command in self.commands:
            with tempfile.TemporaryDirectory(dir=self.scratch) as home:
                program = Program(command, Path(home), self.project)
                netrc = Path(home) / ".netrc"
                netrc.write_text("machine 127.0.0.1 login user password secret\n")
                netrc.chmod(0o600)
                program.configure(configuration)
                ref = f"  ref: {self.ref}\n" if action == "fetch" else ""
                text = f"kind: import\nsources:\n- kind: remote\n  url: up:file\n{ref}"
                (self.project / "a.bst").write_text(text)
                self.server.take_asked()
                result = program.run("source", action, "a.bst")
                seen.append(program.see(result, self.server.take_asked()))
        return differences(*seen)


@contextmanager
def arena(commands: Sequence[str], scratch: Path, name: str) -> Iterator[Arena]:
    """One with a project of its own."""
    with site() as server:
        ref = write_mirrored_project(scratch / name, server.url)
        yield Arena(commands, scratch, scratch / name, server, ref)


def compare_mirrors(commands: Sequence[str], scratch: Path, comparison: Comparison) -> None:
    """Which addresses are tried, in which order: policy, default mirror, override and what there is."""
    with arena(commands, scratch, "mirrors") as place:
        for action, policy, default, override, has in itertools.product(
            ("fetch", "track"), POLICIES, (None, "far"), (False, True), ("base", "near-2", "far", "own", "")
        ):
            place.server.files = {f"{has}/file": b"content"} if has else {}
            text = f"{action}: {{source: {policy}}}\nscheduler: {{network-retries: 0}}\n"
            settings: dict[str, object] = {}
            if override:
                aliases = {"up": [f"{place.server.url}own/"]}
                settings["mirrors"] = [{"name": "own", "aliases": aliases}]
            if default:
                settings["default-mirror"] = default
            if settings:
                text += f"projects: {json.dumps({'mirrored': settings})}\n"
            title = f"{action} {policy} default={default} override={override} has={has or 'none'}"
            comparison.add(title, place.outcomes(action, text))


def compare_retries(commands: Sequence[str], scratch: Path, comparison: Comparison) -> None:
    """How often it is tried."""
    with arena(commands, scratch, "retries") as place:
        for action, retries, status in itertools.product(("fetch", "track"), (0, 1, 3), (404, 500, 403)):
            mirrors = ("base", "near-1", "near-2", "far")
            place.server.statuses = {f"{name}/file": status for name in mirrors}
            text = f"scheduler: {{network-retries: {retries}}}\n"
            title = f"{action} retries={retries} status={status}"
            comparison.add(title, place.outcomes(action, text))


def compare_mirror_kinds(commands: Sequence[str], scratch: Path, comparison: Comparison) -> None:
    """The mirrors of the plugin packages, which make addresses and may ask for bearer tokens."""
    with arena(commands, scratch, "kinds") as place:
        plain = (place.project / "project.conf").read_text().partition("mirrors:")[0]
        for action, (kind, config) in itertools.product(("fetch", "track"), MIRROR_KINDS):
            (place.project / "project.conf").write_text(
                f"{plain}{MIRROR_PLUGINS}mirrors:\n- name: made\n  kind: {kind}\n"
                f"  config: {config.replace('@URL@', place.server.url)}\n"
            )
            text = "track: {source: all}\nscheduler: {network-retries: 0}\n"
            comparison.add(f"{action} {kind} {config}", place.outcomes(action, text))


PARTS: dict[str, Callable[[Sequence[str], Path, Comparison], None]] = {
    "steps": compare_steps,
    "mirrors": compare_mirrors,
    "retries": compare_retries,
    "mirror-kinds": compare_mirror_kinds,
}


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reference")
    parser.add_argument("candidate")
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--only", choices=sorted(PARTS))
    options = parser.parse_args()
    comparison = Comparison()
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        for name, part in PARTS.items():
            if options.only in (None, name):
                part((options.reference, options.candidate), Path(scratch), comparison)
                print(f"{name}: {comparison.compared} compared, {comparison.differing} differ", flush=True)
    return 1 if comparison.differing else 0


if __name__ == "__main__":
    sys.exit(main())
