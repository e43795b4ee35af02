"""`bst source track`."""

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.testutils.space import RecordedError, TestSpace

ONE = hashlib.sha256(b"one\n").hexdigest()
TWO = hashlib.sha256(b"two\n").hexdigest()
REMOTE = "- kind: remote\n  url: up:one.txt\n"
ELEMENT = f"kind: import\nsources:\n{REMOTE}"


@pytest.fixture
def upstream(space: TestSpace, tmp_path: Path) -> TestSpace:
    """A project with the alias `up`, below which one.txt and two.txt can be tracked."""
    directory = tmp_path / "upstream"
    directory.mkdir()
    (directory / "one.txt").write_text("one\n")
    (directory / "two.txt").write_text("two\n")
    start(space)
    return space


def start(space: TestSpace, **keys: object) -> None:
    """Writes project.conf with KEYS."""
    space.project(aliases={"up": f"file://{space.directory.parent}/upstream/"}, **keys)


def add_subproject(space: TestSpace) -> None:
    """Adds the project `s` with x.bst, and top.bst that needs it."""
    up = f"file://{space.directory.parent}/upstream/"
    space.write("sub/project.conf", f"name: s\nmin-version: 2.0\naliases: {{up: '{up}'}}\n")
    space.write("sub/x.bst", ELEMENT)
    space.element("sub.bst", "kind: junction\nsources:\n- kind: local\n  path: sub\n")
    space.element("top.bst", f"kind: import\ndepends: ['sub.bst:x.bst']\nsources:\n{REMOTE}")


# where refs are written


def test_comments_order_and_styles_stay(upstream: TestSpace) -> None:
    upstream.element(
        "a.bst",
        """\
# on top
kind:   import   # right
variables:
      a: 'x y'
      b: |
         one
         two
      c: 012
sources:
    -  kind: remote
       # above
       url: up:one.txt
       ref: "old" # it
       filename: '1'

# end
public: {a: [1,   2]}
""",
    )
    upstream.bst("source", "track", "a.bst")
    # as BuildStream 2.8.1 leaves it: only blanks that mean nothing are normalised
    assert (
        upstream.read("elements/a.bst")
        == f"""\
# on top
kind: import     # right
variables:
  a: 'x y'
  b: |
    one
    two
  c: 012
sources:
- kind: remote
       # above
  url: up:one.txt
  ref: "{ONE}" # it
  filename: '1'

# end
public: {{a: [1, 2]}}
"""
    )


def test_unchanged_ref_leaves_the_file_alone(upstream: TestSpace) -> None:
    upstream.element("a.bst", f"kind:   import\nsources:\n{REMOTE}  ref: {ONE}\n")
    before = (upstream.project_directory / "elements" / "a.bst").stat()
    upstream.bst("source", "track", "a.bst")
    after = (upstream.project_directory / "elements" / "a.bst").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_ref_in_an_included_file(upstream: TestSpace) -> None:
    upstream.element("a.bst", "kind: import\nsources:\n- kind: remote\n  (@): source.yml\n")
    upstream.write("source.yml", "url: up:one.txt\nref: old\n")
    upstream.bst("source", "track", "a.bst")
    assert upstream.read("source.yml") == f"url: up:one.txt\nref: {ONE}\n"
    # a ref that is new belongs to the file that includes
    upstream.write("source.yml", "url: up:one.txt\n")
    upstream.bst("source", "track", "a.bst")
    assert upstream.read("source.yml") == "url: up:one.txt\n"
    assert upstream.read("elements/a.bst") == (
        f"kind: import\nsources:\n- kind: remote\n  (@): source.yml\n  ref: {ONE}\n"
    )


@pytest.mark.parametrize("storage", ["inline", "project.refs"])
def test_variants_of_a_conditional_have_refs_of_their_own(upstream: TestSpace, storage: str) -> None:
    start(
        upstream,
        ref_storage=storage,
        options={"flag": {"type": "bool", "default": "False", "description": "Which"}},
    )
    variants = "  (?):\n  - flag:\n      ref: yes\n      url: up:two.txt\n  - not flag:\n      ref: no\n"
    if storage == "inline":
        upstream.element("a.bst", f"kind: import\nsources:\n{REMOTE}{variants}")
        path, places = "elements/a.bst", "kind: import\nsources:\n- kind: remote\n  url: up:one.txt\n"
    else:
        upstream.element(
            "a.bst",
            f"kind: import\nsources:\n{REMOTE}  (?):\n  - flag:\n      url: up:two.txt\n",
        )
        path, places = "project.refs", "projects:\n  test:\n    a.bst:\n    - "
        upstream.write(
            path,
            f"{places}(?):\n      - flag:\n          ref: yes\n      - not flag:\n          ref: no\n",
        )
    upstream.bst("source", "track", "a.bst")
    upstream.bst("-o", "flag", "True", "source", "track", "a.bst")
    text = upstream.read(path)
    assert text.startswith(places)
    assert [line.strip() for line in text.splitlines() if "ref:" in line] == [f"ref: {TWO}", f"ref: {ONE}"]
    assert upstream.states("a.bst") == {"a.bst": "buildable"}


