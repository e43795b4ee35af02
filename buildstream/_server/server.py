"""The server as a whole: everything put together, started, kept tidy and stopped."""

import os
import re
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import grpc

from .._exceptions import AppError, CASError
from .._store.cas import Cas
from .._store.records import Records
from .access import Tokens
from .actions import Actions
from .assets import Assets, remove_incomplete
from .bytestreams import ByteStreams
from .calls import CallGuard, Method, StallWatch
from .capabilities import Capabilities
from .completeness import Completeness
from .contents import MESSAGE_LIMIT_BYTES, Contents
from .health import Health
from .log import Log
from .metrics import Metrics, serve_metrics
from .names import Instances
from .settings import ListenAddress, Right, ServerSettings
from .space import Space, volume_of
from .storage import Storage
from .tls import Certificates
from .uploads import Uploads

if TYPE_CHECKING:
    from http.server import ThreadingHTTPServer

_OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.so_reuseport", 0),  # a second server on the same port is a mistake
    ("grpc.keepalive_time_ms", 60_000),  # finds out about clients that vanished
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # what clients may do
    ("grpc.http2.max_ping_strikes", 0),
)
_LOOK_S = 5.0  # between looks for stalled streams
_TIDY_S = 3600.0  # between looks for abandoned uploads and trash


