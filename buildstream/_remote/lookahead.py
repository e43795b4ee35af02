"""Names asked for before anybody needs the answer, many at a time on one connection.

A job that asks by itself waits for its answer, and so as many questions are under way as jobs run.
Most of a thousand elements that a server does not know cost nothing but these waits.

A question may be about several names: the server gives the first that it knows, and so tells of all of
them by one answer if it knows none.  Where nothing is there, questions grow, up to 64 names; a name that is
known makes them small again, as the others of its question have to be asked for once more.

A server that does not look at all names of a question would hide what it has.  So the first name that is
found is asked for once more, behind one that nobody knows.  Until then every other question is about one
name, so that something is found where there is something; and if the server fails that trial, what it has
said of several names counts for nothing.
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
_UNKNOWN = "#unknown"  # makes a name that no server knows
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
        self._is_trusted = False  # the server has been seen to look at every name of a question
        self._trial: threading.Event | None = None  # set when that is known
        self._unsure: set[str] = set()  # unknown, as answers about several names say, without trust
        self._was_several = False  # whether the last question was about several names

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
        return self._answers.get(uri, ...) is None and not self._is_in_doubt(uri)

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
                answered = self._trial if self._is_in_doubt(uri) else self._under_way.get(uri)
                if answered is None and uri in self._answers:
                    return (self._answers.pop(uri),)
                if answered is None:
                    self._waiting.pop(uri, None)
                    return None
            answered.wait(_LOOK_S)
            cancellation.check()

    def _is_in_doubt(self, uri: str) -> bool:
        return self._trial is not None and not self._trial.is_set() and uri in self._unsure

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
            together = self._together if self._is_trusted or not (self._was_several or self._trial) else 1
            while self._again and len(uris) < together:
                uris.append(self._again.popleft())
            while self._waiting and len(uris) < together:
                uri = next(iter(self._waiting))
                del self._waiting[uri]
                if uri not in self._under_way and uri not in self._answers:
                    self._under_way[uri] = threading.Event()
                    uris.append(uri)
            self._calls += bool(uris)
            self._was_several = len(uris) > 1
        return uris

    def _note(self, uris: Sequence[str], done: Any) -> None:
        """Keeps an answer; called in a thread of the connection."""
        try:
            known = self._read(uris, done)
        except RemoteError as error:
            self._note_failure(uris, error)
        else:
            self._note_answer(uris, known)
            if known is not None:
                self._try(known[0])
        self._start()

    def _try(self, uri: str) -> None:
        """Finds out, once, whether the server looks at all names, of which it knows URI."""
        with self._lock:
            if self._trial is not None or self._most_together == 1:
                self._settled.set()
                return
            self._trial = threading.Event()
        uris = (uri + _UNKNOWN, uri)
        try:
            future = self._ask(uris)
        except RemoteError:
            self._end_trial(self._trial, is_passed=False)
        else:
            future.add_done_callback(lambda done, trial=self._trial: self._note_trial(trial, uris, done))

    def _note_trial(self, trial: threading.Event, uris: Sequence[str], done: Any) -> None:
        try:
            known = self._read(uris, done)
        except RemoteError:
            known = None
        self._end_trial(trial, is_passed=known is not None and known[0] == uris[-1])
        self._start()

    def _end_trial(self, trial: threading.Event, *, is_passed: bool) -> None:
        with self._lock:
            self._is_trusted = is_passed
            if not is_passed:
                self._together = self._most_together = 1
                again = [uri for uri in self._unsure if self._answers.get(uri, ...) is None]
                for uri in again:
                    del self._answers[uri]
                self._waiting = dict.fromkeys((*again, *self._waiting))
            self._unsure.clear()
            trial.set()
            self._settled.set()

    def _note_answer(self, uris: Sequence[str], known: Known | None) -> None:
        with self._lock:
            self._calls -= 1
            told: Sequence[str] = uris
            if known is None and len(uris) > self._most_together:  # the trial was failed meanwhile
                told = ()
                self._again.extend(uris)
            elif known is None:
                self._together = min(max(self._together, 2 * len(uris)), self._most_together)
                self._answers.update(dict.fromkeys(uris))
                if len(uris) > 1 and not self._is_trusted:
                    self._unsure.update(uris)
            else:
                self._together = 1
                self._most_calls = min(self._most_calls + 1, _MOST_UNDER_WAY)
                told = known[:1]
                self._answers[known[0]] = known[1]
                self._again.extend(uri for uri in uris if uri != known[0])
            for uri in told:
                self._under_way.pop(uri).set()
            if not (self._waiting or self._under_way):
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
