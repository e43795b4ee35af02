"""`bst artifact checkout`: the files of an artifact, in a directory or a tarball."""

import os
import sys
from dataclasses import dataclass

from .._act.virtualroot import staged_sandbox
from .._exceptions import BstError, StreamError
from .._load.targets import classify
from .._model.digest import Digest
from .._plan.selection import select
from .._store.checkout import export_directory, export_tar
from .app import App
from .destination import check_directory, check_tarball
from .loading import element_names, load_names, query


@dataclass(frozen=True, slots=True)
class CheckoutOptions:
    """Where and how to check out."""

    directory: str | None = None
    tar: str | None = None  # path of a tarball, "-" for standard output
    compression: str = ""  # "", "gz", "xz" or "bz2"
    force: bool = False
    integrates: bool = True
    hardlinks: bool = False


def checkout(app: App, *, target: str | None, deps: str | None, options: CheckoutOptions) -> None:
    """Checks out TARGET, an element or an artifact name.

    Args:
        deps: none, build, run or all; None for run, or none where TARGET is an artifact name.

    Raises:
        StreamError: Something is not cached, or the destination can't be written.
    """
    words = [target] if target else []
    targets = classify(words, accepts_artifacts=True)
    is_new = _check_destination(options)
    try:
        if targets.artifacts or targets.artifact_globs:
            _check_out_artifact(app, words, deps, options)
        else:
            _check_out_elements(app, words, deps or "run", options)
    except BaseException:
        if is_new and options.directory is not None:
            _remove_if_empty(options.directory)
        raise


def _check_destination(options: CheckoutOptions) -> bool:
    if options.tar is None:
        assert options.directory is not None
        return check_directory(options.directory, force=options.force)
    if options.tar != "-":
        check_tarball(options.tar, force=options.force)
    return False


def _remove_if_empty(directory: str) -> None:
    """A failed check-out leaves no empty directory behind."""
    try:
        os.rmdir(directory)
    except OSError:
        pass


def _check_out_elements(app: App, words: list[str], deps: str, options: CheckoutOptions) -> None:
    loader = app.open_project()
    names, _ = element_names(app, loader, classify(words, accepts_artifacts=True))
    assert loader is not None
    loaded = load_names(app, loader, names[:1])
    element = loaded.targets[0]
    selected = select([element], deps)
    query(app, loaded, selected, with_sources=False)
    assert app.sources is not None
    try:
        with staged_sandbox(app.services, element, selected, integrates=options.integrates) as sandbox:
            digest: Digest = sandbox.get_virtual_directory()._digest()  # type: ignore[attr-defined]
            _write(app, digest, options)
    except BstError as error:
        raise StreamError(
            f"Error while staging dependencies into a sandbox: '{error}'",
            detail=error.detail,
            reason=error.reason,
        ) from error


def _check_out_artifact(app: App, words: list[str], deps: str | None, options: CheckoutOptions) -> None:
    from .artifacttargets import load_artifact_targets

    if deps in ("run", "all"):
        raise StreamError(
            f"Error: '--deps {deps}' is not supported for artifact names", reason="deps-not-supported"
        )
    found, _ = load_artifact_targets(app, words)
    if not found or found[0].artifact is None:
        name = found[0].name if found else words[0]
        raise StreamError(
            f"Error while staging dependencies into a sandbox: 'Error preparing sandbox for element: {name}'",
            reason="missing-sandbox-config",
            detail="The artifact is not in the local cache.",
        )
    artifact = found[0].artifact
    from .._store.cas_directory import CasDirectory

    tree = CasDirectory(app.cas)
    if deps == "build":
        for dependency in artifact.build_dependencies:
            _import_dependency(app, tree, dependency.project_name, dependency.element_name, dependency.key)
    elif artifact.files is not None:
        tree._import_tree(artifact.files)
    _write(app, tree._digest(), options)


def _import_dependency(app: App, tree: "object", project: str, element: str, key: str) -> None:
    from .._load.elementhost import ref_of_names
    from .._store.cas_directory import CasDirectory

    assert isinstance(tree, CasDirectory)
    name = ref_of_names(project, element, key)
    artifact = app.artifacts.load_complete(name)
    if artifact is None:
        raise StreamError(
            "Error while staging dependencies into a sandbox: 'No artifacts to stage'",
            reason="uncached-checkout-attempt",
            detail=f"Not in the local cache: {name}",
        )
    if artifact.files is not None:
        tree._import_tree(artifact.files)


def _write(app: App, digest: Digest, options: CheckoutOptions) -> None:
    if options.tar is None:
        assert options.directory is not None
        with app.messenger.activity(f"Checking out files in '{options.directory}'"):
            export_directory(
                app.cas, digest, options.directory, hardlinks=options.hardlinks, force=options.force
            )
        return
    with app.messenger.activity("Creating tarball"):
        if options.tar == "-":
            export_tar(app.cas, digest, sys.stdout.buffer, compression=options.compression)
        else:
            with open(options.tar, "wb") as file:
                export_tar(app.cas, digest, file, compression=options.compression)
