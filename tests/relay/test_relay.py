"""Tests of `ingress.relay.relay`."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Limits
from ingress.config.nginx_settings import NginxSettings, StreamDefaults
from ingress.endpoint import Endpoint, UpstreamKey
from ingress.relay.relay import QUIET, SMALL_READ, Relay
from ingress.relay.resources import LARGEST_READ
from ingress.telemetry.relay_outcome import RelayOutcome
from ingress.upstream.health import MAX_FAILURES
from tests.support.memory_socket import CAPACITY
from tests.support.relays import RelayWire
from tests.support.wire import ENDPOINT, OTHER_ENDPOINT, UPSTREAM, MemoryTransport, Peer

LIMITS = Limits()
BLOCK = b"0123456789abcdef" * 1024
"""16 KiB that do not look the same everywhere."""


class RelayTests(SynchronousTestCase):
    """A client and an endpoint."""

    def setUp(self) -> None:
        self.wire = RelayWire()

    def joined(self) -> tuple[Peer, Peer]:
        client, self.relay = self.wire.relay()
        return client, self.wire.accept()

    def outcome(self) -> RelayOutcome:
        (record,) = self.wire.records
        return record.outcome

    def test_both_ways(self) -> None:
        """Bytes go both ways as they are, and are counted."""
        client, endpoint = self.joined()
        client.send(b"\0PING\r\n")
        self.assertEqual(endpoint.read(), b"\0PING\r\n")
        endpoint.send(b"+PONG\xff")
        self.assertEqual(client.read(), b"+PONG\xff")
        client.end()
        endpoint.end()
        (record,) = self.wire.records
        self.assertEqual((record.received, record.sent), (7, 6))
        self.assertEqual((record.endpoint, record.tries), (ENDPOINT, 1))
        self.assertEqual((record.outcome, record.detail), (RelayOutcome.OK, ""))
        self.assertEqual(repr(record), "<RelayRecord default-web-80 ok>")

    def test_other_transports(self) -> None:
        """A transport that knows nothing of relays is relayed as well."""
        self.wire.transport = MemoryTransport
        client, endpoint = self.joined()
        client.send(BLOCK)
        endpoint.send(BLOCK[::-1])
        self.assertEqual((endpoint.read(), client.read()), (BLOCK, BLOCK[::-1]))

    def test_nothing_is_read_before(self) -> None:
        """What the client sends before the endpoint is there waits, and arrives first."""
        client, _ = self.wire.relay()
        client.send(b"early ")
        endpoint = self.wire.accept()
        client.send(b"late")
        self.assertEqual(endpoint.read(), b"early late")

    def test_taken_over(self) -> None:
        """A transport whose first bytes were read is taken over with them."""
        taken = Relay(self.wire.resources, UPSTREAM, "192.0.2.1", 443)
        taken.preface = lambda side: b"PROXY of %d bytes\r\n" % len(taken.address)

        class Peeking(Protocol):
            def dataReceived(self, data: bytes) -> None:
                taken.begin(self.transport, data)

        client, _ = self.wire.join(
            Factory.forProtocol(Peeking), IPv4Address("TCP", "192.0.2.1", 50000)
        )
        client.send(b"hello")
        endpoint = self.wire.accept()
        self.assertEqual(endpoint.read(), b"PROXY of 9 bytes\r\nhello")
        client.send(b" again")
        self.assertEqual(endpoint.read(), b" again")
        client.end()
        endpoint.end()
        self.assertEqual(self.wire.records[0].received, 11)

    # Half-close.

    def test_client_ends_first(self) -> None:
        """A client that sends no more still receives everything."""
        client, endpoint = self.joined()
        client.send(b"question")
        client.end()
        self.assertEqual(endpoint.read(), b"question")
        self.assertTrue(endpoint.saw_end)
        self.assertFalse(client.saw_end)
        endpoint.send(BLOCK)
        self.assertEqual(client.read(), BLOCK)
        endpoint.end()
        self.assertTrue(client.saw_end)
        self.assertEqual(self.outcome(), RelayOutcome.OK)

    def test_endpoint_ends_first(self) -> None:
        """An endpoint that sends no more still receives everything."""
        client, endpoint = self.joined()
        endpoint.send(b"banner")
        endpoint.end()
        self.assertEqual(client.read(), b"banner")
        self.assertTrue(client.saw_end)
        client.send(BLOCK)
        self.assertEqual(endpoint.read(), BLOCK)
        client.end()
        self.assertTrue(endpoint.saw_end)
        self.assertEqual(self.outcome(), RelayOutcome.OK)

    def test_ended_before(self) -> None:
        """A client that ends before the endpoint is there gets its answer."""
        client, _ = self.wire.relay()
        client.send(b"question")
        client.end()
        endpoint = self.wire.accept()
        self.assertEqual(endpoint.read(), b"question")
        self.assertTrue(endpoint.saw_end)
        endpoint.send(b"answer")
        endpoint.close()
        self.assertEqual(client.read(), b"answer")
        self.assertEqual(self.outcome(), RelayOutcome.OK)

    def test_end_waits_for_bytes(self) -> None:
        """The end of one side reaches the other after everything before it."""
        client, endpoint = self.joined()
        data = BLOCK * 12
        sent = endpoint.send_some(data)
        while sent < len(data):
            received = client.read_some(CAPACITY // 2)
            data_left = data[sent:]
            sent += endpoint.send_some(data_left)
            self.assertTrue(received)
        endpoint.close()
        rest = b""
        while piece := client.read_some(CAPACITY):
            rest += piece
        self.assertTrue(data.endswith(rest))
        self.assertTrue(client.saw_end)

    # Back pressure.

    def test_slow_client(self) -> None:
        """An endpoint is not read faster than the client reads; little is kept."""
        client, endpoint = self.joined()
        sent = endpoint.send_some(BLOCK * 64)
        # The socket of the client, that of the endpoint, and less than one read between.
        self.assertLess(sent, 2 * CAPACITY + 2 * CAPACITY)
        self.assertEqual(self.relay.client.other.read_size, SMALL_READ)  # type: ignore[union-attr]
        self.assertEqual(client.read_some(CAPACITY), (BLOCK * 64)[:CAPACITY])
        self.assertGreater(endpoint.send_some(BLOCK * 64), 0)

    def test_slow_endpoint(self) -> None:
        """A client is not read faster than the endpoint reads."""
        client, endpoint = self.joined()
        sent = client.send_some(BLOCK * 64)
        self.assertLess(sent, 4 * CAPACITY)
        self.assertEqual(endpoint.read(), (BLOCK * 64)[:sent])

    def test_large_reads(self) -> None:
        """Reads grow while the other side takes everything."""
        client, endpoint = self.joined()
        for _ in range(8):
            client.send(BLOCK * 2)
            endpoint.read()
        self.assertGreater(self.relay.client.read_size, SMALL_READ)

    def test_many(self) -> None:
        """Very many relays read less at once, those that read much before as well."""
        client, endpoint = self.joined()
        for _ in range(8):
            client.send(BLOCK * 2)
            endpoint.read()
        self.wire.resources.count(OTHER_ENDPOINT, 4096)
        self.assertEqual(self.wire.resources.largest_read, SMALL_READ)
        client.send(BLOCK * 2)
        self.assertEqual(endpoint.read(), BLOCK * 2)
        self.assertEqual(self.relay.client.read_size, SMALL_READ)
        self.wire.resources.count(OTHER_ENDPOINT, -4096)
        self.assertEqual(self.wire.resources.largest_read, LARGEST_READ)

    # Ends that are none.

    def test_client_resets(self) -> None:
        """The reset of a client is passed on."""
        client, endpoint = self.joined()
        client.reset()
        self.assertTrue(endpoint.saw_reset)
        self.assertEqual(self.outcome(), RelayOutcome.CLIENT_LOST)

    def test_endpoint_resets(self) -> None:
        """The reset of an endpoint is passed on, so that nobody takes a part for the whole."""
        client, endpoint = self.joined()
        endpoint.send(b"half an ans")
        endpoint.reset()
        self.assertTrue(client.saw_reset)
        self.assertEqual(self.outcome(), RelayOutcome.ENDPOINT_BROKE)

    def test_idle(self) -> None:
        """A relay without a byte for too long is ended; one with bytes is not."""
        client, endpoint = self.joined()
        self.wire.advance(LIMITS.stream_idle_timeout - 2)
        self.assertTrue(client.is_open)
        endpoint.send(b"!")
        self.wire.advance(LIMITS.stream_idle_timeout - 2)
        self.assertTrue(client.is_open)
        self.wire.advance(4)
        self.assertTrue(client.saw_end)
        self.assertTrue(endpoint.saw_end)
        self.assertEqual(self.outcome(), RelayOutcome.IDLE)

    def test_silent_end(self) -> None:
        """A client that does not read the last bytes is not waited for for ever."""
        client, endpoint = self.joined()
        client.end()
        sent = endpoint.send_some(BLOCK * 6)
        self.assertGreater(sent, CAPACITY)
        endpoint.end()
        self.wire.advance(LIMITS.stream_idle_timeout + 2)
        self.assertTrue(client.saw_reset)
        self.assertEqual(len(self.wire.records), 1)

    def test_configured_time(self) -> None:
        """limits.stream-idle-timeout is the time."""
        limits = replace(LIMITS, stream_idle_timeout=3.0)
        self.wire = RelayWire(config=Config(limits=limits))
        client, _ = self.joined()
        self.wire.advance(5)
        self.assertFalse(client.is_open)

    def test_cut(self) -> None:
        """A relay that is cut ends at once, on both sides."""
        client, endpoint = self.joined()
        self.wire.plane.clients.connections.cut()
        self.assertTrue(client.saw_reset)
        self.assertTrue(endpoint.saw_reset)
        self.assertEqual(self.outcome(), RelayOutcome.CUT)

    def test_cut_while_dialling(self) -> None:
        """A relay without an endpoint is cut as well, and wants none any more."""
        client, relay = self.wire.relay()
        dial = self.wire.next_dial()
        relay.cut()
        self.assertTrue(client.saw_reset)
        self.assertTrue(dial.is_cancelled)
        self.assertEqual(self.outcome(), RelayOutcome.CUT)

    def test_cut_in_the_turn_of_the_endpoint(self) -> None:
        """Who is cut in the same turn as the endpoint accepts leaves no connection behind."""
        for cut in (Relay.cut, Relay.deadline_passed):
            _, relay = self.wire.relay()
            dial = self.wire.next_dial()
            cut(relay)
            self.assertTrue(dial.is_cancelled)
            self.wire.network.settle()
        self.assertEqual(
            [record.outcome for record in self.wire.records], [RelayOutcome.CUT, RelayOutcome.IDLE]
        )

    def test_counted(self) -> None:
        """Relays are connections of clients: all are counted, and forgotten at their end."""
        connections = self.wire.plane.clients.connections
        client, endpoint = self.joined()
        self.assertEqual(connections.count("192.0.2.1"), 1)
        self.assertEqual(self.wire.resources.in_flight, {ENDPOINT: 1})
        self.assertEqual(repr(self.wire.resources), "<RelayResources: 1 relays>")
        connections.drain()
        self.assertTrue(client.is_open)
        endpoint.close()
        client.close()
        self.assertEqual(len(connections), 0)
        self.assertEqual(self.wire.resources.in_flight, {})
        self.assertIn("0>", repr(self.wire.deadlines))

    def test_activity(self) -> None:
        """A relay that was quiet for a while may give way to other connections."""
        client, _ = self.joined()
        self.assertEqual(self.relay.activity, "writing")
        self.assertEqual(list(self.relay.in_flight()), [])
        self.wire.advance(QUIET + 2)
        self.assertEqual(self.relay.activity, "waiting")
        client.send(b"!")
        self.assertEqual(self.relay.activity, "writing")


class EndpointChoiceTests(SynchronousTestCase):
    """Which endpoint a client gets."""

    def test_turns(self) -> None:
        """Endpoints take turns."""
        wire = RelayWire(ENDPOINT, OTHER_ENDPOINT)
        for _ in range(4):
            wire.relay()
        dialled = [wire.next_dial().endpoint for _ in range(4)]
        self.assertEqual(dialled, [ENDPOINT, OTHER_ENDPOINT] * 2)

    def test_next(self) -> None:
        """If one endpoint refuses, the next one is asked, and the client notices nothing."""
        wire = RelayWire(ENDPOINT, OTHER_ENDPOINT)
        client, _ = wire.relay()
        wire.next_dial().refuse()
        endpoint = wire.accept()
        client.send(b"hello")
        self.assertEqual(endpoint.read(), b"hello")
        client.end()
        endpoint.end()
        (record,) = wire.records
        self.assertEqual((record.tries, record.endpoint), (2, OTHER_ENDPOINT))
        self.assertEqual(record.detail, "")

    def test_tries(self) -> None:
        """After three endpoints the client's connection is closed, with the reason in the log."""
        wire = RelayWire(*(Endpoint("10.1.0.1", port) for port in range(1, 6)))
        client, _ = wire.relay()
        for _ in range(3):
            dial = wire.next_dial()
            self.assertEqual(dial.timeout, LIMITS.connect_timeout)
            dial.time_out()
        self.assertEqual(wire.dials, [])
        self.assertTrue(client.saw_end)
        (record,) = wire.records
        self.assertEqual((record.outcome, record.tries), (RelayOutcome.DIAL_FAILED, 3))
        self.assertIn("did not accept the connection in time", record.detail)

    def test_configured_tries(self) -> None:
        """The ConfigMap of ingress-nginx says how often, how long and whether to ask again."""
        endpoints = [Endpoint("10.1.0.1", port) for port in range(1, 6)]
        for settings, expected in (
            (StreamDefaults(next_upstream=False), 1),
            (StreamDefaults(tries=2), 2),
            (StreamDefaults(tries=0), 5),
            (StreamDefaults(timeout=2.5), 3),
            (StreamDefaults(timeout=0, tries=4), 4),
        ):
            wire = RelayWire(*endpoints, config=Config(nginx=NginxSettings(streams=settings)))
            wire.relay()
            count = 0
            while wire.dials:
                count += 1
                wire.advance(1)
                wire.next_dial().refuse()
            self.assertEqual(count, expected, settings)

    def test_no_endpoint(self) -> None:
        """Without an endpoint the client's connection is closed at once."""
        wire = RelayWire()
        client, _ = wire.relay(UpstreamKey("default", "gone", "1"))
        self.assertTrue(client.saw_end)
        self.assertEqual(wire.records[0].outcome, RelayOutcome.NO_ENDPOINT)

    def test_client_leaves(self) -> None:
        """A client that resets while its endpoint is asked leaves nothing behind."""
        wire = RelayWire()
        _, relay = wire.relay()
        dial = wire.next_dial()
        relay.client.abort()
        wire.network.settle()
        self.assertTrue(dial.is_cancelled)
        self.assertEqual(wire.records[0].outcome, RelayOutcome.CLIENT_LOST)

    def test_no_descriptors(self) -> None:
        """A lack of descriptors is no fault of the endpoint."""
        wire = RelayWire(ENDPOINT, OTHER_ENDPOINT)
        for _ in range(2 * MAX_FAILURES):
            wire.relay()
            while wire.dials:
                wire.next_dial().lack()
        self.assertEqual(set(wire.plane.calls.balancer.health.ejected), set())
        self.assertEqual(wire.records[0].outcome, RelayOutcome.DIAL_FAILED)
        self.assertIn("no descriptor or memory", wire.records[0].detail)

    def test_ejection(self) -> None:
        """An endpoint that keeps refusing is left out, for requests of HTTP as well."""
        wire = RelayWire(ENDPOINT, OTHER_ENDPOINT)
        health = wire.plane.calls.balancer.health
        for _ in range(2 * MAX_FAILURES):
            wire.relay()
            while wire.dials:
                dial = wire.next_dial()
                if dial.endpoint == ENDPOINT:
                    dial.refuse()
                else:
                    dial.accept()
        self.assertEqual({key[1] for key in health.ejected}, {ENDPOINT})
        wire.relay()
        self.assertEqual(wire.next_dial().endpoint, OTHER_ENDPOINT)

    def test_return(self) -> None:
        """An ejected endpoint that accepts a trial serves again."""
        wire = RelayWire(ENDPOINT, OTHER_ENDPOINT)
        health = wire.plane.calls.balancer.health
        for _ in range(MAX_FAILURES):
            health.failed((UPSTREAM, ENDPOINT, None), 0.0)
        wire.advance(3)
        seen = set()
        for _ in range(2):
            wire.relay()
            dial = wire.next_dial()
            seen.add(dial.endpoint)
            dial.accept()
        self.assertEqual(seen, {ENDPOINT, OTHER_ENDPOINT})
        self.assertEqual(set(health.ejected), set())
