"""Running commands on a cluster."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from .._dataclass import dataclass
from .._model.digest import Digest
from .._store.cas import Cas
from .._store.cas_directory import CasDirectory
from ..sandbox import _SandboxFlags
from ..sandbox.sandbox import ActivityReporter
from .action import Action, ActionCommand, make_action, platform_properties
from .environment import SandboxConfiguration
from .tree import TreeSandbox


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """What came of an action.

    Attributes:
        exit_code: Of the command.
        outputs: Trees, which are in the store, by sandbox paths relative to the root: of all outputs of the
            action, unless the command has failed.
    """

    exit_code: int
    outputs: Mapping[str, Digest]


class ActionRunner(Protocol):
    """Runs actions somewhere else."""

    def run(self, action: Action, reporter: ActivityReporter) -> ActionOutcome:
        """Runs ACTION, whose input root is in the store; what it writes goes into the log of the job.

        Raises:
            SandboxError: It can't be run.
        """


@dataclass(frozen=True, slots=True)
class RemoteEnvironment:
    """The services and settings of one remote sandbox."""

    cas: Cas
    runner: ActionRunner
    configuration: SandboxConfiguration
    socket_path: str | None  # where commands find services of the cluster
    reporter: ActivityReporter
    check: Callable[[], None]  # ends the job by an exception if it was told to end
    keeps_mtimes: bool = False  # whether captured files keep their modification times: workspaces


class RemoteSandbox(TreeSandbox):
    """A sandbox each of whose commands is an action that a cluster runs (keys specification 5)."""

    def __init__(self, environment: RemoteEnvironment, digest: Digest | None = None) -> None:
        super().__init__(environment.cas, environment.reporter, digest)
        self._services = environment

    def _execute(
        self, argv: tuple[str, ...], *, flags: _SandboxFlags, cwd: str, env: Mapping[str, str]
    ) -> int:
        services = self._services
        is_read_only = bool(flags & _SandboxFlags.ROOT_READ_ONLY)
        self._make_directories(cwd)
        if is_read_only:
            self._mark_mount_points()
        configuration = services.configuration
        command = ActionCommand(
            argv=argv,
            environment=env,
            work_directory=cwd,
            outputs=self._marked_directories if is_read_only else ["/"],
            keeps_mtimes=services.keeps_mtimes,
            platform=platform_properties(
                configuration.build_os,
                configuration.build_arch,
                configuration.build_uid,
                configuration.build_gid,
                services.socket_path,
            ),
        )
        outcome = services.runner.run(
            make_action(command, self._input_root(is_read_only=is_read_only)), services.reporter
        )
        services.check()
        for path, tree in outcome.outputs.items():
            self._virtual._attach_pending(path, partial(Digest, *tree))
        return outcome.exit_code

    def _input_root(self, *, is_read_only: bool) -> Digest:
        """What becomes `/`: the content, with marks of what can be written, which no artifact gets."""
        digest = self._virtual._digest()
        if not is_read_only:
            return digest
        root = CasDirectory(self._cas, digest)
        for path in self._marked_directories:
            root.open_directory(path.lstrip("/"))._set_subtree_read_only(False)
        root._set_subtree_read_only(True)
        return root._digest()
