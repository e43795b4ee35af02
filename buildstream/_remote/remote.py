"""One remote cache, asked what it can do before it is used; and the remotes of an invocation."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field

from .._dataclass import dataclass
from .._remotespec import RemoteSpec, RemoteType
from .._store.cas import Cas
from .assets import AssetClient
from .capabilities import ask_capabilities
from .cas import CasClient
from .channel import Channel
from .errors import RemoteError
from .retry import Cancellation, Effects
from .sharedreads import SharedReads
from .suspects import Suspects
from .treereads import TreeReads


class Remote:
    """A cache server; nothing happens before it is first used.

    Args:
        spec: Where it is.
        effects: Clock, waiting and chance.
        suspects_path: Where blobs that it gave wrong are remembered over the end of the program.
    """

    def __init__(self, spec: RemoteSpec, effects: Effects, suspects_path: str | None = None) -> None:
        self.spec = spec
        self.effects = effects
        self.suspects = Suspects(suspects_path, spec.url)  # blobs that it gave wrong
        self._lock = threading.Lock()
        self._error: RemoteError | None = None
        self._channel: Channel | None = None
        self._assets: AssetClient | None = None
        self._cas: CasClient | None = None
        self._reads: SharedReads | None = None
        self._trees: TreeReads | None = None

    @property
    def url(self) -> str:
        """As messages name the remote."""
        return self.spec.url

    @property
    def is_index(self) -> bool:
        """Whether it knows names."""
        return self.spec.type in (RemoteType.INDEX, RemoteType.ALL)

    @property
    def is_storage(self) -> bool:
        """Whether it holds content."""
        return self.spec.type in (RemoteType.STORAGE, RemoteType.ALL)

    def open(self, cancellation: Cancellation) -> None:
        """Connects and asks what the server can do, once.

        Raises:
            RemoteError: It can't be used; the same again at each further call.
        """
        with self._lock:
            if self._error is not None:
                raise self._error
            if self._channel is not None:
                return
            try:
                self._open(cancellation)
            except RemoteError as error:
                self._error = error
                raise

    def _open(self, cancellation: Cancellation) -> None:
        channel = Channel(self.spec, self.effects)
        try:
            if self.is_index:
                assets = AssetClient(channel)
                assets.check(cancellation, push=self.spec.push)
                self._assets = assets
            if self.is_storage:
                self._cas = CasClient(channel, ask_capabilities(channel, cancellation))
        except BaseException:
            channel.close()
            raise
        self._channel = channel

    @property
    def assets(self) -> AssetClient:
        """The calls of an index that has been opened."""
        assert self._assets is not None, "only an index that was opened is asked"
        return self._assets

    @property
    def cas(self) -> CasClient:
        """The calls of a storage that has been opened."""
        assert self._cas is not None, "only a storage that was opened is asked"
        return self._cas

    def reads_into(self, cas: Cas) -> SharedReads:
        """The queue of small blobs on their way into CAS, the only store that blobs of this remote go to."""
        with self._lock:
            if self._reads is None:
                self._reads = SharedReads(self.cas, cas)
            return self._reads

    def trees_into(self, cas: Cas) -> TreeReads:
        """The trees on their way into CAS, as for `reads_into`."""
        with self._lock:
            if self._trees is None:
                self._trees = TreeReads(self.cas, cas)
            return self._trees

    def close(self) -> None:
        """Ends the connection."""
        if self._channel is not None:
            self._channel.close()


@dataclass(frozen=True, slots=True)
class CacheRemotes:
    """The usable remotes of one project and purpose, in the order they are asked."""

    remotes: tuple[Remote, ...] = ()

    @property
    def indexes(self) -> list[Remote]:
        return [remote for remote in self.remotes if remote.is_index]

    @property
    def storages(self) -> list[Remote]:
        return [remote for remote in self.remotes if remote.is_storage]

    @property
    def push_indexes(self) -> list[Remote]:
        return [remote for remote in self.indexes if remote.spec.push]

    @property
    def push_storages(self) -> list[Remote]:
        return [remote for remote in self.storages if remote.spec.push]

    @property
    def can_fetch(self) -> bool:
        """Whether names and content can be had."""
        return bool(self.indexes and self.storages)

    @property
    def can_push(self) -> bool:
        """Whether names and content can be given."""
        return bool(self.push_indexes and self.push_storages)


@dataclass(slots=True)
class RemotePool:
    """Every remote of an invocation, each connected once whoever uses it.

    Attributes:
        effects: For all of them.
        on_unusable: Told once of each remote that can't be used, and why.
        suspects_path: Of the file for blobs that remotes gave wrong.
    """

    effects: Effects
    on_unusable: Callable[[Remote, RemoteError], None]
    suspects_path: str | None = None
    _remotes: dict[RemoteSpec, Remote] = field(default_factory=dict)
    _usable: dict[RemoteSpec, bool] = field(default_factory=dict)

    def open(self, specs: Iterable[RemoteSpec]) -> None:
        """Connects to all of SPECS that are not connected yet, at the same time."""
        new = [spec for spec in dict.fromkeys(specs) if spec not in self._remotes]
        if not new:
            return
        errors: dict[RemoteSpec, RemoteError] = {}
        cancellation = Cancellation()

        def connect(remote: Remote) -> None:
            try:
                remote.open(cancellation)
            except RemoteError as error:
                errors[remote.spec] = error

        for spec in new:
            self._remotes[spec] = Remote(spec, self.effects, self.suspects_path)
        threads = [
            threading.Thread(target=connect, args=(self._remotes[spec],), name="connect", daemon=True)
            for spec in new
        ]
        with self.effects.supervise(cancellation):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        for spec in new:
            self._usable[spec] = spec not in errors
            if spec in errors:
                self.on_unusable(self._remotes[spec], errors[spec])

    @property
    def specs(self) -> tuple[RemoteSpec, ...]:
        """Of all remotes so far, whether they work or not."""
        return tuple(self._remotes)

    def usable(self, specs: Sequence[RemoteSpec]) -> CacheRemotes:
        """Those of SPECS that work, opened first if need be."""
        self.open(specs)
        return CacheRemotes(tuple(self._remotes[spec] for spec in specs if self._usable[spec]))

    def close(self) -> None:
        """Ends all connections."""
        for remote in self._remotes.values():
            remote.close()
