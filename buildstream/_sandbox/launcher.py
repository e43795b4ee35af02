"""A small program that starts sandboxes for one bst process and never outlives it.

It runs as `python -I -S launcher.py` with a stream socket as its standard
input.  A process with threads can't enter new namespaces; this one does, with the
first overlay that it has to mount, and mounts them all there.  So nothing is ever
forked: each program is spawned, which costs the same however large this one is.
Only the standard library is used and nothing of the package is imported, so that
it starts fast and stays small.

Both sides send frames: 8 bytes of length, then a marshalled tuple.

    requests    ("start", id, spec)     with three descriptors: stdin, stdout, stderr; without the
                                        first, there is nothing to read
                ("signal", id, number)
    answers     (id, wait_status, report)

SPEC is a `Request`.  REPORT is a line `!STAGE ERRNO` if the sandbox could
not be set up, else what bubblewrap wrote to the status pipe: its status in JSON;
`"exit-code"` in it tells that the command was reached.

When the socket ends, because bst closed it or was killed, every sandbox is
killed with everything in it, and the program exits.
"""

from __future__ import annotations

import array
import contextlib
import marshal
import os
import select
import signal
import socket
import struct

# importing `typing` would take longer than the rest of the start
TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes
    from typing import Any, TypedDict

    class Request(TypedDict):
        """What to start; paths and texts are bytes."""

        argv: list[bytes]  # absolute path of a program, and its arguments
        directory: bytes  # absolute; becomes the working directory
        # absolute paths, bottom first: an overlay of them, `upper` and `work` is mounted on `root`
        layers: list[bytes] | None
        # absolute paths: the parent of layers whose files are stubs, and the directory of their contents; and
        # what changes when an overlay of them must not be used any more
        stubs: tuple[bytes, bytes, int] | None
        modes: list[tuple[bytes, int]]  # relative paths, and what permissions they get once it is mounted
        read_only: list[bytes]  # relative paths that are then mounted read-only, if there is an overlay
        options: bytes | None  # of bubblewrap, each ended by NUL; offered as `--args`
        is_interactive: bool  # stays in the session and process group of bst


HEADER = struct.Struct("<Q")
DESCRIPTOR_COUNT = 3
FAILED_STATUS = 127 << 8  # what waiting for a program says that ended with status 127

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_BIND = 0x1000
READ_ONLY_REMOUNT = MS_BIND | 0x20 | 0x1  # MS_REMOUNT, MS_RDONLY
# `volatile` makes copying up several times cheaper; what is lost in a crash of the machine is
# not used again.  `index=off`: files of different trees may share an inode.
OVERLAY_OPTIONS = b"userxattr,volatile,index=off"
# Where layers are of another overlay, files would otherwise differ in their devices, too.
ONE_DEVICE = b",xino=on"
MNT_DETACH = 2
DEVICES = (b"full", b"null", b"random", b"tty", b"urandom", b"zero")
NO_INPUT = b"/dev/null"
PR_SET_CHILD_SUBREAPER = 36

# a terminal's Ctrl-C and Ctrl-Z, and whoever ends bst, reach the whole process group; the
# program ends when its socket does.  Blocked, not ignored: a spawned program must have none ignored.
BLOCKED_SIGNALS = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
)
# what python ignores, and commands must find in its default state
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


class SetupError(Exception):
    """A step before the program of a sandbox failed."""

    def __init__(self, stage: str, number: int) -> None:
        super().__init__(stage, number)
        self.stage = stage
        self.number = number


class Sandbox:
    """One running sandbox, as its children show it."""

    def __init__(self, identity: int, pid: int, status_fd: int, spec: Request) -> None:
        self.identity = identity  # chosen by bst
        self.pid = pid  # of bubblewrap
        self.status_fd = status_fd  # read end of the status pipe
        self.is_interactive = spec["is_interactive"]
        self.mount_point = None if spec["layers"] is None else overlay_root(spec)  # of an overlay
        self.wait_status = 0
        self.report = b""
        self.init_pid: int | None = None  # process 1 inside, while it outlives bubblewrap


