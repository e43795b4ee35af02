"""Running commands on this machine."""

import os
import posixpath
import signal
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Protocol

from .._exceptions import SandboxError
from .._model.digest import EMPTY_DIGEST, Digest
from .._store.frozen import FrozenDirectory
from .._store.layout import TreeForm
from .._store.merged_layers import merge_layers
from ..sandbox import _SandboxFlags
from .bwrap import HostMount, SandboxView, bubblewrap_options
from .client import LaunchError, LaunchSpec
from .copied import CopiedRoot
from .diagnosis import check_platform
from .environment import SandboxEnvironment
from .overlay import OverlayContent, OverlayRoot
from .probe import RootMethod, SandboxCapabilities
from .protection import WriteProtection, protect_all_but
from .tree import TreeSandbox

# permissions of the directories above writable ones: no capability overrides them inside
PARENT_MODE = 0o555
TERMINAL_DESCRIPTORS = (0, 1, 2)
# their programs may refuse files whose inode numbers need more than 32 bits
_SMALL_ARCHITECTURES = ("x86-32", "aarch32", "rv32g", "power-isa-be", "sparc-v9")


class SandboxRoot(Protocol):
    """A tree on disk that commands run in."""

    path: str  # host path of what becomes `/`
    layers: tuple[str, ...] | None  # of an overlay, if it has to be mounted first
    stubs: tuple[str, str, int] | None  # as `Cas.stub_layers`, if layers are such trees
    read_only: tuple[str, ...]  # what is then made read-only, relative to the directory of `path`
    mounts: tuple[HostMount, ...]  # what else makes up the tree

    def capture(self, path: str, base: FrozenDirectory, *, mtimes: bool) -> Digest: ...


