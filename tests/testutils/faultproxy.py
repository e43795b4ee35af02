"""Proxies on the loopback device that break what passes through them: bytes of connections, or calls."""

import random
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

import grpc

_PIECE_BYTES = 16 << 10


class Fault(Enum):
    """What happens to a connection once enough bytes came from the server."""

    NONE = "nothing"
    RESET = "the connection is reset"
    CLOSE = "the connection is closed in order"
    STALL = "nothing comes any more, and the connection stays open"
    DELAY = "everything that follows is late"
    FLIP = "one bit in a thousand bytes that follow is another one"


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to one connection."""

    fault: Fault
    after_bytes: int = 0  # from the server
    rate_bytes_s: int | None = None  # how fast it passes them on, as a network does; None: as fast as can be


class TcpProxy:
    """Passes connections on to a server, and breaks them as planned.

    Args:
        target: HOST:PORT of the server.
        plan: Given the number of a connection, from 0 on, what happens to it.
        seed: Of what is random in it.

    Attributes:
        address: HOST:PORT where it listens.
        passed_bytes: From the server to clients, over all connections.
        connections: How many there were.
    """

    def __init__(self, target: str, plan: Callable[[int], Plan], seed: int = 1) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._plan = plan
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._released = threading.Event()  # ends stalls and delays
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.passed_bytes = 0
        self.connections = 0
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Ends all connections."""
        self._released.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            _end(connection)
        for thread in self._threads:
            thread.join()
        for connection in connections:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            with self._lock:
                plan = self._plan(self.connections)
                self.connections += 1
                self._open += [client, server]
            for work, arguments in (
                (self._pass, (client, server)),
                (self._break, (server, client, plan)),
            ):
                thread = threading.Thread(target=work, args=arguments, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_PIECE_BYTES):
                sink.sendall(data)
        _end(sink)

    def _break(self, source: socket.socket, sink: socket.socket, plan: Plan) -> None:
        left = plan.after_bytes
        with suppress(OSError):
            while True:
                wanted = _PIECE_BYTES if plan.fault is Fault.NONE or left <= 0 else min(left, _PIECE_BYTES)
                data = source.recv(wanted)
                if not data:
                    break
                if left <= 0 and plan.fault is not Fault.NONE:
                    if plan.fault is Fault.STALL:
                        self._released.wait()
                    elif plan.fault is Fault.DELAY:
                        self._released.wait(0.05)
                    elif plan.fault is Fault.FLIP:
                        data = self._flipped(data)
                sink.sendall(data)
                if plan.rate_bytes_s is not None:
                    self._released.wait(len(data) / plan.rate_bytes_s)
                with self._lock:
                    self.passed_bytes += len(data)
                left -= len(data)
                if left <= 0 and plan.fault is Fault.RESET:
                    # with this option closing sends a reset
                    sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                    break
                if left <= 0 and plan.fault is Fault.CLOSE:
                    break
        if plan.fault is Fault.RESET:
            with suppress(OSError):
                sink.close()
        _end(sink)
        _end(source)

    def _flipped(self, data: bytes) -> bytes:
        changed = bytearray(data)
        with self._lock:
            for _ in range(1 + len(data) // 1000):
                changed[self._random.randrange(len(changed))] ^= 1 << self._random.randrange(8)
        return bytes(changed)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def tcp_proxy(target: str, plan: Callable[[int], Plan], seed: int = 1) -> Iterator[TcpProxy]:
    """A TcpProxy during the body."""
    proxy = TcpProxy(target, plan, seed)
    try:
        yield proxy
    finally:
        proxy.close()


class CallProxy:
    """Passes calls on to a gRPC server, whatever the services, and answers some itself.

    Args:
        target: HOST:PORT of the server.
        answer: Given the name of a method and how often it was called before,
            the status to answer with; None passes the call on.

    Attributes:
        calls: Names of the methods that were called.
    """

    def __init__(self, target: str, answer: Callable[[str, int], grpc.StatusCode | None]) -> None:
        self.calls: list[str] = []
        self._lock = threading.Lock()
        self._answer = answer
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self._channel = grpc.insecure_channel(target, options=options)
        self._executor = ThreadPoolExecutor(32)
        self._server = grpc.server(self._executor, options=options)
        self._server.add_generic_rpc_handlers((self,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def close(self) -> None:
        """Ends all calls."""
        self._server.stop(0).wait()
        self._channel.close()
        self._executor.shutdown()

    def service(self, details: Any) -> Any:
        """The handler of a call, as gRPC asks for it."""
        return grpc.stream_stream_rpc_method_handler(
            lambda requests, context: self._serve(details.method, requests, context)
        )

    def _serve(self, path: str, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        name = path.rpartition("/")[2]
        with self._lock:
            before = self.calls.count(name)
            self.calls.append(name)
        status = self._answer(name, before)
        if status is not None:
            context.abort(status, "answered by the proxy")
        call = self._channel.stream_stream(path)(requests, metadata=context.invocation_metadata())
        context.add_callback(call.cancel)
        try:
            yield from call
        except grpc.RpcError as error:
            known: Any = error
            context.abort(known.code(), known.details())


@contextmanager
def call_proxy(target: str, answer: Callable[[str, int], grpc.StatusCode | None]) -> Iterator[CallProxy]:
    """A CallProxy during the body."""
    proxy = CallProxy(target, answer)
    try:
        yield proxy
    finally:
        proxy.close()


def planned(plans: Sequence[Plan]) -> Callable[[int], Plan]:
    """PLANS for the first connections; nothing happens to the following ones."""
    return lambda number: plans[number] if number < len(plans) else Plan(Fault.NONE)


def always(plan: Plan) -> Callable[[int], Plan]:
    """PLAN for all connections."""
    return lambda _: plan
