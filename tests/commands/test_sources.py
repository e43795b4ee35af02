"""`bst source fetch` and `bst source checkout`."""

import functools
import hashlib
import io
import os
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.testutils.space import RecordedError, TestSpace


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def _served(directory: Path) -> Iterator[str]:
    """The address that DIRECTORY is served at."""
    handler = functools.partial(_QuietHandler, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def remote(space: TestSpace, tmp_path: Path) -> TestSpace:
    """Three elements on one tarball that has to be fetched, by way of the alias `up`."""
    upstream = tmp_path / "upstream"
    (upstream / "package").mkdir(parents=True)
    (upstream / "package" / "file").write_text("content\n")
    with tarfile.open(upstream / "package.tar", "w") as archive:
        archive.add(upstream / "package", "package")
    space.project(aliases={"up": f"file://{upstream}/"})
    digest = hashlib.sha256((upstream / "package.tar").read_bytes()).hexdigest()
    source = f"- kind: tar\n  url: up:package.tar\n  ref: {digest}\n"
    for number, name in enumerate(("build", "run", "target")):
        more = "build-depends: [build.bst]\nruntime-depends: [run.bst]\n" if name == "target" else ""
        directory = f"  directory: d{number}\n"  # different sources, as one fetch serves equal ones
        space.element(f"{name}.bst", f"kind: import\n{more}sources:\n{source}{directory}")
    return space


@pytest.mark.parametrize(
    ("deps", "fetched"),
    [
        ("none", {"target.bst"}),
        ("build", {"build.bst"}),
        ("run", {"run.bst", "target.bst"}),
        ("all", {"build.bst", "run.bst", "target.bst"}),
    ],
)
def test_fetched_dependencies(remote: TestSpace, deps: str, fetched: set[str]) -> None:
    assert set(remote.states("target.bst").values()) == {"fetch needed"}
    result = remote.bst("source", "fetch", "--deps", deps, "target.bst")
    assert {name for name in ("build", "run", "target") if f"fetch:{name}.bst " in result.stderr} == {
        name.removesuffix(".bst") for name in fetched
    }
    assert f"    Session:     {len(fetched)}\n" in result.stderr
    # the mirrored file is shared: all sources are there afterwards
    assert "fetch needed" not in remote.states("target.bst").values()


def test_fetch_over_http(remote: TestSpace, tmp_path: Path) -> None:
    with _served(tmp_path / "upstream") as address:
        remote.project(aliases={"up": address})
        remote.bst("source", "fetch", "build.bst")
        assert remote.states("build.bst") == {"build.bst": "buildable"}
        remote.element(
            "gone.bst", f"kind: import\nsources:\n- kind: tar\n  url: up:gone.tar\n  ref: {'0' * 64}\n"
        )
        result = remote.bst("--network-retries", "1", "source", "fetch", "gone.bst", expect=255)
    assert result.task_error == RecordedError("SOURCE", None)
    assert "FAILURE Try #1 failed, retrying" in result.stderr
    assert "HTTP Error 404" in result.stderr


def test_wrong_checksum(remote: TestSpace) -> None:
    remote.element(
        "bad.bst", f"kind: import\nsources:\n- kind: tar\n  url: up:package.tar\n  ref: {'0' * 64}\n"
    )
    result = remote.bst("source", "fetch", "bad.bst", expect=255)
    assert result.task_error is not None
    assert result.task_error.domain == "SOURCE"
    assert "Try #1" not in result.stderr, "another attempt would give the same file"


def test_sources_without_ref(remote: TestSpace) -> None:
    remote.element("no-ref.bst", "kind: import\nsources:\n- kind: tar\n  url: up:package.tar\n")
    for arguments, last in (
        (("source", "fetch"), "FAILURE Fetch"),
        (("build",), "FAILURE Build"),
        (("source", "checkout"), "Inconsistent pipeline"),
    ):
        result = remote.bst(*arguments, "no-ref.bst", expect=255)
        assert result.error == RecordedError("PIPELINE", "inconsistent-pipeline")
        assert last in result.stderr
        assert "    tar source at no-ref.bst [line 3 column 2] is missing ref\n" in result.stderr


def test_source_info(remote: TestSpace) -> None:
    digest = hashlib.sha256((remote.directory.parent / "upstream" / "package.tar").read_bytes()).hexdigest()
    stdout = remote.bst("show", "--deps", "none", "--format", "%{source-info}", "build.bst").stdout
    assert stdout == (
        f"- kind: tar\n  url: file://{remote.directory.parent}/upstream/package.tar\n"
        f"  medium: remote-file\n  version-type: sha256\n  version: {digest}\n\n"
    )


def test_checkout_fetches_and_writes_read_only_copies(remote: TestSpace) -> None:
    remote.bst("source", "checkout", "target.bst", "--deps", "all", "--except", "run.bst")
    assert remote.tree("source-checkout") == [
        *("build/", "build/d0/", "build/d0/file"),
        *("target/", "target/d2/", "target/d2/file"),
    ]
    file = remote.project_directory / "source-checkout" / "build" / "d0" / "file"
    assert (file.stat().st_mode & 0o777, file.stat().st_mtime) == (0o444, 1321009871)
    assert remote.bst("source", "checkout", "target.bst", expect=255).error == RecordedError("STREAM", None)
    remote.bst("source", "checkout", "--force", "run.bst")
    assert (remote.project_directory / "source-checkout" / "run").exists()


def test_checkout_as_tarball(remote: TestSpace, tmp_path: Path) -> None:
    path = tmp_path / "out.tar.gz"
    remote.bst("source", "checkout", "build.bst", "--tar", str(path))
    with tarfile.open(path, "r:") as archive:  # the name does not say how it is compressed
        assert archive.getnames() == ["build", "build/d0", "build/d0/file"]
    remote.bst("source", "checkout", "build.bst", "--tar", str(path), expect=255)
    remote.bst("source", "checkout", "build.bst", "--tar", str(path), "--force", "--compression", "gz")
    with tarfile.open(path, "r:gz") as archive:
        assert archive.getnames() == ["build", "build/d0", "build/d0/file"]


@pytest.mark.parametrize("name", ["absent.bst", "unpinned.bst", "gone.bst"])
def test_failed_checkout_leaves_no_new_directory(remote: TestSpace, name: str) -> None:
    source = "kind: import\nsources:\n- kind: tar\n  url: up:{}\n"
    remote.element("unpinned.bst", source.format("package.tar"))
    remote.element("gone.bst", source.format("gone.tar") + f"  ref: {'0' * 64}\n")
    remote.bst("source", "checkout", name, expect=255)
    assert not (remote.project_directory / "source-checkout").exists()
    kept = remote.write("kept/file", "mine\n").parent
    remote.bst("source", "checkout", name, "--force", "--directory", str(kept), expect=255)
    assert (kept / "file").read_text() == "mine\n"


def test_a_pipe_is_written_to_and_not_replaced(remote: TestSpace, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with os.fdopen(os.open(pipe, os.O_RDWR | os.O_NONBLOCK), "rb") as reader:  # its buffer holds the archive
        remote.bst("source", "checkout", "build.bst", "--tar", str(pipe), "--force")
        content = reader.read1()
    assert pipe.is_fifo()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames() == ["build", "build/d0", "build/d0/file"]


def test_build_scripts_run(space: TestSpace) -> None:
    space.project()
    space.write("src/file", "content\n")
    space.element(
        "script.bst",
        "kind: manual\nsources:\n- kind: local\n  path: src\nenvironment:\n  WITH_BLANK: a b\n"
        "config:\n  build-commands:\n  - echo built\n",
    )
    space.bst("source", "checkout", "--include-build-scripts", "script.bst")
    assert space.tree("source-checkout") == ["build-script*", "build.sh*", "script/", "script/file"]
    text = space.read("source-checkout/build-script")
    assert "(set -ex; echo built\n) || exit 1\n" in text
    assert "WITH_BLANK='a b'" in text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--tar", "x", "--directory", "y"), "ERROR: options --directory and --tar conflict"),
        (("--compression", "gz"), "ERROR: --compression specified without --tar"),
    ],
)
def test_conflicts(remote: TestSpace, arguments: tuple[str, ...], text: str) -> None:
    assert text in remote.bst("source", "checkout", "build.bst", *arguments, expect=255).stderr


