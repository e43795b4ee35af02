#!/usr/bin/env python3
"""Prepares a project of real upstream packages that is built over a real base.

    prepare.py OUTPUT

Run as root on a Debian machine.  What is made, in the new or existing folder OUTPUT:

    downloads/   the release archives that Debian's source packages carry, and base.tar,
                 which debootstrap (variant buildd) makes
    project/     a BuildStream project over them: the files of template/ beside this
                 program, with the name and the SHA256 of each archive filled in

A template names an archive as @FILE:NAME@ and @SHA256:NAME@, where NAME is `base` or a
source package of Debian.  Archives that an earlier run has left in downloads/ are used again;
project/ is written anew.

The packages come from wherever the machine's own apt configuration points; that
configuration is read, and never changed.  compare.py builds the project with two programs.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent / "template"
PLACEHOLDER = re.compile(r"@(FILE|SHA256):([a-z0-9.+-]+)@")
BASE_PACKAGES = ("autoconf", "automake", "cmake", "libtool", "meson", "ninja-build", "pkgconf")

# what debootstrap leaves that a build does not need, or that tells of this machine or this moment
UNWANTED = (
    "./dev/*",
    "./etc/apt/sources.list",
    "./etc/hostname",
    "./etc/resolv.conf",
    "./etc/machine-id",
    "./debootstrap",
    "./proc/*",
    "./sys/*",
    "./var/cache/*",
    "./var/lib/apt/lists/*",
    "./var/log/*",
)


class PrivateApt:
    """An apt that reads the machine's sources as sources of source packages, with state of its own.

    The copy is in `folder`; everything else, such as proxies and keys, is the machine's configuration.
    """

    def __init__(self, folder: Path) -> None:
        parts = folder / "sources.list.d"
        parts.mkdir()
        lists = folder / "lists"
        (lists / "partial").mkdir(parents=True)
        for path in _apt_source_files():
            (parts / path.name).write_text(
                _as_source_packages(path.read_text(encoding="utf-8")), encoding="utf-8"
            )
        settings = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": str(parts),
            "Dir::State::lists": str(lists),
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            # the folders belong to the caller, not to apt's own user
            "APT::Sandbox::User": "root",
        }
        self._options = [f"-o{name}={value}" for name, value in settings.items()]

    def run(self, *arguments: str, folder: Path | None = None) -> str:
        """Gives what `apt-get ARGUMENTS` writes to its standard output."""
        return run(["apt-get", *self._options, *arguments], folder=folder)

    def mirror(self, release: str) -> str:
        """Gives the URL of the archive that has `release` itself, not its updates."""
        for line in self.run("indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)").splitlines():
            name, component, url = line.split(" ", 2)
            if (name, component) == (release, "main"):
                return url
        raise SystemExit(f"The apt configuration of this machine has no source for {release}")


def run(
    command: Sequence[str], *, folder: Path | None = None, environment: dict[str, str] | None = None
) -> str:
    """Gives the standard output of a command; ends the program if the command fails."""
    result = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if result.returncode != 0:
        sys.stdout.write(result.stdout)
        raise SystemExit(f"{command[0]} failed with exit code {result.returncode}: {' '.join(command)}")
    return result.stdout


def _apt_source_files() -> Iterator[Path]:
    single = Path("/etc/apt/sources.list")
    if single.is_file():
        yield single
    for path in sorted(Path("/etc/apt/sources.list.d").glob("*")):
        if path.suffix in (".list", ".sources"):
            yield path


def _as_source_packages(text: str) -> str:
    """Gives a sources file, in either format of apt, that names source packages instead of binary ones."""
    text = re.sub(r"^deb\s", "deb-src ", text, flags=re.MULTILINE)
    return re.sub(r"^Types:.*$", "Types: deb-src", text, flags=re.MULTILINE | re.IGNORECASE)


def this_release() -> str:
    """Gives the code name of the Debian release of this machine."""
    for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        if name == "VERSION_CODENAME":
            return value.strip('"')
    raise SystemExit("/etc/os-release names no release: this is not a Debian machine")


def wanted_archives() -> list[str]:
    """Gives the sorted names of the archives that the templates mention."""
    names: set[str] = set()
    for path in TEMPLATE.glob("elements/*.bst"):
        names.update(name for _, name in PLACEHOLDER.findall(path.read_text(encoding="utf-8")))
    return sorted(names)


def find_archive(name: str, downloads: Path) -> Path | None:
    """Gives the archive of this name if an earlier run has left it, else None."""
    pattern = "base.tar" if name == "base" else f"{name}_*.orig.tar.*"
    found = [path for path in sorted(downloads.glob(pattern)) if path.suffix != ".asc"]
    return found[-1] if found else None


def download_archives(names: Sequence[str], apt: PrivateApt, downloads: Path) -> None:
    """Fetches the release archives of Debian source packages; apt checks their signatures and hashes."""
    with tempfile.TemporaryDirectory(dir=downloads) as scratch:
        apt.run("source", "--download-only", "--tar-only", *names, folder=Path(scratch))
        for path in Path(scratch).glob("*.orig.tar.*"):
            shutil.move(path, downloads / path.name)


def make_base(release: str, mirror: str, target: Path) -> None:
    """Makes the base with debootstrap and packs it without device nodes, always in the same order."""
    if shutil.which("debootstrap") is None:
        run(["apt-get", "install", "--yes", "debootstrap"])
    environment = dict(os.environ)
    proxy = run(["apt-config", "shell", "proxy", "Acquire::http::Proxy"]).strip()
    if proxy:
        environment["http_proxy"] = proxy.partition("=")[2].strip("'")
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        root = Path(scratch) / "root"
        include = "--include=" + ",".join(BASE_PACKAGES)
        run(["debootstrap", "--variant=buildd", include, release, str(root), mirror], environment=environment)
        unfinished = Path(scratch) / target.name
        pack = ["tar", "--create", "--format=gnu", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"]
        pack += ["--mtime=@1321009871", "--warning=no-file-ignored"]
        pack += [f"--exclude={pattern}" for pattern in UNWANTED]
        run([*pack, "--file", str(unfinished), "--directory", str(root), "."])
        unfinished.rename(target)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_project(archives: dict[str, Path], project: Path) -> None:
    """Copies the templates to `project`, replacing what is there, with the archives filled in."""
    values = {("FILE", name): path.name for name, path in archives.items()}
    values |= {("SHA256", name): sha256_of(path) for name, path in archives.items()}
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(TEMPLATE, project)
    for path in project.glob("elements/*.bst"):
        text = path.read_text(encoding="utf-8")
        path.write_text(PLACEHOLDER.sub(lambda match: values[match[1], match[2]], text), encoding="utf-8")


def prepare(output: Path) -> None:
    """Fills `output` as the description of this program says."""
    downloads = output / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    names = wanted_archives()
    missing = [name for name in names if find_archive(name, downloads) is None]
    if missing:
        with tempfile.TemporaryDirectory() as folder:
            apt = PrivateApt(Path(folder))
            apt.run("update")
            packages = [name for name in missing if name != "base"]
            if packages:
                download_archives(packages, apt, downloads)
            if "base" in missing:
                make_base(this_release(), apt.mirror(this_release()), downloads / "base.tar")
    archives = {name: path for name in names if (path := find_archive(name, downloads)) is not None}
    if len(archives) < len(names):
        raise SystemExit(f"No release archive for: {', '.join(sorted(set(names) - set(archives)))}")
    write_project(archives, output / "project")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "output", type=Path, metavar="OUTPUT", help="folder to fill; needs about 3 GB while it is made"
    )
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("debootstrap must be run as root")
    prepare(arguments.output.resolve())
    print(f"A project is in {arguments.output / 'project'}", file=sys.stderr)


if __name__ == "__main__":
    main()
