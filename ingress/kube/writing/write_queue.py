"""
A queue of writes to the API server: each name once, a few at a time, with retries.

::

    add ─► due ─► write ─┬─► done
            ▲            ├─► a fault of this object: later, with growing delays
            └────────────┴─► a fault of the server: first again after a pause
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Hashable, Iterable, Iterator
from heapq import heappop, heappush
from itertools import islice
from random import Random
from typing import Any, Final, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.errors import IngressError
from ingress.growing_delay import growing_delay
from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.kube.api.time_limit import within
from ingress.kube.writing.lanes import Lanes

AT_ONCE: Final = 8
"""Requests under way: enough to be quick, few enough for a shared server."""

HURRIED_AT_ONCE: Final = 16
"""Requests under way while the process stops."""

REQUEST_TIMEOUT: Final = 10.0
"""Seconds for one name: several requests to a busy server."""

LOOKS_PER_TURN: Final = 200
"""Names that are checked in one turn of the reactor."""

FIRST_DELAY: Final = 1.0
MAX_DELAY: Final = 300.0
"""Seconds until a failed name is tried again, the first time and at most."""

FIRST_PAUSE: Final = 0.5
MAX_PAUSE: Final = 30.0
"""Seconds until a failing server is asked again, the first time and at most."""

K = TypeVar("K", bound=Hashable)

Write = Coroutine[Any, Any, None]


class WriteQueue(Generic[K]):
    """
    Names to write, the urgent ones first.

    :param prepare: returns the write for a name, which raises APIError or APIUnreachable if it
        fails; None if there is nothing to write.
    :param lanes: order the names, and limit the rates of writes.
    :param failed: called after each failure.
    """

    log = Logger()

    def __init__(
        self,
        prepare: Callable[[K], Write | None],
        lanes: Lanes[K],
        failed: Callable[[K, IngressError], None],
        *,
        clock: IReactorTime,
        random: Random,
    ) -> None:
        self._prepare = prepare
        self._failed = failed
        self._clock = clock
        self._random = random
        self._is_running = False
        self._is_hurried = False
        self._due = lanes
        self._coming: deque[Iterator[K]] = deque()
        """Sources of many names; each turn takes some of them."""

        self._under_way: dict[K, Deferred[None]] = {}
        self._later: list[tuple[float, int, K]] = []
        """A heap; the number keeps names from being compared."""

        self._later_names: set[K] = set()
        self._later_count = 0
        self._failures: dict[K, int] = {}
        """Failures in a row by name."""

        self._pauses = 0
        self._paused_until = 0.0
        self._timer: IDelayedCall | None = None
        self._emptied: list[Deferred[None]] = []

    def __repr__(self) -> str:
        due, later = len(self._due), len(self._later)
        return f"<WriteQueue {due} due, {len(self._under_way)} under way, {later} later>"

    def start(self) -> None:
        """Begin to write the names that are added from now on."""
        self._is_running = True

    def stop(self) -> None:
        """Forget everything, and cancel the requests under way."""
        self._is_running = self._is_hurried = False
        self._due.clear()
        self._coming.clear()
        self._later.clear()
        self._later_names.clear()
        self._failures.clear()
        self._pauses, self._paused_until = 0, 0.0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for writing in tuple(self._under_way.values()):
            writing.cancel()
        self._notify_if_empty()

    def add(self, name: K, delay: float = 0.0) -> None:
        """
        Write this name soon, once, however often it is added before that.

        :param delay: seconds to wait first.
        """
        if not self._is_running:
            return
        if delay > 0:
            self._add_later(name, self._clock.seconds() + delay)
        else:
            self._due.add(name)
        self._wake()

    def add_all(self, names: Iterable[K]) -> None:
        """Add many names, which are taken as they are needed."""
        if self._is_running:
            self._coming.append(iter(names))
            self._wake()

    def hurry(self) -> Deferred[None]:
        """
        Write everything that is due as fast as the server can.

        :return: fires when nothing is left, or with `stop`.
        """
        self._is_hurried = True
        emptied: Deferred[None] = Deferred()
        self._emptied.append(emptied)
        self._wake()
        return emptied

    # Turns.

    def _wake(self) -> None:
        """
        Schedule a turn for as soon as the caller, who may add a thousand names, has finished.
        """
        if self._timer is not None and self._timer.getTime() <= self._clock.seconds():
            return
        self._schedule(0.0)

    def _schedule(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.callLater(delay, self._take_turn)

    def _take_turn(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        self._let_some_come()
        while self._later and self._later[0][0] <= now:
            name = heappop(self._later)[2]
            self._later_names.discard(name)
            self._due.add(name)
        delay = self._begin_some(now)
        if self._later:
            until_later = self._later[0][0] - now
            delay = until_later if delay is None else min(delay, until_later)
        if self._coming:
            delay = 0.0
        if delay is not None:
            self._schedule(max(0.0, delay))
        self._notify_if_empty()

    def _let_some_come(self) -> None:
        if self._coming:
            some = tuple(islice(self._coming[0], LOOKS_PER_TURN))
            self._due.add_all(some)
            if not some:
                self._coming.popleft()

    def _begin_some(self, now: float) -> float | None:
        """:return: seconds until more can be begun; None if that depends on other events."""
        at_once = HURRIED_AT_ONCE if self._is_hurried else AT_ONCE
        waits: dict[int, float] = {}
        for _ in range(LOOKS_PER_TURN):
            if len(self._under_way) >= at_once:
                return None
            found = self._due.first(self._under_way, waits)
            if found is None:
                return min(waits.values(), default=None)
            if now < self._paused_until:
                return self._paused_until - now
            lane, name = found
            write = self._prepare(name)
            if write is None:
                self._due.discard(name)
                self._failures.pop(name, None)
                continue
            wait = 0.0 if self._is_hurried else self._due.take_token(lane, now)
            if wait > 0:
                write.close()
                waits[lane] = wait
                continue
            self._due.discard(name)
            self._begin(name, write)
        return 0.0

    def _begin(self, name: K, write: Write) -> None:
        writing = Deferred.fromCoroutine(within(REQUEST_TIMEOUT, self._clock, write))
        self._under_way[name] = writing
        writing.addCallbacks(self._done, self._not_done, (name,), errbackArgs=(name,))

    # Endings.

    def _done(self, result: None, name: K) -> None:
        self._pauses = 0
        self._failures.pop(name, None)
        self._ended(name)

    def _not_done(self, failure: Failure, name: K) -> None:
        error = failure.value
        if not self._is_running:
            # It was cancelled, or stopped at the same moment.
            self._ended(name)
            return
        if not isinstance(error, IngressError):
            self.log.failure("Writing {name} failed", failure, name=name)
            self._try_later(name)
        else:
            self._failed(name, error)
            if is_of_server(error):
                self._pause(error)
                self._due.add(name)
            else:
                self._try_later(name)
        self._ended(name)

    def _ended(self, name: K) -> None:
        self._under_way.pop(name, None)
        if self._is_running:
            self._wake()
        else:
            self._notify_if_empty()

    def _try_later(self, name: K) -> None:
        count = self._failures[name] = self._failures.get(name, 0) + 1
        delay = self._jittered(growing_delay(FIRST_DELAY, MAX_DELAY, count))
        self._add_later(name, self._clock.seconds() + delay)

    def _add_later(self, name: K, when: float) -> None:
        if name in self._later_names:
            return
        self._later_names.add(name)
        self._later_count += 1
        heappush(self._later, (when, self._later_count, name))

    def _pause(self, error: IngressError) -> None:
        """Pause all writes: the fault is the server's."""
        now = self._clock.seconds()
        if now < self._paused_until:
            return  # one of several requests that failed together
        self._pauses += 1
        pause = self._jittered(growing_delay(FIRST_PAUSE, MAX_PAUSE, self._pauses))
        if isinstance(error, APIError) and error.retry_after is not None:
            pause = max(pause, min(error.retry_after, MAX_DELAY))
        self._paused_until = now + pause

    def _jittered(self, delay: float) -> float:
        return delay * (0.75 + 0.5 * self._random.random())

    def _notify_if_empty(self) -> None:
        if self._due or self._coming or self._under_way:
            return
        emptied, self._emptied = self._emptied, []
        for each in emptied:
            each.callback(None)


def is_of_server(error: IngressError) -> bool:
    """Whether the error concerns every request, and not only this one."""
    if isinstance(error, APIError):
        return error.code in (401, 429, 502, 503, 504)
    return isinstance(error, APIUnreachable)
