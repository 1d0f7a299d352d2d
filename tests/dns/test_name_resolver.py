"""
Tests for `ingress.dns.name_resolver`.
"""

from __future__ import annotations

from random import Random

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.dns.errors import LookupFailed, NoAddress
from ingress.dns.lookup import Answer
from ingress.dns.name_resolver import (
    LOOKUPS_AT_ONCE,
    MAX_NEGATIVE_TTL,
    MAX_RETRY,
    MAX_WAIT,
    UNUSED_TIME,
    NameResolver,
    Resolution,
)


class RecordingNames:
    """Records the current results, and the number of changes."""

    def __init__(self) -> None:
        self.known: dict[str, Resolution] = {}
        self.changes = 0

    def put(self, name: str, resolution: Resolution) -> None:
        self.known[name] = resolution
        self.changes += 1

    def forget(self, name: str) -> None:
        del self.known[name]
        self.changes += 1


class NameResolverTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.sink = RecordingNames()
        self.asked: list[tuple[str, Deferred[Answer]]] = []
        self.resolver = NameResolver(self.clock, Random(1), self.resolve, self.sink)
        self.addCleanup(self.assert_stops)

    async def resolve(self, name: str) -> Answer:
        answered: Deferred[Answer] = Deferred()
        self.asked.append((name, answered))
        return await answered

    def assert_stops(self) -> None:
        self.resolver.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def answer(self, *addresses: str, ttl: float = 30.0) -> None:
        """The question that was asked first of those that are not answered."""
        self.asked.pop(0)[1].callback(Answer(addresses, ttl))

    def refuse(self, error: Exception) -> None:
        self.asked.pop(0)[1].errback(error)

    def names(self) -> list[str]:
        return [name for name, _ in self.asked]

    def test_wanted(self) -> None:
        """A name that is wanted is resolved at once, and again when its TTL has passed."""
        known = self.resolver.want(["a"])
        self.assertNoResult(known)
        self.answer("10.0.0.1")
        self.successResultOf(known)
        self.assertEqual(self.sink.known, {"a": Resolution(("10.0.0.1",))})
        self.clock.advance(29)
        self.assertEqual(self.names(), [])
        self.clock.advance(1)
        self.assertEqual(self.names(), ["a"])
        self.answer("10.0.0.2")
        self.assertEqual(self.sink.known, {"a": Resolution(("10.0.0.2",))})

    def test_same(self) -> None:
        """An answer that is as before is no news."""
        self.resolver.want(["a"])
        self.answer("10.0.0.1")
        self.clock.advance(30)
        self.answer("10.0.0.1", ttl=5.0)
        self.assertEqual(self.sink.changes, 1)
        self.clock.advance(5)
        self.assertEqual(self.names(), ["a"])

    def test_unwanted(self) -> None:
        """A name that is wanted no more is forgotten, whatever is under way."""
        self.resolver.want(["a", "b"])
        self.answer("10.0.0.1")
        self.successResultOf(self.resolver.want([]))
        self.assertEqual(self.sink.known, {})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_already_known(self) -> None:
        """A known name is not waited for, and wanting it again changes nothing."""
        self.resolver.want(["a"])
        self.answer("10.0.0.1")
        self.successResultOf(self.resolver.want(["a"]))
        self.assertEqual((self.names(), self.sink.changes), ([], 1))

    def test_no_answer(self) -> None:
        """Nobody waits for ever."""
        known = self.resolver.want(["a"])
        self.clock.advance(MAX_WAIT)
        self.successResultOf(known)
        self.answer("10.0.0.1")
        self.assertIn("a", self.sink.known)

    def test_no_address(self) -> None:
        """A negative answer applies at once, and is asked for again soon."""
        self.resolver.want(["a"])
        self.answer("10.0.0.1")
        self.clock.advance(30)
        self.refuse(NoAddress("the name does not exist", 3600.0))
        expected = Resolution(fault="a has no address: the name does not exist")
        self.assertEqual(self.sink.known, {"a": expected})
        self.clock.advance(MAX_NEGATIVE_TTL)
        self.answer("10.0.0.1")
        self.assertEqual(self.sink.known, {"a": Resolution(("10.0.0.1",))})

    def test_failure(self) -> None:
        """While no server answers the last addresses stay, with a constant fault."""
        self.resolver.want(["a"])
        self.answer("10.0.0.1")
        self.clock.advance(30)
        self.refuse(LookupFailed("it is silent"))
        message = "a cannot be resolved: it is silent; its last addresses stay in use"
        self.assertEqual(self.sink.known, {"a": Resolution(("10.0.0.1",), message)})
        changes = self.sink.changes
        for _ in range(10):
            self.clock.advance(MAX_RETRY)
            self.refuse(LookupFailed("it says something else each time"))
        self.assertEqual(self.sink.changes, changes)
        self.clock.advance(MAX_RETRY)
        self.answer("10.0.0.1")
        self.assertEqual(self.sink.known, {"a": Resolution(("10.0.0.1",))})

    def test_first_failure(self) -> None:
        """A name that never had an address keeps none, and counts as known."""
        known = self.resolver.want(["a"])
        self.refuse(LookupFailed("it is silent"))
        self.successResultOf(known)
        self.assertEqual(
            self.sink.known, {"a": Resolution(fault="a cannot be resolved: it is silent")}
        )
        self.clock.advance(1.0)
        self.assertEqual(self.names(), ["a"])

    def test_many(self) -> None:
        """Not all of many names are asked for at once."""
        self.resolver.want(f"n{number}" for number in range(3 * LOOKUPS_AT_ONCE))
        self.assertEqual(len(self.asked), LOOKUPS_AT_ONCE)
        while self.asked:
            self.answer("10.0.0.1")
        self.assertEqual(len(self.sink.known), 3 * LOOKUPS_AT_ONCE)

    def test_ahead(self) -> None:
        """A name can be resolved before it is wanted."""
        known = self.resolver.resolve_ahead("a")
        self.assertFalse(self.resolver.is_known("a"))
        self.answer("10.0.0.1")
        self.successResultOf(known)
        self.assertTrue(self.resolver.is_known("a"))
        self.resolver.want(["a"])
        self.clock.advance(UNUSED_TIME)
        self.assertIn("a", self.sink.known)

    def test_ahead_unused(self) -> None:
        """A name that is not wanted is dropped after a while, and not before."""
        self.resolver.resolve_ahead("a")
        self.answer("10.0.0.1", ttl=300.0)
        self.resolver.want([])
        self.resolver.resolve_ahead("a")
        self.clock.advance(UNUSED_TIME - 1)
        self.assertIn("a", self.sink.known)
        self.clock.advance(1)
        self.assertEqual(self.sink.known, {})

    def test_fault(self) -> None:
        """A fault of ours is logged."""
        self.resolver.want(["a"])
        self.refuse(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_stopped(self) -> None:
        """Stopping ends all waits, and keeps the results."""
        self.resolver.want(["a"])
        self.answer("10.0.0.1")
        known = self.resolver.want(["a", "b"])
        self.resolver.stop()
        self.successResultOf(known)
        self.assertIn("a", self.sink.known)
