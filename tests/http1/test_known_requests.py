"""Tests of `ingress.http1.known_requests`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Limits
from ingress.http1.head import MAX_KEPT, MAX_KEPT_FIELDS
from ingress.http1.known_requests import KnownHead, KnownRequests
from ingress.message import HeadCache, Request

LIMITS = Limits()


def request(fields: int = 0, cache: HeadCache | None = None) -> Request:
    made = [(b"a", b"A", b"1")] * fields
    return Request(b"GET", b"/", b"/", b"a", b"a", made, 0, cache=cache)


class KnownRequestsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.known = KnownRequests(room=10_000)

    def keep(self, data: bytes, kept: Request | None = None) -> KnownHead:
        self.known.keep(data, LIMITS, kept or request())
        found = self.known.find(data, LIMITS)
        assert found is not None
        return found

    def test_known(self) -> None:
        """What was kept is found by the same bytes and limits alone."""
        kept = request()
        self.known.keep(b"head", LIMITS, kept)
        found = self.known.find(b"head", LIMITS)
        assert found is not None
        self.assertIs(found.request, kept)
        self.assertEqual(found.data, b"head")
        self.assertIsNone(self.known.find(b"hea", LIMITS))
        self.assertIsNone(self.known.find(b"head", Limits()))

    def test_room(self) -> None:
        """Memory is bounded, and what was used last is still known."""
        for number in range(1000):
            self.keep(b"%d" % number)
            self.assertIsNotNone(self.known.find(b"0", LIMITS))
        self.assertLess(len(self.known), 50)
        self.assertIsNotNone(self.known.find(b"999", LIMITS))
        self.assertIsNone(self.known.find(b"1", LIMITS))

    def test_weight(self) -> None:
        """Fields weigh once for all that share them."""

        def count(shares: bool) -> int:
            known, cache = KnownRequests(room=100_000), HeadCache()
            for number in range(1000):
                known.keep(b"%d" % number, LIMITS, request(40, cache if shares else None))
            return len(known)

        self.assertGreater(count(shares=True), count(shares=False) * 4)

    def test_weight_of_used(self) -> None:
        """What is used again, and so goes over to the next generation, weighs there as much."""
        for shares in (False, True):
            known = KnownRequests(room=100_000)
            for number in range(100):
                cache = HeadCache()
                names = [b"%d" % number, b"%d again" % number] if shares else [b"%d" % number]
                for name in names:
                    known.keep(name, LIMITS, request(40, cache))
                # Of those that share their fields, the one that they were weighed with is not used.
                for earlier in range(number):
                    known.find(b"%d again" % earlier if shares else b"%d" % earlier, LIMITS)
            self.assertLessEqual(len(known), 2 * len(names) * 100_000 // (40 * 200))

    def test_dropped(self) -> None:
        """Whoever remembers what is dropped keeps no memory with it."""
        first = self.keep(b"first")
        for number in range(100):
            self.keep(b"%d" % number)
        self.assertEqual((first.data, first.request), (b"", None))
        last = self.keep(b"last")
        self.known.keep(b"other", Limits(), request())
        self.assertEqual((last.data, last.request), (b"", None))
        self.assertEqual(len(self.known), 1)

    def test_again(self) -> None:
        """What is known already stays as it is, in either generation."""
        first = self.keep(b"first")
        for number in range(19):
            self.assertIs(self.keep(b"first"), first)
            self.keep(b"%d" % number)

    def test_not_kept(self) -> None:
        """Neither a large head nor one of many fields is kept."""
        self.known.keep(b"a" * (MAX_KEPT + 1), LIMITS, request())
        self.known.keep(b"many", LIMITS, request(MAX_KEPT_FIELDS + 1))
        self.assertEqual(len(self.known), 0)
