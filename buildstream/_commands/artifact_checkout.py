"""`bst artifact checkout`: writes artifacts where the user wants them."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from .._act.recorded import RecordedArtifact, staged_recorded_sandbox
from .._act.virtualroot import staged_sandbox
from .._dataclass import dataclass
from .._exceptions import BstError, StreamError
from .._load.elementhost import ref_of_names
from .._load.targets import Targets, classify
from .._model.message import ElementLabel
from .._plan.artifactview import ArtifactView
from .._plan.selection import select
from .._store.checkout import export_directory, export_tar
from .app import App
from .artifactpulls import pull_named
from .artifacttargets import load_artifact_targets
from .destination import archive, destination
from .loading import element_names, load_names, query
from .missing import pull_missing
from .termination import raising_when_ended

if TYPE_CHECKING:
    from .._sandbox.local import LocalSandbox


@dataclass(frozen=True, slots=True)
class CheckoutOptions:
    """Where and how to check out."""

    directory: str | None = None
    tar: str | None = None  # path of a tarball, "-" for standard output
    compression: str = ""  # "", "gz", "xz" or "bz2"
    force: bool = False
    integrates: bool = True
    hardlinks: bool = False


def checkout(app: App, *, target: str, deps: str, options: CheckoutOptions) -> None:
    """Checks out TARGET, an element or an artifact name, or the first match of a glob of either.

    Args:
        app: The invocation.
        target: What to check out.
        deps: none, build, run or all; the latter two for elements only.
        options: Where and how.

    Raises:
        StreamError: Something is not cached, or the destination can't be written.
    """
    app.cas.verify_on_use()
    targets = classify([target], accepts_artifacts=True)
    if targets.artifacts or targets.artifact_globs:
        _check_out_artifact(app, target, deps, options)
    else:
        _check_out_element(app, targets, deps, options)


def _check_out_element(app: App, targets: Targets, deps: str, options: CheckoutOptions) -> None:
    loader = app.open_project()
    names, _ = element_names(app, loader, targets)
    assert loader is not None, "element_names() complains where there is no project"
    if not names:
        raise StreamError(f"No elements matched: {', '.join(targets.element_globs)}")
    loaded = load_names(app, loader, names[:1])
    element = loaded.targets[0]
    with _destination(options):
        selected = select([element], deps)
        app.connect(loaded.projects, artifacts=True)
        query(app, loaded, selected, with_sources=False, with_remotes=True)
        pull_missing(app, loaded.pipeline, [loaded.pipeline.record(each) for each in selected])
        assert app.sources is not None
        with (
            _staging_errors(),
            staged_sandbox(app.services, element, selected, integrates=options.integrates) as sandbox,
        ):
            _write(app, sandbox, options, loaded.pipeline.record(element).label)


def _check_out_artifact(app: App, target: str, deps: str, options: CheckoutOptions) -> None:
    found = load_artifact_targets(app, [target])
    if found:
        app.remotes.connect((), artifacts=True, named=[found[0].name.partition("/")[0]])
    if deps in ("run", "all"):
        raise StreamError(
            f"Error: '--deps {deps}' is not supported for artifact names", reason="deps-not-supported"
        )
    name = found[0].name if found else target
    with _destination(options):
        view = pull_named(app, name) if found else None
        if view is None:
            raise StreamError(
                "Error while staging dependencies into a sandbox: "
                f"'Error preparing sandbox for element: {name}'",
                reason="missing-sandbox-config",
                detail="The artifact is neither in the local cache nor in a remote one.",
            )
        artifact = RecordedArtifact(_normal_name(name), view)
        staged = [artifact] if deps == "none" else list(_build_dependencies(app, artifact.view))
        with (
            _staging_errors(),
            staged_recorded_sandbox(
                app.services, app.artifacts, artifact, staged, integrates=options.integrates
            ) as sandbox,
        ):
            _write(app, sandbox, options, ElementLabel(artifact.name, "", False))


def _normal_name(ref: str) -> str:
    return ref.split("/")[1]


def _build_dependencies(app: App, artifact: ArtifactView) -> Iterator[RecordedArtifact]:
    for dependency in artifact.build_dependencies:
        ref = ref_of_names(dependency.project_name, dependency.element_name, dependency.key)
        view = pull_named(app, ref)
        if view is None:
            raise StreamError(
                "Error while staging dependencies into a sandbox: 'No artifacts to stage'",
                reason="uncached-checkout-attempt",
                detail=f"Neither in the local cache nor in a remote one: {ref}",
            )
        yield RecordedArtifact(_normal_name(ref), view)


@contextmanager
def _staging_errors() -> Iterator[None]:
    """Says of errors that they happened on the way into the sandbox or out of it."""
    try:
        yield
    except BstError as error:
        raise StreamError(
            f"Error while staging dependencies into a sandbox: '{error}'",
            detail=error.detail,
            reason=error.reason,
        ) from error


def _destination(options: CheckoutOptions) -> AbstractContextManager[None]:
    if options.directory is not None:
        return destination(options.directory, is_tarball=False, force=options.force)
    assert options.tar is not None, "there is a destination"
    if options.tar == "-":
        return nullcontext()
    return destination(options.tar, is_tarball=True, force=options.force)


def _write(app: App, sandbox: "LocalSandbox", options: CheckoutOptions, label: ElementLabel) -> None:
    digest = app.services.tree_digest(sandbox.get_virtual_directory())
    if options.tar is None:
        assert options.directory is not None, "there is a destination"
        activity = app.messenger.activity(f"Checking out files in '{options.directory}'", element=label)
        with raising_when_ended(), activity:
            export_directory(
                app.cas, digest, options.directory, hardlinks=options.hardlinks, force=options.force
            )
        return
    with app.messenger.activity("Creating tarball", element=label):
        if options.tar == "-":
            export_tar(app.cas, digest, sys.stdout.buffer, compression=options.compression)
        else:
            with archive(options.tar) as file:
                export_tar(app.cas, digest, file, compression=options.compression)
