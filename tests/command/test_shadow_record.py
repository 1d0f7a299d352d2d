"""
Tests for `ingress.command.shadow_record` and `ingress.command.shadow_mirror`.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ingress.command import shadow_mirror, shadow_record
from ingress.command.log_format import make_reader
from ingress.command.shadow_mirror import (
    MAX_BODY,
    TIMEOUT,
    CopyFactory,
    CopyProtocol,
    CopyQueue,
)
from ingress.command.shadow_record import ShadowRecord
from ingress.routing.build import Built
from ingress.telemetry.exposition import pieces
from tests.command.test_simulate_command import line, own
from tests.support.objects import built, ingress, served

RANGES = {"whitelist_source_range": "10.0.0.0/8"}


def rules(**annotations: str) -> Built:
    """What is built of an Ingress for shop.example, whose Service has an endpoint."""
    names = {name.replace("_", "-"): value for name, value in annotations.items()}
    shop = ingress("shop.example", {"/": "web:80"}, name="shop", annotations=names)
    return built(shop, served("web"))


class RecordTests(SynchronousTestCase):
    """Lines and copies, compared."""

    def setUp(self) -> None:
        self.told: list[str] = []
        self.record = ShadowRecord(make_reader(""), self.told.append, lambda: 1000.0)

    def metrics(self) -> str:
        return b"".join(pieces(self.record.families(2, 1))).decode()

    def take(self, *lines: str) -> None:
        for each in lines:
            self.record.take_line(each.rstrip("\n").encode())

    def test_lines(self) -> None:
        """Each kind of difference is told once, and all are counted."""
        self.record.rebuild(rules())
        self.take(line(), line("/", "default-api-80"), line("/x", "default-api-80"), "nonsense")
        self.assertEqual(len(self.told), 1)
        self.assertIn("default-api-80 200 -> ", self.told[0])
        self.assertTrue(self.record.differs)
        text = self.metrics()
        for source in (
            'requests_total{result="different",source="log"} 2',
            'requests_total{result="malformed",source="log"} 1',
            "txingress_shadow_differences 1",
            "txingress_shadow_rotations_total 2",
            "txingress_shadow_last_seen_timestamp_seconds 1000",
        ):
            self.assertIn(source, text)

    def test_rules_change(self) -> None:
        """After a change others are decided by; what was found before stays."""
        self.record.rebuild(rules())
        forbidden = own("/", status=403, client="192.0.2.1")
        self.take(forbidden)
        self.record.rebuild(rules(**RANGES))
        self.take(forbidden)
        counts = self.record.as_json()
        self.assertEqual((counts["different"], counts["same"], counts["generation"]), (1, 1, 2))

    def test_before_rules(self) -> None:
        """Before the first rules nothing is decided, and nothing breaks."""
        self.take(line())
        self.record.cut_line()
        self.assertEqual(self.record.as_json()["generation"], 0)
        self.assertIn("txingress_shadow_differences 0", self.metrics())

    def test_bounded(self) -> None:
        """However many kinds of lines there are, no more than a bound are kept."""
        self.patch(shadow_record, "MOST_DIFFERENCES", 3)
        self.record.rebuild(rules())
        self.take(*(line("/", f"default-no{number}-80") for number in range(50)))
        found = self.record.as_json()
        self.assertEqual((len(found["differences"]), found["differencesNotListed"]), (3, 47))
        self.assertEqual(len(self.told), 3)
        self.assertLess(len(self.metrics().splitlines()), 30)

    def test_hostile_lines(self) -> None:
        """Lines with anything in them are read or malformed; nothing of them steers a terminal."""
        self.record.rebuild(rules())
        for evil in (
            b"\x00\x1b[2J\xff" * 100,
            b'{"request": ' + b"[" * 50_000,
            b'{"status": "200", "request": "GET /\\u001b[2J HTTP/1.1", "upstream": "\\u001b[2J"}',
            line("/\x1b[2J", "\x1b[2J-80").rstrip().encode(),
            line("/" + "a" * 60_000, "default-api-80").rstrip().encode(),
            b'"' * 60_000,
            b"\\" * 60_000,
        ):
            self.record.take_line(evil)
        self.assertEqual(self.record.tally and self.record.tally.lines, 7)
        everything = "".join(self.told) + json.dumps(self.record.as_json()) + self.metrics()
        self.assertNotIn("\x1b", everything)
        self.assertLess(len(everything), 20_000)


class MirrorTests(SynchronousTestCase):
    """The listener for copies."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.record = ShadowRecord(make_reader(""), lambda text: None, lambda: 1000.0)
        self.record.rebuild(rules(**RANGES))
        self.queue = CopyQueue(self.clock, self.record, "X-Was")
        self.factory = CopyFactory(self.clock, self.queue)

    def connect(self) -> tuple[CopyProtocol, StringTransport]:
        protocol = self.factory.buildProtocol(IPv4Address("TCP", "10.9.9.9", 1))
        assert protocol is not None
        transport = StringTransport(peerAddress=IPv4Address("TCP", "10.9.9.9", 1))
        protocol.makeConnection(transport)
        return protocol, transport

    def send(self, *pieces_of: bytes) -> bytes:
        """:return: what is answered, at once."""
        protocol, transport = self.connect()
        for piece in pieces_of:
            protocol.dataReceived(piece)
        answer: bytes = transport.value()
        self.assertTrue(transport.disconnecting or not answer)
        self.clock.advance(0)
        return answer

    def answers(self) -> list[tuple[Any, ...]]:
        return [
            (each["ingress"], each["status"], each["reason"], each["count"])
            for each in self.record.as_json()["answers"]
        ]

    def test_decided(self) -> None:
        """A copy is answered with 204, before anything is decided, and counted by its answer."""
        head = b"GET /x?secret=1 HTTP/1.1\r\nHost: shop.example\r\n\r\n"
        protocol, transport = self.connect()
        protocol.dataReceived(head)
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 204 "))
        self.assertEqual(self.answers(), [])
        self.clock.advance(0)
        self.assertEqual(self.answers(), [("default/shop", "endpoint", "ok", 1)])
        self.assertNotIn("secret", json.dumps(self.record.as_json()))

    def test_described(self) -> None:
        """Scheme, host and client come from the target, if it has them."""
        for client, status in ((b"192.0.2.1", "403"), (b"10.0.0.1", "endpoint")):
            target = b"/.shadow/https/shop.example/%b/x" % client
            self.send(b"GET %b HTTP/1.0\r\nHost: shadow\r\n\r\n" % target)
            self.assertIn(status, [each[1] for each in self.answers()])
        self.send(b"GET / HTTP/1.1\r\nHost: shadow\r\n\r\n")
        self.assertIn((None, "404", "no_route", 1), self.answers())

    def test_answer_field(self) -> None:
        """Where a field says what was answered, that is compared."""
        for said, result in (
            (b"default-web-80 200", "same"),
            (b"default-api-80 200", "different"),
            (b"nonsense", "decided"),
        ):
            self.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\nX-Was: %b\r\n\r\n" % said)
            self.assertEqual(self.record.results["mirror", result], 1, said)

    def test_bodies(self) -> None:
        """Bodies of every form are read to their end, in pieces, and thrown away."""
        head = b"POST / HTTP/1.1\r\nHost: shop.example\r\n"
        for framing, body in (
            (b"Content-Length: 5\r\n\r\n", b"hello"),
            (b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        ):
            whole = head + framing + body
            self.assertIn(b" 204 ", self.send(whole))
            self.assertIn(b" 204 ", self.send(*(whole[n : n + 1] for n in range(len(whole)))))
        expecting = head + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        self.assertIn(b" 204 ", self.send(expecting))

    def test_refused(self) -> None:
        """What is no request is refused, and so are bodies without an end."""
        for evil in (
            b"\x16\x03\x01\x02\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET /\x00 x\r\n\r\n",
        ):
            self.assertIn(b" 400 ", self.send(evil))
        self.assertEqual(self.record.refused, 3)
        self.patch(shadow_mirror, "MAX_BODY", 1000)
        protocol, transport = self.connect()
        protocol.dataReceived(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n")
        protocol.dataReceived(b"x" * 2000)
        self.assertTrue(transport.disconnected)
        self.assertGreater(MAX_BODY, 1000)

    def test_slow(self) -> None:
        """Who sends nothing is cut off, and a connection that ended has no timeout left."""
        _, transport = self.connect()
        self.clock.advance(TIMEOUT)
        self.assertTrue(transport.disconnected)
        protocol, _ = self.connect()
        protocol.connectionLost()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bounded(self) -> None:
        """More connections, and more copies than can be decided about, are turned away."""
        self.patch(shadow_mirror, "MOST_CONNECTIONS", 2)
        self.patch(shadow_mirror, "MOST_WAITING", 1)
        first, _ = self.connect()
        second, _ = self.connect()
        self.assertIsNone(self.factory.buildProtocol(IPv4Address("TCP", "10.9.9.9", 1)))
        for protocol in (first, second):
            protocol.dataReceived(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
            protocol.connectionLost()
        self.assertEqual((self.queue.dropped, self.record.refused), (1, 1))
        self.connect()
        self.queue.stop()

    def test_many_fields(self) -> None:
        """No more fields than a bound are kept for a decision."""
        fields = b"".join(b"X-%d: %b\r\n" % (number, b"v" * 1000) for number in range(60))
        self.assertIn(
            b" 204 ", self.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\n" + fields + b"\r\n")
        )
        self.assertEqual(self.answers()[0][3], 1)
