"""
Tests for `ingress.telemetry.exchange_ring`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.telemetry.exchange_ring import MAX_PATH, SIZE, ExchangeRing
from ingress.telemetry.record import ExchangeRecord
from tests.support.exchange_record import answered, request_of


class ExchangeRingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ring = ExchangeRing()

    def test_newest(self) -> None:
        """The last records are there, the newest first, as many as it has room for."""
        self.assertEqual(self.ring.newest(), [])
        records = [answered() for _ in range(SIZE + 3)]
        for record in records[:3]:
            self.ring.put(record)
        self.assertEqual(self.ring.newest(), records[2::-1])
        self.assertEqual(self.ring.newest(2), records[2:0:-1])
        self.assertEqual(self.ring.newest(0), [])
        for record in records[3:]:
            self.ring.put(record)
        self.assertEqual(self.ring.newest(), records[:2:-1])
        self.assertEqual(self.ring.count, SIZE + 3)

    def test_nothing_secret(self) -> None:
        """Of what the client sent only method, host and path are left."""
        request = request_of(
            {b"authorization": b"Basic eA==", b"cookie": b"id=1"}, target=b"/?token=x"
        )
        record = answered(request)
        self.ring.put(record)
        self.assertIsNone(record.request)
        self.assertEqual((record.method, record.host, record.path), (b"GET", b"a.example", b"/"))
        refused = ExchangeRecord(b"192.0.2.1", 1.0)
        refused.line = b"GET /?token=x HTTP/9\r\n"
        self.ring.put(refused)
        self.assertEqual(refused.line, b"")

    def test_long_path(self) -> None:
        """Of a long path the beginning is kept."""
        request = request_of()
        request.path = b"/" + b"x" * (2 * MAX_PATH)
        record = answered(request)
        self.ring.put(record)
        self.assertEqual(len(record.path), MAX_PATH)
