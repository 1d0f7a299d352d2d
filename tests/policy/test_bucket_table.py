"""Tests of the buckets of clients, against the algorithm of nginx."""

from __future__ import annotations

import mmap
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.bucket_table import (
    SIZE,
    WAYS,
    Buckets,
    BucketTable,
    LocalBuckets,
    Rate,
    Refusal,
)

ONE_A_SECOND = Rate(1000, 5000, 0)
ONE_A_MINUTE = Rate(16, 5000, 7)

HASHES = 1 << 40
"""Where the names of clients begin: they are hashes, and a salt makes none of them 0, which is
the name of an empty place."""


@dataclass
class Node:
    """A node of nginx's tree; `last` is 0 until it is accounted for."""

    excess: int
    last: int


class NginxLimits:
    """
    What ``ngx_http_limit_req_handler`` does, with ``nodelay`` and without a bound of its memory.
    """

    def __init__(self, rates: tuple[Rate, ...]) -> None:
        self._rates = rates
        self._nodes: dict[tuple[int, int], Node] = {}

    def handle(self, client: int, now: int) -> bool:
        looked_up: list[Node] = []
        for number, rate in enumerate(self._rates):
            is_last = number == len(self._rates) - 1
            node = self._nodes.get((number, client))
            if node is None:
                node = self._nodes[number, client] = Node(0, now if is_last else 0)
            else:
                excess = self.excess(node, rate, now)
                if excess > rate.burst:
                    return False
                if is_last:
                    self.account(node, excess, now)
            if not is_last:
                looked_up.append(node)
        for node, rate in zip(looked_up, self._rates, strict=False):
            self.account(node, self.excess(node, rate, now), now)
        return True

    @staticmethod
    def passed(node: Node, now: int) -> int:
        passed = now - node.last
        if passed < -60000:
            return 1
        return max(passed, 0)

    def excess(self, node: Node, rate: Rate, now: int) -> int:
        leaked = rate.leak * self.passed(node, now) // 1000
        return max(node.excess - leaked + 1000, 0)

    def account(self, node: Node, excess: int, now: int) -> None:
        node.excess = excess
        if self.passed(node, now):
            node.last = now


@st.composite
def rates(draw: st.DrawFn) -> tuple[Rate, ...]:
    """One limit or two."""
    found = []
    for salt in range(draw(st.integers(1, 2))):
        most, period = draw(st.integers(1, 2000)), draw(st.sampled_from([1, 60]))
        found.append(Rate(most * 1000 // period, most * draw(st.integers(1, 7)) * 1000, salt))
    return tuple(found)


REQUESTS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.one_of(
            st.just(0), st.integers(-3, 2000), st.sampled_from([-60_001, 59_999, 62_500, 10**6])
        ),
    ),
    max_size=120,
)
"""Clients, and milliseconds that pass before each request; the clock may go back."""


