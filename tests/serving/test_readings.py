"""Tests of `ingress.serving.readings`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Limits
from ingress.policy.backend_version import BackendVersion
from ingress.routing.route import Route
from ingress.serving.readings import read_counters, read_endpoints, read_vitals
from ingress.telemetry.access_log import AccessLog
from ingress.telemetry.counts import Counters, HTTP2End
from ingress.telemetry.endpoint_state import EndpointState
from ingress.telemetry.recorder import Recorder
from ingress.telemetry.traffic import Traffic
from ingress.telemetry.vitals import Connections, HTTP2Vitals, Usage
from ingress.upstream.health import MAX_FAILURES
from tests.support.h2_endpoint import H2Endpoint
from tests.support.http2_wire import HTTP2Client
from tests.support.wire import (
    ENDPOINT,
    GET,
    OK,
    OTHER_ENDPOINT,
    UPGRADE,
    UPSTREAM,
    Wire,
    request,
    snapshot_of,
)


class CountersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire(ENDPOINT, OTHER_ENDPOINT)
        plane = self.wire.plane
        access_log = AccessLog(self.wire.network, None, lambda: 0.0)
        self.recorder = plane.recorder = Recorder(Traffic(), access_log)
        plane.exchanges.recorder = self.recorder

    @property
    def counters(self) -> Counters:
        return read_counters(self.wire.plane)

    def test_outcomes(self) -> None:
        """Each exchange is counted by how it ended, and so is what was no request."""
        client = self.wire.connect()
        for _ in range(2):
            client.send(GET)
            endpoint = self.wire.accept()
            endpoint.send(OK)
            endpoint.close()
        client.send(b"nonsense\r\n\r\n")
        self.assertEqual(self.counters.outcomes, Counter(ok=2, bad_request=1))

    def test_retries(self) -> None:
        """Further endpoints that are asked are counted, and the traffic is that of one request."""
        client = self.wire.connect()
        client.send(GET)
        self.wire.next_dial().refuse()
        self.wire.accept().send(OK)
        self.assertEqual(self.counters.retries, 1)
        self.assertEqual(self.counters.outcomes, Counter(ok=1))
        (row,) = self.recorder.traffic.take().rows.values()
        self.assertEqual(row[-1], 2)

    def test_connections(self) -> None:
        """Connections are counted, and those that their client may not have."""
        limits = replace(Limits(), connections_per_client=2)
        self.wire.plane.publish(snapshot_of(ENDPOINT, config=Config(limits=limits)))
        address = IPv4Address("TCP", "192.0.2.1", 50000)
        for _ in range(2):
            self.wire.connect(address)
        self.assertIsNone(self.wire.factory.buildProtocol(address))
        self.assertEqual((self.counters.accepted, self.counters.refused), (3, 1))

    def test_ejections(self) -> None:
        """Each time that an endpoint is left out counts, but not each failure."""
        health = self.wire.plane.calls.balancer.health
        for _ in range(MAX_FAILURES + 1):
            health.failed((UPSTREAM, ENDPOINT, None), 0.0)
        self.assertEqual(self.counters.ejections, 1)

    def test_nobody_records(self) -> None:
        """Without a recorder the rest is counted nevertheless."""
        wire = Wire()
        wire.connect()
        self.assertEqual(
            read_counters(wire.plane, Usage(2.5, 512, 1024)),
            Counters(accepted=1, cpu_seconds=2.5, read_bytes=512, written_bytes=1024),
        )


class HTTP2Tests(SynchronousTestCase):
    """A client and an endpoint that speak HTTP/2."""

    def setUp(self) -> None:
        route = Route(ingress=("default", "web"), upstream=UPSTREAM, version=BackendVersion(True))
        self.wire = Wire(route=route)
        self.client = HTTP2Client(self.wire)
        self.streams = [self.client.request() for _ in range(3)]
        self.wire.advance(0)
        self.endpoint = H2Endpoint(self.wire.accept())

    def test_open(self) -> None:
        """Connections and streams are told as they are at the moment, and with their endpoint."""
        asked = self.endpoint.look()
        self.assertEqual(read_vitals(self.wire.plane).http2, HTTP2Vitals(1, 3, 1, 3))
        self.assertEqual(
            read_endpoints(self.wire.plane),
            {ENDPOINT: EndpointState(3, http2_connections=1, http2_streams=3)},
        )
        self.endpoint.answer(asked[0])
        self.client.settle()
        self.assertEqual(read_vitals(self.wire.plane).http2, HTTP2Vitals(1, 2, 1, 2))
        self.client.peer.close()
        self.endpoint.look()
        self.endpoint.peer.close()
        self.assertEqual(read_vitals(self.wire.plane).http2, HTTP2Vitals())
        self.assertEqual(read_endpoints(self.wire.plane), {})

    def test_ends(self) -> None:
        """A stream that is cancelled, or refused, counts on both sides; so does an end of all."""
        asked = self.endpoint.look()
        self.client.reset(self.streams[0])
        self.wire.advance(0)
        self.endpoint.look()
        self.endpoint.reset(asked[1], 7)
        self.wire.plane.clients.connections.drain()
        self.client.settle()
        counters = read_counters(self.wire.plane)
        self.assertEqual(counters.http2_refused, {"client": 0, "endpoint": 1})
        self.assertEqual(
            counters.http2_resets,
            {
                HTTP2End("client", "received", "CANCEL"): 1,
                HTTP2End("endpoint", "sent", "CANCEL"): 1,
                HTTP2End("endpoint", "received", "REFUSED_STREAM"): 1,
            },
        )
        self.assertEqual(counters.http2_goaways, {HTTP2End("client", "sent", "NO_ERROR"): 1})


class VitalsTests(SynchronousTestCase):
    def test_connections(self) -> None:
        """Each connection is told by what goes on in it."""
        wire = Wire()
        _, reading, writing, tunnel = (wire.connect() for _ in range(4))
        tunnel.send(UPGRADE)
        reading.send(GET[:10])
        writing.send(request(b"GET"))
        self.assertEqual(read_vitals(wire.plane).connections, Connections(1, 2, 1))

    def test_memory(self) -> None:
        """Memory is told as well."""
        self.assertGreater(read_vitals(Wire().plane).memory, 1 << 20)


class EndpointsTests(SynchronousTestCase):
    def test_in_flight(self) -> None:
        """Requests that an endpoint has not answered yet are told with it."""
        wire = Wire(ENDPOINT, OTHER_ENDPOINT)
        wire.connect().send(GET)
        wire.connect().send(GET)
        wire.connect().send(GET)
        self.assertEqual(
            read_endpoints(wire.plane),
            {ENDPOINT: EndpointState(2), OTHER_ENDPOINT: EndpointState(1)},
        )

    def test_ejected(self) -> None:
        """An endpoint that is left out is told with the Upstream that left it out."""
        wire = Wire(ENDPOINT, OTHER_ENDPOINT)
        for _ in range(MAX_FAILURES):
            wire.plane.calls.balancer.health.failed((UPSTREAM, ENDPOINT, None), 0.0)
        self.assertEqual(
            read_endpoints(wire.plane), {ENDPOINT: EndpointState(0, frozenset({UPSTREAM}))}
        )
