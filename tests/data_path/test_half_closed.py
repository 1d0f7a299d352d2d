"""Tests of clients that send no more and still read: they get what they asked for, and then the end."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.wire import (
    CHUNKED_OK,
    GET,
    LIMITS,
    OK,
    ONE_BUFFER_TOO_MUCH,
    SWITCHING,
    UPGRADE,
    Wire,
)

LAST_CHUNK = b"0\r\n\r\n"


class HalfClosedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()
        self.client = self.wire.connect()

    def test_within_the_answer(self) -> None:
        """The connection ends with an answer whose head could not say so any more."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        endpoint.send(CHUNKED_OK)
        self.assertNotIn(b"Connection: close", self.client.read())
        self.client.end()
        endpoint.send(LAST_CHUNK)
        self.assertEqual(self.client.read(), LAST_CHUNK)
        self.assertTrue(self.client.saw_end)
        self.assertEqual(len(self.wire.plane.clients.connections), 0)

    def test_within_the_answer_before_another(self) -> None:
        """A request that had come before the end is answered, too."""
        self.client.send(GET + GET)
        endpoint = self.wire.accept()
        endpoint.send(CHUNKED_OK)
        self.client.end()
        endpoint.send(LAST_CHUNK)
        endpoint.send(OK)
        answers = self.client.read()
        self.assertEqual(answers.count(b"HTTP/1.1 200"), 2)
        self.assertTrue(self.client.saw_end)

    def test_slow_reader(self) -> None:
        """A pipelined request is answered once the client has read the answer before."""
        self.client.send(GET + GET)
        endpoint = self.wire.accept()
        endpoint.send(ONE_BUFFER_TOO_MUCH)
        endpoint.read()
        self.client.end()
        self.assertTrue(self.client.read().endswith(b"x"))
        self.assertTrue(endpoint.read().startswith(b"GET "))
        endpoint.send(OK)
        self.assertTrue(self.client.read().endswith(b"ok"))
        self.assertTrue(self.client.saw_end)

    def test_never_reads(self) -> None:
        """A client that leaves its answer unread is not waited for longer than any other."""
        self.client.send(GET + GET)
        endpoint = self.wire.accept()
        endpoint.send(ONE_BUFFER_TOO_MUCH)
        self.client.end()
        self.wire.advance(LIMITS.send_timeout + 2)
        self.assertEqual(len(self.wire.plane.clients.connections), 0)

    def test_never_closes(self) -> None:
        """A client that reads its answer and stays is left behind."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        self.client.end()
        endpoint.send(OK)
        self.assertEqual(len(self.wire.plane.clients.connections), 0)

    def test_before_the_tunnel(self) -> None:
        """An end of the client that comes before the tunnel goes through it."""
        self.client.send(UPGRADE + b"early")
        endpoint = self.wire.accept()
        endpoint.read()
        self.client.end()
        endpoint.send(SWITCHING)
        self.assertEqual(endpoint.read(), b"early")
        self.assertTrue(endpoint.saw_end)
        endpoint.send(b"late")
        self.assertTrue(self.client.read().endswith(b"late"))

    def test_one_half_of_a_tunnel(self) -> None:
        """A tunnel of which one half has ended and the other is silent ends in time."""
        for is_client in (True, False):
            with self.subTest(is_client=is_client):
                wire = Wire()
                client = wire.connect()
                client.send(UPGRADE)
                endpoint = wire.accept()
                endpoint.send(SWITCHING)
                client.read()
                (client if is_client else endpoint).end()
                wire.advance(LIMITS.read_timeout + 2)
                self.assertFalse(client.is_open)
                self.assertFalse(endpoint.is_open)
                self.assertEqual(len(wire.plane.clients.connections), 0)
