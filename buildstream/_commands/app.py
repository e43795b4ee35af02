"""What every command works with: settings, messages, the project, the local cache."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import field, replace
from typing import TYPE_CHECKING, Protocol

from .._act.services import EngineServices
from .._act.storepaths import StorePaths
from .._dataclass import dataclass
from .._exceptions import BstError, LoadError
from .._load.projectkeys import find_project_conf
from .._load.projectloader import ProjectLoader
from .._load.settings import LoadSettings
from .._messenger import Messenger
from .._remote.selection import RemoteChoice
from .._remotespec import RemoteExecutionSettings, RemoteSpec
from ..exceptions import LoadErrorReason

if TYPE_CHECKING:
    from .._act.artifacts import ArtifactCache
    from .._act.artifactsharing import ArtifactSharing
    from .._act.healing import Healer
    from .._act.history import DurationHistory
    from .._act.remotecaches import RemoteCaches
    from .._act.remoteexecution import RemoteExecution
    from .._act.sourcecache import SourceCache
    from .._act.sourcesharing import SourceSharing
    from .._config import DiskShare
    from .._load.project import Project
    from .._load.resolved import ResolvedElement
    from .._model.events import Event
    from .._model.session import SessionHeading, SessionSummary
    from .._schedule.scheduler import Decision, Scheduler
    from .._store.cas import Cas
    from ..node import MappingNode


@dataclass(frozen=True, slots=True)
class Settings:
    """The user configuration and the global options, merged."""

    configuration_file: str | None
    cache_directory: str
    log_directory: str
    source_directory: str
    fetchers: int
    builders: int
    pushers: int
    network_retries: int
    on_error: str
    retry_failed: bool
    build_dependencies: str  # what `bst build` considers without --deps
    cache_buildtrees: str  # always, auto or never
    is_strict: Callable[[str], bool]  # by name of the toplevel project
    quota: "DiskShare | None"  # None: no limit
    reserved_disk_space: "DiskShare"
    low_watermark_percent: float  # of the quota
    is_durable: bool = True
    job_server: int = 0  # jobs of make that all builds together may run at once; 0: each as it wants
    build_timeout_s: int = 0  # how long one build may take; 0: as long as it wants
    pulls_buildtrees: bool = False
    artifact_caches: RemoteChoice = field(default_factory=RemoteChoice)
    source_caches: RemoteChoice = field(default_factory=RemoteChoice)
    storage_service: RemoteSpec | None = None  # holds all that the local cache does, and what it lacks
    # where builds run, by name of the toplevel project; None: here
    remote_execution: Callable[[str], RemoteExecutionSettings | None] = lambda _: None


class UserInterface(Protocol):
    """What commands need of the front end while they run."""

    can_ask: bool  # whether there is a person to ask
    asks_on_failure: bool  # whether that person wants to decide about failures

    def show_heading(self, heading: "SessionHeading") -> None: ...

    def start_session(
        self, name: str, scheduler: "Scheduler", total: int, left_s: "Callable[[], float | None]"
    ) -> None: ...

    def tick(self, scheduler: "Scheduler") -> None: ...

    def end_session(self) -> None: ...

    def show_summary(self, summary: "SessionSummary") -> None: ...

    def confirm(self, question: str) -> bool: ...

    def hold(self) -> AbstractContextManager[None]: ...

    def gather(self) -> AbstractContextManager[None]: ...

    def ask_on_interrupt(self) -> "Decision": ...

    def ask_on_failure(self, job: object, result: object) -> "Decision": ...


class App:
    """One invocation of the program.

    Args:
        settings: How the user wants things done.
        load_settings: What loading depends on besides files.
        messenger: Where messages go.
        ui: The front end.
        start_directory: Where the search for a project begins.
    """

    def __init__(
        self,
        settings: Settings,
        load_settings: LoadSettings,
        messenger: Messenger,
        ui: UserInterface,
        *,
        start_directory: str,
    ) -> None:
        self.settings = settings
        self.messenger = messenger
        self.ui = ui
        self.paths = StorePaths(settings.cache_directory)
        self.services = EngineServices(
            messenger,
            self.paths,
            lambda: self.cas,
            keeps_buildtrees=settings.cache_buildtrees == "always",
            search_path=load_settings.host_environment.get("PATH", ""),
        )
        self.services.share_jobs(settings.job_server)
        # replaced by what shows the progress of loading
        self.on_element_loaded: Callable[[str], None] = lambda _: None
        self.on_element_resolved: Callable[[], None] = lambda: None
        # opens the log of events that is kept of each session with this name; None: none is kept
        self.open_session_log: Callable[[str], Callable[[Event], None] | None] | None = None
        self._history: DurationHistory | None = None
        self._load_settings = load_settings
        self.start_directory = start_directory
        self._loader: ProjectLoader | None = None
        self._is_project_open = False
        self.default_element: str | None = None  # that of the workspace the command was started in
        self._cas: Cas | None = None
        self._artifacts: ArtifactCache | None = None
        self._sources: SourceCache | None = None
        self._remotes: RemoteCaches | None = None
        self._healer: Healer | None = None
        self._sharing: ArtifactSharing | None = None
        self._source_sharing: SourceSharing | None = None
        self._remote_execution: RemoteExecution | None = None

    def close(self) -> None:
        """Ends helper programs and connections, makes room in the cache if it is time, empties the trash."""
        self.services.close()
        if self._remote_execution is not None:
            self._remote_execution.close()
        if self._remotes is not None:
            self._remotes.close()
        if self._cas is not None:
            self._cas.empty_trash()
            self._cas.close()

    # the project

    def open_project(self) -> ProjectLoader | None:
        """The loader with the toplevel project open, None if there is no project."""
        if not self._is_project_open:
            self._is_project_open = True
            with _prefixed("Error loading project"):
                directory, self.default_element = find_project_conf(self.start_directory)
                if directory is not None:
                    self._loader = self._open_loader(directory)
        return self._loader

    def reopen_project(self, amend: "Callable[[MappingNode], object]") -> ProjectLoader | None:
        """Like :meth:`open_project`, but with a new loader; AMEND may change what is read from files."""
        self._load_settings = replace(self._load_settings, amend=amend)
        self._is_project_open = False
        return self.open_project()

    def _open_loader(self, directory: str) -> ProjectLoader | None:
        loader = ProjectLoader(
            self._load_settings,
            self.services,
            progress=lambda name: self.on_element_loaded(name),  # noqa: PLW0108 - it is replaced later
            resolved=lambda: self.on_element_resolved(),  # noqa: PLW0108
            stage_junction=self._stage_junction,
        )
        try:
            loader.open(directory)
        except LoadError as error:
            # a workspace may have outlived its project
            if error.reason == LoadErrorReason.MISSING_PROJECT_CONF:
                return None
            raise
        return loader

    def _stage_junction(self, junction: "ResolvedElement") -> str:
        from .junctions import stage_junction

        return stage_junction(self, junction)

    def is_strict(self, project: "Project") -> bool:
        """Whether an artifact is good only if its strict key fits."""
        return self.settings.is_strict(project.name)

    # the local cache, opened when it is first needed

    @property
    def cas(self) -> "Cas":
        """The content store."""
        if self._cas is None:
            from .._store.cas import Cas
            from .cleaning import make_room, store_limits

            self._cas = Cas(self.paths.cas, durable=self.settings.is_durable, limits=store_limits(self))
            self._cas.begin_session()
            self._cas.usage.clean_up = lambda keep_bytes: make_room(self, keep_bytes)
            self._cas.heal = lambda digest: self.healer.heal(digest)  # noqa: PLW0108 - made when needed
            if self.settings.storage_service is not None:
                from .._act.storageservice import StorageService

                self._cas.elsewhere = StorageService(
                    self.settings.storage_service, self._cas, self.remotes, self.messenger
                )
        return self._cas

    @property
    def history(self) -> "DurationHistory":
        """How long jobs took before."""
        if self._history is None:
            from .._act.history import DurationHistory

            self._history = DurationHistory(self.paths.history)
        return self._history

    @property
    def artifacts(self) -> "ArtifactCache":
        """The artifact cache."""
        if self._artifacts is None:
            from .._act.artifacts import ArtifactCache
            from .._store.records import artifact_records

            records = artifact_records(self.paths.cache, protecting=self.cas.protecting)
            self._artifacts = ArtifactCache(self.cas, records)
            self.services.artifacts = self._artifacts
        return self._artifacts

    @property
    def sources(self) -> "SourceCache":
        """The source cache."""
        if self._sources is None:
            from .._act.sourcecache import SourceCache
            from .._store.records import element_source_records, source_records

            self._sources = SourceCache(
                self.cas,
                element_source_records(self.paths.cache, protecting=self.cas.protecting),
                source_records(self.paths.cache, protecting=self.cas.protecting),
                temporary=self.paths.temporary,
                services=self.services,
                messenger=self.messenger,
            )
            self.services.sources = self._sources
        return self._sources

    # the remote caches

    @property
    def remotes(self) -> "RemoteCaches":
        """The remote caches of every project; connections are made when one is needed."""
        if self._remotes is None:
            from .._act.remotecaches import RemoteCaches

            settings = self.settings
            self._remotes = RemoteCaches(
                settings.artifact_caches,
                settings.source_caches,
                self.messenger,
                self.services.jobs,
                suspects_path=self.paths.suspects,
            )
        return self._remotes

    def remote_execution(self, project_name: str) -> "RemoteExecution | None":
        """What runs the builds of the toplevel project PROJECT_NAME; None if they run here."""
        settings = self.settings.remote_execution(project_name)
        if settings is None or settings.execution_service is None:
            return None
        if self._remote_execution is None:
            from .._act.remoteexecution import RemoteExecution

            self._remote_execution = RemoteExecution(
                settings, self.settings.storage_service, self.cas, self.remotes.effects, self.services
            )
        return self._remote_execution

    @property
    def healer(self) -> "Healer":
        """Fetches again what is damaged in the local cache."""
        if self._healer is None:
            from .._act.healing import Healer

            self._healer = Healer(self.cas, self.remotes, self.messenger)
        return self._healer

    @property
    def sharing(self) -> "ArtifactSharing":
        """Exchanges artifacts with remote caches."""
        if self._sharing is None:
            from .._act.artifactsharing import ArtifactSharing

            self._sharing = ArtifactSharing(
                self.artifacts,
                self.remotes,
                self.messenger,
                self.services.has_workspace,
                pulls_buildtrees=self.settings.pulls_buildtrees,
            )
        return self._sharing

    @property
    def source_sharing(self) -> "SourceSharing":
        """Exchanges sources with remote caches."""
        if self._source_sharing is None:
            from .._act.sourcesharing import SourceSharing

            self._source_sharing = SourceSharing(
                self.cas,
                self.remotes,
                self.messenger,
                lambda element: self.services.label(element, element.full_name),
            )
        return self._source_sharing

    def connect(
        self, projects: "Iterable[Project]", *, artifacts: bool = False, sources: bool = False
    ) -> None:
        """Connects to the remote caches of PROJECTS, of the kinds that the command needs."""
        self.remotes.connect(projects, artifacts=artifacts, sources=sources)
        if sources:
            self.sources.sharing = self.source_sharing


@contextmanager
def _prefixed(prefix: str) -> Iterator[None]:
    """Puts PREFIX before the text of errors."""
    try:
        yield
    except BstError as error:
        raise BstError(
            f"{prefix}: {error}", detail=error.detail, domain=error.domain, reason=error.reason
        ) from error