class ArtifactServer:
    """One cache server; its ports are open from `start` to `stop`.

    Args:
        settings: All that can be chosen.
        log: Told what the administrator should know.
        clock: Nanoseconds since the epoch; tells what has expired.

    Raises:
        AppError: A file can't be read, or another server uses the directory.
        CASError: The directory can't be used.
    """

    def __init__(self, settings: ServerSettings, log: Log, clock: Callable[[], int] = time.time_ns) -> None:
        self._settings = settings
        self._log = log
        self._metrics = Metrics()
        directory = os.path.abspath(settings.directory)
        cas = Cas(os.path.join(directory, "cas"), durable=settings.durable)
        self._lock = _lock(directory)
        space = Space(settings.quota, lambda: volume_of(cas.directory))
        fresh_ns = int(settings.fresh_s * 1e9)
        self._storage = Storage(cas, space, self._metrics, log, clock, fresh_ns=fresh_ns)
        self._completeness = Completeness(self._storage, fresh_ns)
        self._uploads = Uploads(self._storage)
        self._records = {
            kind: {name: self._open_records(directory, kind, name) for name in settings.instances}
            for kind in ("assets", "actions")
        }
        self._tokens = Tokens(settings.tokens, settings.anonymous_right, log)
        self._watch = StallWatch(settings.stall_timeout_s)
        self._methods = self._make_methods()
        self._servers: list[Any] = []
        self._metrics_server: ThreadingHTTPServer | None = None
        self._stopping = Event()
        self._threads = [
            Thread(target=self._keep_tidy, name="tidy", daemon=True),
            Thread(target=self._keep_within_quota, name="quota", daemon=True),
        ]
        metrics = self._metrics
        metrics.gauge("used_bytes", "Disk space that blobs take", lambda: self._storage.used_bytes)
        metrics.gauge("limit_bytes", "Disk space that blobs may take now", lambda: self._storage.limit_bytes)

    def _open_records(self, directory: str, kind: str, instance: str) -> Records:
        plain = re.sub(r"[^0-9A-Za-z_-]", lambda match: f"%{ord(match[0]):x}.", instance)
        return Records(os.path.join(directory, kind, f"i-{plain}"), durable=self._settings.durable)

    def _make_methods(self) -> list[Method]:
        instances = Instances(self._settings.instances)
        storage, completeness, metrics = self._storage, self._completeness, self._metrics
        of_assets, of_actions = self._records["assets"], self._records["actions"]
        self._health = Health(lambda: frozenset(method.service for method in self._methods))
        is_index = self._settings.index_only
        assets = Assets(
            storage, completeness, of_assets.__getitem__, instances, metrics, has_contents=not is_index
        )
        methods = [*Capabilities(instances).methods(), *assets.methods(), *self._health.methods()]
        if not is_index:
            methods += [
                *Contents(storage, instances, metrics).methods(),
                *ByteStreams(storage, self._uploads, instances, metrics).methods(),
                *Actions(storage, completeness, of_actions.__getitem__, instances, metrics).methods(),
            ]
        return methods

    @property
    def is_open_to_all(self) -> bool:
        """Whether somebody without credentials may push from another machine."""
        if self._settings.tokens is not None:
            return False
        return any(
            address.right is Right.PUSH
            and not address.is_unix
            and not address.text.startswith(("127.", "localhost:", "[::1]:"))
            and (self._settings.tls is None or self._settings.tls.pushers is None)
            for address in self._settings.addresses
        )

    # --- Life

    def start(self) -> list[str]:
        """Opens the ports and gives their addresses, with the number where 0 was asked for.

        Raises:
            AppError: An address can't be used.
        """
        self._executor = ThreadPoolExecutor(self._settings.threads, thread_name_prefix="call")
        opened = []
        for right in (Right.READ, Right.PUSH):
            addresses = [address for address in self._settings.addresses if address.right is right]
            if addresses:
                opened += self._open(right, addresses)
        if self._settings.metrics_address is not None:
            opened.append(self._open_metrics(self._settings.metrics_address))
        for thread in self._threads:
            thread.start()
        return opened

    def stop(self) -> None:
        """Ends the server: no new calls, then running ones get time to end, then the rest is cancelled."""
        self._health.stop()
        self._storage.close()
        stopped = [server.stop(self._settings.grace_s) for server in self._servers]
        for event in stopped:
            event.wait()
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._executor.shutdown()
        if self._metrics_server is not None:
            self._metrics_server.shutdown()
            self._metrics_server.server_close()
        with suppress(CASError):
            self._storage.flush()
        os.close(self._lock)

    def _open(self, right: Right, addresses: list[ListenAddress]) -> list[str]:
        guard = CallGuard(right, self._tokens, self._watch, self._metrics, self._log)
        server = grpc.server(self._executor, options=_OPTIONS)
        server.add_generic_rpc_handlers(guard.handlers(self._methods))
        self._servers.append(server)
        opened = []
        for address in addresses:
            if address.is_unix:
                _remove_socket(address.text.removeprefix("unix:"))
            try:
                port = self._add_port(server, address)
            except RuntimeError as error:
                raise AppError(f"Can't listen on {address.text}: {error}") from error
            if port == 0:
                raise AppError(f"Can't listen on {address.text}: is it in use?")
            name = address.text if address.is_unix else f"{address.text.rpartition(':')[0]}:{port}"
            allowed = "read" if right is Right.READ else "read, push"
            opened.append(f"{name} ({allowed}{', TLS' if self._is_secured(address) else ''})")
        server.start()
        return opened

    def _add_port(self, server: Any, address: ListenAddress) -> int:
        tls = self._settings.tls
        if tls is None or address.is_unix:
            return int(server.add_insecure_port(address.text))
        clients = tls.pushers if address.right is Right.PUSH else tls.readers
        certificates = Certificates(tls.key, tls.certificate, clients, self._log)
        return int(server.add_secure_port(address.text, certificates.credentials()))

    def _is_secured(self, address: ListenAddress) -> bool:
        return self._settings.tls is not None and not address.is_unix

    def _open_metrics(self, text: str) -> str:
        host, _, port = text.rpartition(":")
        try:
            server = serve_metrics((host, int(port)), self._metrics, lambda: self._health.is_serving)
        except OSError as error:
            raise AppError(f"Can't listen on {text}: {error}") from error
        self._metrics_server = server
        return f"http://{host}:{server.server_address[1]}/metrics"

    # --- Upkeep

    def _keep_tidy(self) -> None:
        last_s = 0.0
        while not self._stopping.wait(_LOOK_S):
            self._watch.look()
            if time.monotonic() - last_s > _TIDY_S or not last_s:
                last_s = time.monotonic()
                self._uploads.forget_old()
                with self._reported():
                    self._storage.cas.empty_trash()

    def _keep_within_quota(self) -> None:
        while not self._stopping.is_set():
            if self._storage.wait_until_wanted(1.0):
                with self._reported():
                    self._forget_names(self._storage.expire())
            elif not self._health.is_serving:
                self._stopping.wait(0.1)

    def _forget_names(self, before_ns: int) -> None:
        """Removes names that lost something in a clean-up of what was used before BEFORE_NS."""
        removed = sum(
            remove_incomplete(records, instance, self._completeness, before_ns)
            for instance, records in self._records["assets"].items()
        )
        for records in self._records["actions"].values():
            for name, used_ns in records.names_with_times():
                if used_ns > before_ns:
                    break
                removed += records.remove(name)
        if removed:
            self._log(f"Removed {removed} names of what was deleted")

    def _reported(self) -> "_Reported":
        return _Reported(self._log)


class _Reported:
    """Writes errors of the store to the log."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        if isinstance(error, CASError):
            self._log(f"error: {error}")
            return True
        return False


def _lock(directory: str) -> int:
    """A descriptor that holds the lock of the directory.

    Raises:
        AppError: Another server has it.
    """
    import fcntl

    path = os.path.join(directory, "server.lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise AppError(f"Can't use '{path}': {error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise AppError(f"Another cache server uses the directory '{directory}'") from error
    return descriptor


def _remove_socket(path: str) -> None:
    """Deletes the socket that a server which was killed has left."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
