"""A store, a launcher and sandboxes with a shell, for the tests of this directory."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from buildstream._model.digest import Digest
from buildstream._model.platform import host_arch, host_os
from buildstream._sandbox.client import RunningSandbox, SandboxLauncher
from buildstream._sandbox.environment import SandboxConfiguration, SandboxEnvironment
from buildstream._sandbox.local import LocalSandbox
from buildstream._sandbox.probe import RootMethod, SandboxProbe
from buildstream._store.cas import Cas
from tests.testutils.hostbase import SHELL_TOOLS, make_host_base
from tests.testutils.rootmethods import require

BUILD_ROOT = "/buildstream/project/element.bst"
INSTALL_ROOT = "/buildstream-install"
# where the host, and so the base, has its programs
PROGRAMS = os.path.dirname(os.path.realpath("/bin/sh"))
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/tmp"}


@dataclass
class Recorder:
    """Notes the activities, instead of a messenger."""

    activities: list[tuple[str, str | None]] = field(default_factory=list)

    @contextmanager
    def activity(self, name: str, *, detail: str | None = None) -> Iterator[None]:
        self.activities.append((name, detail))
        yield


class SandboxRig:
    """Makes sandboxes in which BASE is staged, and shows what their commands wrote.

    BASE is a host directory, or a tree that is in the store of DIRECTORY already.
    """

    def __init__(self, directory: Path, base: Path | Digest, method: RootMethod, stack: ExitStack) -> None:
        self.directory = directory
        self.cache_directory = directory / "cache"
        self.cas = Cas(str(self.cache_directory / "cas"), durable=False)
        self.base = base if isinstance(base, Digest) else self.cas.import_directory(str(base))
        self.launcher = SandboxLauncher()
        stack.callback(self.launcher.close)
        self.recorder = Recorder()
        self.running: list[RunningSandbox] = []
        self.on_start: Callable[[RunningSandbox], None] = self.running.append
        self._stack = stack
        self._log = open(directory / "log", "wb", buffering=0)  # noqa: SIM115 - closed by the stack
        stack.callback(self._log.close)
        uname = os.uname()
        self.environment = SandboxEnvironment(
            cas=self.cas,
            launcher=self.launcher,
            probe=SandboxProbe(
                self.launcher, str(self.cache_directory / "tmp"), os.environ["PATH"], method=method
            ),
            configuration=SandboxConfiguration(host_os(uname), host_arch(uname)),
            host_os=host_os(uname),
            host_arch=host_arch(uname),
            scratch_directory="",
            reporter=self.recorder,
            output_descriptor=self._log.fileno,
            supervise=self._supervise,
            check=lambda: None,
        )
        self._count = 0

    def sandbox(
        self, configuration: SandboxConfiguration | None = None, *, keeps_mtimes: bool = False
    ) -> LocalSandbox:
        """A sandbox with the base staged, both roots marked, and the build root as work directory."""
        self._count += 1
        sandbox = LocalSandbox(
            replace(
                self.environment,
                scratch_directory=str(self.cache_directory / "build" / str(self._count)),
                configuration=configuration or self.environment.configuration,
                keeps_mtimes=keeps_mtimes,
            )
        )
        self._stack.callback(sandbox.close)
        sandbox.get_virtual_directory()._import_tree(self.base)  # type: ignore[attr-defined]
        sandbox.set_environment(ENVIRONMENT)
        sandbox.mark_directory(BUILD_ROOT)
        sandbox.mark_directory(INSTALL_ROOT)
        sandbox.set_work_directory(BUILD_ROOT)
        return sandbox

    def log(self) -> str:
        """What the commands have written so far."""
        return (self.directory / "log").read_text(encoding="utf-8")

    def output(
        self,
        script: str,
        *,
        sandbox: LocalSandbox | None = None,
        root_read_only: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Runs SCRIPT, which must succeed, in a new or given sandbox and gives what it wrote."""
        before = len(self.log())
        status = (sandbox or self.sandbox()).run(
            ["sh", "-c", "-e", script], root_read_only=root_read_only, env=env
        )
        written = self.log()[before:]
        assert status == 0, written
        return written.rstrip("\n")

    @contextmanager
    def _supervise(self, running: RunningSandbox) -> Iterator[None]:
        self.on_start(running)
        yield


@pytest.fixture(scope="session")
def sandbox_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a shell and some programs."""
    directory = tmp_path_factory.mktemp("sandbox-base")
    make_host_base(str(directory), (*SHELL_TOOLS, "mkfifo", "mknod", "mount", "rmdir", "setsid", "unshare"))
    return directory


@pytest.fixture(params=list(RootMethod), ids=lambda method: method.value)
def rig(request: pytest.FixtureRequest, tmp_path: Path, sandbox_base: Path) -> Iterator[SandboxRig]:
    """A rig for each way to make a root."""
    require(request.param)
    with ExitStack() as stack:
        yield SandboxRig(tmp_path, sandbox_base, request.param, stack)
