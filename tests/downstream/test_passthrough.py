"""
Tests for `ingress.downstream.passthrough`.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.downstream.accepting_port import AcceptingPort
from ingress.downstream.passthrough import PassedConnections
from ingress.policy.limiter import Limiter
from ingress.routing.snapshot import Snapshot
from tests.support.objects import built, ingress, served
from tests.support.relays import RelayWire

CLIENT = ("192.0.2.7", 50001)


class HandPort:
    """An `AcceptingPort` that remembers what it was to adopt."""

    def __init__(self) -> None:
        self.adopted: list[Any] = []

    def adopt(self, accepted: socket.socket, address: object, make: object, protocol: Any) -> None:
        accepted.close()
        self.adopted.append(protocol.relay)


class PassedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = RelayWire()
        self.port = HandPort()
        self.clients = self.wire.plane.clients
        self.limiter = Limiter()
        self.passed = PassedConnections(self.clients.admission, self.wire.resources, self.limiter)

    def publish(self, **annotations: str) -> Snapshot:
        written = {name.replace("_", "-"): value for name, value in annotations.items()}
        asked = {"ssl-passthrough": "true", **written}
        snapshot = built(
            ingress("a.example", {"/": "web:80"}, annotations=asked),
            ingress("*.b.example", {"/": "web:80"}, name="b", annotations=asked),
            ingress("c.b.example", {"/": "web:80"}, name="c"),
            served("web"),
        ).snapshot
        self.wire.resources.publish(snapshot)
        return snapshot

    def begin(self, name: bytes = b"a.example") -> None:
        found = self.passed.find(name)
        assert found is not None
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        port = cast(AcceptingPort, self.port)
        self.passed.begin(port, ours, CLIENT, None, found)
        self.assertEqual(ours.fileno(), -1)

    def test_names(self) -> None:
        """A host is found as that of a request is, whatever comes as a name."""
        self.publish()
        for name, host in (
            (b"a.example", "a.example"),
            (b"A.EXAMPLE", "a.example"),
            (b"a.example.", "a.example"),
            (b"x.b.example", "*.b.example"),
            (b"c.b.example", None),
            (b"x.y.b.example", None),
            (b".b.example", None),
            (b"a.example..", None),
            (b"a.example:443", None),
            (b"*.b.example", "*.b.example"),
            (b"\xff\x00.b.example", "*.b.example"),
            (b"", None),
            (None, None),
            (b".", None),
        ):
            found = self.passed.find(name)
            self.assertEqual(None if found is None else found.host, host, name)

    def test_has_hosts(self) -> None:
        """Whether there are any is known anew with each Snapshot."""
        snapshot = self.publish()
        self.assertTrue(self.passed.has_hosts)
        self.wire.resources.publish(Snapshot(Config()))
        self.assertFalse(self.passed.has_hosts)
        self.wire.resources.publish(replace(snapshot, default_certificate=None))
        self.assertTrue(self.passed.has_hosts)

    def test_relayed(self) -> None:
        """A connection becomes a relay, whose record has the host as its rule has it."""
        self.publish()
        self.begin(b"Evil\r\n.b.example")
        (relay,) = self.port.adopted
        record = relay.record
        self.assertEqual((record.protocol, record.host), ("TLS", "*.b.example"))
        self.assertEqual((relay.address, str(record.upstream)), (CLIENT[0], "default-web-80"))

    def refused(self, **annotations: str) -> tuple[str, str]:
        """The outcome of a connection that is closed, and the reason."""
        self.publish(**annotations)
        self.begin()
        self.assertEqual(self.port.adopted, [])
        (record,) = self.wire.records
        return record.outcome, record.detail

    def test_source_ranges(self) -> None:
        """A client from elsewhere is recorded as refused."""
        outcome, detail = self.refused(whitelist_source_range="198.51.100.0/24")
        self.assertEqual(outcome, "access_refused")
        self.assertIn("address", detail)

    def test_closed(self) -> None:
        """A host that cannot be passed through is closed."""
        outcome, detail = self.refused(whitelist_source_range="office")
        self.assertEqual(outcome, "access_refused")
        self.assertIn("closed", detail)

    def test_limit(self) -> None:
        """A client has so many connections at once; the end of one makes room."""
        self.publish(limit_connections="1")
        self.begin()
        self.begin()
        (relay,) = self.port.adopted
        self.assertEqual([record.outcome for record in self.wire.records], ["limited"])
        self.assertEqual(sum(self._refusals().values()), 1)
        relay.on_end()
        self.begin()
        self.assertEqual(len(self.port.adopted), 2)

    def _refusals(self) -> Mapping[Any, int]:
        return self.limiter.refused

    def test_not_admitted(self) -> None:
        """A client that may have no connection at all gets none here, either."""
        limits = replace(Config().limits, connections_per_client=1)
        self.clients.apply(replace(Config(), limits=limits))
        self.publish()
        self.begin()
        self.clients.connections.add(self.port.adopted[0])
        self.begin()
        self.assertEqual(len(self.port.adopted), 1)
        self.assertEqual(self.clients.admission.refused, 1)
