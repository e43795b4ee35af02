"""Names asked for before anybody needs the answer, many at a time on one connection.

A job that asks by itself waits for its answer, and so as many questions are under way as jobs run.
Most of a thousand elements that a server does not know cost nothing but these waits.

A question may be about several names: the server gives the first that it knows, and so tells of all of
them by one answer if it knows none.  Where nothing is there, questions grow, up to 64 names; a name that is
known makes them small again, as the others of its question have to be asked for once more.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .._model.digest import Digest
from .errors import Failure, RemoteError
from .retry import Cancellation

_FIRST_UNDER_WAY = 8  # questions; one more for each name that is known, as then they can't be larger
_MOST_UNDER_WAY = 64
_MOST_TOGETHER = 64  # names
_LOOK_S = 0.5  # how often somebody who waits looks whether the operation was given up
_PASSING = (Failure.TRANSIENT, Failure.TIMEOUT, Failure.LEFT_ALONE)

Known = tuple[str, Digest]  # a name, and what it stands for


class LookAhead:
    """Questions under way, and answers that nobody has asked for yet; safe to use from several threads.

    Only answers are kept. Who asks for a name whose question has failed has to ask again, with the deadline
    and the retries that belong to it.

    Args:
        ask: Starts a question for some names; gives its future.
        read: The answer to a question for names in a future that is done: one that is known, or that none is.
    """

    def __init__(
        self, ask: Callable[[Sequence[str]], Any], read: Callable[[Sequence[str], Any], Known | None]
    ) -> None:
        self._ask = ask
        self._read = read
        self._lock = threading.Lock()
        self._waiting: dict[str, None] = {}  # in their order
        self._again: deque[str] = deque()  # under way, but their question did not tell
        self._under_way: dict[str, threading.Event] = {}
        self._answers: dict[str, Digest | None] = {}
        self._calls = 0
        self._most_calls = _FIRST_UNDER_WAY
        self._together = 1  # names in the next question
        self._most_together = _MOST_TOGETHER
        self._settled = threading.Event()  # see `settle`

    def expect(self, uris: Iterable[str]) -> None:
        """Asks for URIS soon, in their order."""
        with self._lock:
            self._waiting.update(dict.fromkeys(uris))
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

    def forget(self, uri: str) -> None:
        """Drops the answer for URI, as if it had been taken."""
        with self._lock:
            self._answers.pop(uri, None)

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
                    self._waiting.pop(uri, None)
                    return None
            answered.wait(_LOOK_S)
            cancellation.check()

    def _start(self) -> None:
        while uris := self._next():
            try:
                future = self._ask(uris)
            except RemoteError as error:
                self._note_failure(uris, error)
                continue
            future.add_done_callback(lambda done, uris=uris: self._note(uris, done))

    def _next(self) -> Sequence[str]:
        """The names of the next question; none if there is nothing to ask, or enough is under way."""
        with self._lock:
            if self._calls >= self._most_calls:
                return ()
            uris: list[str] = []
            while self._again and len(uris) < self._together:
                uris.append(self._again.popleft())
            while self._waiting and len(uris) < self._together:
                uri = next(iter(self._waiting))
                del self._waiting[uri]
                if uri not in self._under_way and uri not in self._answers:
                    self._under_way[uri] = threading.Event()
                    uris.append(uri)
            self._calls += bool(uris)
        return uris

    def _note(self, uris: Sequence[str], done: Any) -> None:
        """Keeps an answer; called in a thread of the connection."""
        try:
            known = self._read(uris, done)
        except RemoteError as error:
            self._note_failure(uris, error)
        else:
            self._note_answer(uris, known)
        self._start()

    def _note_answer(self, uris: Sequence[str], known: Known | None) -> None:
        with self._lock:
            self._calls -= 1
            if known is None:
                self._together = min(max(self._together, 2 * len(uris)), self._most_together)
                told: Sequence[str] = uris
                self._answers.update(dict.fromkeys(uris))
            else:
                self._together = 1
                self._most_calls = min(self._most_calls + 1, _MOST_UNDER_WAY)
                told = known[:1]
                self._answers[known[0]] = known[1]
                self._again.extend(uri for uri in uris if uri != known[0])
            for uri in told:
                self._under_way.pop(uri).set()
            if known is not None or not (self._waiting or self._under_way):
                self._settled.set()

    def _note_failure(self, uris: Sequence[str], error: RemoteError) -> None:
        """After a failure nothing more is asked ahead: whoever needs an answer finds out what is wrong.

        Unless it may be that the server does not like questions about several names.
        """
        with self._lock:
            self._calls -= 1
            if len(uris) > 1 and error.failure not in _PASSING:
                self._together = self._most_together = 1
                self._again.extend(uris)
                return
            self._waiting.clear()
            for uri in (*uris, *self._again):
                self._under_way.pop(uri).set()
            self._again.clear()
            self._settled.set()
