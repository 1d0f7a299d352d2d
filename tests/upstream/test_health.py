"""Tests of `ingress.upstream.health`."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ingress.upstream.health import (
    FIRST_EJECTION,
    JITTER,
    MAX_EJECTION,
    MAX_FAILURES,
    Health,
)
from tests.support.wire import ENDPOINT, OTHER_ENDPOINT, UPSTREAM, snapshot_of

KEY = (UPSTREAM, ENDPOINT, None)
OTHER = (UPSTREAM, OTHER_ENDPOINT, None)


class LongestJitter(Random):
    """Takes nothing off the time of an ejection."""

    def random(self) -> float:
        return 0.0


class HealthTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.health = Health(self.clock.seconds, LongestJitter())

    def break_down(self, times: int = 1) -> None:
        for _ in range(times):
            self.health.failed(KEY, self.clock.seconds())

    def begin_trial(self) -> float:
        """:return: when it began."""
        began_at = self.clock.seconds()
        self.assertTrue(self.health.may_serve(KEY))
        self.health.attempt_began(KEY, began_at)
        self.assertFalse(self.health.may_serve(KEY))
        return began_at

    def delay(self) -> float:
        """Seconds until the next trial, to an eighth."""
        waited = 0.0
        while not self.health.may_serve(KEY):
            self.clock.advance(0.125)
            waited += 0.125
        return waited

    def test_failures_in_a_row(self) -> None:
        """Five failures in a row eject an endpoint, and no other."""
        self.break_down(MAX_FAILURES - 1)
        self.assertTrue(self.health.may_serve(KEY))
        self.assertFalse(self.health.concerns([ENDPOINT]))
        self.break_down()
        self.assertFalse(self.health.may_serve(KEY))
        self.assertTrue(self.health.is_ejected(KEY))
        self.assertTrue(self.health.concerns([OTHER_ENDPOINT, ENDPOINT]))
        self.assertTrue(self.health.may_serve(OTHER))
        self.assertFalse(self.health.is_ejected(OTHER))
        self.assertFalse(self.health.concerns([OTHER_ENDPOINT]))

    def test_success_resets(self) -> None:
        """A success in between starts the count again."""
        for _ in range(3):
            self.break_down(MAX_FAILURES - 1)
            self.health.succeeded(KEY, self.clock.seconds())
        self.assertTrue(self.health.may_serve(KEY))

    def test_one_trial(self) -> None:
        """One request is the trial after the time of the ejection, and no other until it is answered."""
        self.break_down(MAX_FAILURES)
        self.assertEqual(self.delay(), FIRST_EJECTION)
        began_at = self.begin_trial()
        self.health.answered(KEY, began_at)
        self.assertTrue(self.health.may_serve(KEY))
        self.assertFalse(self.health.is_ejected(KEY))

    def test_twice_as_long(self) -> None:
        """Each trial that fails doubles the ejection, up to a minute."""
        self.break_down(MAX_FAILURES)
        delays = []
        for _ in range(8):
            delays.append(self.delay())
            self.health.failed(KEY, self.begin_trial())
        self.assertEqual(delays, [1, 2, 4, 8, 16, 32, 60, MAX_EJECTION])

    def test_whole_response_forgives(self) -> None:
        """The next ejection after a whole response is as short as the first."""
        self.break_down(MAX_FAILURES)
        self.delay()
        self.health.failed(KEY, self.begin_trial())
        self.delay()
        began_at = self.begin_trial()
        self.health.answered(KEY, began_at)
        self.health.succeeded(KEY, began_at)
        self.break_down(MAX_FAILURES)
        self.assertEqual(self.delay(), FIRST_EJECTION)

    def test_same_turn(self) -> None:
        """A request of the turn of the ejection was sent before it: its time is that of the turn."""
        began_at = self.clock.seconds()
        self.break_down(MAX_FAILURES)
        self.clock.advance(0.5)
        self.health.answered(KEY, began_at)
        self.health.succeeded(KEY, began_at)
        self.assertTrue(self.health.is_ejected(KEY))

    def test_head_forgives_less(self) -> None:
        """An endpoint whose responses always break off is ejected for longer each time."""
        self.break_down(MAX_FAILURES)
        self.delay()
        began_at = self.begin_trial()
        self.health.answered(KEY, began_at)
        self.health.failed(KEY, began_at)
        self.assertTrue(self.health.may_serve(KEY))
        self.break_down(MAX_FAILURES - 1)
        self.assertEqual(self.delay(), 2 * FIRST_EJECTION)

    def test_endless_trial(self) -> None:
        """A trial that shows nothing is followed by another."""
        self.break_down(MAX_FAILURES)
        self.delay()
        self.begin_trial()
        self.assertEqual(self.delay(), FIRST_EJECTION)
        self.begin_trial()

    def test_late_news(self) -> None:
        """Requests sent before the ejection neither prolong nor end it."""
        began_at = self.clock.seconds()
        self.clock.advance(1)
        self.break_down(MAX_FAILURES)
        for _ in range(100):
            self.health.failed(KEY, began_at)
        self.health.answered(KEY, began_at)
        self.health.succeeded(KEY, began_at)
        self.assertEqual(self.delay(), FIRST_EJECTION)
        self.begin_trial()
        self.health.failed(KEY, began_at)
        self.assertEqual(self.delay(), FIRST_EJECTION)

    def test_asked_all_the_same(self) -> None:
        """An endpoint that serves because too few are left returns with its first answer."""
        self.break_down(MAX_FAILURES)
        self.clock.advance(0.5)
        self.health.attempt_began(KEY, self.clock.seconds())
        self.health.failed(KEY, self.clock.seconds())
        self.assertFalse(self.health.may_serve(KEY))
        self.health.answered(KEY, self.clock.seconds())
        self.assertTrue(self.health.may_serve(KEY))

    def test_told_once(self) -> None:
        """The log has the ejection and the return once each, with the endpoint."""
        with capturedLogs() as events:
            self.break_down(MAX_FAILURES)
            for _ in range(3):
                self.delay()
                self.health.failed(KEY, self.begin_trial())
            self.delay()
            began_at = self.begin_trial()
            self.health.answered(KEY, began_at)
            self.health.succeeded(KEY, began_at)
            self.break_down(1)
            self.health.succeeded(KEY, began_at)
        self.assertEqual(
            [(event["log_level"].name, formatEvent(event)) for event in events],
            [
                (
                    "warn",
                    f"Endpoint {ENDPOINT} of default-web-80 is left out: it failed 5 times in a row",
                ),
                ("info", f"Endpoint {ENDPOINT} of default-web-80 serves again"),
            ],
        )

    def test_gone(self) -> None:
        """Endpoints that are gone are forgotten, others are not."""
        self.break_down(MAX_FAILURES)
        self.health.published(snapshot_of(ENDPOINT))
        self.assertFalse(self.health.may_serve(KEY))
        self.health.published(snapshot_of(OTHER_ENDPOINT))
        self.assertTrue(self.health.may_serve(KEY))
        self.assertEqual(repr(self.health), "<Health failing=0 ejected=0>")
        self.health.published(snapshot_of())

    @given(st.integers(0, 2**32), st.integers(1, 10))
    def test_jitter(self, seed: int, ejections: int) -> None:
        """The time of an ejection is random within bounds, and never above the longest."""
        clock = Clock()
        health = Health(clock.seconds, Random(seed))
        for _ in range(MAX_FAILURES):
            health.failed(KEY, 0.0)
        for number in range(ejections):
            longest = min(MAX_EJECTION, FIRST_EJECTION * 2**number)
            clock.advance(longest * (1 - JITTER) - 0.001)
            self.assertFalse(health.may_serve(KEY))
            clock.advance(longest * JITTER + 0.002)
            self.assertTrue(health.may_serve(KEY))
            health.attempt_began(KEY, clock.seconds())
            health.failed(KEY, clock.seconds())
