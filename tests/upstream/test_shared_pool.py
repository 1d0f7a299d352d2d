"""
Tests for `ingress.upstream.shared_pool`: how many connections an endpoint in HTTP/2 gets, and who
waits for them.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Limits
from ingress.http2.fault import REFUSED_STREAM
from ingress.http2.frame import FRAME_HEADER, HEADERS, PREFACE
from ingress.policy.backend_version import BackendVersion
from ingress.policy.proxy_settings import ProxySettings
from ingress.routing.route import Route
from tests.support.h2_endpoint import H2Endpoint
from tests.support.http2_wire import GET, HTTP2Client
from tests.support.wire import ENDPOINT, LIMITS, OTHER_ENDPOINT, UPSTREAM, Wire, snapshot_of

STREAMS = 100
"""As many as a client, and an endpoint, take at once."""


def route(**settings: object) -> Route:
    return Route(
        ingress=("default", "web"),
        upstream=UPSTREAM,
        version=BackendVersion(True),
        proxy=ProxySettings(**settings),  # type: ignore[arg-type]
    )


def count_heads(data: bytes) -> int:
    """:return: how many HEADERS frames a client sends, from its preface on."""
    position, count = len(PREFACE), 0
    while position < len(data):
        count += data[position + 3] == HEADERS
        position += FRAME_HEADER + int.from_bytes(data[position : position + 3], "big")
    return count


class SharedPoolTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire(route=route())
        self.clients: list[HTTP2Client] = []

    def ask(self, count: int) -> HTTP2Client:
        """Send requests on a connection of their own."""
        client = HTTP2Client(self.wire)
        self.clients.append(client)
        for _ in range(count):
            client.h2.send_headers(client.next_stream(), GET, end_stream=True)
        client.settle()
        self.wire.advance(0)
        return client

    def accept(self, streams: int = STREAMS) -> H2Endpoint:
        return H2Endpoint(self.wire.accept(), streams)

    def statuses(self) -> list[int]:
        """:return: the statuses of all responses that have come whole."""
        for client in self.clients:
            client.settle()
        answers = [answer for client in self.clients for answer in client.answers.values()]
        return [answer.status for answer in answers if answer.is_whole]


class DialTests(SharedPoolTestCase):
    """Connections are few."""

    def test_thousand(self) -> None:
        """A thousand streams of ten clients at once need ten connections, not a dial each."""
        for _ in range(10):
            self.ask(STREAMS)
        self.assertEqual(len(self.wire.dials), 10)
        endpoints = [self.accept() for _ in range(10)]
        self.assertEqual([len(each.look()) for each in endpoints], [STREAMS] * 10)
        self.assertEqual(self.wire.dials, [])
        for endpoint in endpoints:
            for asked in endpoint.look():
                endpoint.answer(asked, 204)
        self.assertEqual(self.statuses(), [204] * 1000)
        for _ in range(10):
            self.ask(STREAMS)
        self.assertEqual([len(each.look()) for each in endpoints], [2 * STREAMS] * 10)
        self.assertEqual(self.wire.dials, [])

    def test_before_settings(self) -> None:
        """Requests that come before an endpoint has said what it takes wait for that."""
        self.ask(5)
        peer = self.wire.accept()
        self.ask(20)
        self.assertEqual(self.wire.dials, [])
        endpoint = H2Endpoint(peer)
        self.assertEqual(len(endpoint.look()), 25)
        self.assertEqual(self.wire.dials, [])

    def test_learned(self) -> None:
        """What an endpoint has said is expected of its next connection."""
        self.ask(30)
        self.accept(streams=20)
        self.assertEqual(len(self.wire.dials), 1)
        other = self.accept(streams=20)
        self.assertEqual(len(other.look()), 10)
        self.ask(30)
        self.assertEqual(len(self.wire.dials), 1)

    def test_few(self) -> None:
        """
        An endpoint that takes few requests gets no more than that before and after it has said so:
        it may end those beyond as faults of ours, which are not repeated.
        """
        self.ask(12)
        rounds = []
        while self.wire.dials:
            # `h2` ends the connection for one request too many.
            endpoint = self.accept(streams=3)
            asked = endpoint.look()
            self.assertFalse(endpoint.is_terminated)
            rounds.append(len(asked))
            for each in asked:
                endpoint.answer(each, 204)
        self.assertEqual((rounds, self.statuses()), ([3] * 4, [204] * 12))

    def test_known(self) -> None:
        """An endpoint that has said what it takes gets some of it before it says so again."""
        for known, at_first in ((100, 8), (3, 3)):
            self.wire = Wire(route=route())
            self.ask(1)
            endpoint = self.accept(known)
            endpoint.answer(endpoint.look()[0], 204)
            endpoint.peer.close()
            self.ask(20)
            self.assertEqual(count_heads(self.wire.accept().read()), at_first)

    def test_one_stream(self) -> None:
        """An endpoint that takes one request on a connection gets them all, and each one once."""
        self.ask(20)
        count = 0
        while self.wire.dials:
            endpoint = H2Endpoint(self.wire.accept(), 1, is_lenient=True)
            while asked := [each for each in endpoint.look() if not each.is_answered]:
                if len(asked) > 1:
                    endpoint.reset(asked.pop(), REFUSED_STREAM)
                else:
                    endpoint.answer(asked[0], 204)
                    count += 1
                self.wire.advance(0)
        self.assertEqual((self.statuses(), count), ([204] * 20, 20))


class RefusalTests(SharedPoolTestCase):
    """Nobody waits without end, and no failure begins another dial without end."""

    def setUp(self) -> None:
        super().setUp()
        self.wire = Wire(route=route(tries=1))

    def test_none(self) -> None:
        """
        An endpoint that takes no requests at all is not dialled again for those who wait, and only
        once more for those that it has refused.
        """
        self.ask(20)
        for expected in (19, 20):
            endpoint = H2Endpoint(self.wire.accept(), 0, is_lenient=True)
            for asked in endpoint.look():
                endpoint.reset(asked, REFUSED_STREAM)
            self.assertEqual(self.statuses(), [502] * expected)
        self.assertEqual(self.wire.dials, [])

    def test_no_settings(self) -> None:
        """An endpoint that says nothing is waited for as long as one that is not there."""
        self.ask(20)
        peer = self.wire.accept()
        self.wire.advance(LIMITS.connect_timeout + 2)
        self.assertEqual(self.statuses(), [504] * 19)
        self.assertEqual(self.wire.dials, [])
        H2Endpoint(peer)

    def test_lost(self) -> None:
        """A connection that ends before it has said anything ends the wait."""
        self.ask(20)
        self.wire.accept().close()
        self.assertEqual(self.statuses(), [502] * 20)
        self.assertEqual(self.wire.dials, [])

    def test_going_away(self) -> None:
        """So does one whose first words are that it ends."""
        self.ask(20)
        self.wire.accept().send(b"\0\0\0\4\0\0\0\0\0" + b"\0\0\x08\7\0\0\0\0\0" + bytes(8))
        self.assertEqual(self.statuses(), [502] * 20)
        self.assertEqual(self.wire.dials, [])

    def test_refused(self) -> None:
        """Where nobody listens, all who wait are told by one dial."""
        self.ask(20)
        self.wire.next_dial().refuse()
        self.assertEqual(self.statuses(), [502] * 20)
        self.assertEqual(self.wire.dials, [])

    def test_cancelled(self) -> None:
        """The dial ends with the last request that waits for it."""
        client = self.ask(3)
        (dial,) = self.wire.dials
        for stream_id in (1, 3):
            client.reset(stream_id)
        self.assertFalse(dial.is_cancelled)
        client.reset(5)
        self.assertTrue(dial.is_cancelled)

    def test_cancelled_before_settings(self) -> None:
        """Requests that are cancelled while an endpoint has not spoken do not end the others'."""
        client = self.ask(20)
        peer = self.wire.accept()
        for stream_id in range(21, 41, 2):
            client.reset(stream_id)
        endpoint = H2Endpoint(peer)
        for asked in endpoint.look():
            endpoint.answer(asked, 204)
        self.assertEqual(self.statuses(), [204] * 10)


