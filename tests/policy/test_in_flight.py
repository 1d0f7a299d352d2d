"""Tests of the counts of requests in flight, of one process and of several."""

from __future__ import annotations

import mmap
import os

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.bucket_table import Rate
from ingress.policy.in_flight import SIZE, WAYS, InFlight, Region
from ingress.policy.limiter import SharedLimits
from tests.support.forked import Forked, waiting


class InFlightTests(SynchronousTestCase):
    def test_bound(self) -> None:
        """A client has so many at most, and another one when one is over."""
        flights = InFlight()
        self.assertEqual([flights.begin(1, 2) for _ in range(3)], [True, True, False])
        self.assertTrue(flights.begin(2, 1))
        flights.end(1)
        self.assertEqual([flights.begin(1, 2) for _ in range(2)], [True, False])

    def test_memory(self) -> None:
        """Clients without a request in flight take no room."""
        flights = InFlight()
        for client in range(100):
            flights.begin(client, 1)
            flights.end(client)
        self.assertEqual(repr(flights), "<InFlight of 0 clients>")


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

        def begin() -> int:
            flights = self.limits.limiter().in_flight
            return sum(flights.begin(7, 5) for _ in range(3))

        process, wait = waiting(begin)
        wait()
        flights = self.limits.limiter().in_flight
        self.assertEqual([flights.begin(7, 5) for _ in range(3)], [True, True, False])
        process.kill()
        # Its successor begins with nothing in flight.
        self.assertTrue(Forked(lambda: self.limits.limiter().in_flight.begin(7, 3)).result())

    def test_exact(self) -> None:
        """However processes hurry, all together never have more in flight than the bound."""

        def hurry() -> list[int]:
            flights, admitted = self.limits.limiter().in_flight, []
            for client in range(2000):
                admitted.append(sum(flights.begin(client, 2) for _ in range(2)))
            # The counts of a process stay until another one takes its place.
            return admitted

        processes = [Forked(hurry) for _ in range(3)]
        results = [process.result() for process in processes]
        self.assertEqual([sum(each) for each in zip(*results, strict=True)], [2] * 2000)

    def test_rates(self) -> None:
        """However processes hurry, a bucket takes as much as that of one process, and no more."""

        def hurry() -> list[int]:
            buckets, admitted = self.limits.limiter().buckets, []
            for client in range(1, 2000):
                taken = [buckets.take(client, 0, 0, (Rate(1000, 4000, 0),)) for _ in range(3)]
                admitted.append(taken.count(None))
            return admitted

        processes = [Forked(hurry) for _ in range(3)]
        results = [process.result() for process in processes]
        self.assertEqual([sum(each) for each in zip(*results, strict=True)], [5] * 1999)