def test_digests_of_local_files(space: TestSpace) -> None:
    """As BuildStream 2.8.1 computes them."""
    space.project()
    space.write("files/a.txt", "hi\n")
    space.write("files/b.txt", "ho\n")
    for name, path in (("one", "files/a.txt"), ("both", "files")):
        space.element(f"{name}.bst", f"kind: import\nsources: [{{kind: local, path: {path}}}]\n")
    space.bst("build", "one.bst", "both.bst")
    assert space.show("%{artifact-cas-digest}", "one.bst", "both.bst") == {
        "one.bst": "ed04a3a6ef841078b6b60f9d8f7f56248db333fc45f0df30d5360dc1814ecbed/79",
        "both.bst": "8c5561b80691e823163b0d80c3b8538611faee588e7ee816bd5e5055b937ad5b/158",
    }


EDITOR = """\
import os
from buildstream import Source

class Editor(Source):
    BST_MIN_VERSION = "2.0"

    def configure(self, node):
        pass

    def preflight(self):
        pass

    def get_unique_key(self):
        return "editor"

    def load_ref(self, node):
        pass

    def get_ref(self):
        return "1"

    def set_ref(self, ref, node):
        pass

    def is_cached(self):
        return False

    def fetch(self):
        for name in ("file", "tree/file"):
            with open(os.path.join(self.get_project_directory(), name), "w") as file:
                file.write("edited")

    def stage(self, directory):
        pass

def setup():
    return Editor
"""


def test_local_files_may_be_edited_during_a_build(space: TestSpace) -> None:
    space.write("plugins/editor.py", EDITOR)
    space.project(plugins=[{"origin": "local", "path": "plugins", "sources": ["editor"]}])
    for name in ("file", "tree/file"):
        space.write(name, "content")
    space.element(
        "a.bst",
        "kind: import\nsources: [{kind: editor}, {kind: local, path: file, directory: one}, "
        "{kind: local, path: tree, directory: two}]\n",
    )
    space.bst("build", "a.bst")
    assert space.read("tree/file") == "edited"
    space.write("file", "content")
    space.write("tree/file", "content")
    space.bst("artifact", "checkout", "a.bst", "--directory", "out")
    assert (space.read("out/one/file"), space.read("out/two/file")) == ("content", "content")


def test_show_stores_no_local_files(space: TestSpace) -> None:
    space.project()
    for number in range(20):
        space.write(f"tree/{number}", f"content {number}")
    space.element(
        "a.bst", "kind: import\nsources: [{kind: local, path: tree}, {kind: local, path: tree/1}]\n"
    )
    space.bst("show", "a.bst")
    assert not [path for path in (space.cache_directory / "cas" / "objects").rglob("*") if path.is_file()]
    space.bst("build", "a.bst")
    space.bst("artifact", "checkout", "a.bst", "--directory", "out")
    assert space.read("out/7") == "content 7"
