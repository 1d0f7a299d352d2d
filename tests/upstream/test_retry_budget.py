"""Tests of `ingress.upstream.retry_budget`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.upstream.retry_budget import MIN_RETRIES, RetryBudget


class RetryBudgetTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.budget = RetryBudget()

    def most(self, in_flight: int, share: float = 0.2) -> int:
        """Return how many requests may be retries at once."""
        self.budget.in_flight = in_flight
        self.budget.retries = 0
        while self.budget.allows(share):
            self.budget.retries += 1
        return self.budget.retries

    def test_share(self) -> None:
        """A share of the requests in flight may be retries."""
        self.assertEqual(self.most(1000), 200)
        self.assertEqual(self.most(1000, 0.5), 500)

    def test_few(self) -> None:
        """A few retries are always allowed."""
        self.assertEqual(self.most(1), MIN_RETRIES)
        self.assertEqual(self.most(10_000, 0.0), MIN_RETRIES)

    def test_repr(self) -> None:
        """A budget shows how much of it is used."""
        self.most(1)
        self.assertEqual(repr(self.budget), "<RetryBudget 10 of 1 are retries>")
