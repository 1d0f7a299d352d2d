"""
Tests for `ingress.dns.route`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.dns.route import can_reach, source_of


class RouteTests(SynchronousTestCase):
    """Nothing is sent for any of these."""

    def test_own(self) -> None:
        """An address of the loopback interface is reached from itself."""
        self.assertEqual(source_of("127.0.0.1"), "127.0.0.1")
        self.assertTrue(can_reach("127.0.0.1"))

    def test_no_address(self) -> None:
        """There is no way to what is no address."""
        for text in ("", "a", "10.0.0.256", "\0", "::1::"):
            self.assertFalse(can_reach(text), text)
            self.assertIsNone(source_of(text), text)