class StubTrees:
    """A directory of trees whose files are stubs, and the overlay on it that shows their contents.

    The kernel follows a stub from the lowest layer of an overlay alone. So one overlay, mounted on
    the directory itself, has all trees in its single layer over that of the contents; layers of
    other overlays are taken from it.

    Args:
        libc: The C library.
        directory: Absolute path.
        contents: Absolute path of what the stubs name.
    """

    def __init__(self, libc: ctypes.CDLL, directory: bytes, contents: bytes) -> None:
        self._libc = libc
        self._directory = directory
        self._contents = contents
        self._descriptor: int | None = None  # of the directory under the overlay, once that is mounted
        self._shown: dict[bytes, int] = {}  # inodes of the trees that it has been asked to show
        self._generation = 0

    def show(self, names: list[bytes], generation: int) -> None:
        """Sees to it that the overlay shows the trees of these names as they are now.

        It goes on showing a tree or content that was replaced, so then, and if there is another
        GENERATION, a new one is mounted. Who uses the old one keeps it.
        """
        try:
            if self._descriptor is None:
                self._mount()
            inodes = {name: os.stat(name, dir_fd=self._descriptor).st_ino for name in names}
            is_replaced = any(self._shown.get(name, inode) != inode for name, inode in inodes.items())
            if is_replaced or generation != self._generation:
                self._generation = generation
                self._libc.umount2(self._directory, MNT_DETACH)
                self._mount()
            self._shown.update(inodes)
        except OSError as error:
            raise SetupError("mount", error.errno or 0) from error

    def _mount(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._shown.clear()
        descriptors = [open_directory(path) for path in (self._directory, self._contents)]
        try:
            os.chdir("/proc/self/fd")
            options = b"lowerdir=%d::%d,userxattr" % tuple(descriptors)
            if self._libc.mount(b"overlay", self._directory, b"overlay", 0, options):
                raise failure_of("mount")
            self._descriptor = descriptors.pop(0)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)


