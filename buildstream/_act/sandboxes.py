"""Sandboxes, and the program that starts them."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from .._dataclass import dataclass
from .._load.resolved import ResolvedElement
from .._load.sandboxsettings import SandboxSettings
from .._model.digest import Digest
from .._store.layout import storage_errors
from .announcer import Announcer
from .storepaths import StorePaths

if TYPE_CHECKING:
    from .._sandbox.client import SandboxLauncher
    from .._sandbox.jobserver import JobServer
    from .._sandbox.local import LocalSandbox
    from .._sandbox.probe import SandboxProbe
    from .._sandbox.remote import ActionRunner, RemoteSandbox
    from .._store.cas import Cas


@dataclass(frozen=True, slots=True)
class SandboxOwner:
    """Whom a sandbox is for, and how it has to be."""

    name: str  # as messages show it
    settings: SandboxSettings
    keeps_mtimes: bool = False  # whether what the sandbox writes is captured with its times


class Sandboxes:
    """Opens sandboxes.

    Args:
        announcer: Tells what a sandbox does, in the log of the job that runs it.
        paths: Where scratch directories are made.
        cas: The content store, opened when it is first needed.
        search_path: Where to look for programs of the host, as in the variable PATH.
    """

    def __init__(
        self, announcer: Announcer, paths: StorePaths, cas: "Callable[[], Cas]", search_path: str
    ) -> None:
        self._announcer = announcer
        self._paths = paths
        self._open_cas = cas
        self._search_path = search_path
        self.shared_jobs = 0  # how many jobs of make all sandboxes together may run; 0: no limit
        self._making = threading.Lock()
        self._job_server: JobServer | None = None
        # set by the first sandbox
        self._launcher: SandboxLauncher | None = None
        self._probe: SandboxProbe | None = None

    def close(self) -> None:
        """Ends the program that starts sandboxes, and with it every sandbox."""
        if self._launcher is not None:
            self._launcher.close()
        if self._job_server is not None:
            self._job_server.close()

    @property
    def probe(self) -> "SandboxProbe":
        """Finds out, once, how sandboxes can be made on this machine."""
        if self._probe is None:
            from .._sandbox.probe import SandboxProbe

            self._probe = SandboxProbe(self.launcher, self._paths.temporary, self._search_path)
        return self._probe

    @property
    def launcher(self) -> "SandboxLauncher":
        """The program that starts sandboxes, itself started with the first one."""
        if self._launcher is None:
            from .._sandbox.client import SandboxLauncher

            self._launcher = SandboxLauncher()
        return self._launcher

    @contextmanager
    def open(self, owner: SandboxOwner, digest: Digest | None = None) -> Iterator["LocalSandbox"]:
        """A sandbox as OWNER wants it, holding the tree DIGEST, closed at the end of the block."""
        from .._model.platform import host_arch, host_os
        from .._sandbox.environment import SandboxConfiguration, SandboxEnvironment
        from .._sandbox.local import LocalSandbox

        settings = owner.settings
        scratch = self._open_cas().new_scratch_path()
        environment = SandboxEnvironment(
            cas=self._open_cas(),
            launcher=self.launcher,
            probe=self.probe,
            configuration=SandboxConfiguration(
                settings.build_os, settings.build_arch, settings.build_uid, settings.build_gid
            ),
            host_os=host_os(os.uname()),
            host_arch=host_arch(os.uname()),
            scratch_directory=scratch,
            reporter=_Reporter(self._announcer, owner.name),
            output_descriptor=self._output_descriptor,
            supervise=self._announcer.jobs.control.supervise,
            starting=self._announcer.jobs.control.starting,
            check=self._announcer.jobs.control.check,
            job_server=self._shared_job_server(),
            keeps_mtimes=owner.keeps_mtimes,
        )
        sandbox = LocalSandbox(environment, digest)
        try:
            yield sandbox
        finally:
            sandbox.close()

    @contextmanager
    def open_remote(self, owner: SandboxOwner, runner: "ActionRunner") -> Iterator["RemoteSandbox"]:
        """As `open`, for a sandbox whose commands RUNNER runs."""
        from .._sandbox.environment import SandboxConfiguration
        from .._sandbox.remote import RemoteEnvironment, RemoteSandbox

        settings = owner.settings
        environment = RemoteEnvironment(
            cas=self._open_cas(),
            runner=runner,
            configuration=SandboxConfiguration(
                settings.build_os, settings.build_arch, settings.build_uid, settings.build_gid
            ),
            socket_path=settings.remote_apis_socket_path,
            reporter=_Reporter(self._announcer, owner.name),
            check=self._announcer.jobs.control.check,
            keeps_mtimes=owner.keeps_mtimes,
        )
        sandbox = RemoteSandbox(environment)
        try:
            yield sandbox
        finally:
            sandbox.close()

    def _shared_job_server(self) -> "JobServer | None":
        """The server of all sandboxes, made with the first one."""
        if not self.shared_jobs:
            return None
        from .._sandbox.jobserver import JobServer

        with self._making:
            if self._job_server is None:
                with storage_errors("make a pipe in", self._paths.temporary):
                    self._job_server = JobServer(self._paths.temporary, self.shared_jobs)
        return self._job_server

    def _output_descriptor(self) -> int:
        log = self._announcer.messenger.task_log()
        return log.fileno() if log is not None else 2


def check_environment(element: ResolvedElement) -> None:
    """Checks that every variable of the environment is a text.

    Raises:
        ElementError: One is a list or a mapping.
    """
    from ..element import ElementError

    for name, value in element.environment.items():
        if not isinstance(value, str):
            raise ElementError(
                f"{element.plugin}: The environment variable '{name}' is not a text",
                detail="Commands can only be run with variables that are texts.",
                reason="invalid-environment",
            )


@dataclass(frozen=True, slots=True)
class _Reporter:
    """The activities of a sandbox, attributed to its element."""

    announcer: Announcer
    owner: str

    def activity(self, name: str, *, detail: str | None = None) -> AbstractContextManager[None]:
        return self.announcer.activity(None, self.owner, name, detail=detail, silent_nested=False)
