"""Mirrors: which are tried, in which order, and plugins that make the addresses."""

import hashlib
import json
import re

import pytest

from tests.testutils.space import TestSpace
from tests.vectors.forked import run_in_process

_MIRROR_PLUGIN = """
from buildstream import SourceMirror

class Mirror(SourceMirror):
    def configure(self, node):
        node.validate_keys(["path"])
        self.path = node.get_str("path")
        self.set_supported_aliases(["upstream"])

    def translate_url(self, *, alias, alias_url, source_url, extra_data):
        assert (alias, alias_url) == ("upstream", "file:///nowhere/")
        return f"file://{self.path}/{source_url}"

def setup():
    return Mirror
"""
_LOCAL = {"origin": "local", "path": "plugins", "source-mirrors": ["moved"]}
_RUN = ("--no-interactive", "--no-colors")


@pytest.fixture
def upstream(space: TestSpace) -> str:
    """A directory, absolute, with the file that the element a.bst downloads by the alias `upstream`."""
    directory = space.directory / "moved"
    directory.mkdir()
    (directory / "file.txt").write_text("content", encoding="utf-8")
    space.project()
    ref = hashlib.sha256(b"content").hexdigest()
    space.element(
        "a.bst", f"kind: import\nsources:\n- kind: remote\n  url: upstream:file.txt\n  ref: {ref}\n"
    )
    return str(directory)


def _mirrored(space: TestSpace, *mirrors: dict[str, object], **keys: object) -> None:
    space.project(aliases={"upstream": "file:///nowhere/"}, mirrors=list(mirrors), **keys)


def _fetch(space: TestSpace, *options: str) -> int:
    return run_in_process(space, *_RUN, *options, "source", "fetch", "a.bst").code


def test_addresses_of_mirrors_are_tried_before_the_alias(space: TestSpace, upstream: str) -> None:
    _mirrored(space)
    assert _fetch(space) == 255
    addresses = ["file:///neither/", f"file://{upstream}/"]
    _mirrored(space, {"name": "one", "aliases": {"upstream": addresses}})
    assert _fetch(space) == 0


def test_plugin_makes_the_address(space: TestSpace, upstream: str) -> None:
    space.write("plugins/moved.py", _MIRROR_PLUGIN)
    mirror: dict[str, object] = {"name": "one", "kind": "moved", "config": {"path": "%{top}"}}
    _mirrored(space, mirror, plugins=[_LOCAL], variables={"top": upstream})
    assert _fetch(space) == 0


def test_plugin_comes_from_another_project(space: TestSpace, upstream: str) -> None:
    space.write("sub/plugins/moved.py", _MIRROR_PLUGIN)
    space.write(
        "sub/project.conf",
        "name: sub\nmin-version: 2.0\n"
        "plugins:\n- origin: local\n  path: plugins\n  source-mirrors: [moved]\n",
    )
    space.element("j.bst", "kind: junction\nsources:\n- kind: local\n  path: sub\n")
    origin = {"origin": "junction", "junction": "j.bst", "source-mirrors": ["moved"]}
    _mirrored(space, {"name": "one", "kind": "moved", "config": {"path": upstream}}, plugins=[origin])
    assert _fetch(space) == 0


def test_the_user_replaces_the_mirrors_of_the_project(space: TestSpace, upstream: str) -> None:
    _mirrored(space, {"name": "one", "aliases": {"upstream": [f"file://{upstream}/"]}})
    space.configure("projects:\n  test:\n    mirrors: []\n")
    assert _fetch(space) == 255


@pytest.mark.parametrize(
    ("mirror", "reason"),
    [
        ({"name": "one"}, "INVALID_DATA"),
        ({"aliases": {}}, "INVALID_DATA"),
        ({"name": "one", "aliases": {"upstream": "file:///one"}}, "INVALID_DATA"),
        ({"name": "one", "aliases": {}, "config": {}}, "INVALID_DATA"),
        ({"name": "one", "kind": "moved", "aliases": {}}, "INVALID_DATA"),
        ({"name": "one", "kind": "unknown"}, "plugin-not-found"),
    ],
)
def test_wrong_declarations(space: TestSpace, upstream: str, mirror: dict[str, object], reason: str) -> None:
    space.write("plugins/moved.py", _MIRROR_PLUGIN)
    _mirrored(space, mirror, plugins=[_LOCAL])
    result = run_in_process(space, *_RUN, "show", "a.bst")
    assert result.code == 255
    assert result.error is not None
    assert result.error.reason == reason
    assert "Error loading project: project.conf [line " in result.stderr


# What is tried if nothing answers, as BuildStream 2.8.1 does it: tests/integration/sources/run.py compares
# all combinations.  None stands for an error, since nothing is left to try.
_POLICIES = [
    # policy, default mirror, whether the user has a mirror `own`, what is tried to fetch and to track
    ("all", None, False, "near/1 near/2 far base", "base far near/2 near/1"),
    ("all", "far", False, "far near/1 near/2 base", "base near/2 near/1 far"),
    ("all", "far", True, "own base", "base own"),
    ("mirrors", None, False, "near/1 near/2 far", "far near/2 near/1"),
    ("mirrors", "far", True, "own", "own"),
    ("aliases", "far", False, "base", "base"),
    ("aliases", None, True, "base", "base"),
    ("user", None, False, None, None),
    ("user", "far", True, "own", "own"),
]


@pytest.mark.parametrize("case", _POLICIES, ids=lambda case: f"{case[0]}-{case[1]}-{case[2]}")
def test_policies(space: TestSpace, case: tuple[str, str | None, bool, str | None, str | None]) -> None:
    policy, default, has_own, fetched, tracked = case
    space.project(
        aliases={"up": "file:///base/"},
        mirrors=[
            {"name": "near", "aliases": {"up": ["file:///near/1/", "file:///near/2/"]}},
            {"name": "far", "aliases": {"up": ["file:///far/"]}},
        ],
    )
    settings: dict[str, object] = {"default-mirror": default} if default else {}
    if has_own:
        settings["mirrors"] = [{"name": "own", "aliases": {"up": ["file:///own/"]}}]
    element = "kind: import\nsources:\n- {kind: remote, url: 'up:file'%s}\n"
    for action, ref, expected in (("fetch", ", ref: x", fetched), ("track", "", tracked)):
        space.configure(
            f"{action}: {{source: {policy}}}\nscheduler: {{network-retries: 0}}\n"
            f"projects: {json.dumps({'test': settings})}\n"
        )
        space.element("a.bst", element % ref)
        result = run_in_process(space, *_RUN, "source", action, "a.bst")
        tried = re.findall(rf"START +{action.title()}ing file:///(\S+)/file$", result.stderr, re.MULTILINE)
        assert tried == ([] if expected is None else expected.split())
        assert result.code == 255
        reason = None if result.error is None else result.error.reason
        assert (reason == "missing-source-alias-target") == (expected is None)