def test_project_refs_are_made_and_kept(upstream: TestSpace) -> None:
    start(upstream, ref_storage="project.refs")
    upstream.element("a.bst", f"kind: import\nsources:\n- kind: local\n  path: project.conf\n{REMOTE}")
    upstream.write("project.refs", "# mine\nprojects:\n  other:\n    z.bst:\n    - ref: abc   # kept\n")
    upstream.bst("source", "track", "a.bst")
    # as BuildStream 2.8.1 leaves it
    assert upstream.read("project.refs") == (
        "# mine\nprojects:\n  other:\n    z.bst:\n    - ref: abc   # kept\n"
        f"  test:\n    a.bst:\n    - {{}}\n    - ref: {ONE}\n"
    )
    assert upstream.read("elements/a.bst").endswith(REMOTE), "the element is not changed"
    assert upstream.states("a.bst") == {"a.bst": "buildable"}


def test_junction_refs(upstream: TestSpace) -> None:
    start(upstream, ref_storage="project.refs")
    subprocess.run(
        ["tar", "-cf", "upstream/sub.tar", "-C", "upstream", "sub"],
        cwd=make_tree(upstream.directory.parent / "upstream" / "sub"),
        check=True,
    )
    upstream.element("sub.bst", "kind: junction\nsources:\n- kind: tar\n  url: up:sub.tar\n")
    upstream.element("top.bst", "kind: stack\ndepends: ['sub.bst:x.bst']\n")
    result = upstream.bst("source", "track", "top.bst", expect=255)
    assert result.error == RecordedError("LOAD", "SUBPROJECT_INCONSISTENT")
    upstream.bst("source", "track", "sub.bst")
    assert upstream.read("junction.refs").startswith("projects:\n  test:\n    sub.bst:\n    - ref: ")
    assert not (upstream.project_directory / "project.refs").exists()
    assert upstream.states("top.bst") == {"sub.bst:x.bst": "buildable", "top.bst": "waiting"}


def make_tree(directory: Path) -> Path:
    """A small project in DIRECTORY; gives the directory above that of it."""
    directory.mkdir()
    (directory / "project.conf").write_text("name: s\nmin-version: 2.0\n")
    (directory / "x.bst").write_text("kind: import\nsources:\n- kind: local\n  path: project.conf\n")
    return directory.parent.parent


def test_junctions_are_crossed_on_demand(upstream: TestSpace) -> None:
    add_subproject(upstream)
    upstream.bst("source", "track", "--deps", "all", "top.bst")
    assert upstream.read("sub/x.bst") == ELEMENT
    assert ONE in upstream.read("elements/top.bst")
    for arguments in (("--cross-junctions", "--deps", "all", "top.bst"), ("sub.bst:x.bst",)):
        result = upstream.bst("source", "track", *arguments, expect=255)
        assert result.error == RecordedError("STREAM", "untrackable-sources")
        assert "  sub.bst:x.bst belongs to the project 's'" in result.stderr
    start(upstream, ref_storage="project.refs")
    upstream.bst("source", "track", "--deps", "all", "top.bst")
    assert "  s:" not in upstream.read("project.refs")
    upstream.bst("source", "track", "-J", "--deps", "all", "top.bst")
    assert f"  s:\n    x.bst:\n    - ref: {ONE}\n" in upstream.read("project.refs")


def test_declaration_in_another_project(upstream: TestSpace) -> None:
    add_subproject(upstream)
    upstream.write("sub/sources.yml", f"sources:\n{REMOTE}")
    upstream.element("a.bst", "kind: import\n(@): sub.bst:sources.yml\n")
    result = upstream.bst("source", "track", "a.bst", expect=255)
    assert result.task_error == RecordedError("SOURCE", "tracking-junction-fragment")
    assert ONE not in upstream.read("sub/sources.yml")


# what is tracked


