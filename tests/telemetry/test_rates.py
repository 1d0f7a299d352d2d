"""
Tests for `ingress.telemetry.rates`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.routing.route import Route, RouteLabels
from ingress.steps import finish
from ingress.telemetry.rates import (
    MAX_RULES,
    MINUTES,
    POINTS,
    TICK,
    TICKS_OF_MINUTE,
    TICKS_OF_POINT,
    Rate,
    Rates,
    quantile,
)
from ingress.telemetry.traffic import Traffic, TrafficCounts

RULE = Route(("default", "web"), None, "/cart", host="a.example")
OTHER = Route(("default", "web"), None, "/", host="b.example")
SILENCE = Rate(0.0, None, None, None)


class QuantileTests(SynchronousTestCase):
    def test_estimated(self) -> None:
        """A quantile is estimated within its bucket, and is bounded by the last bound."""
        for buckets, share, expected in (
            ([0] * 12, 0.5, None),
            ([10] + [0] * 11, 0.5, 0.0025),
            ([0, 10] + [0] * 10, 0.5, 0.0075),
            ([5, 5] + [0] * 10, 0.99, 0.0099),
            ([0] * 11 + [3], 0.5, 10.0),
        ):
            found = quantile(buckets, share)
            if expected is None:
                self.assertIsNone(found)
            else:
                assert found is not None
                self.assertAlmostEqual(found, expected)


class RatesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.rates = Rates()

    def count(self, route: Route | None, *statuses: int, seconds: float = 0.003) -> None:
        traffic = Traffic()
        for status in statuses:
            traffic.count(route, b"GET", status, seconds, None, None, None, 1, 1)
        self.rates.add(traffic.take())

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            finish(self.rates.tick())

    def test_nothing(self) -> None:
        """Before there are requests the rate is 0, and nothing is known of times."""
        self.assertEqual(self.rates.current(), SILENCE)
        self.assertEqual(self.rates.of(RULE.labels), (SILENCE, []))
        self.tick(TICKS_OF_POINT)
        self.assertEqual(self.rates.current(), SILENCE)
        self.assertEqual(self.rates.history(), [SILENCE])

    def test_all(self) -> None:
        """The rate of now is that of the last periods, whatever rule the requests were for."""
        self.count(RULE, *[200] * 15, *[503] * 5)
        self.count(None, *[404] * 20)
        self.tick()
        rate = self.rates.current()
        self.assertEqual((rate.rate, rate.errors), (40 / TICK, 5 / 40))
        self.tick()
        self.assertEqual(self.rates.current().rate, 40 / (2 * TICK))
        self.assertEqual([point.rate for point in self.rates.history()], [40 / (2 * TICK)])
        self.tick(TICKS_OF_POINT)
        self.assertEqual(self.rates.current(), SILENCE)

    def test_overflow(self) -> None:
        """Requests that are in no series are requests, too."""
        self.rates.add(TrafficCounts(overflow=30))
        self.tick()
        self.assertEqual(self.rates.current().rate, 30 / TICK)
        self.assertIsNone(self.rates.current().p50)

    def test_rule(self) -> None:
        """A rule has a rate of this minute, and a point for each minute before."""
        self.count(RULE, 200, 200, seconds=0.2)
        self.tick(2)
        rate, history = self.rates.of(RULE.labels)
        self.assertEqual((rate.rate, rate.errors, history), (2 / (2 * TICK), 0.0, []))
        self.assertAlmostEqual(rate.p50 or 0, 0.175)
        self.tick(TICKS_OF_MINUTE - 2)
        rate, (point,) = self.rates.of(RULE.labels)
        self.assertAlmostEqual(rate.rate, 2 / 60, 5)
        self.assertAlmostEqual(point.rate, 2 / 60, 5)
        self.assertEqual(list(self.rates.rules()), [RULE.labels])
        self.assertEqual(self.rates.of(OTHER.labels), (SILENCE, []))

    def test_gap(self) -> None:
        """Minutes without requests are 0, also where an hour before there were some."""
        self.count(RULE, 200)
        self.tick(TICKS_OF_MINUTE * 3)
        self.count(RULE, *[200] * 60)
        self.tick(TICKS_OF_MINUTE)
        _, history = self.rates.of(RULE.labels)
        self.assertEqual([round(point.rate, 2) for point in history], [0.02, 0.0, 0.0, 1.0])
        self.tick(TICKS_OF_MINUTE * (MINUTES - 2))
        self.count(RULE, *[200] * 60)
        self.tick(TICKS_OF_MINUTE)
        _, history = self.rates.of(RULE.labels)
        self.assertEqual(len(history), MINUTES)
        self.assertEqual(
            [index for index, point in enumerate(history) if point.rate], [0, MINUTES - 1]
        )

    def test_forgotten(self) -> None:
        """A rule without requests for an hour is forgotten, and points are no older."""
        self.count(RULE, 200)
        self.tick(TICKS_OF_MINUTE * (MINUTES + 2))
        self.assertEqual(list(self.rates.rules()), [])
        self.assertEqual(len(self.rates.history()), POINTS)

    def test_canary(self) -> None:
        """The requests of a canary are those of its rule; those without a rule are none's."""
        traffic = Traffic()
        traffic.count(RULE, b"GET", 200, 0.1, None, None, None, 1, 1)
        counts = traffic.take()
        counts.rows = {
            series._replace(route=series.route._replace(canary="default-new-80")): row
            for series, row in counts.rows.items()
        }
        self.rates.add(counts)
        self.count(None, 404)
        self.tick()
        self.assertEqual(list(self.rates.rules()), [RULE.labels])

    def test_bounded(self) -> None:
        """So many rules have points; the requests of others are counted among all."""
        for minute in range(2):
            for start in range(0, MAX_RULES + 10, 500):
                traffic = Traffic()
                for number in range(start, start + 500):
                    route = Route(("default", "web"), None, f"/{minute}-{number}")
                    traffic.count(route, b"GET", 200, 0.1, None, None, None, 1, 1)
                self.rates.add(traffic.take())
            self.tick(TICKS_OF_MINUTE)
        self.assertEqual(sum(1 for _ in self.rates.rules()), MAX_RULES)
        self.assertIsInstance(next(self.rates.rules()), RouteLabels)
