"""Tests of `ingress.exchange.compressor`: compressed responses, with client and endpoint."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ingress.exchange.compressor import FLUSH_DELAY
from ingress.policy.compression import Coding, Compression
from ingress.policy.response_pace import ResponsePace
from ingress.routing.route import Route
from tests.support.memory_socket import CAPACITY
from tests.support.wire import (
    CHUNKED_OK,
    ENDPOINT,
    UPSTREAM,
    Peer,
    Wire,
    request,
    response,
    snapshot_of,
)

GET = request(b"GET", b"Accept-Encoding: gzip")
PLAIN = b"Content-Type: text/plain"
SHORT = b"some text " * 2000
TEXT = b"".join(b"%x " % random.Random(3).getrandbits(40) for _ in range(40_000))


def compression(level: int = 1) -> Compression:
    return Compression((Coding("gzip", level, 20, frozenset({b"text/plain"})),))


class Pool:
    """A pool of threads that works when a test says so."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []

    def callInThreadWithCallback(
        self, done: Callable[[bool, object], None], job: Callable[[], bytes]
    ) -> None:
        self.jobs.append(lambda: done(True, job()))

    def work(self) -> None:
        self.jobs.pop(0)()


class CompressorCase(SynchronousTestCase):
    level = 1

    def setUp(self) -> None:
        route = Route(
            ingress=("default", "web"), upstream=UPSTREAM, compression=compression(self.level)
        )
        self.use(Wire(route=route))

    def use(self, wire: Wire) -> None:
        self.wire = wire
        self.pool = Pool()
        network: Any = wire.network
        network.getThreadPool = lambda: self.pool
        network.callFromThread = lambda call, *arguments: call(*arguments)
        self.client = wire.connect()

    @property
    def memory(self) -> int:
        """What coders use."""
        return self.wire.plane.exchanges.compression_memory.used

    def ask(self, data: bytes = b"", head: bytes = GET) -> Peer:
        self.client.send(head)
        endpoint = self.wire.accept()
        endpoint.read()
        if data:
            endpoint.send(data)
        return endpoint

    def whole(self, text: bytes = TEXT) -> bytes:
        return response(200, PLAIN, b"Content-Length: %d" % len(text)) + text

    def pass_time(self) -> None:
        self.wire.network.advance(FLUSH_DELAY)
        self.wire.network.settle()


def dechunked(data: bytes) -> tuple[bytes, bool]:
    """:return: the body that came in chunks, and whether its end has come."""
    body = b""
    while data:
        size, _, rest = data.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return body, True
        body += rest[:length]
        data = rest[length + 2 :]
    return body, False


def parts(data: bytes) -> tuple[bytes, bytes, bool]:
    """:return: the head, the decoded body, and whether its end has come."""
    head, _, rest = data.partition(b"\r\n\r\n")
    body, is_whole = dechunked(rest)
    return head, zlib.decompressobj(31).decompress(body), is_whole


