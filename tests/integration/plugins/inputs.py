"""What the sources of the compared elements are made of: repositories, archives and indexes, all local."""

import gzip
import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tests.integration.plugins.standins import write_image, write_index, write_json_index

_EPOCH = 1_700_000_000


def make_inputs(directory: Path) -> None:
    """Fills DIRECTORY; the same content each time, so that commits have the same names."""
    directory.mkdir(parents=True)
    _make_repositories(directory)
    _make_archives(directory)
    _make_indexes(directory)


def git(directory: Path, *arguments: str) -> str:
    """Runs git as nobody in particular, at a time of its own."""
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        **{f"GIT_{role}_{field}": "x" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")},
        **{f"GIT_{role}_DATE": f"{_EPOCH} +0000" for role in ("AUTHOR", "COMMITTER")},
    }
    command = ["git", "-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(
        command, cwd=directory, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


def _commit(repository: Path, files: Mapping[str, str], message: str) -> None:
    for name, content in files.items():
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", message)


def _make_repositories(directory: Path) -> None:
    library = directory / "library"
    library.mkdir()
    git(library, "init", "-q")
    _commit(library, {"library.c": "int one(void) { return 1; }\n"}, "First")
    git(library, "tag", "v1.0")
    main = directory / "main"
    main.mkdir()
    git(main, "init", "-q")
    _commit(main, {"README": "one\n", "src/main.c": "int main(void) { return 0; }\n"}, "First")
    git(main, "tag", "-a", "v1.0", "-m", "One")
    git(main, "submodule", "add", "-q", f"file://{library}", "libs/library")
    (main / "link").symlink_to("README")
    (main / "tool").write_text("#!/bin/sh\n")
    (main / "tool").chmod(0o755)
    _commit(main, {"README": "two\n"}, "Second")
    git(main, "tag", "v1.1")
    _commit(main, {"README": "three\n"}, "Third")
    git(main, "branch", "stable", "v1.1")
    plain = directory / "plain"
    plain.mkdir()
    git(plain, "init", "-q")
    _commit(plain, {"README": "plain\n", "deep/er/file": "x\n"}, "First")
    git(plain, "tag", "v2.0")
    _commit(plain, {"README": "plain 2\n"}, "Second")
    git(plain, "tag", "-a", "v2.1", "-m", "Two")


def make_other_repositories(directory: Path) -> None:
    """Repositories of bzr and ostree, where these are installed."""
    environment = {
        **os.environ,
        "BZR_EMAIL": "x <x@example.com>",
        "BRZ_EMAIL": "x <x@example.com>",
        "SOURCE_DATE_EPOCH": str(_EPOCH),
    }

    def run(*command: str) -> None:
        subprocess.run(command, cwd=directory, env=environment, check=True, capture_output=True)

    if shutil.which("bzr"):
        run("bzr", "init", "bzr")
        (directory / "bzr" / "README").write_text("bazaar\n")
        run("bzr", "add", "bzr/README")
        run("bzr", "commit", "-m", "First", "bzr")
    if shutil.which("ostree"):
        (directory / "ostree-files" / "usr").mkdir(parents=True)
        (directory / "ostree-files" / "usr" / "file").write_text("of a commit\n")
        run("ostree", "init", "--repo=ostree", "--mode=archive")
        time = f"--timestamp=@{_EPOCH}"
        run("ostree", "commit", "--repo=ostree", "--branch=main", time, "ostree-files")


def _tar(path: Path, files: Mapping[str, str]) -> None:
    path.write_bytes(_layer(files))


def _layer(files: Mapping[str, str]) -> bytes:
    """A compressed archive of FILES, the same bytes each time."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content.encode()), _EPOCH
            archive.addfile(info, io.BytesIO(content.encode()))
    return gzip.compress(plain.getvalue(), mtime=0)


def _make_archives(directory: Path) -> None:
    _tar(directory / "hello-1.0.tar.gz", {"hello-1.0/hello": "hello\n", "hello-1.0/doc/more": "more\n"})
    (directory / "file.bin").write_bytes(bytes(range(256)))
    with zipfile.ZipFile(directory / "hello.zip", "w") as archive:
        for name in ("hello-1.0/hello", "hello-1.0/doc/more", "other/x"):
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), name)
    if shutil.which("dpkg-deb"):
        root = directory / "deb"
        (root / "DEBIAN").mkdir(parents=True)
        (root / "usr/share/hello").mkdir(parents=True)
        (root / "usr/share/hello/file").write_text("from a package\n")
        (root / "DEBIAN/control").write_text(
            "Package: hello\nVersion: 1.0\nArchitecture: all\nMaintainer: x <x@example.com>\nDescription: x\n"
        )
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zxz", "-b", str(root), str(directory / "hello.deb")],
            check=True,
            capture_output=True,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(_EPOCH)},
        )
        shutil.rmtree(root)


_SELF_CONTAINED = {
    # builds without any other package
    "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "backend.py": """\
import os

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    os.mkdir(os.path.join(directory, "hello-1.0.dist-info"))
    with open(os.path.join(directory, "hello-1.0.dist-info", "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\\nName: hello\\nVersion: 1.0\\n")
    return "hello-1.0.dist-info"

def build_wheel(directory, config_settings=None, metadata_directory=None):
    raise NotImplementedError
""",
    "PKG-INFO": "Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n",
    "hello.py": "",
}


def _make_indexes(directory: Path) -> None:
    package = directory / "hello-1.0-package"
    package.mkdir()
    _tar(package / "hello-1.0.tar.gz", {f"hello-1.0/{name}": text for name, text in _SELF_CONTAINED.items()})
    write_index(directory, {"hello": [package / "hello-1.0.tar.gz"]})
    write_json_index(directory / "internet", {"hello": [package / "hello-1.0.tar.gz"]})
    write_image(directory, "hello", "latest", [_layer({"usr/a": "a"}), _layer({"usr/b": "b", "a": "a"})])
    modules = directory / "cpan" / "modules"
    modules.mkdir(parents=True)
    authors = directory / "cpan" / "authors" / "id" / "A" / "AU" / "AUTHOR"
    authors.mkdir(parents=True)
    shutil.copy(directory / "hello-1.0.tar.gz", authors / "Hello-1.0.tar.gz")
    (modules / "02packages.details.txt.gz").write_bytes(
        gzip.compress(b"File: 02packages.details.txt\n\nHello  1.0  A/AU/AUTHOR/Hello-1.0.tar.gz\n", mtime=0)
    )
    crates = directory / "crates" / "tiny"
    crates.mkdir(parents=True)
    _tar(
        crates / "tiny-0.1.0.crate",
        {
            "tiny-0.1.0/Cargo.toml": '[package]\nname = "tiny"\nversion = "0.1.0"\n',
            "tiny-0.1.0/src/lib.rs": "pub fn one() -> u32 { 1 }\n",
        },
    )
