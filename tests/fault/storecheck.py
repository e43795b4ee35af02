"""An independent look at everything a store holds: nothing in it may be wrong."""

import hashlib
import os
import shutil
from pathlib import Path

from buildstream._act.artifacts import ArtifactCache
from buildstream._act.sourcemessage import files_of_message
from buildstream._model.digest import Digest
from buildstream._store.cas import Cas
from buildstream._store.completeness import CompleteTrees
from buildstream._store.records import artifact_records, element_source_records

_KEPT = "tmp/sandbox-probe-"  # what was found out about the machine


def find_faults(cache_directory: Path, scratch: Path) -> list[str]:
    """What is wrong in the store at CACHE_DIRECTORY: objects, extracted trees, artifacts; one line each.

    Args:
        cache_directory: Below which `cas`, `trees`, `stubs` and `artifacts` are.
        scratch: An absent directory, for a store of its own.
    """
    return [
        *_wrong_objects(cache_directory / "cas" / "objects"),
        *_wrong_trees(cache_directory / "trees", scratch),
        *_wrong_stubs(cache_directory, scratch),
        *find_incomplete_artifacts(cache_directory),
        *_false_memories(cache_directory),
    ]


def mounts_below(directory: Path) -> list[str]:
    """The mounts of this namespace below DIRECTORY."""
    lines = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    return [line for line in lines if line.split()[4].startswith(f"{directory}/")]


def _wrong_objects(directory: Path) -> list[str]:
    return [
        f"object {path} has other content"
        for path in directory.glob("*/*")
        if hashlib.sha256(path.read_bytes()).hexdigest() != path.parent.name + path.name.removesuffix(".x")
    ]


def _wrong_trees(directory: Path, scratch: Path) -> list[str]:
    cas = Cas(str(scratch / "cas"), durable=False)
    return [
        f"tree {path} has other content"
        for path in (directory.iterdir() if directory.is_dir() else ())
        if cas.import_directory(str(path)).hash != path.name
    ]


def _wrong_stubs(cache_directory: Path, scratch: Path) -> list[str]:
    """As `_wrong_trees`, for trees of stubs with the contents of the objects that they name."""
    directory = cache_directory / "stubs"
    filled = scratch / "filled"
    if not directory.is_dir():
        return []
    shutil.copytree(directory, filled, symlinks=True)
    for path in filled.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size:
            name = os.getxattr(directory / path.relative_to(filled), "user.overlay.redirect").decode()
            source = cache_directory / f"cas/objects{name}"
            if not source.is_file() or source.stat().st_size != path.stat().st_size:
                return [f"the object {name} is not what {path.relative_to(filled)} is a stub of"]
            path.write_bytes(source.read_bytes())
    return _wrong_trees(filled, scratch)


def find_incomplete_artifacts(cache_directory: Path) -> list[str]:
    """The artifacts at CACHE_DIRECTORY that lack something, or refer to what is damaged; one line each."""
    cas = _looking_store(cache_directory)
    artifacts = ArtifactCache(cas, artifact_records(str(cache_directory)))
    faults = []
    for name in artifacts.records.names():
        artifact = artifacts.load_complete(name)
        if artifact is None:
            faults.append(f"artifact {name} is not complete")
            continue
        digests = [artifact.public_data, artifact.low_diversity_meta, artifact.high_diversity_meta]
        if not all(cas.verify(digest) for digest in (*digests, *(log for _, log in artifact.logs))):
            faults.append(f"artifact {name} has a wrong blob")
        trees = (artifact.buildtree, artifact.buildroot, artifact.sources)
        if any(tree is not None and not cas.contains_tree(tree) for tree in trees):
            faults.append(f"artifact {name} lacks a tree")
    return faults


def _false_memories(cache_directory: Path) -> list[str]:
    """The trees of artifacts and sources that commands take to be complete, and that are not."""
    cas = _looking_store(cache_directory)
    remembered = CompleteTrees(str(cache_directory / "cas" / "objects"), str(cache_directory / "stats"))
    artifacts = ArtifactCache(cas, artifact_records(str(cache_directory)))
    sources = element_source_records(str(cache_directory))
    trees: set[Digest | None] = {
        files_of_message(data) for name in sources.names() if (data := sources.read(name)) is not None
    }
    for name in artifacts.records.names():
        artifact = artifacts.load(name)
        if artifact is not None:
            trees |= {artifact.files, artifact.buildtree, artifact.buildroot, artifact.sources}
    return [
        f"tree {tree} is remembered to be complete"
        for tree in trees
        if tree is not None and remembered.is_known(tree) and not cas.contains_tree(tree)
    ]


def _looking_store(cache_directory: Path) -> Cas:
    """The store, opened to find out for itself which trees are complete."""
    cas = Cas(str(cache_directory / "cas"), durable=False)
    cas.forget_presence()
    return cas


def scratch_entries(cache_directory: Path) -> list[str]:
    """What runs have left in the directories for temporary files, relative to the cache directory."""
    found: list[str] = []
    for name in ("build", "tmp", "trash", os.path.join("cas", "tmp")):
        directory = cache_directory / name
        if directory.is_dir():
            found += [str(path.relative_to(cache_directory)) for path in directory.iterdir()]
    return sorted(entry for entry in found if not entry.startswith(_KEPT))
