"""A server, a store and a connection between them."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from buildstream._remote.remote import Remote
from buildstream._remote.retry import Cancellation, Effects
from buildstream._remote.tally import Tally
from buildstream._remotespec import RemoteSpec
from buildstream._store.cas import Cas
from tests.testutils.cacheserver import CacheServer, running


@dataclass
class Waits:
    """What a client waited for, without waiting."""

    pauses_s: list[float] = field(default_factory=list)
    now_s: float = 1000.0

    def pause(self, event: threading.Event, seconds: float) -> None:
        self.pauses_s.append(seconds)
        self.now_s += seconds

    @property
    def effects(self) -> Effects:
        return Effects(now_s=lambda: self.now_s, pause=self.pause, random=lambda: 0.5)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def server() -> CacheServer:
    return CacheServer()


@pytest.fixture
def url(server: CacheServer) -> Iterator[str]:
    with running(server) as address:
        yield f"http://{address}"


@pytest.fixture
def remote(url: str, waits: Waits) -> Iterator[Remote]:
    """A connection to the server, opened."""
    remote = Remote(RemoteSpec(url, push=True), waits.effects)
    remote.open(Cancellation())
    yield remote
    remote.close()


@pytest.fixture
def cas(tmp_path: Path) -> Cas:
    return Cas(str(tmp_path / "here" / "cas"))


@pytest.fixture
def tally(waits: Waits) -> Tally:
    return Tally(lambda: waits.now_s, lambda _: None)