class CompressorTests(CompressorCase):
    def test_whole(self) -> None:
        """A response with a length arrives in chunks, compressed, and the connection serves on."""
        self.ask(self.whole())
        data = self.client.read()
        head, body, is_whole = parts(data)
        self.assertIn(b"\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked", head)
        self.assertNotIn(b"Content-Length", head)
        self.assertEqual((body, is_whole), (TEXT, True))
        self.assertLess(len(data), len(TEXT) * 0.7)
        self.assertEqual((self.memory, self.client.is_open), (0, True))

    def test_chunked(self) -> None:
        """So does one in chunks."""
        head = CHUNKED_OK.removesuffix(b"\r\n") + PLAIN + b"\r\n\r\n"
        self.ask(head + b"%x\r\n" % len(TEXT) + TEXT + b"\r\n0\r\n\r\n")
        self.assertEqual(parts(self.client.read())[1:], (TEXT, True))

    def test_refused(self) -> None:
        """Who accepts no gzip gets the response with its length, and Vary."""
        self.ask(self.whole(SHORT), request(b"GET"))
        data = self.client.read()
        self.assertIn(b"\r\nVary: Accept-Encoding\r\n", data)
        self.assertTrue(data.endswith(b"\r\n\r\n" + SHORT))

    def test_pause(self) -> None:
        """What the endpoint has sent reaches the client when it pauses."""
        endpoint = self.ask(response(200, PLAIN))
        decoder = zlib.decompressobj(31)
        head = self.client.read()
        self.assertTrue(head.endswith(b"\r\n\r\n"))
        for event in (b"data: one\n\n", b"data: two\n\n"):
            endpoint.send(event)
            received = self.client.read()
            self.pass_time()
            received += self.client.read()
            self.assertEqual(decoder.decompress(dechunked(received)[0]), event)
        endpoint.end()
        body, is_whole = dechunked(self.client.read())
        self.assertEqual((decoder.decompress(body), is_whole, decoder.eof), (b"", True, True))

    def test_no_timer_left(self) -> None:
        """A response that is over leaves no timer."""
        self.ask(self.whole())
        self.client.read()
        self.assertEqual(len(self.wire.network.getDelayedCalls()), 1)

    def test_back_pressure(self) -> None:
        """A client that does not read stops the endpoint."""
        noise = random.Random(1).randbytes(20 * CAPACITY)
        endpoint = self.ask(response(200, PLAIN, b"Content-Length: %d" % len(noise)))
        sent = endpoint.send_some(noise)
        self.assertLess(sent, 6 * CAPACITY)
        received = self.client.read()
        for _ in range(1000):
            sent += endpoint.send_some(noise[sent:])
            received += self.client.read()
        self.assertEqual(parts(received)[1:], (noise, True))

    def test_broken_off(self) -> None:
        """A response that breaks off does so for the client, too, and frees the coder."""
        endpoint = self.ask(response(200, PLAIN, b"Content-Length: 100") + b"x" * 50)
        self.assertGreater(self.memory, 0)
        endpoint.close()
        self.assertFalse(parts(self.client.read())[2])
        self.assertEqual((self.memory, self.client.is_open), (0, False))

    def test_client_gone(self) -> None:
        """A client that goes away frees the coder and the endpoint."""
        endpoint = self.ask(response(200, PLAIN, b"Content-Length: 100") + b"x" * 50)
        self.client.reset()
        self.assertEqual((self.memory, endpoint.is_open), (0, False))
        self.assertEqual(len(self.wire.network.getDelayedCalls()), 1)

    def test_memory(self) -> None:
        """Where no memory is left a response is sent as it is."""
        self.wire.plane.exchanges.compression_memory.maximum = 1000
        self.ask(self.whole(SHORT))
        data = self.client.read()
        self.assertNotIn(b"Content-Encoding", data)
        self.assertTrue(data.endswith(SHORT))

    def test_paced(self) -> None:
        """The pace is that of the compressed bytes."""
        route = Route(
            ingress=("default", "web"),
            upstream=UPSTREAM,
            compression=compression(),
            pace=ResponsePace(10_000),
        )
        self.wire.plane.publish(snapshot_of(ENDPOINT, route=route))
        self.ask(self.whole())
        received = self.client.read()
        self.assertLess(len(received), 11_000)
        for _ in range(200):
            self.wire.network.advance(0.25)
            self.wire.network.settle()
            received += self.client.read()
        self.assertEqual(parts(received)[1:], (TEXT, True))
        self.assertEqual(self.memory, 0)

    def test_opt_out(self) -> None:
        """Another rule is not concerned."""
        self.wire.plane.publish(snapshot_of(ENDPOINT))
        self.ask(self.whole(SHORT))
        self.assertNotIn(b"Vary", self.client.read())


class ThreadTests(CompressorCase):
    """A level that takes long is computed in threads, with the same results."""

    level = 9

    def work(self) -> None:
        """Work until nothing is left to do."""
        while self.pool.jobs:
            self.pool.work()
            self.wire.network.settle()

    def test_whole(self) -> None:
        """A response arrives whole, piece by piece."""
        endpoint = self.ask()
        data, received = self.whole(), b""
        sent = 0
        for _ in range(1000):
            sent += endpoint.send_some(data[sent:])
            received += self.client.read()
            self.work()
        received += self.client.read()
        self.assertEqual(parts(received)[1:], (TEXT, True))
        self.assertEqual(self.memory, 0)

    def test_holds(self) -> None:
        """The endpoint is not read while a thread works, and only one works for a response."""
        endpoint = self.ask(response(200, PLAIN, b"Content-Length: 1000000"))
        sent = endpoint.send_some(bytes(1_000_000))
        self.assertLess(sent, 4 * CAPACITY)
        self.assertEqual(len(self.pool.jobs), 1)

    def test_flush(self) -> None:
        """A pause is flushed, in a thread as well."""
        self.ask(response(200, PLAIN) + b"data: one\n\n")
        self.work()
        self.pass_time()
        self.work()
        _, body, is_whole = parts(self.client.read())
        self.assertEqual((body, is_whole), (b"data: one\n\n", False))

    def test_client_gone(self) -> None:
        """Work that ends after its client has gone is dropped."""
        self.ask(response(200, PLAIN) + b"data: one\n\n")
        self.client.reset()
        self.work()
        self.assertEqual(self.memory, 0)

    def test_ends_meanwhile(self) -> None:
        """A response that ends while a thread works is finished."""
        self.ask(self.whole(SHORT))
        self.assertEqual(len(self.pool.jobs), 1)
        self.work()
        self.assertEqual(parts(self.client.read())[1:], (SHORT, True))