@pytest.mark.parametrize(
    ("deps", "states"),
    [
        ("build", ("no reference", "buildable", "no reference")),
        ("none", ("waiting", "no reference", "no reference")),
        ("run", ("waiting", "no reference", "buildable")),
        ("all", ("waiting", "buildable", "buildable")),
    ],
)
def test_tracked_dependencies(upstream: TestSpace, deps: str, states: tuple[str, ...]) -> None:
    upstream.element("build.bst", ELEMENT)
    upstream.element("run.bst", f"{ELEMENT}  filename: run\n")
    upstream.element(
        "target.bst",
        f"kind: import\nbuild-depends: [build.bst]\nruntime-depends: [run.bst]\nsources:\n{REMOTE}",
    )
    upstream.bst("source", "track", "--deps", deps, "target.bst")
    found = upstream.states("target.bst")
    assert (found["target.bst"], found["build.bst"], found["run.bst"]) == states


def test_exceptions_and_elements_without_sources(upstream: TestSpace) -> None:
    upstream.element("a.bst", ELEMENT)
    upstream.element("b.bst", f"kind: import\ndepends: [a.bst]\nsources:\n{REMOTE}")
    upstream.element("c.bst", "kind: stack\ndepends: [b.bst]\n")
    upstream.element(
        "d.bst", "kind: import\ndepends: [c.bst]\nsources:\n- kind: local\n  path: project.conf\n"
    )
    result = upstream.bst("source", "track", "--deps", "all", "d.bst", "--except", "b.bst")
    assert ONE not in upstream.read("elements/a.bst") + upstream.read("elements/b.bst")
    assert "track:c.bst" not in result.stderr, "no sources, no job"
    assert "SKIPPED Element sources are not trackable" in result.stderr
    assert "    Session:     2\n    Track Queue: processed 0, skipped 2, failed 0" in result.stderr


def test_filters_stand_for_what_they_filter(upstream: TestSpace) -> None:
    upstream.element("a.bst", ELEMENT)
    upstream.element("f.bst", "kind: filter\nbuild-depends: [a.bst]\n")
    result = upstream.bst("source", "track", "f.bst")
    assert "INFO    Element 'f.bst' redirected to 'a.bst'" in result.stderr
    assert ONE in upstream.read("elements/a.bst")


def test_new_keys_are_told(upstream: TestSpace) -> None:
    upstream.element("a.bst", ELEMENT)
    upstream.element("b.bst", "kind: stack\ndepends: [a.bst]\n")
    result = upstream.bst("source", "track", "--deps", "all", "b.bst")
    assert "Resolved key Summary\n" in result.stderr
    summary = result.stderr.split("Resolved key Summary\n")[1]
    for name, key in upstream.keys("b.bst").items():
        assert f"{key} {name}" in summary
    assert f"INFO    Found new revision: {ONE}" in result.stderr


PLUGIN = """\
import os
from buildstream import Source

class TestSource(Source):
    BST_MIN_VERSION = "2.0"
    BST_REQUIRES_PREVIOUS_SOURCES_TRACK = True

    def configure(self, node):
        node.validate_keys(["ref", "edits", *Source.COMMON_CONFIG_KEYS])
        self.ref = node.get_str("ref", None)
        self.edits = node.get_str("edits", None)

    def preflight(self):
        pass

    def get_unique_key(self):
        return self.ref

    def load_ref(self, node):
        self.ref = node.get_str("ref", None)

    def get_ref(self):
        return self.ref

    def set_ref(self, ref, node):
        node["ref"] = self.ref = ref

    def is_cached(self):
        raise RuntimeError("tracking does not ask")

    def track(self, *, previous_sources_dir):
        if self.edits:
            path = os.path.join(self.get_project_directory(), self.edits)
            with open(path) as file:
                text = file.read()
            with open(path, "w") as file:
                file.write(text.replace("sources:", "sources:\\n- {kind: local, path: project.conf}"))
        return ",".join(sorted(os.listdir(previous_sources_dir)))

def setup():
    return TestSource
"""


def test_plugins_see_the_earlier_sources(upstream: TestSpace) -> None:
    upstream.write("plugins/seen.py", PLUGIN)
    start(upstream, plugins=[{"origin": "local", "path": "plugins", "sources": ["seen"]}])
    upstream.element(
        "a.bst", f"kind: import\nsources:\n{REMOTE}  directory: sub\n- kind: seen\n  directory: sub\n"
    )
    upstream.bst("source", "track", "a.bst")
    assert upstream.read("elements/a.bst").endswith(
        f"  ref: {ONE}\n- kind: seen\n  directory: sub\n  ref: one.txt\n"
    )


