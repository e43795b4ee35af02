"""The project of the steps: sources over http, a junction, and sources that need those before them."""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.sources.served import Site

_PLUGIN = '''\
"""Writes down what the sources before it are; `needs` says when it wants them."""

import os

from buildstream import Source


class Previous(Source):
    BST_MIN_VERSION = "2.0"
    BST_REQUIRES_PREVIOUS_SOURCES_{flag} = True

    def configure(self, node):
        node.validate_keys(["ref", *Source.COMMON_CONFIG_KEYS])
        self.load_ref(node)

    def preflight(self):
        pass

    def get_unique_key(self):
        return [self.ref]

    def load_ref(self, node):
        self.ref = node.get_str("ref", None)

    def get_ref(self):
        return self.ref

    def set_ref(self, ref, node):
        node["ref"] = self.ref = ref

    def is_cached(self):
        return os.path.exists(self._file())

    def _file(self):
        return os.path.join(self.get_mirror_directory(), str(self.ref))

    def track(self, *, previous_sources_dir=None):
        return "of-" + "-".join(sorted(os.listdir(previous_sources_dir))) if previous_sources_dir else "plain"

    def fetch(self, *, previous_sources_dir=None):
        with open(self._file(), "w") as file:
            file.write(" ".join(sorted(os.listdir(previous_sources_dir))) if previous_sources_dir else "none")

    def stage(self, directory):
        names = sorted(os.listdir(directory))
        with open(self._file()) as file, open(os.path.join(directory, "listing-{flag}"), "w") as listing:
            listing.write(file.read() + "|" + " ".join(names))


def setup():
    return Previous
'''


