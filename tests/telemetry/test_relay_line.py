"""Tests of `ingress.telemetry.relay_line`."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import Endpoint, UpstreamKey
from ingress.telemetry.log_line import FORMATS
from ingress.telemetry.relay_line import RELAY_FORMATS, json_line, nginx_exact_line, nginx_line
from ingress.telemetry.relay_outcome import STATUSES, RelayOutcome
from ingress.telemetry.relay_record import RelayRecord

TIME = b"26/Nov/2026:01:47:27 +0000"


def record(address: str = "192.0.2.1") -> RelayRecord:
    made = RelayRecord("TCP", address, 5432, UpstreamKey("db", "postgres", "5432"), 10.0)
    made.endpoint, made.tries, made.connect_time = Endpoint("::1", 5432), 2, 0.0019
    made.received, made.sent, made.duration = 12, 3456, 61.2349
    return made


class LineTests(SynchronousTestCase):
    def test_exact(self) -> None:
        """The format of ingress-nginx's log-format-stream."""
        self.assertEqual(
            nginx_exact_line(record(), TIME),
            b"[192.0.2.1] [26/Nov/2026:01:47:27 +0000] TCP 200 3456 12 61.234\n",
        )

    def test_more(self) -> None:
        """More stands behind it."""
        self.assertEqual(
            nginx_line(record(), TIME),
            b"[192.0.2.1] [26/Nov/2026:01:47:27 +0000] TCP 200 3456 12 61.234"
            b' 5432 [tcp-db-postgres-5432] [::1]:5432 2 0.001 ok "-"\n',
        )

    def test_nothing_known(self) -> None:
        """What is not known is a dash; 502 stands for no endpoint, as in nginx."""
        made = RelayRecord("UDP", "", 53, UpstreamKey("a", "b", "c", is_udp=True), 0.0)
        made.outcome, made.detail = RelayOutcome.NO_ENDPOINT, "The Service has no endpoint."
        made.duration = -1.0
        self.assertEqual(
            nginx_line(made, TIME),
            b"[unix:] [26/Nov/2026:01:47:27 +0000] UDP 502 0 0 0.000"
            b' 53 [udp-a-b-c] - 0 - no_endpoint "The Service has no endpoint."\n',
        )

    def test_json(self) -> None:
        """One object; what is not known is left out."""
        self.assertEqual(
            json.loads(json_line(record(), b"2026-11-26T01:47:27Z")),
            {
                "time": "2026-11-26T01:47:27Z",
                "client": "192.0.2.1",
                "protocol": "TCP",
                "listen_port": 5432,
                "outcome": "ok",
                "bytes_sent": 3456,
                "bytes_received": 12,
                "seconds": 61.2349,
                "namespace": "db",
                "service": "postgres",
                "port": "5432",
                "endpoints": [{"endpoint": "[::1]:5432"}],
                "tries": 2,
                "connect_seconds": 0.0019,
            },
        )

    def test_complete(self) -> None:
        """Each format of requests has one for relays, and each outcome a status."""
        self.assertEqual(set(RELAY_FORMATS), set(FORMATS))
        self.assertEqual(set(STATUSES), set(RelayOutcome))
