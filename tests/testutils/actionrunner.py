"""Runs actions of remote execution as a worker does: blobs to a directory, bubblewrap, and back to blobs."""

import hashlib
import os
import posixpath
import shutil
import signal
import stat
import subprocess
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as reapi
from buildstream._sandbox.bwrap import HostMount, SandboxView, bubblewrap_candidates, bubblewrap_options

# of all that is staged without a time of its own, in nanoseconds: 2011-11-11 11:11:11
STAGED_TIME_NS = 1321009871 * 10**9
_READ_ONLY = "SubtreeReadOnly"

Blobs = MutableMapping[str, bytes]


class MissingInput(Exception):
    """A blob that the action needs is not in the storage."""


class Cancelled(Exception):
    """The action was stopped before it ended."""


class ActionRunner:
    """One action.

    Args:
        blobs: Content by hash; what the action leaves is added.
        directory: Does not exist; it is made for the tree, and deleted at the end.
        tools: What is seen in the sandbox in place of directories of the tree with these
            names, so that the tree itself need not have programs.
        inlines_output: Give stdout and stderr in the result, not as blobs.
    """

    def __init__(
        self,
        blobs: Blobs,
        directory: Path,
        *,
        tools: Mapping[str, Path] | None = None,
        inlines_output: bool = False,
    ) -> None:
        self._blobs = blobs
        self._root = str(directory)
        self._tools = tools or {}
        self._inlines_output = inlines_output
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_cancelled = False

    def run(self, action: Any) -> Any:
        """The ActionResult.

        Raises:
            MissingInput: Nothing was run.
            Cancelled: By `cancel`.
        """
        command = reapi.Command.FromString(self._content(action.command_digest))
        try:
            writable: set[str] = set()
            self._stage(action.input_root_digest, "", writable, is_read_only=False)
            result = self._execute(command, writable)
            self._store_outputs(command, result)
        finally:
            if os.path.isdir(self._root):
                _make_removable(self._root)
                shutil.rmtree(self._root)
        return result

    def cancel(self) -> None:
        """Kills what runs."""
        with self._lock:
            self._is_cancelled = True
            # all of the group: what bubblewrap has just forked does not know yet that it is to end with it
            if self._process is not None and self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)

    def _content(self, digest: Any) -> bytes:
        if not digest.size_bytes:
            return b""
        try:
            return self._blobs[digest.hash]
        except KeyError:
            raise MissingInput(f"{digest.hash}/{digest.size_bytes}") from None

    # before

    def _stage(self, digest: Any, inside: str, writable: set[str], *, is_read_only: bool) -> None:
        """Writes the tree of INSIDE, a path in it; adds the outermost directories that are not read-only."""
        directory = reapi.Directory.FromString(self._content(digest))
        wanted = {prop.name: prop.value for prop in directory.node_properties.properties}.get(_READ_ONLY)
        was_read_only = is_read_only or not inside
        is_read_only = is_read_only if wanted is None else wanted == "true"
        if was_read_only and not is_read_only:
            writable.add(inside)
        path = self._root + inside
        os.mkdir(path)
        os.chmod(path, 0o755)
        for file in directory.files:
            target = f"{path}/{file.name}"
            with open(target, "wb") as stream:
                stream.write(self._content(file.digest))
            os.chmod(target, 0o755 if file.is_executable else 0o644)
            _set_time(target, file.node_properties)
        for link in directory.symlinks:
            os.symlink(link.target, f"{path}/{link.name}")
            os.utime(f"{path}/{link.name}", ns=(STAGED_TIME_NS, STAGED_TIME_NS), follow_symlinks=False)
        for child in directory.directories:
            self._stage(child.digest, f"{inside}/{child.name}", writable, is_read_only=is_read_only)
        _set_time(path, directory.node_properties)

    # the command

    def _execute(self, command: Any, writable: set[str]) -> Any:
        platform = {prop.name: prop.value for prop in command.platform.properties}
        view = SandboxView(
            root=self._root,
            is_root_read_only=False,
            root_mounts=(*self._protect("", writable), *self._tool_mounts()),
            host_mounts=(),
            work_directory=posixpath.join("/", command.working_directory),
            environment={variable.name: variable.value for variable in command.environment_variables},
            uid=int(platform.get("unixUID", "0")),
            gid=int(platform.get("unixGID", "0")),
            has_network=platform.get("network") == "on",
            is_caller_root=os.geteuid() == 0,
        )
        bubblewrap = next(bubblewrap_candidates(os.environ.get("PATH", "")))
        arguments = [bubblewrap, *bubblewrap_options(view), "--", *command.arguments]
        with self._lock:
            if self._is_cancelled:
                raise Cancelled
            self._process = process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        stdout, stderr = process.communicate()
        if self._is_cancelled:
            raise Cancelled
        result = reapi.ActionResult(exit_code=process.returncode)
        for name, output in (("stdout", stdout), ("stderr", stderr)):
            if output and self._inlines_output:
                setattr(result, f"{name}_raw", output)
            elif output:
                getattr(result, f"{name}_digest").CopyFrom(self._store(output))
        return result

    def _protect(self, inside: str, writable: set[str]) -> Iterator[HostMount]:
        """What makes all of a directory read-only but what is WRITABLE, which stays one file system.

        That way files can be linked and moved between the writable directories.  The directories around
        them are protected by their modes only.
        """
        if inside in writable:
            return
        if not any(path.startswith(f"{inside}/") for path in writable):
            yield HostMount(self._root + inside, inside, is_read_only=True)
            return
        for name in sorted(os.listdir(self._root + inside)):
            child = f"{inside}/{name}"
            if not os.path.islink(self._root + child):
                yield from self._protect(child, writable)
        os.chmod(self._root + inside, 0o555)

    def _tool_mounts(self) -> Iterator[HostMount]:
        for name, directory in self._tools.items():
            if os.path.isdir(f"{self._root}/{name}"):
                yield HostMount(str(directory), f"/{name}", is_read_only=True)

    # after

    def _store_outputs(self, command: Any, result: Any) -> None:
        with_times = "mtime" in command.output_node_properties
        layout = command.output_directory_format
        for name in command.output_paths:
            inside = posixpath.normpath(posixpath.join("/", command.working_directory, name))
            path = self._root + inside.rstrip("/")
            if os.path.isfile(path):
                with open(path, "rb") as stream:
                    result.output_files.add(path=name, digest=self._store(stream.read()))
            elif os.path.isdir(path):
                directories: list[Any] = []
                digest = self._store_directory(path, directories, with_times=with_times, is_top=True)
                output = result.output_directories.add(path=name)
                if layout != reapi.Command.DIRECTORY_ONLY:
                    tree = reapi.Tree(root=directories[-1], children=directories[:-1])
                    output.tree_digest.CopyFrom(self._store(tree.SerializeToString()))
                if layout != reapi.Command.TREE_ONLY:
                    output.root_directory_digest.CopyFrom(digest)

    def _store_directory(
        self, path: str, directories: list[Any], *, with_times: bool, is_top: bool = False
    ) -> Any:
        """The digest of a directory; it and all below is added to DIRECTORIES, it last."""
        message = reapi.Directory()
        if with_times and not is_top:
            _note_time(os.lstat(path), message.node_properties)
        os.chmod(path, 0o755)  # the command may have made it unreadable, and be another user than root
        for name in sorted(os.listdir(path), key=os.fsencode):
            entry = f"{path}/{name}"
            status = os.lstat(entry)
            if stat.S_ISLNK(status.st_mode):
                message.symlinks.add(name=name, target=os.readlink(entry))
            elif stat.S_ISDIR(status.st_mode):
                digest = self._store_directory(entry, directories, with_times=with_times)
                message.directories.add(name=name, digest=digest)
            elif stat.S_ISREG(status.st_mode):
                node = message.files.add(name=name, digest=self._store(_read_whatever_mode(entry, status)))
                node.is_executable = bool(status.st_mode & stat.S_IXUSR)
                if with_times:
                    _note_time(status, node.node_properties)
        directories.append(message)
        return self._store(message.SerializeToString(deterministic=True))

    def _store(self, content: bytes) -> Any:
        digest = digest_of(content)
        self._blobs[digest.hash] = content
        return digest


def digest_of(content: bytes) -> Any:
    """The Digest of CONTENT."""
    return reapi.Digest(hash=hashlib.sha256(content).hexdigest(), size_bytes=len(content))


def _read_whatever_mode(path: str, status: os.stat_result) -> bytes:
    """The content of a file that may be unreadable; other names of it see no change."""
    mode = stat.S_IMODE(status.st_mode)
    os.chmod(path, mode | stat.S_IRUSR)
    with open(path, "rb") as stream:
        os.chmod(path, mode)
        return stream.read()


def _set_time(path: str, properties: Any) -> None:
    time_ns = properties.mtime.ToNanoseconds() if properties.HasField("mtime") else STAGED_TIME_NS
    os.utime(path, ns=(time_ns, time_ns))


def _note_time(status: os.stat_result, properties: Any) -> None:
    properties.mtime.FromMicroseconds(status.st_mtime_ns // 1000)


def _make_removable(root: str) -> None:
    os.chmod(root, 0o755)
    for path, directories, _files in os.walk(root):
        for name in directories:
            if not os.path.islink(f"{path}/{name}"):
                os.chmod(f"{path}/{name}", 0o755)
