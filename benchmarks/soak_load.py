"""
The clients of the soak: each kind does one thing over and over, and checks every byte.
"""

from __future__ import annotations

import ssl
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random

import grpc

from benchmarks.soak_endpoint import LARGE
from benchmarks.soak_http2 import Answer, HTTP2Client
from tests.support.client import HTTPClient, Reply
from tests.support.grpc_channel import same
from tests.support.process import PATIENCE

HOST = "soak.example"
GRPC_HOST = "grpc.example"

PAUSE = 0.005
"""Seconds between two requests of a client: the point is that it lasts, not that it is fast."""

REQUESTS_A_CONNECTION = 40

ABORTED = "aborted"
"""The kind of clients that expect nothing."""

UPGRADE = (
    f"GET /steady/tunnel HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
).encode()


@dataclass
class Tally:
    """What all clients together have done."""

    requests: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    reasons: list[str] = field(default_factory=list)
    """Of the first failures."""


class Load:
    """
    Clients in threads, until they are stopped.

    :param http: the port.
    :param https: the port.
    :param bridge: the port of a `tests.support.websocket_bridge`.
    :param tls: a context that trusts its certificates.
    :param tls_http2: another one, which asks for HTTP/2.
    :param others: kinds of clients beside those of HTTP, and what one does over and over.
    """

    def __init__(
        self,
        http: int,
        https: int,
        bridge: int,
        tls: ssl.SSLContext,
        tls_http2: ssl.SSLContext,
        others: Sequence[tuple[str, Callable[[Random], None]]] = (),
    ) -> None:
        self.tally = Tally()
        self._others = tuple(others)
        self._bridge = bridge
        self._http = http
        self._https = https
        self._tls = tls
        self._tls_http2 = tls_http2
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        kinds: list[tuple[str, Callable[[Random], None], int]] = [
            ("small, http", lambda random: self._small(random, secure=False), 3),
            ("small, https", lambda random: self._small(random, secure=True), 3),
            ("upload", self._upload, 2),
            ("download", self._download, 2),
            ("WebSocket", self._tunnel, 2),
            ("small, HTTP/2", self._small_http2, 2),
            ("large, HTTP/2", self._large_http2, 2),
            ("WebSocket, HTTP/2", self._tunnel_http2, 1),
            ("gRPC", self._grpc, 2),
            (ABORTED, self._abort, 2),
            *((name, partial(self._other, once), 2) for name, once in self._others),
        ]
        for name, once, number in kinds:
            for index in range(number):
                self._threads.append(
                    threading.Thread(
                        target=self._repeat, args=(once, Random(index)), name=name, daemon=True
                    )
                )
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End it, and wait until each client has done what it had begun."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, once: Callable[[Random], None], random: Random) -> None:
        """
        :param once: what such a client does on one connection.
        """
        while not self._is_over.is_set():
            try:
                once(random)
            except (OSError, AssertionError, ValueError, grpc.RpcError) as error:
                kind = threading.current_thread().name
                if kind != ABORTED:
                    self._failed(kind, error)

    def _failed(self, kind: str, error: Exception) -> None:
        with self._lock:
            self.tally.failures[kind] += 1
            if len(self.tally.reasons) < 10:
                self.tally.reasons.append(f"{time.strftime('%H:%M:%S')} {kind}: {error!r}")

    def _done(self) -> bool:
        """Count a request of this thread; return whether there is to be another."""
        with self._lock:
            self.tally.requests[threading.current_thread().name] += 1
        return not self._is_over.wait(PAUSE)

    def _other(self, once: Callable[[Random], None], random: Random) -> None:
        once(random)
        self._done()

    def _connect(self, *, secure: bool) -> HTTPClient:
        if secure:
            return HTTPClient(self._https, tls=self._tls, server_name=HOST)
        return HTTPClient(self._http)

    # The kinds. Those that may be asked again go to endpoints that die.

    def _small(self, random: Random, *, secure: bool) -> None:
        with self._connect(secure=secure) as client:
            for _ in range(random.randint(1, REQUESTS_A_CONNECTION)):
                reply = client.request("/mortal/small", HOST)
                _check(reply, b"small")
                if not self._done() or reply.field("Connection") == "close":
                    return

    def _upload(self, random: Random) -> None:
        with self._connect(secure=random.random() < 0.5) as client:
            for _ in range(random.randint(1, 5)):
                body = random.randbytes(random.randint(1, 1 << 18))
                if random.random() < 0.5:
                    reply = client.request("/steady/upload", HOST, method="POST", body=body)
                else:
                    reply = _send_chunks(client, body, random)
                _check(reply, b"%d %d" % (len(body), zlib.crc32(body)))
                if not self._done():
                    return

    def _download(self, random: Random) -> None:
        with self._connect(secure=random.random() < 0.5) as client:
            for _ in range(random.randint(1, 5)):
                _check(client.request("/steady/large", HOST), LARGE)
                if not self._done():
                    return

    def _tunnel(self, random: Random) -> None:
        with self._connect(secure=random.random() < 0.5) as client:
            self._talk(client, random)

    def _tunnel_http2(self, random: Random) -> None:
        with HTTPClient(self._bridge) as client:
            self._talk(client, random)

    def _talk(self, client: HTTPClient, random: Random) -> None:
        """Have a WebSocket echo something."""
        client.send(UPGRADE)
        status = client.read_head()[1]
        assert status == 101, f"status {status}"
        for _ in range(random.randint(1, REQUESTS_A_CONNECTION)):
            data = random.randbytes(random.choice([1, 125, 126, 65536]))
            client.send(data)
            assert client.read_exactly(len(data)) == data, "another echo"
            if not self._done():
                return

    def _connect_http2(self, random: Random) -> HTTP2Client:
        if random.random() < 0.5:
            return HTTP2Client(self._https, HOST, self._tls_http2, PATIENCE)
        return HTTP2Client(self._http, HOST, None, PATIENCE)

    def _small_http2(self, random: Random) -> None:
        """Many requests at once."""
        with self._connect_http2(random) as client:
            for _ in range(random.randint(1, 10)):
                # The endpoint that dies fails all that it is asked at once, and ten of them may be
                # asked again (`ingress.upstream.retry_budget`).
                path, most = random.choice([("/mortal/small", 2), ("/steady/small", 20)])
                asked = [client.ask(path) for _ in range(random.randint(1, most))]
                going_on = True
                for stream_id in asked:
                    _check(client.wait(stream_id), b"small")
                    going_on = self._done()
                if not going_on:
                    return

    def _large_http2(self, random: Random) -> None:
        """Uploads and downloads at once; some downloads are cancelled in the middle."""
        with self._connect_http2(random) as client:
            for _ in range(random.randint(1, 5)):
                body = random.randbytes(random.randint(1, 1 << 18))
                cancelled = client.ask("/steady/large")
                download = client.ask("/steady/large")
                upload = client.ask("/steady/upload", method="POST", body=body)
                if random.random() < 0.5:
                    client.read()
                    client.reset(cancelled)
                else:
                    _check(client.wait(cancelled), LARGE)
                _check(client.wait(upload), b"%d %d" % (len(body), zlib.crc32(body)))
                _check(client.wait(download), LARGE)
                if not self._done():
                    return

    def _grpc(self, random: Random) -> None:
        """Calls of each kind; streams that are cancelled."""
        options = [
            ("grpc.default_authority", GRPC_HOST),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        with grpc.insecure_channel(f"127.0.0.1:{self._http}", options=options) as channel:
            echo = channel.unary_unary("/t.T/Echo", same, same)
            each = channel.stream_stream("/t.T/Each", same, same)
            endless = channel.unary_stream("/t.T/Endless", same, same)
            for _ in range(random.randint(1, REQUESTS_A_CONNECTION)):
                message = random.randbytes(random.choice([1, 1000, 1 << 18]))
                assert echo(message, timeout=PATIENCE) == message, "another message"
                messages = [b"%d" % number for number in range(random.randint(1, 20))]
                answers = list(each(iter(messages), timeout=PATIENCE))
                assert answers == [b"re:" + message for message in messages], "other messages"
                stream = endless(b"", timeout=PATIENCE)
                next(stream)
                stream.cancel()
                if not self._done():
                    return

    def _abort(self, random: Random) -> None:
        """Go away in the middle of everything; nothing is expected of the proxy."""
        if random.random() < 0.2:
            self._abort_http2(random)
            return
        is_secure = random.random() < 0.3
        with self._connect(secure=is_secure) as client:
            self._done()
            step = random.randrange(6)
            if step == 0:
                client.send(b"GET / HTTP/1.1\r\nHo")
            elif step == 1:
                client.send(f"POST /steady/upload HTTP/1.1\r\nHost: {HOST}\r\n".encode())
                client.send(b"Content-Length: 100000\r\n\r\n" + bytes(5000))
            elif step == 2:
                client.send(f"GET /steady/large HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
                client.skip(1000)
            elif step == 3:
                client.send(UPGRADE)
                client.read_head()
                client.send(b"half a fra")
            elif step == 4:
                client.send(b"nonsense\r\n\r\n")
                client.read_reply()
            if random.random() < 0.5 and not is_secure:
                with suppress(OSError):
                    client.reset()

    def _abort_http2(self, random: Random) -> None:
        """Leave a connection with streams in every state."""
        with self._connect_http2(random) as client:
            self._done()
            asked = [client.ask(f"/steady/{random.choice(['small', 'large'])}") for _ in range(5)]
            asked.append(client.ask("/steady/upload", method="POST", body=bytes(1 << 20)))
            client.read()
            client.reset(random.choice(asked))
            if random.random() < 0.5:
                client.read()


def _send_chunks(client: HTTPClient, body: bytes, random: Random) -> Reply:
    client.send(f"POST /steady/upload HTTP/1.1\r\nHost: {HOST}\r\n".encode())
    client.send(b"Transfer-Encoding: chunked\r\n\r\n")
    while body:
        size = random.randint(1, 1 << 17)
        piece, body = body[:size], body[size:]
        client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    client.send(b"0\r\n\r\n")
    return client.read_reply("POST")


def _check(reply: Reply | Answer, body: bytes) -> None:
    assert reply.status == 200, f"status {reply.status}: {reply.body[:200]!r}"
    assert reply.body == body, f"another body, {len(reply.body)} bytes of {len(body)}"
