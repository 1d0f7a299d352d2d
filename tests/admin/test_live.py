"""
Tests for `ingress.admin.live`.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.live import MAX_FOLLOWERS, revision
from ingress.admin.pages import make_pages
from ingress.admin.readiness import Readiness
from ingress.admin.site import make_admin_site
from ingress.admin.turns import Turns
from ingress.endpoint import Endpoint, UpstreamKey
from ingress.problem import Problem
from ingress.telemetry.endpoint_state import EndpointState
from tests.support.observed_proxy import HandProxy

LOCAL = IPv4Address("TCP", "127.0.0.1", 50000)
WEB = UpstreamKey("default", "web", "80")


class RevisionTests(SynchronousTestCase):
    def test_changes(self) -> None:
        """Each thing that a page shows at once makes another revision, and traffic does not."""
        hand = HandProxy()
        seen = {revision(hand.proxy)}
        self.assertEqual(seen, {revision(hand.proxy)})
        hand.reports.states = {Endpoint("10.0.0.1", 80): EndpointState(7)}
        self.assertEqual(seen, {revision(hand.proxy)})
        hand.reports.states = {Endpoint("10.0.0.1", 80): EndpointState(7, frozenset({WEB}))}
        seen.add(revision(hand.proxy))
        hand.published.generation += 1
        seen.add(revision(hand.proxy))
        hand.problems.append(Problem("is wrong"))
        seen.add(revision(hand.proxy))
        hand.problems[0] = Problem("is wrong in another way")
        seen.add(revision(hand.proxy))
        hand.reports.processes *= 2
        seen.add(revision(hand.proxy))
        hand.configured.has_mistakes = True
        seen.add(revision(hand.proxy))
        self.assertEqual(len(seen), 7)


class LiveTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.hand = HandProxy()
        pages = make_pages(self.hand.proxy, Turns(self.clock), maybeDeferred)
        self.site = make_admin_site(Readiness(), Turns(self.clock), pages)
        self.site.doStart()
        self.addCleanup(self.site.doStop)

    def ask(self, path: str, method: str = "GET") -> StringTransport:
        protocol = self.protocol = self.site.buildProtocol(None)
        transport = StringTransport(peerAddress=LOCAL)
        protocol.makeConnection(transport)
        protocol.dataReceived(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return transport

    def status(self, path: str, method: str = "GET") -> int:
        return int(self.ask(path, method).value().split()[1])

    def events(self, transport: StringTransport) -> list[str]:
        """The events so far, without chunks."""
        lines = transport.value().decode().split("\r\n\r\n", 1)[1].split("\n")
        return [line for line in lines if line.startswith("data: ")]

    def test_stream(self) -> None:
        """A stream begins with the present state, and goes on with each change."""
        stream = self.ask("/live")
        self.clock.advance(0)
        self.assertIn(b"text/event-stream", stream.value())
        self.assertEqual(len(self.events(stream)), 1)
        self.clock.advance(1)
        self.assertEqual(len(self.events(stream)), 1)
        self.hand.published.generation += 1
        self.clock.advance(1)
        self.assertEqual(len(self.events(stream)), 2)
        self.assertEqual(len(set(self.events(stream))), 2)

    def test_heartbeat(self) -> None:
        """A stream without changes has an event now and then that says nothing."""
        stream = self.ask("/live")
        self.clock.pump([1] * 31)
        self.assertEqual(len(self.events(stream)), 1)
        self.assertEqual(stream.value().count(b"event: beat"), 2)

    def test_nobody(self) -> None:
        """While nobody follows, nothing is looked at."""
        self.clock.pump([1] * 3)
        self.assertEqual(self.hand.reports.refreshed, 0)
        self.ask("/live")
        self.clock.pump([1] * 3)
        seen = self.hand.reports.refreshed
        self.assertGreater(seen, 0)
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.clock.pump([1] * 3)
        self.assertEqual(self.hand.reports.refreshed, seen)
        self.ask("/live")
        self.clock.pump([1] * 3)
        self.assertGreater(self.hand.reports.refreshed, seen)

    def test_stalled(self) -> None:
        """A browser that takes nothing gets no events, and is cut after a minute."""
        stream = self.ask("/live")
        self.clock.advance(0)
        assert stream.producer is not None
        stream.producer.pauseProducing()
        for _ in range(30):
            self.hand.published.generation += 1
            self.clock.advance(1)
        self.assertEqual(len(self.events(stream)), 1)
        stream.producer.resumeProducing()
        self.clock.advance(1)
        self.assertEqual(len(self.events(stream)), 2)
        stream.producer.pauseProducing()
        self.clock.pump([1] * 62)
        self.assertTrue(stream.disconnected)

    def test_bounded(self) -> None:
        """
        One browser too many is told what is so, and to ask again, until one of the others is gone.
        """
        for _ in range(MAX_FOLLOWERS):
            self.ask("/live")
        last = self.protocol
        refused = self.ask("/live")
        self.clock.pump([0, 0])
        self.assertIn(b"\nretry: 10000\nevent: full\ndata: ", refused.value())
        self.assertEqual(len(self.events(refused)), 1)
        self.assertTrue(refused.value().endswith(b"0\r\n\r\n"))
        last.connectionLost(Failure(ConnectionDone()))
        followed = self.ask("/live")
        self.clock.pump([0, 0])
        self.assertNotIn(b"event: full", followed.value())
        self.assertEqual(len(self.events(followed)), 1)

    def test_parameters(self) -> None:
        """There is nothing to choose."""
        self.assertEqual(self.status("/live?x=1"), 400)

    def test_head(self) -> None:
        """HEAD begins no stream."""
        for _ in range(MAX_FOLLOWERS + 1):
            self.assertEqual(self.status("/live", "HEAD"), 200)
        self.clock.pump([1] * 3)
        self.assertEqual(self.hand.reports.refreshed, 0)