MIRROR_PLUGINS = """\
plugins:
- {origin: pip, package-name: buildstream-plugins-community, source-mirrors: [fake_mirror]}
- {origin: pip, package-name: buildstream-plugins, source-mirrors: [simple_mirror, gitlab_lfs_mirror]}
"""
MIRROR_KINDS = (
    ("fake_mirror", "{aliases: [up]}"),
    ("simple_mirror", "{aliases: [up], url: '@URL@near-1'}"),
    ("simple_mirror", "{aliases: [up], url: '@URL@{alias}'}"),
    ("gitlab_lfs_mirror", "{aliases: [up], url: '@URL@git', project: a/b}"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One command.

    Attributes:
        arguments: What is run.
        forget: Folders of the cache to remove before.
        write: Files of the project to write before; None removes one.
        has_any_order: Whether the order of requests may differ.
    """

    arguments: tuple[str, ...]
    forget: tuple[str, ...] = ()
    write: Mapping[str, str | None] = field(default_factory=dict)
    has_any_order: bool = True


def _step(command: str, *forget: str, **write: str | None) -> Step:
    return Step(tuple(command.split()), forget, write)


_OTHER = {"two.bst": "kind: import\nsources:\n- {kind: remote, url: 'up:other.bin', filename: new}\n"}

STEPS = (
    _step("source fetch two.bst"),
    _step("source track two.bst"),
    _step("source fetch two.bst"),
    _step("source fetch two.bst"),
    _step("source fetch two.bst", "elementsources"),
    _step("source fetch two.bst", "elementsources", "source_protos"),
    _step("source fetch two.bst", "sources"),
    _step("source fetch two.bst", "sources", "elementsources"),
    _step("source fetch two.bst", "sources", "elementsources", "source_protos"),
    _step("source track --deps all all.bst --except two.bst"),
    _step("source track --deps all all.bst"),
    _step("source track --deps all --cross-junctions all.bst"),
    _step("source fetch --deps all all.bst --except two.bst --except earlier.bst"),
    _step("source fetch --deps all all.bst"),
    _step("source fetch --deps build all.bst"),
    _step("source fetch --deps run all.bst"),
    _step("source fetch --deps none all.bst"),
    _step("source fetch sub.bst:lib.bst"),
    _step("source checkout two.bst --directory out/two"),
    _step("source checkout --deps none two.bst --directory out/two-none"),
    _step("source checkout --deps all all.bst --directory out/all"),
    _step("source checkout --deps all --except two.bst all.bst --directory out/but"),
    _step("source checkout --deps none earlier.bst --directory out/earlier"),
    _step("source checkout sub.bst:lib.bst --directory out/sub"),
    _step("source checkout two.bst --directory out/again", "sources", "elementsources"),
    _step(
        "source checkout two.bst --directory out/fresh", "sources", "elementsources", "source_protos", "cas"
    ),
    Step(("source", "track", "two.bst"), write=_OTHER),
    _step("source fetch two.bst"),
    _step("build all.bst"),
    _step("build all.bst", "sources"),
    _step("source track all.bst"),
    _step("source track absent.bst"),
    _step("source fetch absent.bst"),
    _step("source track stack.bst"),
    _step("source track --deps build all.bst"),
    _step("source track --deps run all.bst"),
    _step("source fetch missing.bst"),
    _step("--on-error continue source fetch missing.bst wrong.bst two.bst"),
    _step("source track missing.bst"),
    _step("--on-error continue source track missing.bst two.bst"),
    _step("source fetch wrong.bst"),
    _step("source track wrong.bst"),
    _step("source fetch wrong.bst"),
)

_ELEMENTS = {
    "two.bst": """\
kind: import
sources:
- kind: tar  # an archive
  url: up:hello-1.0.tar.gz
- kind: remote
  url: up:file.bin
  directory: some/place
  executable: True
""",
    "earlier.bst": """\
kind: import
sources:
- kind: local
  path: files
- kind: remote
  url: up:file.bin
- kind: ptrack
- kind: pfetch
- kind: pstage
  directory: below
""",
    "one.bst": "kind: import\nsources: [{kind: local, path: files}]\n",
    "stack.bst": "kind: stack\n",
    "missing.bst": "kind: import\nsources:\n- {kind: remote, url: 'up:absent', ref: abc}\n",
    "wrong.bst": "kind: import\nsources:\n- {kind: remote, url: 'up:file.bin', ref: abc}\n",
    "sub.bst": "kind: junction\nsources: [{kind: local, path: subproject}]\n",
    "all.bst": """\
kind: compose
build-depends: [two.bst, one.bst, earlier.bst, 'sub.bst:lib.bst']
config: {integrate: False}
""",
}


def write_project(project: Path, url: str, storage: str) -> None:
    """The project, in PROJECT; what it downloads is at URL."""
    for name in ("files", "plugins", "subproject"):
        (project / name).mkdir(parents=True)
    (project / "project.conf").write_text(
        f"name: sources\nmin-version: 2.0\nref-storage: {storage}\naliases: {{up: '{url}'}}\n"
        "plugins:\n- {origin: local, path: plugins, sources: [ptrack, pfetch, pstage]}\n"
    )
    (project / "files" / "plain").write_text("plain\n")
    for flag in ("TRACK", "FETCH", "STAGE"):
        (project / "plugins" / f"p{flag.lower()}.py").write_text(_PLUGIN.replace("{flag}", flag))
    for name, text in _ELEMENTS.items():
        (project / name).write_text(text)
    (project / "subproject" / "project.conf").write_text(
        f"name: sub\nmin-version: 2.0\nref-storage: {storage}\naliases: {{up: '{url}'}}\n"
    )
    (project / "subproject" / "lib.bst").write_text(
        "kind: import\nsources:\n- {kind: remote, url: 'up:other.bin'}\n"
    )


def write_mirrored_project(project: Path, url: str) -> str:
    """A project with mirrors, all at URL; gives the ref of what is at `file` of each."""
    project.mkdir(parents=True)
    (project / "project.conf").write_text(
        f"name: mirrored\nmin-version: 2.0\naliases: {{up: '{url}base/'}}\nmirrors:\n"
        f"- name: near\n  aliases: {{up: ['{url}near-1/', '{url}near-2/']}}\n"
        f"- name: far\n  aliases: {{up: ['{url}far/']}}\n"
    )
    return hashlib.sha256(b"content").hexdigest()


def fill_site(server: Site) -> None:
    """What the project downloads."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w:gz") as archive:
        for name in ("hello-1.0/hello", "hello-1.0/doc/more"):
            info = tarfile.TarInfo(name)
            info.size = len(name)
            archive.addfile(info, io.BytesIO(name.encode()))
    server.files = {
        "hello-1.0.tar.gz": plain.getvalue(),
        "file.bin": bytes(range(256)),
        "other.bin": b"other",
    }