class RetirementTests(SharedPoolTestCase):
    def test_while_dialling(self) -> None:
        """An endpoint that leaves while it is dialled serves those who wait, by that dial."""
        self.ask(3)
        self.wire.plane.publish(snapshot_of(OTHER_ENDPOINT, route=route()))
        endpoint = self.accept()
        self.assertEqual(self.wire.dials, [])
        asked = endpoint.look()
        self.assertEqual(len(asked), 3)
        for each in asked:
            endpoint.answer(each, 204)
        self.assertEqual(self.statuses(), [204] * 3)
        endpoint.look()
        self.assertTrue(endpoint.is_terminated)

    def test_beyond(self) -> None:
        """Those that find no room there go to another endpoint."""
        self.wire = Wire(ENDPOINT, OTHER_ENDPOINT, route=route())
        self.ask(20)
        self.wire.plane.publish(snapshot_of(OTHER_ENDPOINT, route=route()))
        self.assertEqual(len(self.accept(streams=8).look()), 8)
        self.assertEqual(len(self.accept().look()), 12)
        self.assertEqual(self.wire.dials, [])


class LimitTests(SynchronousTestCase):
    def test_expected(self) -> None:
        """How many requests wait for a first connection is configured."""
        wire = Wire(config=Config(limits=Limits(http2_expected_streams=10)), route=route())
        client = HTTP2Client(wire)
        for _ in range(30):
            client.h2.send_headers(client.next_stream(), GET, end_stream=True)
        client.settle()
        wire.advance(0)
        self.assertEqual(len(wire.dials), 3)

    def test_streams_of_clients(self) -> None:
        """Clients may have more open than an endpoint takes; the others wait, and no dial is lost."""
        wire = Wire(config=Config(limits=Limits(http2_streams=300)), route=route())
        client = HTTP2Client(wire)
        for _ in range(300):
            client.h2.send_headers(client.next_stream(), GET, end_stream=True)
        client.settle()
        wire.advance(0)
        self.assertEqual(len(wire.dials), 3)