def test_plugins_may_take_over_at_once_what_they_find(upstream: TestSpace) -> None:
    """They should not, but some do."""
    hasty = (
        PLUGIN.replace("PREVIOUS_SOURCES_TRACK = True", "PREVIOUS_SOURCES_TRACK = False")
        .replace("def track(self, *, previous_sources_dir):", "def track(self):")
        .replace('return ",".join(sorted(os.listdir(previous_sources_dir)))', "self.ref = 'x'; return 'x'")
    )
    upstream.write("plugins/hasty.py", hasty)
    start(upstream, plugins=[{"origin": "local", "path": "plugins", "sources": ["hasty"]}])
    upstream.element("a.bst", "kind: import\nsources:\n- kind: hasty\n")
    result = upstream.bst("source", "track", "a.bst")
    assert upstream.read("elements/a.bst").endswith("- kind: hasty\n  ref: x\n")
    assert "Found new revision: x" in result.stderr


def test_file_that_changes_meanwhile_is_not_spoiled(upstream: TestSpace) -> None:
    upstream.write("plugins/seen.py", PLUGIN)
    start(upstream, plugins=[{"origin": "local", "path": "plugins", "sources": ["seen"]}])
    upstream.element("a.bst", f"{ELEMENT}  ref: {ONE}\n- kind: seen\n  edits: elements/a.bst\n")
    edited = upstream.read("elements/a.bst").replace(
        "sources:", "sources:\n- {kind: local, path: project.conf}"
    )
    result = upstream.bst("source", "track", "a.bst", expect=255)
    assert result.task_error == RecordedError("SOURCE", "save-ref-error")
    assert "The file was changed since it was loaded, track again" in result.stderr
    assert upstream.read("elements/a.bst") == edited


# errors


@pytest.mark.parametrize(
    ("refs", "text"),
    [
        ("projects: {test: x}\n", "The value of 'projects.test' is no dictionary"),
        ("projects: {test: {a.bst: x}}\n", "The value of 'projects.test.a.bst' is no list"),
    ],
)
def test_odd_project_refs(upstream: TestSpace, refs: str, text: str) -> None:
    start(upstream, ref_storage="project.refs")
    upstream.element("a.bst", ELEMENT)
    upstream.write("project.refs", refs)
    result = upstream.bst("source", "track", "a.bst", expect=255)
    assert result.task_error == RecordedError("SOURCE", "save-ref-error")
    assert text in result.stderr
    assert upstream.read("project.refs") == refs


def test_failure_keeps_what_was_found(upstream: TestSpace) -> None:
    upstream.element("a.bst", f"{ELEMENT}- kind: remote\n  url: up:none.txt\n")
    result = upstream.bst("--network-retries", "1", "source", "track", "a.bst", expect=255)
    assert result.task_error == RecordedError("SOURCE", None)
    assert "FAILURE Try #1 failed, retrying" in result.stderr
    assert upstream.read("elements/a.bst").count("ref:") == 1


# several at once

_WRITE = """\
import sys
from buildstream._load.refsaving import RefChange, RefWriter
writer, path, me = RefWriter(), sys.argv[1], sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(15):
    place = ("projects", "test", f"{me}{number}.bst", 0, "ref")
    writer.write([RefChange(path, place, f"{me}-{number}", False)])
"""


def test_writers_at_the_same_time_lose_nothing(space: TestSpace) -> None:
    path = space.write("project.refs", "projects:\n  test:\n    first.bst:\n    - ref: abc # kept\n")
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITE, str(path), name],
            env=space.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in "abc"
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
    for child in children:
        child.communicate(b"\n")
        assert child.returncode == 0
    text = space.read("project.refs")
    assert "    - ref: abc  # kept\n" in text or "    - ref: abc # kept\n" in text
    found: Mapping[str, int] = {name: text.count(f"- ref: {name}-") for name in "abc"}
    assert found == {"a": 15, "b": 15, "c": 15}


def test_commands_at_the_same_time_lose_nothing(upstream: TestSpace) -> None:
    start(upstream, ref_storage="project.refs")
    for name in "abcd":
        upstream.element(f"{name}.bst", ELEMENT)
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "buildstream", "source", "track", *targets],
            cwd=upstream.project_directory,
            env=upstream.environment(),
            stderr=subprocess.PIPE,
        )
        for targets in (("a.bst", "b.bst"), ("c.bst", "d.bst"))
    ]
    for child in children:
        _, errors = child.communicate()
        assert child.returncode == 0, errors.decode()
    assert upstream.read("project.refs").count(ONE) == 4