class LocalTests(SynchronousTestCase):
    """The buckets of one process."""

    def make(self, sets: int = 1) -> Buckets:
        return LocalBuckets(sets)

    def statuses(self, table: Buckets, rate: Rate, *moments: int, client: int = 1) -> str:
        """``+`` for each request that is admitted, ``-`` for one that is refused."""
        taken = (table.take(client, 0, moment, (rate,)) for moment in moments)
        return "".join("+" if refusal is None else "-" for refusal in taken)

    def check_as_nginx(self, limits: tuple[Rate, ...], requests: list[tuple[int, int]]) -> None:
        nginx, table, now = NginxLimits(limits), self.make(1 << 4), 10**7
        for client, passed in requests:
            now = max(1, now + passed)
            admitted = table.take(HASHES + client, 0, now, limits) is None
            self.assertEqual(admitted, nginx.handle(client, now), (client, now))

    @given(rates(), REQUESTS)
    def test_as_nginx(self, limits: tuple[Rate, ...], requests: list[tuple[int, int]]) -> None:
        """Every request is admitted or refused as nginx does."""
        self.check_as_nginx(limits, requests)

    def test_burst(self) -> None:
        """One more than the burst passes at once, then one for each that has leaked."""
        table = self.make()
        self.assertEqual(self.statuses(table, ONE_A_SECOND, *[1000] * 8), "++++++--")
        self.assertEqual(self.statuses(table, ONE_A_SECOND, 1999, 2000, 2000), "-+-")
        self.assertEqual(self.statuses(table, ONE_A_SECOND, *[9000] * 8), "++++++--")

    def test_slow(self) -> None:
        """nginx rounds a rate a minute down to thousandths a second: one needs 62.5 s."""
        table, full = self.make(), [1] * 6
        self.assertEqual(self.statuses(table, ONE_A_MINUTE, *full, 62_500, 62_501), "++++++-+")

    def test_wait(self) -> None:
        """A refusal says when a request would pass, and one a millisecond before does not."""
        for rate in (ONE_A_SECOND, ONE_A_MINUTE, Rate(333, 1000, 0), Rate(7000, 35_000, 0)):
            table = self.make()
            refusal = None
            while refusal is None:
                refusal = table.take(1, 0, 5, (rate,))
            self.assertEqual(self.statuses(table, rate, 5 + refusal.wait), "+", rate)
            refusal = table.take(1, 0, 5 + refusal.wait, (rate,))
            assert refusal is not None
            self.assertEqual(refusal.which, 0)

    def test_all_or_none(self) -> None:
        """A request that one limit refuses takes nothing from the other, and the first one is told."""
        table = self.make()
        small, large = Rate(1000, 1000, 2), Rate(1000, 3000, 4)
        for _ in range(2):
            self.assertIsNone(table.take(1, 0, 0, (large, small)))
        for _ in range(5):
            self.assertEqual(table.take(1, 0, 0, (large, small)), Refusal(1, 1000))
        self.assertEqual(self.statuses(table, large, 0, 0, 0), "++-")

    def test_clients(self) -> None:
        """Clients have buckets of their own, in one set and in others."""
        table = self.make(4)
        for client in (1, 2, 5, -1, -(2**63), 2**63 - 1):
            expected = "++++++-"
            self.assertEqual(self.statuses(table, ONE_A_SECOND, *[0] * 7, client=client), expected)

    def test_sprayed(self) -> None:
        """A client at its limit stays there, however many come once."""
        table = self.make()
        self.statuses(table, ONE_A_SECOND, *[0] * 6, client=-1)
        for client in range(1, 1000):
            self.assertIsNone(table.take(client, 0, 0, (ONE_A_SECOND,)))
        self.assertEqual(self.statuses(table, ONE_A_SECOND, 0, client=-1), "-")

    def test_zones(self) -> None:
        """A zone that many clients come to pushes out its own, and not those of another zone."""
        table = self.make()
        self.assertIsNone(table.take(-1, 1, 0, (Rate(1000, 0, 0),)))
        for client in range(1, 1000):
            self.assertIsNone(table.take(client, 2, 0, (ONE_A_MINUTE,)))
        self.assertEqual(self.statuses(table, Rate(1000, 0, 0), 0, client=-1), "-")

    def test_leaked(self) -> None:
        """Buckets that are empty give way first, so that no full one is forgotten."""
        table = self.make()
        for client in range(1, WAYS):
            self.assertEqual(self.statuses(table, ONE_A_SECOND, 0, client=client), "+")
        self.statuses(table, ONE_A_SECOND, *[0] * 6, client=-1)
        for client in range(100, 200):
            self.assertEqual(self.statuses(table, ONE_A_SECOND, 1001 + client, client=client), "+")
        self.assertEqual(self.statuses(table, ONE_A_SECOND, 1300, 1300, client=-1), "+-")

    def test_largest(self) -> None:
        """The largest limit and burst fit into the memory, whatever the time is."""
        table, most = self.make(), 10**9 * 1000
        for rate in (Rate(most, most, 0), Rate(16, most, 1)):
            for now in (0, 10**12):
                self.assertIsNone(table.take(1, 2**63 - 1, now, (rate,)))


class SharedTests(LocalTests):
    """The same in memory that processes share."""

    def make(self, sets: int = 1) -> Buckets:
        return BucketTable(sets=sets)

    @given(rates(), REQUESTS)
    def test_as_nginx(self, limits: tuple[Rate, ...], requests: list[tuple[int, int]]) -> None:
        """Every request is admitted or refused as nginx does."""
        self.check_as_nginx(limits, requests)

    def test_shared(self) -> None:
        """Two views of one memory are one table."""
        memory = mmap.mmap(-1, SIZE)
        tables = [BucketTable(memory), BucketTable(memory)]
        for number in range(6):
            self.assertIsNone(tables[number % 2].take(9, 0, 0, (ONE_A_SECOND,)))
        for table in tables:
            self.assertIsNotNone(table.take(9, 0, 0, (ONE_A_SECOND,)))