class Launcher:
    """Serves requests from CONNECTION until it ends."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._libc = load_libc()
        self._is_root = os.geteuid() == 0
        self._has_namespaces = False
        self._stub_trees: dict[bytes, StubTrees] = {}  # by their directory
        self._sandboxes: dict[int, Sandbox] = {}  # by identity
        self._by_pid: dict[int, Sandbox] = {}  # by the process that is waited for

    def serve(self) -> None:
        """Runs until bst is gone; returns when no process of any sandbox is left."""
        # processes whose parent died come to us, so that waiting for all of them is possible
        self._libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        wakeup_read, wakeup_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakeup_write, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        poll.register(wakeup_read, select.POLLIN)
        try:
            while True:
                ready = {descriptor for descriptor, _ in poll.poll()}
                if wakeup_read in ready:
                    os.read(wakeup_read, 4096)
                    self._reap()
                if self._connection.fileno() in ready:
                    self._handle_request()
        except (EOFError, ConnectionError):
            self._kill_all()

    def _handle_request(self) -> None:
        request, descriptors = receive_request(self._connection)
        kind, identity, argument = request
        if kind == "start":
            self._start(identity, argument, descriptors)
        elif identity in self._sandboxes:
            self._signal(self._sandboxes[identity], argument)

    def _start(self, identity: int, spec: Request, descriptors: list[int]) -> None:
        status_read, status_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            pid = self._spawn(spec, descriptors, status_write)
        except SetupError as error:
            os.close(status_read)
            report = f"!{error.stage} {error.number}\n".encode()
            send(self._connection, (identity, FAILED_STATUS, report))
            return
        finally:
            for descriptor in (status_write, *descriptors):
                os.close(descriptor)
        sandbox = Sandbox(identity, pid, status_read, spec)
        self._sandboxes[identity] = sandbox
        self._by_pid[pid] = sandbox

    def _spawn(self, spec: Request, descriptors: list[int], status_fd: int) -> int:
        """Mounts what SPEC wants and starts its program, which gets DESCRIPTORS.  Returns the process id."""
        if spec["layers"] is None:
            if self._is_root:  # where namespaces are not to be had devices stay as they are
                with contextlib.suppress(SetupError):
                    self._enter_namespaces()
            return spawn_in_directory(spec, descriptors, status_fd)
        self._enter_namespaces()
        if spec["stubs"] is not None:
            self._show_stubs(spec["stubs"], spec["layers"])
        mount_overlay(self._libc, spec)
        try:
            for path in spec["read_only"]:
                protect(self._libc, os.path.join(spec["directory"], path))
            return spawn_in_directory(spec, descriptors, status_fd)
        except SetupError:
            self._unmount(overlay_root(spec))
            raise

    def _enter_namespaces(self) -> None:
        """Does so the first time."""
        if not self._has_namespaces:
            enter_namespaces(self._libc)
            if self._is_root:
                shield_devices(self._libc)
            self._has_namespaces = True

    def _show_stubs(self, stubs: tuple[bytes, bytes, int], layers: list[bytes]) -> None:
        """Has those of LAYERS that are in the first of STUBS show the contents of their stubs."""
        directory, contents, generation = stubs
        trees = self._stub_trees.get(directory)
        if trees is None:
            trees = self._stub_trees[directory] = StubTrees(self._libc, directory, contents)
        names = [name for parent, name in map(os.path.split, layers) if parent == directory]
        trees.show(names, generation)

    def _unmount(self, mount_point: bytes) -> None:
        """Removes the overlay on MOUNT_POINT with what is mounted in it; nobody uses it any more."""
        self._libc.umount2(mount_point, MNT_DETACH)

    def _reap(self) -> None:
        while True:
            try:
                pid, wait_status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            sandbox = self._by_pid.pop(pid, None)
            if sandbox is None:
                continue  # a process that was left over in a sandbox
            if sandbox.init_pid is None:
                sandbox.wait_status = wait_status
                self._await_init(sandbox)
            if sandbox.init_pid is None or sandbox.init_pid == pid:
                del self._sandboxes[sandbox.identity]
                if sandbox.mount_point is not None:
                    self._unmount(sandbox.mount_point)
                send(self._connection, (sandbox.identity, sandbox.wait_status, sandbox.report))

    def _await_init(self, sandbox: Sandbox) -> None:
        """Notes process 1 of SANDBOX if it is still ending.

        Bubblewrap ends with its command; process 1 is then killed by the kernel and
        ends when everything in the sandbox has.  Only then the files are at rest.
        """
        sandbox.report = read_available(sandbox.status_fd)
        os.close(sandbox.status_fd)
        init_pid = child_pid_from_report(sandbox.report)
        if init_pid is None:
            return
        try:
            ended_pid, _ = os.waitpid(init_pid, os.WNOHANG)
        except ChildProcessError:
            return
        if ended_pid == 0:
            os.kill(init_pid, signal.SIGKILL)
            sandbox.init_pid = init_pid
            self._by_pid[init_pid] = sandbox

    def _signal(self, sandbox: Sandbox, number: int) -> None:
        """Sends signal NUMBER to the processes of SANDBOX.

        Stopping and continuing must reach every process, also those in sessions of
        their own; for ending it suffices to hit bubblewrap, as everything dies with it.
        """
        if sandbox.init_pid is not None:
            return  # it has been killed already, and its process id may be anyone's
        if number in (signal.SIGSTOP, signal.SIGCONT):
            signal_descendants(sandbox.pid, number)
        else:
            end_sandbox(sandbox, number)

    def _kill_all(self) -> None:
        """Kills all that was started, also what has left its process group; returns when it is gone."""
        while has_children():  # else there is no need to look at every process of the machine
            for pid in descendants(os.getpid())[1:]:
                send_signal(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, 0)


# --- processes ---


def has_children() -> bool:
    """Whether there is a process to wait for; those that have ended are reaped."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def child_pid_from_report(report: bytes) -> int | None:
    """Process 1 of a sandbox as seen from here; None if it did not get so far."""
    _, key, rest = report.partition(b'"child-pid": ')
    return int(rest.partition(b",")[0].strip(b" }\n")) if key else None


