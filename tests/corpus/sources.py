"""Sources and the files that local ones take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.corpus.chances import Chances
from tests.corpus.texts import WORDS
from tests.corpus.yamltext import Data

CORE = ["local", "local", "tar", "remote"]
# not `gnu`, which BuildStream 2.8 can't show before it is tracked
PACKAGED = {
    "buildstream-plugins": ["bzr", "cargo", "docker", "git", "patch", "pip"],
    "buildstream-plugins-community": [
        "bazel_file", "bazel_source", "cargo2", "cpan", "deb", "gen_cargo_lock", "git_module", "git_repo",
        "git_tag", "ostree", "patch_queue", "pypi", "quilt", "zip",
    ],
}  # fmt: skip
# kinds that need what is staged before them
_FOLLOWING = {
    "patch",
    "patch_queue",
    "cargo",
    "cargo2",
    "pip",
    "quilt",
    "gen_cargo_lock",
    "bazel_source",
    "git_module",
}


def write_files(directory: Path) -> None:
    """Writes what local sources refer to."""
    (directory / "files" / "tree" / "sub").mkdir(parents=True)
    (directory / "files" / "empty").mkdir()
    (directory / "files" / "tree" / "one").write_text("1\n")
    (directory / "files" / "tree" / "sub" / "two").write_text("2\n")
    (directory / "files" / "tree" / "link").symlink_to("sub/two")
    (directory / "files" / "run").write_text("#!/bin/sh\n")
    (directory / "files" / "run").chmod(0o755)
    (directory / "files" / "patches").mkdir()
    (directory / "files" / "patches" / "1.patch").write_text("--- a\n")
    (directory / "files" / "a.patch").write_text("--- a/one\n+++ b/one\n@@ -1 +1 @@\n-1\n+2\n")


def make_source(chances: Chances, kinds: list[str], attribute: str, *, is_first: bool) -> dict[str, Data]:
    """A source of one of KINDS; its provenance may have ATTRIBUTE."""
    usable = [kind for kind in kinds if not (is_first and kind in _FOLLOWING)]
    kind = chances.choose("source", usable or ["local"])
    source: dict[str, Data] = {"kind": kind, **_MAKERS[kind](chances)}
    if kind not in ("cargo", "cargo2") and chances.take("source/directory", 0.35):
        source["directory"] = chances.pick(["sub", "a//b/", "/abs", "%{prefix}", "x/../y"])
    if kind in ("tar", "remote", "zip") and chances.take("source/provenance", 0.1):
        source["provenance"] = {"homepage": "https://example.com/", attribute: "%{x}"}
    if kind in ("tar", "local") and chances.take("source/conditional", 0.1):
        source["(?)"] = [{"true": {"directory": "conditional"}}, {"false": {"nonsense": "x"}}]
    return source


def _url(chances: Chances, suffix: str) -> str:
    alias = chances.pick(["ex", "two", "mirrored"])
    version = chances.pick(["1.0", "2.3.4", "%{project-name}"])
    return chances.pick(
        [f"{alias}:{chances.pick(WORDS)}-{version}{suffix}", f"https://example.org/{version}{suffix}"]
    )


def _digest(chances: Chances, length: int = 64) -> str:
    return "".join(chances.pick("0123456789abcdef") for _ in range(length))


def _local(chances: Chances) -> dict[str, Data]:
    return {
        "path": chances.pick(["files/tree", "files/tree/one", "files/run", "files/empty", "./files/tree/"])
    }


def _download(chances: Chances, suffix: str) -> dict[str, Data]:
    source: dict[str, Data] = {"url": _url(chances, suffix), "ref": _digest(chances)}
    if chances.take("source/version", 0.2):
        source["version"] = "9.9"
    return source


def _tar(chances: Chances) -> dict[str, Data]:
    source = _download(chances, ".tar.gz")
    if chances.take("tar/base-dir", 0.4):
        source["base-dir"] = chances.pick(["", "a/*", "%{prefix}", "*"])
    return source


def _remote(chances: Chances) -> dict[str, Data]:
    source = _download(chances, ".bin")
    if chances.take("remote/executable", 0.4):
        source["executable"] = chances.pick(["true", "False"])
    if chances.take("remote/filename", 0.3):
        source["filename"] = "renamed"
    return source


def _git(chances: Chances) -> dict[str, Data]:
    source: dict[str, Data] = {"url": _url(chances, ".git"), "ref": _digest(chances, 40), "track": "main"}
    if chances.take("git/submodules", 0.4):
        source["checkout-submodules"] = chances.pick(["True", "False"])
        source["submodules"] = {"lib/sub": {"url": "ex:sub.git", "checkout": "True"}}
    return source


def _commit(chances: Chances) -> dict[str, Data]:
    return {"url": _url(chances, ".git"), "ref": f"v1.0-3-g{_digest(chances, 40)}", "track": "main"}


_MAKERS: dict[str, Callable[[Chances], dict[str, Data]]] = {
    "local": _local,
    "tar": _tar,
    "remote": _remote,
    "zip": lambda chances: _download(chances, ".zip"),
    "deb": lambda chances: _download(chances, ".deb"),
    "git": _git,
    "git_repo": _commit,
    "git_tag": lambda chances: {"url": _url(chances, ".git"), "ref": _digest(chances, 40), "track": "main"},
    "bzr": lambda chances: {"url": _url(chances, ""), "ref": "17", "track": "trunk"},
    "patch": lambda chances: {"path": "files/a.patch", "strip-level": chances.pick(["0", "1"])},
    "patch_queue": lambda _: {"path": "files/patches"},
    "pip": lambda _: {"url": "https://example.org/simple", "packages": ["a==1"], "ref": "a==1\nb==2"},
    "docker": lambda chances: {"image": "library/alpine", "ref": _digest(chances), "track": "latest"},
    "cargo": lambda chances: {"ref": [{"name": "a", "version": "1.0.0", "sha": _digest(chances)}]},
    "pypi": lambda chances: {"name": "a", "ref": {"sha256sum": _digest(chances), "suffix": "a/a-1.0.tar.gz"}},
    "bazel_file": lambda chances: {"url": _url(chances, ".bzl"), "ref": _digest(chances)},
    "bazel_source": lambda chances: {"ref": _digest(chances)},
    "cargo2": lambda chances: {
        "ref": [{"kind": "registry", "name": "a", "version": "1.0.0", "sha": _digest(chances)}]
    },
    "cpan": lambda chances: {"name": "A::B", "sha256sum": _digest(chances), "suffix": "a/b.tar.gz"},
    "gen_cargo_lock": lambda chances: {"ref": _digest(chances)},
    "git_module": lambda chances: {"url": _url(chances, ".git"), "path": "sub", "ref": _digest(chances, 40)},
    "ostree": lambda chances: {"url": _url(chances, ""), "ref": _digest(chances), "track": "main"},
    "quilt": lambda _: {},
}
