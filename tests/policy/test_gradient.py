"""Tests of the bound that is learnt from times, with Services that are simulated."""

from __future__ import annotations

import heapq
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.gradient import FIRST, LEAST, Gradient


class Service:
    """
    A Service that works on so many requests at once; the others wait in a queue.

    :param places: requests that it works on.
    :param work: seconds that each takes.
    """

    def __init__(self, gradient: Gradient, places: int, work: float) -> None:
        self.gradient = gradient
        self.work = work
        self.free = [0.0] * places
        self.under_way: list[tuple[float, float]] = []
        """When requests will be answered, and when they came."""

        self.shed = self.served = 0
        self.times: list[float] = []
        self.random = Random(1)

    def run(self, seconds: float, rate: float, start: float = 0.0) -> None:
        """Let requests come at this rate, evenly but for some noise."""
        now = start
        while now < start + seconds:
            now += self.random.expovariate(rate)
            while self.under_way and self.under_way[0][0] <= now:
                self.answer()
            if self.gradient.begin():
                begins = max(now, heapq.heappop(self.free))
                ends = begins + self.work * self.random.uniform(0.8, 1.2)
                heapq.heappush(self.free, ends)
                heapq.heappush(self.under_way, (ends, now))
            else:
                self.shed += 1

    def answer(self) -> None:
        ends, came = heapq.heappop(self.under_way)
        self.served += 1
        self.times.append(ends - came)
        self.gradient.answered(ends - came, ends)


class GradientTests(SynchronousTestCase):
    def test_enough(self) -> None:
        """A Service that keeps up loses nothing, and its bound does not shrink."""
        gradient = Gradient()
        service = Service(gradient, places=50, work=0.1)
        service.run(60, rate=300)
        self.assertEqual(service.shed, 0)
        self.assertGreaterEqual(gradient.bound, FIRST)

    def test_overload(self) -> None:
        """
        With five times what a Service can do, the excess is shed: answers come soon, and as many as
        it can give.
        """
        gradient = Gradient()
        service = Service(gradient, places=20, work=0.1)
        service.run(20, rate=150)
        service.times.clear()
        service.served = service.shed = 0
        service.run(60, rate=1000, start=20)
        late = service.times[len(service.times) // 2 :]
        self.assertLess(sum(late) / len(late), 0.4)
        self.assertGreater(service.served / 60, 0.9 * 200)
        self.assertGreater(service.shed, 0)
        # And when it is over, nobody is refused any more.
        service.shed = 0
        service.run(30, rate=100, start=80)
        self.assertLess(service.shed, 10)

    def test_slow(self) -> None:
        """A Service that becomes slow for ever is not shut out: its usual time follows."""
        gradient = Gradient()
        service = Service(gradient, places=200, work=0.02)
        service.run(20, rate=500)
        service.work = 0.2
        service.run(300, rate=500, start=20)
        self.assertGreaterEqual(gradient.bound, LEAST)
        service.shed = 0
        service.run(60, rate=200, start=320)
        self.assertLess(service.shed, 120)

    def test_least(self) -> None:
        """However late answers are, some requests are let in."""
        gradient = Gradient()
        now = 0.0
        for number in range(20_000):
            now += 0.02
            if gradient.begin():
                gradient.answered(0.001 * number, now)
            while gradient.begin():
                pass
            while gradient.in_progress > 1:
                gradient.ended()
        self.assertGreaterEqual(gradient.bound, LEAST)

    def test_unanswered(self) -> None:
        """A request that ends without an answer makes room, and teaches nothing."""
        gradient = Gradient()
        count = 0
        while gradient.begin():
            count += 1
        self.assertEqual(count, FIRST)
        for _ in range(count):
            gradient.ended()
        self.assertEqual(repr(gradient), "<Gradient 0 of 64>")
