"""`bst source checkout`: writes the sources of elements where the user wants them."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._dataclass import dataclass
from .._exceptions import AppError, BstError, ImplError, PipelineError, StreamError
from .._load.pluginfaults import plugin_code
from .._load.resolved import ResolvedElement
from .._load.targets import Targets, classify
from .._model.message import MessageType
from .._plan.record import ElementRecord, SourceState
from .._plan.selection import except_elements, select
from .._store.cas_directory import CasDirectory
from .._store.checkout import export_directory, export_tar
from ..utils import BST_ARBITRARY_TIMESTAMP
from .app import App
from .buildscripts import MAIN_SCRIPT, build_script, main_script, script_name
from .destination import archive, destination
from .loading import LoadedTargets, check_resolved, element_names, load_names, query_sources
from .missing import fetch_missing
from .termination import raising_when_ended

if TYPE_CHECKING:
    from ..storage import Directory

# nobody should mistake what was checked out for the sources themselves
_FILE_MODE = 0o444
_EXECUTABLE_MODE = 0o755


@dataclass(frozen=True, slots=True)
class SourceCheckoutOptions:
    """Where and how to check out sources."""

    location: str  # path of a directory, or of a tarball
    is_tar: bool = False
    compression: str = ""  # of a tarball: "", "gz", "xz" or "bz2"
    force: bool = False
    includes_scripts: bool = False


def checkout_sources(
    app: App, *, target: str, deps: str, excepted: Sequence[str], options: SourceCheckoutOptions
) -> None:
    """Writes the sources of the elements that are selected, each into a directory of its own.

    Raises:
        StreamError: The destination can't be written, or a source can't be fetched.
        PipelineError: A source has no ref, or is not there as the user has quit fetching.
    """
    targets = classify([target], accepts_artifacts=False)
    with destination(options.location, is_tarball=options.is_tar, force=options.force):
        _check_out(app, targets, deps, excepted, options)
    app.messenger.send(MessageType.INFO, f"Checked out sources to '{options.location}'")


def _check_out(
    app: App, targets: Targets, deps: str, excepted: Sequence[str], options: SourceCheckoutOptions
) -> None:
    loader = app.open_project()
    names, _ = element_names(app, loader, targets)
    assert loader is not None, "element_names() complains where there is no project"
    if not names:
        raise AppError(f"No elements matched: {', '.join(targets.element_globs)}")
    loaded = load_names(app, loader, names[:1], excepted=excepted)
    selected = except_elements(loaded.targets, select(loaded.targets, deps), loaded.excepted)
    app.connect(loaded.projects, sources=True)
    query_sources(app, loaded, selected)
    check_resolved(selected)
    records = [loaded.pipeline.record(element) for element in selected]
    fetch_missing(app, records)
    _check_present(app, records)
    try:
        tree = _staged_tree(app, records, loaded, includes_scripts=options.includes_scripts)
        _write(app, tree, options)
    except BstError as error:
        raise StreamError(
            f"Error while writing sources: '{error}'", detail=error.detail, reason=error.reason
        ) from error


def _check_present(app: App, records: Sequence[ElementRecord]) -> None:
    """Nothing is missing after a session, unless the user has quit it."""
    with app.messenger.activity("Checking sources"):
        missing = [record for record in records if record.source_state is not SourceState.STAGED]
        if not missing:
            return
        lines = []
        for record in missing:
            sources = record.element.sources
            absent = [source for source in sources if not app.sources.originals.is_cached(source)]
            lines.append(f"  Following sources for element: {record.element.full_name} are not cached:")
            lines += [f"    {source.plugin}" for source in absent or sources]
        raise PipelineError(
            "Uncached sources",
            detail="Sources are not cached for the following elements:\n\n"
            + "\n".join([*lines, "", "Try fetching these elements first with `bst source fetch`"]),
            reason="uncached-sources",
        )


def _staged_tree(
    app: App, records: Sequence[ElementRecord], loaded: LoadedTargets, *, includes_scripts: bool
) -> CasDirectory:
    tree = CasDirectory(app.cas)
    for record in records:
        digest = app.sources.combined_tree(record)
        if record.element.sources and digest is not None:
            with app.messenger.activity("Staging sources", element=record.label):
                tree._import_tree(digest, path=_directory_of(record.element))
    if includes_scripts:
        for record in records:
            with app.messenger.activity("Writing build script", element=record.label):
                _add_script(tree, record.element)
        project = loaded.projects[0]
        names = [record.element.plugin.normal_name for record in records]
        _write_program(tree, MAIN_SCRIPT, main_script(project.name, names))
    return tree


def _directory_of(element: ResolvedElement) -> str:
    """`<junction>/.../<element>`, without suffixes, slashes inside of names replaced by dashes."""
    return "/".join([os.path.splitext(name.replace("/", "-"))[0] for name in element.full_name.split(":")])


def _add_script(tree: CasDirectory, element: ResolvedElement) -> None:
    try:
        with plugin_code(element.plugin, "generate_script"):
            commands = element.plugin.generate_script()
    except ImplError:
        return  # kinds need not have scripts
    name = element.plugin.normal_name
    text = build_script(
        name,
        build_root=element.variables.get("build-root") or "",
        install_root=element.variables.get("install-root") or "",
        environment=element.environment,
        commands=commands,
    )
    _write_program(tree, script_name(name), text)


def _write_program(tree: "Directory", path: str, text: str) -> None:
    with tree.open_file(path, mode="w") as file:
        file.write(text)
        os.fchmod(file.fileno(), 0o755)


def _write(app: App, tree: CasDirectory, options: SourceCheckoutOptions) -> None:
    if options.is_tar:
        with archive(options.location) as file:
            export_tar(app.cas, tree._digest(), file, compression=options.compression, prefix="")
        return
    with raising_when_ended():
        export_directory(app.cas, tree._digest(), options.location, force=options.force)
    for path in tree.list_relative_paths():
        target = os.path.join(options.location, path)
        if os.path.isfile(target) and not os.path.islink(target):
            is_executable = os.access(target, os.X_OK)
            os.chmod(target, _EXECUTABLE_MODE if is_executable else _FILE_MODE)
            os.utime(target, (BST_ARBITRARY_TIMESTAMP, BST_ARBITRARY_TIMESTAMP))
