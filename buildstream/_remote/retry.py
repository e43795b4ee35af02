"""When a call is tried again, and how one is given up from outside."""

import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from .._dataclass import dataclass
from .._remotespec import ConnectionConfig
from .errors import Failure, RemoteError

_DEFAULT_RETRY_LIMIT = 4
_DEFAULT_FIRST_LIMIT = 1  # a server that is not there will hardly come within some seconds
_DEFAULT_RETRY_DELAY_MS = 1000
_GROWTH = 1.6  # of the delay, from one attempt to the next
_JITTER = 0.2  # share of a delay by which it varies, so that clients do not come back all at once
_DEFAULT_TIMEOUT_S = 60.0
_MOST_TIMEOUTS = 1  # attempts after one that ran into its deadline


class Cancellable(Protocol):
    """A call that is under way."""

    def cancel(self) -> object: ...


class Cancellation:
    """Ends the calls of one operation from another thread; to a job it is a child that it can kill."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: set[Cancellable] = set()
        self.event = threading.Event()

    def add(self, call: Cancellable) -> None:
        """Notes that CALL is under way."""
        with self._lock:
            self._calls.add(call)
            is_over = self.event.is_set()
        if is_over:
            call.cancel()

    def remove(self, call: Cancellable) -> None:
        """Notes that CALL has ended."""
        with self._lock:
            self._calls.discard(call)

    def kill(self) -> None:
        """Ends all calls, and those that are about to start."""
        self.event.set()
        with self._lock:
            calls = list(self._calls)
        for call in calls:
            call.cancel()

    def terminate(self) -> None:
        """As `kill`."""
        self.kill()

    def suspend(self) -> None:
        """Nothing: the server waits, or the call is tried again."""

    def resume(self) -> None:
        """Nothing."""

    def check(self) -> None:
        """Raises RemoteError if the operation was given up."""
        if self.event.is_set():
            raise RemoteError("The operation was ended", Failure.REFUSED, status="CANCELLED")


@dataclass(frozen=True, slots=True)
class Effects:
    """What a client needs of the world beside the network."""

    now_s: Callable[[], float] = time.monotonic
    # waits some seconds, or until the event is set
    pause: Callable[[threading.Event, float], object] = threading.Event.wait
    random: Callable[[], float] = random.random  # between 0 and 1
    # the block in which the job of the calling thread can kill the operation
    supervise: Callable[[Cancellation], AbstractContextManager[None]] = lambda _: nullcontext()


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and when calls of one remote are tried again."""

    limit: int  # attempts after the first
    delay_s: float  # before the first of them
    timeout_s: float  # of a call; of a stream, the longest time in which nothing moves
    first_limit: int  # as LIMIT, where nobody listens and nobody ever has since the program began

    def delay_before(self, retry: int, chance: float) -> float:
        """Seconds to wait before retry number RETRY, from 0; CHANCE, from 0 to 1, decides the jitter."""
        return float(self.delay_s * _GROWTH**retry * (1 + _JITTER * (2 * chance - 1)))

    def allows(self, error: RemoteError, retries: int, *, is_first: bool = False) -> bool:
        """Whether to try again after ERROR and RETRIES retries; IS_FIRST if nobody has ever answered."""
        if is_first and nobody_listens(error):
            return retries < self.first_limit
        if error.failure is Failure.TIMEOUT:
            return retries < min(self.limit, _MOST_TIMEOUTS)
        return error.failure is Failure.TRANSIENT and retries < self.limit


def nobody_listens(error: RemoteError) -> bool:
    """Whether ERROR is that a machine answered that no server runs there."""
    return error.status == "UNAVAILABLE" and "Connection refused" in str(error)


def policy_from_connection(connection: ConnectionConfig) -> RetryPolicy:
    """What the configuration of a remote says, defaults filled in."""
    delay_ms = connection.retry_delay_ms
    limit = _DEFAULT_RETRY_LIMIT if connection.retry_limit is None else max(0, connection.retry_limit)
    return RetryPolicy(
        limit=limit,
        first_limit=_DEFAULT_FIRST_LIMIT if connection.retry_limit is None else limit,
        delay_s=(_DEFAULT_RETRY_DELAY_MS if delay_ms is None else max(0, delay_ms)) / 1000,
        timeout_s=float(connection.request_timeout_s or _DEFAULT_TIMEOUT_S),
    )
