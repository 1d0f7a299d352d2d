"""Tests of `ingress.telemetry.counts`."""

from __future__ import annotations

import pickle
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from ingress.routing.route import Route
from ingress.telemetry.counts import Counters, CountsCollector, HTTP2End
from ingress.telemetry.totals import Totals
from ingress.telemetry.traffic import TAKEN_AT_ONCE, Traffic


class CountersTests(SynchronousTestCase):
    def test_add(self) -> None:
        """Every number is added up."""
        total = Counters()
        one = Counters(1, 2, 3, 4, 5, 6.5, 7, 8, Counter(ok=9), 10, Counter(client=11), 12)
        total.add(one)
        total.add(one)
        self.assertEqual(
            total,
            Counters(2, 4, 6, 8, 10, 13.0, 14, 16, Counter(ok=18), 20, Counter(client=22), 24),
        )

    def test_since(self) -> None:
        """So is every number's difference."""
        before = Counters(1, 1, 1, 1, 1, 1.0, 1, 1, Counter(ok=1), 1, Counter(client=1), 1)
        after = Counters(
            *(1, 2, 3, 4, 5, 6.5, 7, 8, Counter(ok=7, no_route=1), 9, Counter(client=1, route=1), 5)
        )
        expected = Counters(
            *(0, 1, 2, 3, 4, 5.5, 6, 7, Counter(ok=6, no_route=1), 8, Counter(route=1), 4)
        )
        self.assertEqual(after.since(before), expected)

    def test_http2(self) -> None:
        """Ends of streams are counted by who ended them and why, and can be sent to a process."""
        end = HTTP2End("client", "sent", "CANCEL")
        one = Counters(http2_refused=Counter(client=1), http2_resets=Counter({end: 2}))
        total = pickle.loads(pickle.dumps(one))
        total.add(one)
        self.assertEqual(total.http2_resets, {end: 4})
        self.assertEqual(total.since(one), one)


class CountsCollectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.traffic = Traffic()
        self.counters = Counters()
        self.collector = CountsCollector(self.traffic, lambda: self.counters)
        self.totals = Totals()

    def count(self, number: int) -> None:
        for each in range(number):
            route = Route(("default", "web"), None, host=f"{each}.example")
            self.traffic.count(route, b"GET", 200, 0.5, None, None, None, 1, 1)
            self.counters.outcomes["ok"] += 1

    def collect(self) -> int:
        """:return: in how many parts."""
        parts = 0
        while (counts := self.collector.take()) is not None:
            self.totals.merge(pickle.loads(pickle.dumps(counts)))
            parts += 1
        return parts

    def test_parts(self) -> None:
        """What is much comes in parts, and none of it is lost or told twice."""
        self.count(TAKEN_AT_ONCE * 2 + 1)
        self.assertEqual(self.collect(), 3)
        self.count(3)
        self.assertEqual(self.collect(), 1)
        self.assertEqual(self.totals.traffic.requests, TAKEN_AT_ONCE * 2 + 4)
        self.assertEqual(self.totals.counters.outcomes["ok"], TAKEN_AT_ONCE * 2 + 4)

    def test_busy(self) -> None:
        """What is counted while it is collected does not make it go on for ever."""
        self.count(1)
        self.assertIsNotNone(self.collector.take())
        self.count(1)
        self.assertIsNone(self.collector.take())
        self.assertIsNotNone(self.collector.take())
        self.assertIsNone(self.collector.take())

    def test_nothing(self) -> None:
        """Where nothing was counted there is nothing to add."""
        self.collect()
        self.assertEqual(self.totals.counters, Counters())
        self.assertEqual(len(self.totals.traffic), 0)
