"""Tests of the counts of requests in flight, of one process and of several."""

from __future__ import annotations

import mmap
import os

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.bucket_table import Rate
from ingress.policy.in_flight import MOST_IDLE, SIZE, WAYS, InFlight, Region
from ingress.policy.limiter import SharedLimits
from tests.support.forked import PATIENCE, Forked, waiting


def begin(flights: InFlight, client: int, most: int) -> bool:
    """Begin a request of a client; return whether it was counted."""
    return flights.begin(flights.flight_of(client), most)


class InFlightTests(SynchronousTestCase):
    def test_bound(self) -> None:
        """A client has so many at most, and another one when one is over."""
        flights = InFlight()
        self.assertEqual([begin(flights, 1, 2) for _ in range(3)], [True, True, False])
        self.assertTrue(begin(flights, 2, 1))
        flights.end(flights.flight_of(1))
        self.assertEqual([begin(flights, 1, 2) for _ in range(2)], [True, False])

    def test_memory(self) -> None:
        """Clients without a request in flight are forgotten, and those with one never."""
        flights = InFlight()
        busy, idle = flights.flight_of(-1), flights.flight_of(-2)
        self.assertTrue(flights.begin(busy, 1))
        for client in range(3 * MOST_IDLE):
            flight = flights.flight_of(client)
            flights.begin(flight, 1)
            flights.end(flight)
        self.assertEqual(repr(flights), "<InFlight of 1 clients>")
        self.assertLessEqual(len(flights), MOST_IDLE)
        self.assertEqual((busy.is_kept, idle.is_kept), (True, False))
        self.assertIs(flights.flight_of(-1), busy)
        self.assertFalse(begin(flights, -1, 1))


class RegionTests(SynchronousTestCase):
    def test_counts(self) -> None:
        """Counts are found by client, and places of those that are 0 are used again."""
        region = Region(mmap.mmap(-1, SIZE))
        same_set = [1 << 50 | number << 20 for number in range(100)]
        for client in same_set:
            region.put(client, 3)
            self.assertEqual(region.count(client), 3)
            region.put(client, 0)
        self.assertEqual([region.count(client) for client in same_set], [0] * 100)

    def test_full(self) -> None:
        """A client for whom there is no room does not push out another one."""
        region = Region(mmap.mmap(-1, SIZE))
        clients = [number << 20 for number in range(1, WAYS + 2)]
        for client in clients:
            region.put(client, 1)
        self.assertEqual([region.count(client) for client in clients], [1] * WAYS + [0])


class SharedTests(SynchronousTestCase):
    """Several processes."""

    def setUp(self) -> None:
        self.limits = SharedLimits(3)
        self.addCleanup(os.close, self.limits.descriptor)

    def test_together(self) -> None:
        """What a process has in flight, the others count; when it is killed, they no longer do."""

        def begin_some() -> int:
            flights = self.limits.limiter().in_flight
            return sum(begin(flights, 7, 5) for _ in range(3))

        process, wait = waiting(begin_some)
        wait()
        flights = self.limits.limiter().in_flight
        self.assertEqual([begin(flights, 7, 5) for _ in range(3)], [True, True, False])
        process.kill()
        # Its successor begins with nothing in flight.
        self.assertTrue(Forked(lambda: begin(self.limits.limiter().in_flight, 7, 3)).result())

    # On a busy machine a process may lose its core for longer than others wait for its lock, which
    # then count without it. So those of these tests wait for it as long as the tests do.

    def test_exact(self) -> None:
        """However processes hurry, all together never have more in flight than the bound."""

        def hurry() -> list[int]:
            flights, admitted = self.limits.limiter(PATIENCE).in_flight, []
            for client in range(2000):
                admitted.append(sum(begin(flights, client, 2) for _ in range(2)))
            # The counts of a process stay until another one takes its place.
            return admitted

        processes = [Forked(hurry) for _ in range(3)]
        results = [process.result() for process in processes]
        self.assertEqual([sum(each) for each in zip(*results, strict=True)], [2] * 2000)

    def test_rates(self) -> None:
        """However processes hurry, a bucket takes as much as that of one process, and no more."""

        def hurry() -> list[int]:
            buckets, admitted = self.limits.limiter(PATIENCE).buckets, []
            for client in range(1, 2000):
                taken = [buckets.take(client, 0, 0, (Rate(1000, 4000, 0),)) for _ in range(3)]
                admitted.append(taken.count(None))
            return admitted

        processes = [Forked(hurry) for _ in range(3)]
        results = [process.result() for process in processes]
        self.assertEqual([sum(each) for each in zip(*results, strict=True)], [5] * 1999)
