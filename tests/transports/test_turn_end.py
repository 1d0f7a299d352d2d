"""Tests of `ingress.transports.turn_end`."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.transports.turn_end import TurnEnd, TurnListener, turn_end_of


class TurnEndTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.end = TurnEnd(self.clock)
        self.ended: list[str] = []

    def test_one_timer(self) -> None:
        """All who wait are called once, in their order, by one timer."""
        one, other = User(self, "one"), User(self, "other")
        for user in (one, other, one):
            self.end.tell(user)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assertEqual(self.ended, [])
        self.clock.advance(0)
        self.assertEqual(self.ended, ["one", "other"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_again(self) -> None:
        """One that waits again while it is called is called again, by another timer."""
        user = User(self, "one", again=True)
        self.end.tell(user)
        self.clock.advance(0)
        self.assertEqual(self.ended, ["one", "one"])

    def test_failure(self) -> None:
        """One that fails keeps no other from being called."""
        self.end.tell(User(self, "bad"))
        self.end.tell(User(self, "one"))
        self.clock.advance(0)
        self.assertEqual(self.ended, ["one"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_ended_by_its_owner(self) -> None:
        """Without a clock nobody is called before `end`."""
        self.end = TurnEnd()
        self.end.tell(User(self, "one", again=True))
        self.assertEqual((self.ended, len(self.end.users)), ([], 1))
        self.end.end()
        self.assertEqual((self.ended, len(self.end.users)), (["one"], 1))

    def test_reactor_without_a_table(self) -> None:
        """A reactor that does not end its turns has a timer do it."""
        turn_end_of(self.clock).tell(User(self, "one"))
        self.clock.advance(0)
        self.assertEqual(self.ended, ["one"])


class User(TurnListener):
    def __init__(self, test: TurnEndTests, name: str, *, again: bool = False) -> None:
        self.awaits_turn = False
        self._test = test
        self._name = name
        self._again = again

    def turn_ended(self) -> None:
        if self._name == "bad":
            raise ValueError
        self._test.ended.append(self._name)
        if self._again:
            self._again = False
            self._test.end.tell(self)
