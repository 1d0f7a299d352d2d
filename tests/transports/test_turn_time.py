"""Tests of `ingress.transports.turn_time`."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ingress.transports.turn_time import turn_time

try:
    from ingress.transports.reactor import DirectEPollReactor
except ImportError:  # no epoll on this system
    DirectEPollReactor = None  # type: ignore[assignment,misc]


class TurnTimeTests(SynchronousTestCase):
    def test_clock_without_turns(self) -> None:
        """A clock that has no turns is asked each time."""
        clock = Clock()
        turn = turn_time(clock)
        for seconds in (0.0, 2.5, 0.25):
            clock.advance(seconds)
            self.assertEqual(turn.now, clock.seconds())

    def test_other_table(self) -> None:
        """A reactor of others may have an attribute of that name."""
        clock = SimpleNamespace(seconds=lambda: 7.0, descriptor_table={})
        self.assertEqual(turn_time(clock).now, 7.0)

    def test_reactor(self) -> None:
        """Of our reactor it is the time at which the events of the turn were reported."""
        if DirectEPollReactor is None:
            raise SkipTest("this system has no epoll")
        began = time.monotonic()
        reactor: Any = DirectEPollReactor()
        self.addCleanup(reactor._poller.close)
        self.addCleanup(lambda: [each.connectionLost(None) for each in reactor._internalReaders])
        turn = turn_time(reactor)
        self.assertTrue(began <= turn.now <= time.monotonic())
        seen = []
        for _ in range(2):
            before = reactor.seconds()
            reactor.doPoll(0)
            seen.append(turn.now)
            self.assertTrue(before <= turn.now <= reactor.seconds())
            self.assertEqual(turn.now, seen[-1])
        self.assertLess(*seen)
