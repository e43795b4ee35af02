"""The service grpc.health.v1.Health."""

from collections.abc import Callable, Iterator
from threading import BoundedSemaphore, Event

from grpc import StatusCode

from .._protos.grpc.health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from .calls import Call, Kind, Method
from .errors import CallError
from .settings import Right

_SERVICE = "grpc.health.v1.Health"
_WATCHERS = 8  # each of them takes a thread, and anybody may be one


class Health:
    """Whether the server takes calls; anybody may ask.

    Args:
        services: The full names of the services that can be asked about; "" is all.
    """

    def __init__(self, services: Callable[[], frozenset[str]]) -> None:
        self._services = services
        self._stopping = Event()
        self._watchers = BoundedSemaphore(_WATCHERS)

    def methods(self) -> list[Method]:
        """What it serves."""
        messages = HealthCheckRequest, HealthCheckResponse
        return [
            Method(_SERVICE, "Check", Right.NONE, Kind.UNARY, *messages, self.check),
            Method(_SERVICE, "Watch", Right.NONE, Kind.READING, *messages, self.watch),
        ]

    @property
    def is_serving(self) -> bool:
        """Whether the server is not being stopped."""
        return not self._stopping.is_set()

    def stop(self) -> None:
        """From now on the server is not serving."""
        self._stopping.set()

    def check(self, request: HealthCheckRequest, call: Call) -> HealthCheckResponse:
        """The state of a service."""
        if not self._is_known(request.service):
            raise CallError(StatusCode.NOT_FOUND, f"There is no service '{request.service[:100]}'")
        return self._state()

    def watch(self, request: HealthCheckRequest, call: Call) -> Iterator[HealthCheckResponse]:
        """The state of a service, now and whenever it changes."""
        if not self._watchers.acquire(blocking=False):
            raise CallError(StatusCode.RESOURCE_EXHAUSTED, "Too many clients watch the server")
        try:
            yield from self._states(request, call)
        finally:
            self._watchers.release()

    def _states(self, request: HealthCheckRequest, call: Call) -> Iterator[HealthCheckResponse]:
        if not self._is_known(request.service):
            yield HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)
        else:
            yield self._state()
        while not self._stopping.wait(1.0):
            call.progress()
            if not call.is_active():
                return
        yield self._state()

    def _is_known(self, service: str) -> bool:
        return not service or service in self._services()

    def _state(self) -> HealthCheckResponse:
        serving = HealthCheckResponse.SERVING if self.is_serving else HealthCheckResponse.NOT_SERVING
        return HealthCheckResponse(status=serving)
