"""Tests of conditions beyond host and path."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.routing.condition import FieldCondition
from ingress.testing import policy_context


class FieldConditionTests(SynchronousTestCase):
    def test_value(self) -> None:
        """One field of the name with exactly the value is enough; case matters in values only."""
        condition = FieldCondition(b"x-version", b"2")
        for fields, expected in (
            ((), False),
            (((b"X-Version", b"2"),), True),
            (((b"x-version", b"1"), (b"X-VERSION", b"2")), True),
            (((b"X-Version", b"22"),), False),
            (((b"X-Version-2", b"2"),), False),
        ):
            request = policy_context(fields=fields).request
            self.assertEqual(condition.holds(request), expected, fields)
