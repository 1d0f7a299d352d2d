"""
Tests for `ingress.policy.connection_field`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.connection_field import ConnectionField
from ingress.testing import read_annotations


class ConnectionFieldTests(SynchronousTestCase):
    """``connection-proxy-header``."""

    def test_values(self) -> None:
        """``close`` and ``keep-alive`` are sent, and nothing without the annotation."""
        for written, value in (("close", b"close"), (" keep-alive ", b"keep-alive"), ("", None)):
            result = read_annotations(ConnectionField, {"connection-proxy-header": written})
            self.assertEqual(getattr(result.feature, "value", None), value)
            self.assertFalse(result.faults)

    def test_others(self) -> None:
        """Everything else is reported, and not sent."""
        for written in ("upgrade", "close, x-user", "close\r\nX: y", "$http_connection"):
            result = read_annotations(ConnectionField, {"connection-proxy-header": written})
            self.assertIsNone(result.feature)
            self.assertEqual(len(result.faults), 1, written)

    def test_explained(self) -> None:
        """It says what becomes of connections."""
        self.assertIn("of its own", ConnectionField(b"close").explain())
        self.assertIn("keep-alive", ConnectionField(b"keep-alive").explain())
        self.assertEqual(ConnectionField(b"close").shown(), {"connection": "close"})
