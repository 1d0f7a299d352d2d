"""Tests of `ingress.downstream.shares`."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from ingress.downstream.shares import Held, is_crowded, may_take, who_gives_way


class MayTakeTests(SynchronousTestCase):
    def test_crowded(self) -> None:
        """Most of all connections is three quarters of them."""
        self.assertFalse(is_crowded(74, 100))
        self.assertTrue(is_crowded(75, 100))
        self.assertTrue(is_crowded(1, 1))

    def test_room(self) -> None:
        """A client may have more than its share while there is room for others."""
        self.assertTrue(may_take(73, 74, 100, 0.5))

    def test_share(self) -> None:
        """A client with its share gets no more while most connections are in use; others do."""
        self.assertFalse(may_take(50, 75, 100, 0.5))
        self.assertTrue(may_take(49, 75, 100, 0.5))
        self.assertTrue(may_take(0, 99, 100, 0.5))

    def test_alone(self) -> None:
        """A client that has all that are in use may have them all."""
        self.assertTrue(may_take(99, 99, 100, 0.5))

    def test_off(self) -> None:
        """A share of 1 is no bound."""
        self.assertTrue(may_take(98, 99, 100, 1.0))


class WhoGivesWayTests(SynchronousTestCase):
    def choose(self, *held: str, share: float = 0.5, limit: int = 8, most: int = 100) -> str:
        """
        :param held: a client each; in upper case where a request is in flight.
        :return: clients that give way, in order.
        """
        connections = [Held(one.lower(), one.islower()) for one in held]
        chosen = who_gives_way(connections, limit, share, most)
        self.assertEqual(len(chosen), len(set(chosen)))
        return "".join(held[index] for index in chosen)

    def test_most_first(self) -> None:
        """The client that holds most gives way until it holds as many as the next one."""
        self.assertEqual(self.choose(*"aaaabbc", most=2), "aa")
        self.assertEqual(Counter(self.choose(*"aaaabbc", most=4)), Counter("aaab"))

    def test_idle_first(self) -> None:
        """Idle connections of a client give way first, beginning with the oldest."""
        connections = [Held("a", False), Held("a", True), Held("a", True), Held("a", False)]
        self.assertEqual(who_gives_way(connections, 4, 0.25, 3), [1, 2, 0])

    def test_requests_beyond_the_share(self) -> None:
        """Requests in flight are cut down to the share of their client, and no further."""
        self.assertEqual(self.choose(*"AAAAAAB"), "AA")
        self.assertEqual(self.choose(*"AAAAB"), "")

    def test_most_before_idle_of_others(self) -> None:
        """The client that holds most gives way even if only others have idle connections."""
        self.assertEqual(self.choose(*"AAAAAAbb", most=1), "A")

    def test_idle_of_the_next(self) -> None:
        """If the client that holds most has its share in flight, the next one gives way."""
        self.assertEqual(self.choose(*"AAAAbbb"), "bb")

    def test_last_stays(self) -> None:
        """No client loses its last connection."""
        self.assertEqual(self.choose(*"abcdefgh"), "")
        self.assertEqual(self.choose(*"aab"), "a")
        self.assertEqual(self.choose(*"AA", share=0.0), "A")

    def test_nobody(self) -> None:
        """No connection gives way if there is none."""
        self.assertEqual(self.choose(), "")

    def test_large(self) -> None:
        """As many connections as needed are chosen among many clients."""
        connections = [Held(f"{number % 5000}", number % 3 == 0) for number in range(16384)]
        chosen = who_gives_way(connections, 16384, 0.5, 256)
        self.assertEqual(len(chosen), 256)
