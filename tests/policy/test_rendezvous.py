"""Tests of rendezvous hashing."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import Endpoint
from ingress.policy.rendezvous import most_preferred, preferred

ENDPOINTS = [Endpoint(f"10.0.0.{number}", 80) for number in range(10)]
KEYS = [b"key %d" % number for number in range(2000)]

some_endpoints = st.lists(st.sampled_from(ENDPOINTS), min_size=1, unique=True)


class RendezvousTests(SynchronousTestCase):
    @given(st.binary(), some_endpoints, st.randoms(use_true_random=False))
    def test_order(self, key: bytes, endpoints: list[Endpoint], random: Random) -> None:
        """The order in which endpoints are given decides nothing."""
        shuffled = random.sample(endpoints, len(endpoints))
        self.assertEqual(preferred(key, shuffled), preferred(key, endpoints))
        self.assertEqual(most_preferred(key, shuffled, 3), most_preferred(key, endpoints, 3))

    @given(st.binary(), some_endpoints, st.sampled_from(ENDPOINTS))
    def test_fewest_moves(self, key: bytes, endpoints: list[Endpoint], other: Endpoint) -> None:
        """An endpoint more takes keys for itself alone; one less gives up its own alone."""
        without = [endpoint for endpoint in endpoints if endpoint != other]
        if without:
            chosen = preferred(key, [*without, other])
            self.assertIn(chosen, (other, preferred(key, without)))

    @given(st.binary(), some_endpoints, st.integers(1, 12))
    def test_most_preferred(self, key: bytes, endpoints: list[Endpoint], count: int) -> None:
        """The best of several are those that are preferred one after the other."""
        expected: list[Endpoint] = []
        left = list(endpoints)
        while left and len(expected) < count:
            expected.append(preferred(key, left))
            left.remove(expected[-1])
        self.assertEqual(most_preferred(key, endpoints, count), expected)

    def test_even(self) -> None:
        """Each endpoint is preferred by its share of keys."""
        shares = Counter(preferred(key, ENDPOINTS) for key in KEYS)
        self.assertEqual(len(shares), 10)
        # Six standard deviations: the keys are fixed, so that it is no matter of luck.
        for share in shares.values():
            self.assertLess(abs(share - 200), 80)

    def test_next(self) -> None:
        """The keys of one endpoint have all others as their second choice."""
        own = [key for key in KEYS if preferred(key, ENDPOINTS) == ENDPOINTS[0]]
        second = {most_preferred(key, ENDPOINTS, 2)[1] for key in own}
        self.assertEqual(second, set(ENDPOINTS[1:]))

    def test_port(self) -> None:
        """Two ports of one address are two endpoints."""
        both = [Endpoint("10.0.0.1", 80), Endpoint("10.0.0.1", 81)]
        self.assertEqual({preferred(key, both) for key in KEYS[:50]}, set(both))
