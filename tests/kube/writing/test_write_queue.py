"""
Tests for `ingress.kube.writing.write_queue`.
"""

from __future__ import annotations

import gc
from random import Random

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ingress.errors import IngressError
from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.kube.writing.lanes import Lanes
from ingress.kube.writing.write_queue import (
    AT_ONCE,
    FIRST_DELAY,
    FIRST_PAUSE,
    HURRIED_AT_ONCE,
    LOOKS_PER_TURN,
    MAX_DELAY,
    REQUEST_TIMEOUT,
    Write,
    WriteQueue,
)
from ingress.token_bucket import TokenBucket
from tests.support.turn_clock import TurnClock

MANY = TokenBucket(1e6, 1000)
GONE = APIUnreachable("connection refused")
REFUSED = APIError(403, "Forbidden", "no")
BUSY = APIError(429, "TooManyRequests", "no")


class QueueTestCase(SynchronousTestCase):
    """A queue whose writes the test ends."""

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.under_way: dict[str, Deferred[None]] = {}
        self.looked_at: list[str] = []
        self.nothing_for: set[str] = set()
        self.failures: list[tuple[str, IngressError]] = []
        self.use(MANY)

    def use(self, bucket: TokenBucket) -> None:
        self.queue: WriteQueue[str] = WriteQueue(
            self.prepare,
            Lanes(lambda name: 0, [bucket]),
            self.failed,
            clock=self.clock,
            random=Random(1),
        )
        self.queue.start()

    def prepare(self, name: str) -> Write | None:
        self.looked_at.append(name)
        return None if name in self.nothing_for else self.write(name)

    async def write(self, name: str) -> None:
        self.under_way[name] = Deferred()
        try:
            await self.under_way[name]
        finally:
            del self.under_way[name]

    def failed(self, name: str, error: IngressError) -> None:
        self.failures.append((name, error))

    def add(self, names: str) -> None:
        for name in names:
            self.queue.add(name)
        self.clock.advance(0)

    def end(self, name: str, error: Exception | None = None) -> None:
        if error is None:
            self.under_way[name].callback(None)
        else:
            self.under_way[name].errback(error)
        self.clock.advance(0)

    def names(self) -> str:
        """Those under way."""
        return "".join(self.under_way)


