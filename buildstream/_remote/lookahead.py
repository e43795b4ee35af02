"""Names asked for before anybody needs the answer, many at a time on one connection.

A job that asks by itself waits for its answer, and so as many questions are under way as jobs run.
Most of a thousand elements that a server does not know cost nothing but these waits.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from .._model.digest import Digest
from .errors import RemoteError
from .retry import Cancellation

_MOST_UNDER_WAY = 64
_LOOK_S = 0.5  # how often somebody who waits looks whether the operation was given up


class LookAhead:
    """Questions under way, and answers that nobody has asked for yet; safe to use from several threads.

    Only answers are kept. Who asks for a name whose question has failed has to ask again, with the deadline
    and the retries that belong to it.

    Args:
        ask: Starts a question; gives its future.
        read: The answer in a future that is done.
    """

    def __init__(self, ask: Callable[[str], Any], read: Callable[[Any], Digest | None]) -> None:
        self._ask = ask
        self._read = read
        self._lock = threading.Lock()
        self._waiting: deque[str] = deque()
        self._under_way: dict[str, threading.Event] = {}
        self._answers: dict[str, Digest | None] = {}
        self._settled = threading.Event()  # see `settle`

    def expect(self, uris: Iterable[str]) -> None:
        """Asks for URIS soon, in their order."""
        with self._lock:
            self._waiting.extend(uris)
            self._settled.clear()
        self._start()

    def settle(self, limit_s: float) -> None:
        """Waits until the server knows one name, or all are answered; LIMIT_S at most.

        Jobs that run while answers come in by the hundred take turns with these, which costs both dear.
        """
        if self._waiting or self._under_way:
            self._settled.wait(limit_s)

    def is_missing(self, uri: str) -> bool:
        """Whether it is known already that the server does not know URI."""
        return self._answers.get(uri, ...) is None

    def peek(self, uri: str) -> Digest | None:
        """The answer for URI, if it is here and nobody has taken it."""
        return self._answers.get(uri)

    def take(self, uri: str, cancellation: Cancellation) -> "tuple[Digest | None] | None":
        """The answer for URI in a tuple, waited for if the question is under way; None if it has to be asked.

        It is given out once.

        Raises:
            RemoteError: The operation was given up.
        """
        while True:
            with self._lock:
                if uri in self._answers:
                    return (self._answers.pop(uri),)
                answered = self._under_way.get(uri)
            if answered is None:
                return None
            answered.wait(_LOOK_S)
            cancellation.check()

    def _start(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or len(self._under_way) >= _MOST_UNDER_WAY:
                    return
                uri = self._waiting.popleft()
                if uri in self._under_way or uri in self._answers:
                    continue
                self._under_way[uri] = threading.Event()
            try:
                future = self._ask(uri)
            except RemoteError:
                self._give_up(uri)
                return
            future.add_done_callback(lambda done, uri=uri: self._note(uri, done))

    def _note(self, uri: str, done: Any) -> None:
        """Keeps an answer; called in a thread of the connection."""
        try:
            answer = self._read(done)
        except RemoteError:
            self._give_up(uri)
            return
        with self._lock:
            self._answers[uri] = answer
            self._under_way.pop(uri).set()
            if answer is not None or not (self._waiting or self._under_way):
                self._settled.set()
        self._start()

    def _give_up(self, uri: str) -> None:
        """After a failure nothing more is asked ahead: whoever needs an answer finds out what is wrong."""
        with self._lock:
            self._waiting.clear()
            self._under_way.pop(uri).set()
            self._settled.set()
