"""Tests of `ingress.downstream.http1_state`: the states of a client's connection."""

from __future__ import annotations

from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Limits
from ingress.deadline import NEVER
from ingress.downstream.http1 import HTTP1Downstream
from ingress.downstream.http1_state import (
    ANSWERING,
    CLOSING,
    FOLLOWING,
    LINGERING,
    LOST,
    TUNNELLING,
    WAITING,
    DownstreamState,
    patience,
)
from tests.support.wire import GET, OK, SWITCHING, UPGRADE, Peer, Wire, post, request

LIMITS = Limits()
TIMES = {
    WAITING: LIMITS.head_timeout,
    ANSWERING: NEVER,
    TUNNELLING: NEVER,
    LINGERING: LIMITS.linger_timeout,
    CLOSING: LIMITS.send_timeout,
    LOST: NEVER,
}
CLOSE = request(b"GET", b"Connection: close")


class DownstreamStateTests(SynchronousTestCase):
    """Each transition of the table is one that something causes, and there is no other."""

    def setUp(self) -> None:
        self.seen: set[tuple[DownstreamState, DownstreamState]] = set()

    def connect(self) -> None:
        self.wire = Wire()
        self.client, transport = self.wire.join(self.wire.factory)
        self.connection = cast(HTTP1Downstream, transport.protocol)
        self.states = [self.connection.state]

    def note(self) -> DownstreamState:
        self.wire.network.settle()
        state = self.connection.state
        if state is not self.states[-1]:
            self.assertIn(state, FOLLOWING[self.states[-1]])
            self.seen.add((self.states[-1], state))
            self.states.append(state)
        return state

    def send(self, data: bytes) -> DownstreamState:
        self.client.send_some(data)
        return self.note()

    def answer(self, data: bytes = OK) -> Peer:
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(data)
        self.note()
        return endpoint

    def at(self, state: DownstreamState) -> None:
        """Make a connection in this state."""
        self.connect()
        if state is ANSWERING:
            self.send(GET)
        elif state is TUNNELLING:
            self.send(UPGRADE)
            self.answer(SWITCHING)
        elif state is LINGERING:
            self.send(post(100) + b"x")
            self.answer()
        self.assertIs(self.note(), state)

    def test_requests(self) -> None:
        """Requests are answered one after the other."""
        self.connect()
        for _ in range(2):
            self.assertIs(self.send(GET), ANSWERING)
            if self.wire.dials:
                endpoint = self.wire.accept()
            endpoint.read()
            endpoint.send(OK)
            self.assertIs(self.note(), WAITING)

    def test_lost(self) -> None:
        """LOST may follow every state."""
        for state in (WAITING, ANSWERING, TUNNELLING, LINGERING):
            self.at(state)
            self.connection.cut()
            self.assertIs(self.note(), LOST)

    def test_answered_after_a_cut(self) -> None:
        """An answer that comes in the same turn as a cut does not revive the connection."""
        for follower in (b"", GET, CLOSE):
            self.at(WAITING)
            self.send(GET + follower)
            endpoint = self.wire.accept()
            endpoint.read()
            endpoint.send_untold(OK)
            self.connection.cut()
            for reader in self.wire.network.getReaders():
                reader.doRead()
            self.assertIs(self.connection.state, LOST)
            self.assertIs(self.note(), LOST)
            self.assertEqual(endpoint.read(), b"")
            self.assertEqual(len(self.wire.plane.clients.connections), 0)

    def test_last(self) -> None:
        """After the last response the connection closes."""
        self.connect()
        self.send(CLOSE)
        self.answer()
        self.assertIn(self.note(), (CLOSING, LOST))
        self.connect()
        self.wire.advance(LIMITS.head_timeout + 1)
        self.assertIn(self.note(), (CLOSING, LOST))

    def test_lingers(self) -> None:
        """Input after the last response is discarded for a while."""
        self.at(LINGERING)
        self.assertIs(self.send(b"x" * 10), LINGERING)
        self.client.end()
        self.assertIn(self.note(), (CLOSING, LOST))

    def test_refused(self) -> None:
        """Input that is no request is refused without an exchange; the connection lingers."""
        self.connect()
        self.assertIn(self.send(b"nonsense\r\n\r\n"), (LINGERING, CLOSING, LOST))


class PatienceTests(SynchronousTestCase):
    def test_times(self) -> None:
        """Each state has its own time."""
        for state, expected in TIMES.items():
            found = patience(state, LIMITS, is_stalled=False, is_in_head=True, is_in_body=False)
            self.assertEqual(found, expected, state)

    def test_stalled(self) -> None:
        """A client that does not read has the time of a send in every state."""
        for state in DownstreamState:
            found = patience(state, LIMITS, is_stalled=True, is_in_head=True, is_in_body=True)
            self.assertEqual(found, LIMITS.send_timeout, state)

    def test_heads_and_bodies(self) -> None:
        """A connection between two heads is kept for a while; a body has a time of its own."""
        idle = patience(WAITING, LIMITS, is_stalled=False, is_in_head=False, is_in_body=False)
        self.assertEqual(idle, LIMITS.keep_alive_timeout)
        body = patience(ANSWERING, LIMITS, is_stalled=False, is_in_head=False, is_in_body=True)
        self.assertEqual(body, LIMITS.body_timeout)