class LocalSandbox(TreeSandbox):
    """A sandbox whose commands run in bubblewrap on this machine.

    What a command changed is brought into the virtual directory when that is next
    asked about it; until then it waits in the scratch directory.  `close` must be
    called at the end, and the virtual directory not be used after that.
    """

    def __init__(self, environment: SandboxEnvironment, digest: Digest | None = None) -> None:
        super().__init__(environment.cas, environment.reporter, digest)
        self._services = environment
        self._host_mounts: list[HostMount] = []
        self._run_count = 0
        self._staged: tuple[TreeForm, list[Digest]] = TreeForm.LINKS, []  # what the last command has seen

    def close(self) -> None:
        """Gives up the files of the commands; costs one rename."""
        if self._run_count:
            self._services.cas.discard(self._services.scratch_directory)

    def _add_host_mount(self, source: str, target: str) -> None:
        """Shows the host's file or directory SOURCE at the absolute sandbox path TARGET."""
        self._host_mounts.append(HostMount(source, target))

    def _execute(
        self, argv: tuple[str, ...], *, flags: _SandboxFlags, cwd: str, env: Mapping[str, str]
    ) -> int:
        server = self._services.job_server
        if server is None or flags & _SandboxFlags.INTERACTIVE:
            return self._run_in_root(argv, (), flags=flags, cwd=cwd, env=env)
        with server.share(argv, env, self._services.check) as shared:
            return self._run_in_root(shared.argv, shared.mounts, flags=flags, cwd=cwd, env=shared.environment)

    def _run_in_root(
        self,
        argv: tuple[str, ...],
        device_mounts: tuple[HostMount, ...],
        *,
        flags: _SandboxFlags,
        cwd: str,
        env: Mapping[str, str],
    ) -> int:
        services = self._services
        configuration = services.configuration
        check_platform(configuration.build_os, configuration.build_arch, services.host_os, services.host_arch)
        capabilities = services.probe.capabilities()
        self._make_directories(cwd)
        is_read_only = bool(flags & _SandboxFlags.ROOT_READ_ONLY)
        if is_read_only:
            self._mark_mount_points()
        writable = [path.lstrip("/") for path in self._marked_directories] if is_read_only else [""]
        protection = protect_all_but(self._virtual, writable)
        bases = {path: self._virtual.open_directory(path)._freeze() for path in protection.writable}
        root = self._make_root(capabilities, protection)
        view = replace(
            self._view(root, protection, flags=flags, cwd=cwd, env=env), device_mounts=device_mounts
        )
        spec = LaunchSpec(
            argv=(capabilities.bubblewrap, "--", *argv),
            directory=posixpath.dirname(root.path),
            options=bubblewrap_options(view),
            layers=root.layers,
            stubs=root.stubs,
            read_only=root.read_only,
            modes=tuple((posixpath.join("root", path), PARENT_MODE) for path in protection.parents),
            is_interactive=view.is_interactive,
        )
        try:
            status = self._launch(spec)
            if status != 0 and not spec.is_interactive:
                self._check_staged()
            return status
        finally:
            for path, base in bases.items():
                self._attach(root, path, base)

    # --- before a command ---

    def _make_directories(self, cwd: str) -> None:
        """Creates what must exist for every command, and the places of host mounts."""
        super()._make_directories(cwd)
        for mount in self._host_mounts:
            target = mount.target.lstrip("/")
            if self._virtual.exists(target, follow_symlinks=True):
                continue
            if os.path.isdir(mount.source):
                self._virtual.open_directory(target, create=True)
            else:
                self._virtual.open_directory(posixpath.dirname(target), create=True)
                self._virtual._create_empty_file(target)

    def _make_root(self, capabilities: SandboxCapabilities, protection: WriteProtection) -> SandboxRoot:
        """A root with the content of the virtual directory, in a directory of its own."""
        cas = self._services.cas
        directory = os.path.join(self._services.scratch_directory, str(self._run_count))
        self._run_count += 1
        os.makedirs(directory)
        if capabilities.method is RootMethod.COPY:
            tree = cas.extracted_tree(self._virtual._digest())
            return CopiedRoot(cas, directory, tree, protection)
        has_stubs = capabilities.method is RootMethod.STUBS and self._may_have_large_inodes()
        form = TreeForm.STUBS if has_stubs else TreeForm.LINKS
        plan = self._virtual._staging_plan()
        trees = merge_layers(cas, plan.layers, plan.private) or (EMPTY_DIGEST,)  # an overlay needs one
        self._staged = form, [tree for tree in trees if tree not in plan.private]
        paths = dict(zip(self._staged[1], cas.extracted_trees(self._staged[1], form), strict=True))
        for number, layer in enumerate(trees):
            if layer in plan.private:
                # gzip, cp and others refuse files that have, or seem to have, a second name
                path = os.path.join(self._services.scratch_directory, f"{self._run_count}-layer-{number}")
                cas.extract_private(FrozenDirectory(layer), path)
                paths[layer] = path
        layers = tuple(paths[tree] for tree in trees)
        under = {}
        if plan.changes is not None:
            under = {path: self._virtual._under(path) for path in protection.writable}
        content = OverlayContent(layers, plan.changes, plan.removed, under, form)
        return OverlayRoot(cas, directory, content, protection)

    def _may_have_large_inodes(self) -> bool:
        """Whether programs know inode numbers of 64 bits, as files in overlays over overlays have them."""
        return self._services.configuration.build_arch not in _SMALL_ARCHITECTURES

    def _view(
        self,
        root: SandboxRoot,
        protection: WriteProtection,
        *,
        flags: _SandboxFlags,
        cwd: str,
        env: Mapping[str, str],
    ) -> SandboxView:
        configuration = self._services.configuration
        if flags & _SandboxFlags.INHERIT_UID:
            uid, gid = os.geteuid(), os.getegid()
        else:
            uid, gid = configuration.build_uid or 0, configuration.build_gid or 0
        return SandboxView(
            root=root.path,
            is_root_read_only=not protection.writable,
            root_mounts=root.mounts,
            host_mounts=tuple(self._host_mounts),
            work_directory=cwd,
            environment=env,
            uid=uid,
            gid=gid,
            has_network=bool(flags & _SandboxFlags.NETWORK_ENABLED),
            is_interactive=bool(flags & _SandboxFlags.INTERACTIVE),
            is_caller_root=os.geteuid() == 0,
        )

    # --- the command, and after it ---

    def _launch(self, spec: LaunchSpec) -> int:
        """Runs SPEC and gives its exit status."""
        services = self._services
        with ExitStack() as stack:
            stdin = None
            if spec.is_interactive:
                stdin, stdout, stderr = TERMINAL_DESCRIPTORS
                stack.callback(take_terminal_back)
            else:
                stdout = stderr = services.output_descriptor()
            running = None
            try:
                with ExitStack() as supervision:
                    with services.starting():
                        running = services.launcher.start(spec, stdin=stdin, stdout=stdout, stderr=stderr)
                        supervision.enter_context(services.supervise(running))
                    return running.wait()
            except LaunchError:
                services.probe.forget()
                raise
            except BaseException:
                # the job is being ended: nothing may run, nor write, after this
                if running is not None:
                    running.end()
                raise

    def _check_staged(self) -> None:
        """Raises SandboxError if what was staged is gone, as a command may have failed for that."""
        form, trees = self._staged
        lost = self._services.cas.unsound_trees(trees, form)
        if lost:
            raise SandboxError(
                "A command failed, and files that were staged for it are gone from the cache, or damaged",
                detail="The failure is not kept: the next build tries again."
                f" The trees are {', '.join(map(str, lost))}.",
                reason="staged-files-lost",
            )

    def _attach(self, root: SandboxRoot, path: str, base: FrozenDirectory) -> None:
        """Replaces the virtual directory's PATH by what the command left there, when it is asked for."""
        mtimes = self._services.keeps_mtimes
        self._virtual._attach_pending(path, lambda: root.capture(path, base, mtimes=mtimes))


def take_terminal_back() -> None:
    """Makes this process group the one that reads from the terminal, if standard input is one."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
    try:
        os.tcsetpgrp(0, os.getpgrp())
    except OSError:
        pass  # no terminal
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