def end_sandbox(sandbox: Sandbox, number: int) -> None:
    """Sends NUMBER to the process group of SANDBOX, if it leads one (already), else to it alone."""
    if not sandbox.is_interactive:
        try:
            os.killpg(sandbox.pid, number)
        except ProcessLookupError:
            pass
        else:
            return
    send_signal(sandbox.pid, number)


def send_signal(pid: int, number: int) -> None:
    """Sends NUMBER to PID if it still exists."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def signal_descendants(pid: int, number: int) -> None:
    """Sends NUMBER to PID and all below it, parents first, until no new ones appear."""
    reached: set[int] = set()
    while True:
        fresh = [found for found in descendants(pid) if found not in reached]
        if not fresh:
            return
        for found in fresh:
            send_signal(found, number)
        reached.update(fresh)


def descendants(pid: int) -> list[int]:
    """PID and all processes below it, parents first.  O(processes of the machine)."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    stat = file.read()
            except OSError:
                continue  # it ended meanwhile
            # the name in parentheses may hold anything, also blanks and parentheses
            parent = int(stat.rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry))
    found = [pid]
    for parent in found:
        found.extend(children.get(parent, ()))
    return found


# --- mounts and programs ---


def load_libc() -> ctypes.CDLL:
    """The C library, for calls that Python does not offer."""
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def failure_of(stage: str) -> SetupError:
    """The error for the call to the C library that has just failed."""
    import ctypes

    return SetupError(stage, ctypes.get_errno())


def overlay_root(spec: Request) -> bytes:
    """Where the overlay of SPEC is mounted."""
    return spec["directory"] + b"/root"


def spawn_in_directory(spec: Request, descriptors: list[int], status_fd: int) -> int:
    """Starts the program of SPEC, and returns its process id; it is running when this returns."""
    try:
        os.chdir(spec["directory"])
        for path, mode in spec["modes"]:
            os.chmod(path, mode)
        return spawn(spec, descriptors, status_fd)
    except OSError as error:
        raise SetupError("exec", error.errno or 0) from error
    finally:
        os.chdir("/")


def spawn(spec: Request, descriptors: list[int], status_fd: int) -> int:
    """Starts the program of SPEC in the working directory; DESCRIPTORS are the last of its standard files."""
    argv = spec["argv"]
    actions: list[tuple[Any, ...]] = []
    if len(descriptors) < DESCRIPTOR_COUNT:  # opened here, where its mode can't be changed
        actions.append((os.POSIX_SPAWN_OPEN, 0, NO_INPUT, os.O_RDONLY, 0))
    for target, descriptor in enumerate(descriptors, start=DESCRIPTOR_COUNT - len(descriptors)):
        actions.append((os.POSIX_SPAWN_DUP2, descriptor, target))
    options_fd = None
    try:
        if spec["options"] is not None:
            options_fd = open_options(spec["options"])
            os.set_inheritable(options_fd, True)
            os.set_inheritable(status_fd, True)
            argv = [argv[0], b"--args", b"%d" % options_fd, b"--json-status-fd", b"%d" % status_fd, *argv[1:]]
        return os.posix_spawn(
            argv[0], argv, {}, file_actions=actions, setsid=not spec["is_interactive"], setsigmask=()
        )
    finally:
        if options_fd is not None:
            os.close(options_fd)


