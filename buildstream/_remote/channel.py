"""A connection to one remote, on which every call has a deadline and is tried again where that helps."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from .._remotespec import RemoteSpec
from .._version import __version__
from .credentials import AccessToken, channel_credentials, is_local, target_from_url
from .errors import Failure, RemoteError, error_from_call, some_message
from .retry import Cancellation, Effects, RetryPolicy, nobody_listens, policy_from_connection
from .stallwatch import StallWatch, WatchedStream

_Answer = TypeVar("_Answer")

# that is accepted; nothing that is asked for is larger than a batch or a piece of a stream, and no server
# sends more than 4 MiB to those that don't say that they take it
_LARGEST_MESSAGE_BYTES = 6 << 20
_LARGEST_FRAME_BYTES = 4 << 20  # small ones cost a quarter more when much is read
_RECONNECT_MS = (200, 5000)  # shortest and longest time between two attempts to connect
# how long an attempt may take: some round trips to the other side of the world, or a busy server's time
_CONNECT_MS = 5000
_LEFT_ALONE_S = 30.0  # for how long a remote that failed is not asked
_COUNTED_PROGRESS_BYTES = 64 << 10  # a stream that got this far may try as often as at its start


class Channel:
    """The calls of one remote; safe to use from several threads.

    After a failure that trying again did not help, the remote is left alone
    for half a minute: who calls meanwhile gets an error at once, so that
    a dead server costs its deadline once and not once for each job.

    Args:
        spec: Where the remote is.
        effects: Clock, waiting and chance.

    Raises:
        RemoteError: The URL or a file with credentials is unusable.
    """

    def __init__(self, spec: RemoteSpec, effects: Effects) -> None:
        import grpc

        self._grpc = grpc
        self.policy: RetryPolicy = policy_from_connection(spec.connection)
        self.effects = effects
        self.instance_name = spec.instance_name or ""
        self._watch = StallWatch(effects.now_s)
        self._lock = threading.Lock()
        self._left_alone_until_s = 0.0
        self._last_error = ""
        self._has_answered = False
        self._token = None
        if spec.auth.access_token is not None:
            minutes = spec.auth.access_token_reload_interval_min
            interval_s = None if minutes is None else minutes * 60.0
            self._token = AccessToken(spec.auth.access_token, interval_s, effects.now_s)
        target, is_secure = target_from_url(spec.url)
        self.is_local = is_local(target)
        options = _options(spec.connection.keepalive_time_s)
        if is_secure:
            self.stub_channel = grpc.secure_channel(target, channel_credentials(spec.auth), options=options)
        else:
            self.stub_channel = grpc.insecure_channel(target, options=options)

    def close(self) -> None:
        """Ends the connection."""
        self.stub_channel.close()

    # calls

    def call(self, method: Any, request: object, cancellation: Cancellation) -> Any:
        """The response of a unary METHOD of a stub.

        Raises:
            RemoteError: It failed, and trying again did not help.
        """
        return self.retried(lambda: self.call_once(method, request, cancellation), cancellation)

    def call_once(self, method: Any, request: object, cancellation: Cancellation) -> Any:
        """As `call`, without a second attempt."""
        cancellation.check()
        # a blocking call costs a quarter less than a future, but can be ended only with its channel
        cancellation.add(self)
        try:
            return some_message(method(request, timeout=self.policy.timeout_s, metadata=self.metadata()))
        except self._grpc.RpcError as error:
            cancellation.check()
            raise error_from_call(error) from error
        except ValueError as error:  # the channel is closed
            cancellation.check()
            raise RemoteError(f"The connection is closed: {error}", Failure.REFUSED) from error

    def start(self, method: Any, request: object) -> Any:
        """The future of a unary call that is made once; see `result_of`.

        Raises:
            RemoteError: The remote is left alone, or the connection is closed.
        """
        self._check_left_alone()
        try:
            return method.future(request, timeout=self.policy.timeout_s, metadata=self.metadata())
        except ValueError as error:
            raise RemoteError(f"The connection is closed: {error}", Failure.REFUSED) from error

    def is_not_found(self, call: Any) -> bool:
        """Whether what a future of `start` that is done tells is NOT_FOUND; cheaper than an error."""
        return bool(call.code() is self._grpc.StatusCode.NOT_FOUND)

    def result_of(self, call: Any) -> Any:
        """The response in a future of `start` that is done.

        Raises:
            RemoteError: The call failed.
        """
        try:
            return some_message(call.result())
        except (self._grpc.RpcError, self._grpc.FutureCancelledError) as error:
            raise error_from_call(error) from error

    def cancel(self) -> None:
        """Ends all calls, of whomever they are: a job is only ended together with all others."""
        self.close()

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The headers of a call."""
        return self._token.metadata() if self._token is not None else ()

    @contextmanager
    def streaming(self, call: Any, moved: Callable[[], int], cancellation: Cancellation) -> Iterator[None]:
        """The block in which the stream CALL is read or written; MOVED tells of how many bytes so far.

        Raises:
            RemoteError: The call failed, or nothing moved for too long.
        """
        stream: WatchedStream = self._watch.add(call, moved, self.policy.timeout_s)
        cancellation.add(call)
        try:
            yield
        except (self._grpc.RpcError, self._grpc.FutureCancelledError) as error:
            cancellation.check()
            if stream.is_stalled:
                raise RemoteError(
                    f"DEADLINE_EXCEEDED: nothing moved for {self.policy.timeout_s:.0f} seconds",
                    Failure.TIMEOUT,
                    status="DEADLINE_EXCEEDED",
                ) from error
            raise error_from_call(error) from error
        finally:
            self._watch.remove(stream)
            cancellation.remove(call)
            call.cancel()

    # trying again

    def retried(
        self,
        attempt: Callable[[], _Answer],
        cancellation: Cancellation,
        progress: Callable[[], int] = lambda: 0,
    ) -> _Answer:
        """What ATTEMPT gives, called again after failures that may be over soon.

        PROGRESS tells how far a transfer is, in bytes: one that gets on is not given up.

        Raises:
            RemoteError: The last failure.
        """
        self._check_left_alone()
        retries, reached = 0, progress()
        while True:
            try:
                answer = attempt()
            except RemoteError as error:
                if progress() - reached >= _COUNTED_PROGRESS_BYTES:
                    retries, reached = 0, progress()
                self._has_answered = self._has_answered or not nobody_listens(error)
                if not self.policy.allows(error, retries, is_first=not self._has_answered):
                    noted = self._noted(error)
                    if noted is error:
                        raise
                    raise noted from error
                delay_s = self.policy.delay_before(retries, self.effects.random())
                retries += 1
                self.effects.pause(cancellation.event, delay_s)
                cancellation.check()
            else:
                self._left_alone_until_s = 0.0
                self._has_answered = True
                return answer

    def _check_left_alone(self) -> None:
        if self.effects.now_s() < self._left_alone_until_s:
            raise RemoteError(f"It failed a moment ago: {self._last_error}", Failure.LEFT_ALONE)

    def _noted(self, error: RemoteError) -> RemoteError:
        """ERROR, after which the remote may be left alone; of calls that fail together one tells why."""
        if error.failure in (Failure.TRANSIENT, Failure.TIMEOUT) and error.status != "CANCELLED":
            with self._lock:
                if self.effects.now_s() < self._left_alone_until_s:
                    return RemoteError(f"It failed a moment ago: {self._last_error}", Failure.LEFT_ALONE)
                self._last_error = str(error)
                self._left_alone_until_s = self.effects.now_s() + _LEFT_ALONE_S
        return error


def _options(keepalive_time_s: int | None) -> list[tuple[str, object]]:
    options: list[tuple[str, object]] = [
        ("grpc.max_receive_message_length", _LARGEST_MESSAGE_BYTES),
        ("grpc.max_send_message_length", -1),
        ("grpc.http2.max_frame_size", _LARGEST_FRAME_BYTES),
        ("grpc.optimization_target", "throughput"),
        ("grpc.enable_retries", 0),  # they are made here, where they can be ended
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.min_reconnect_backoff_ms", _CONNECT_MS),  # which this is, despite its name
        ("grpc.initial_reconnect_backoff_ms", _RECONNECT_MS[0]),
        ("grpc.max_reconnect_backoff_ms", _RECONNECT_MS[1]),
        ("grpc.primary_user_agent", f"buildstream/{__version__}"),
    ]
    if keepalive_time_s is not None:
        options.append(("grpc.keepalive_time_ms", keepalive_time_s * 1000))
    return options