class WriteTests(QueueTestCase):
    """Each added name is written once."""

    def test_once(self) -> None:
        """One that is added twice is written once, in the next turn."""
        self.queue.add("a")
        self.queue.add("a")
        self.assertEqual(self.names(), "")
        self.clock.advance(0)
        self.assertEqual(self.names(), "a")
        self.end("a")
        self.assertEqual((self.names(), self.looked_at), ("", ["a"]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_at_once(self) -> None:
        """A few at once, the others in their order."""
        self.add("abcdefghijkl")
        self.assertEqual(self.names(), "abcdefghijkl"[:AT_ONCE])
        self.assertEqual(repr(self.queue), "<WriteQueue 4 due, 8 under way, 0 later>")
        self.end("b")
        self.assertEqual(self.names(), "acdefghi")

    def test_added_meanwhile(self) -> None:
        """One that changes while it is written is written again after that."""
        self.add("a")
        self.add("a")
        self.assertEqual(self.looked_at, ["a"])
        self.end("a")
        self.assertEqual((self.names(), self.looked_at), ("a", ["a", "a"]))

    def test_nothing_to_write(self) -> None:
        """Names for which there is nothing cost neither time nor a share of what may be written."""
        self.use(TokenBucket(1, 1))
        self.nothing_for = set("bcdefgh")
        self.add("bcdefgha")
        self.assertEqual(self.names(), "a")

    def test_turns(self) -> None:
        """After so many looks others have their turn."""
        names = [str(number) for number in range(LOOKS_PER_TURN + 5)]
        self.nothing_for = set(names)
        for name in names:
            self.queue.add(name)
        self.clock.advance(0)
        self.assertEqual(len(self.looked_at), LOOKS_PER_TURN)
        self.clock.advance(0)
        self.assertEqual(self.looked_at, names)

    def test_many(self) -> None:
        """Many names are taken as they are needed, and do not delay later ones."""
        names = iter([f"n{number}" for number in range(3 * LOOKS_PER_TURN)])
        self.nothing_for = {f"n{number}" for number in range(3 * LOOKS_PER_TURN)}
        self.queue.add_all(names)
        self.queue.add_all("ab")
        self.queue.add("c")
        self.clock.advance(0)
        self.assertEqual(next(names), f"n{LOOKS_PER_TURN}")
        self.clock.pump([0] * 12)
        self.assertEqual(next(names, None), None)
        self.assertEqual(self.names(), "cab")
        self.assertEqual(len(self.looked_at), 3 * LOOKS_PER_TURN - 1 + 3)
        for name in "abc":
            self.end(name)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_rate(self) -> None:
        """No more often than the bucket allows."""
        self.use(TokenBucket(rate=2, burst=2))
        self.add("abcd")
        self.assertEqual(self.names(), "ab")
        self.clock.advance(0.49)
        self.assertEqual(self.names(), "ab")
        self.clock.advance(0.02)
        self.assertEqual(self.names(), "abc")

    def test_delay(self) -> None:
        """One may be added for later, but is not kept back if it is added for now as well."""
        self.queue.add("a", 60)
        self.queue.add("a", 60)
        self.queue.add("b", 30)
        self.clock.advance(0)
        self.assertEqual(self.names(), "")
        self.clock.advance(30)
        self.clock.advance(0)
        self.assertEqual(self.names(), "b")
        self.end("b")
        self.add("a")
        self.end("a")
        self.nothing_for = {"a"}
        self.clock.advance(30)
        self.clock.advance(0)
        self.assertEqual(self.looked_at, ["b", "a", "a"])


class FailureTests(QueueTestCase):
    """A failed write is reported, and tried again."""

    def test_one(self) -> None:
        """A fault of one keeps no other; it is tried again later, and later each time."""
        self.add("ab")
        self.end("a", REFUSED)
        self.assertEqual(self.failures, [("a", REFUSED)])
        self.add("c")
        self.assertEqual(self.names(), "bc")
        delays = []
        for _ in range(12):
            before = self.clock.seconds()
            while "a" not in self.under_way:
                self.clock.advance(FIRST_DELAY / 8)
            delays.append(self.clock.seconds() - before)
            self.end("a", REFUSED)
        self.assertLess(delays[0], 2 * FIRST_DELAY)
        self.assertGreater(delays[5], 10 * FIRST_DELAY)
        self.assertLess(delays[-1], 1.3 * MAX_DELAY)
        self.assertEqual(self.names(), "bc")

    def test_forgotten(self) -> None:
        """Once it is written, or there is nothing to write, its failures do not count."""
        for nothing_for in (set[str](), {"a"}):
            self.queue.stop()
            self.queue.start()
            for _ in range(8):
                self.add("a")
                self.end("a", REFUSED)
            self.nothing_for = nothing_for
            self.clock.advance(2 * MAX_DELAY)
            self.clock.advance(0)
            if not nothing_for:
                self.end("a")
            self.nothing_for = set()
            self.add("a")
            self.end("a", REFUSED)
            self.clock.advance(1.3 * FIRST_DELAY)
            self.clock.advance(0)
            self.assertEqual(self.names(), "a")

    def test_server(self) -> None:
        """A fault of the server keeps all, and nothing is asked of it until the pause is over."""
        for error in (GONE, BUSY, *(APIError(code, "", "no") for code in (401, 502, 503, 504))):
            self.queue.stop()
            self.queue.start()
            self.add("a")
            self.end("a", error)
            self.add("b")
            self.clock.advance(FIRST_PAUSE * 0.74)
            self.assertEqual(self.names(), "", error)
            self.clock.advance(FIRST_PAUSE)
            self.assertEqual(self.names(), "ab", error)

    def test_server_for_long(self) -> None:
        """The pauses become longer, and short again once it answers."""
        pauses = []
        self.add("abcd")
        for _ in range(9):
            for name in self.names():
                self.under_way[name].errback(GONE)
            before = self.clock.seconds()
            while not self.under_way:
                self.clock.advance(FIRST_PAUSE / 8)
            pauses.append(self.clock.seconds() - before)
        self.assertLess(pauses[0], 2 * FIRST_PAUSE)
        self.assertGreater(pauses[4], 10 * FIRST_PAUSE)
        self.assertLess(pauses[-1], 40)
        for name in self.names():
            self.end(name)
        self.add("e")
        self.end("e", GONE)
        self.clock.advance(2 * FIRST_PAUSE)
        self.assertEqual(self.names(), "e")

    def test_retry_after(self) -> None:
        """A delay that the server asks for applies."""
        self.add("a")
        self.end("a", APIError(429, "TooManyRequests", "no", 20.0))
        self.clock.advance(19.9)
        self.assertEqual(self.names(), "")
        self.clock.advance(0.2)
        self.assertEqual(self.names(), "a")

    def test_hangs(self) -> None:
        """A write that takes too long is cancelled, and tried again."""
        self.add("a")
        self.clock.advance(REQUEST_TIMEOUT)
        self.assertEqual(self.names(), "")
        self.assertEqual([name for name, _ in self.failures], ["a"])
        self.clock.advance(2 * FIRST_PAUSE)
        self.assertEqual(self.names(), "a")

    def test_bug(self) -> None:
        """A fault of ours is logged, and keeps no other."""
        self.add("a")
        self.end("a", ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.failures, [])
        self.clock.advance(2 * FIRST_DELAY)
        self.clock.advance(0)
        self.assertEqual(self.names(), "a")


class StopTests(QueueTestCase):
    """A stopped queue writes nothing."""

    def test_stop(self) -> None:
        """Writes under way are cancelled, and the rest is forgotten."""
        self.add("ab")
        self.end("b", REFUSED)
        self.add("cdefgh")
        self.queue.stop()
        self.assertEqual(self.names(), "")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.add("x")
        self.queue.add_all("xyz")
        self.queue.start()
        self.add("y")
        self.assertEqual(self.names(), "y")

    def test_no_warning(self) -> None:
        """A write that was prepared and not begun leaves no warning."""
        self.use(TokenBucket(rate=1, burst=1))
        self.add("ab")
        self.queue.stop()
        gc.collect()
        self.assertEqual(self.flushWarnings(), [])


class HurryTests(QueueTestCase):
    """Before the end everything is written as fast as can be."""

    def test_hurry(self) -> None:
        """A hurried queue writes more at once, without a rate, and reports its end."""
        self.use(TokenBucket(rate=0.001, burst=1))
        names = "abcdefghijklmnopqrst"
        self.add(names)
        self.assertEqual(self.names(), "a")
        emptied = self.queue.hurry()
        self.clock.advance(0)
        self.assertEqual(len(self.under_way), HURRIED_AT_ONCE)
        for name in names:
            self.assertNoResult(emptied)
            self.end(name)
        self.successResultOf(emptied)

    def test_empty(self) -> None:
        """A queue with nothing to write is empty."""
        emptied = self.queue.hurry()
        self.clock.advance(0)
        self.successResultOf(emptied)

    def test_coming(self) -> None:
        """Names that are still to come are waited for."""
        self.nothing_for = {f"n{number}" for number in range(2 * LOOKS_PER_TURN)}
        self.queue.add_all(self.nothing_for)
        emptied = self.queue.hurry()
        self.clock.advance(0)
        self.assertNoResult(emptied)
        self.clock.pump([0] * 4)
        self.successResultOf(emptied)

    def test_failed(self) -> None:
        """One that fails is not waited for."""
        self.add("a")
        emptied = self.queue.hurry()
        self.end("a", REFUSED)
        self.successResultOf(emptied)

    def test_stop(self) -> None:
        """Stopping ends the wait for an empty queue."""
        self.add("a")
        emptied = self.queue.hurry()
        self.queue.stop()
        self.successResultOf(emptied)