def open_options(options: bytes) -> int:
    """A descriptor from which OPTIONS can be read."""
    descriptor = os.memfd_create("options")
    os.write(descriptor, options)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def enter_namespaces(libc: ctypes.CDLL) -> None:
    """Enters a user namespace where the caller is root, and a mount namespace of its own."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        # root of a namespace may lack the right; then the groups are visible inside, no more
        with contextlib.suppress(OSError):
            os.setgroups([])
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS):
        raise failure_of("unshare")
    try:
        write_file("/proc/self/setgroups", "deny")
        write_file("/proc/self/uid_map", f"0 {uid} 1")
        write_file("/proc/self/gid_map", f"0 {gid} 1")
    except OSError as error:
        raise SetupError("map", error.errno or 0) from error


def write_file(path: str, text: str) -> None:
    """Writes TEXT with one write(2)."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def mount_overlay(libc: ctypes.CDLL, spec: Request) -> None:
    """Lays the layers of SPEC over each other, and `upper` in its directory over them all, on `root` there.

    The text of the options is limited to one page, and some characters mean something in
    it, so directories are named by their descriptors.
    """
    opened: list[int] = []
    directory, layers = spec["directory"], spec["layers"] or []
    try:
        paths = (directory + b"/work", directory + b"/upper", *reversed(layers))
        opened.extend(map(open_directory, paths))
        os.chdir("/proc/self/fd")
        work, upper, *lower = (b"%d" % descriptor for descriptor in opened)
        options = b"lowerdir=%s,upperdir=%s,workdir=%s," % (b":".join(lower), upper, work)
        options += OVERLAY_OPTIONS + (ONE_DEVICE if spec["stubs"] is not None else b"")
        if libc.mount(b"overlay", overlay_root(spec), b"overlay", 0, options):
            raise failure_of("mount")
    except OSError as error:
        raise SetupError("mount", error.errno or 0) from error
    finally:
        for descriptor in opened:
            os.close(descriptor)


def open_directory(path: bytes) -> int:
    """A descriptor of the directory at PATH."""
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def protect(libc: ctypes.CDLL, path: bytes, restrictions: int = 0) -> None:
    """Mounts PATH on itself, read-only, with the other RESTRICTIONS of that mount."""
    flags = READ_ONLY_REMOUNT | restrictions
    if libc.mount(path, path, None, MS_BIND, None) or libc.mount(None, path, None, flags, None):
        raise failure_of("protect")


def shield_devices(libc: ctypes.CDLL) -> None:
    """Has nothing that is started change modes and times of the devices that bubblewrap shows.

    Root owns them in each namespace.  They can be read and written to as before.
    """
    for name in DEVICES:
        path = b"/dev/" + name
        with contextlib.suppress(FileNotFoundError):
            # their bits are those of mount(2); a namespace can't take them off
            protect(libc, path, os.statvfs(path).f_flag & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC))


# --- frames ---


def receive_request(connection: socket.socket) -> tuple[tuple[str, int, Any], list[int]]:
    """One request and the descriptors that came with it.  Raises EOFError at the end."""
    header, descriptors = receive_header(connection)
    (size,) = HEADER.unpack(header)
    request = marshal.loads(receive_exactly(connection, size))  # noqa: S302 - from our own parent
    return request, descriptors


def receive_header(connection: socket.socket) -> tuple[bytes, list[int]]:
    descriptors = array.array("i")
    space = socket.CMSG_SPACE(DESCRIPTOR_COUNT * descriptors.itemsize)
    header, ancillary, _, _ = connection.recvmsg(HEADER.size, space, socket.MSG_CMSG_CLOEXEC)
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content)
    if not header:
        raise EOFError
    return header + receive_exactly(connection, HEADER.size - len(header)), descriptors.tolist()


def receive_exactly(connection: socket.socket, size: int) -> bytes:
    """SIZE bytes.  Raises EOFError if the stream ends before."""
    parts = []
    while size > 0:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def send(connection: socket.socket, value: tuple[int, int, bytes]) -> None:
    """Sends one frame."""
    payload = marshal.dumps(value)
    connection.sendall(HEADER.pack(len(payload)) + payload, socket.MSG_NOSIGNAL)


def read_available(descriptor: int) -> bytes:
    """What can be read without waiting."""
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return b""


def main() -> None:
    """Serves the socket that is standard input."""
    signal.pthread_sigmask(signal.SIG_SETMASK, BLOCKED_SIGNALS)
    for number in IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    connection = socket.socket(fileno=os.dup(0))
    os.set_inheritable(connection.fileno(), False)
    Launcher(connection).serve()


if __name__ == "__main__":
    main()
