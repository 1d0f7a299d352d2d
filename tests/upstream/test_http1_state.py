"""Tests of `ingress.upstream.http1_state`: the states of a connection."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.proxy_settings import ProxySettings
from ingress.upstream.http1 import HTTP1Upstream
from ingress.upstream.http1_state import FOLLOWING, UpstreamState
from ingress.upstream.stream import StreamReceiver
from tests.support.streams import StreamUser, as_sent_upstream
from tests.support.wire import ENDPOINT, GET, LIMITS, OK, SWITCHING, UPGRADE, Peer, Wire, post

CLOSING_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
REPLY_TIMEOUTS = ProxySettings()


class UpstreamStateTests(SynchronousTestCase):
    """Each transition of the table is one that something causes."""

    def setUp(self) -> None:
        self.wire = Wire(ENDPOINT)
        self.seen: set[tuple[UpstreamState, UpstreamState]] = set()

    def connect(self) -> None:
        user = StreamUser()
        self.wire.registry.pool(ENDPOINT).acquire(user, is_new=True)
        self.peer: Peer = self.wire.accept()
        assert user.connection is not None
        self.connection: HTTP1Upstream = user.connection
        self.before = self.connection.state

    def note(self, expected: UpstreamState) -> None:
        """Check that the connection has come to this state, and note the transition."""
        self.wire.network.settle()
        state = self.connection.state
        self.assertIs(state, expected)
        self.assertIn(state, FOLLOWING[self.before], self.before)
        self.seen.add((self.before, state))
        self.before = state

    def ask(self, head: bytes, expected: UpstreamState) -> None:
        self.connection.send_head(StreamReceiver(), as_sent_upstream(head), REPLY_TIMEOUTS)
        self.note(expected)

    def at(self, state: UpstreamState) -> None:
        """Make a connection in this state."""
        self.connect()
        if state is UpstreamState.SENDING:
            self.ask(post(5), state)
        elif state is UpstreamState.WAITING:
            self.ask(GET, state)
        elif state is UpstreamState.TUNNELLING:
            self.ask(UPGRADE, UpstreamState.WAITING)
            self.peer.send(SWITCHING)
            self.note(state)
        elif state is UpstreamState.CLOSING:
            self.connection.close()
            # What is written must have gone, which in memory is at once.
            self.before = UpstreamState.IDLE

    def test_all(self) -> None:
        """The table has all transitions that happen, and no other ones."""
        idle, sending, waiting, tunnelling, closing, lost = UpstreamState
        self.at(sending)
        self.connection.send_body(b"hello")
        self.connection.end_body(())
        self.note(waiting)
        self.peer.send(OK)
        self.note(idle)
        self.ask(GET, waiting)
        self.peer.send(CLOSING_OK)
        self.peer.close_untold()
        self.seen.add((waiting, closing))
        for state in (idle, sending, waiting, tunnelling):
            self.at(state)
            self.connection.abandon()
            self.note(lost)
        for state in (idle, sending, waiting):
            self.at(state)
            self.peer.end()
            self.wire.network.settle()
            self.assertIn(self.connection.state, (closing, lost))
            self.seen.add((state, closing))
        self.at(sending)
        self.at(tunnelling)
        self.connection.close_tunnel()
        self.assertIn(self.connection.state, (closing, lost))
        self.seen.add((tunnelling, closing))
        self.at(closing)
        self.wire.network.settle()
        self.assertIs(self.connection.state, lost)
        self.seen.add((closing, lost))
        expected = {(state, next) for state, following in FOLLOWING.items() for next in following}
        self.assertEqual(self.seen, expected - {(sending, tunnelling)})

    def test_deadlines(self) -> None:
        """Each state has the time that it may take, and one that waits for the client has none."""
        now = self.wire.deadlines.now
        for state, patience in (
            (UpstreamState.SENDING, float("inf")),
            (UpstreamState.WAITING, REPLY_TIMEOUTS.read_timeout),
            (UpstreamState.TUNNELLING, REPLY_TIMEOUTS.read_timeout),
        ):
            self.at(state)
            self.assertEqual(self.connection.deadline - now(), patience, state)
        self.at(UpstreamState.WAITING)
        self.connection.pause_response()
        self.assertEqual(self.connection.deadline, float("inf"))
        self.connection.resume_response()
        self.assertEqual(self.connection.deadline - now(), REPLY_TIMEOUTS.read_timeout)
        self.peer.send(OK)
        self.assertEqual(self.connection.deadline - now(), LIMITS.idle_upstream_timeout)
