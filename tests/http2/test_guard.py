"""
Tests of `ingress.http2.guard`, and what attacks cost in processor time and memory.

`tests.http2.test_server.AttackTests` has the bounds one by one, and `tests.downstream.test_http2`
counts the connections to endpoints.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from time import process_time

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Limits
from ingress.http2.fault import (
    COMPRESSION_ERROR,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    ConnectionFault,
)
from ingress.http2.flow import ReceiveWindow, SharedGrowth
from ingress.http2.frame import (
    HEADER_TABLE_SIZE,
    HEADERS,
    PREFACE,
    WINDOW_UPDATE,
    read_settings,
)
from ingress.http2.guard import Bucket, Guard
from tests.support.http2_client import GET, POST, Client, frame, settings, window_update

ROUNDS = 3000

SECONDS = 1.0
"""Far above what any attack takes, also interpreted and on a busy machine."""

BYTES = 1_500_000
"""What is held for a connection at most, with the bytes that the attack itself consists of."""


def heads(client: Client, count: int = ROUNDS) -> list[bytes]:
    return [client.head(2 * number + 1) for number in range(count)]


def rapid_reset(client: Client) -> list[bytes]:
    return [client.head(2 * n + 1) + client.rst(2 * n + 1) for n in range(ROUNDS)]


def made_you_reset(client: Client) -> list[bytes]:
    return [
        client.head(2 * n + 1, POST, end=False) + window_update(2 * n + 1, 0) for n in range(ROUNDS)
    ]


def continuations(client: Client) -> list[bytes]:
    return [client.head(1, flags=0), *[client.continuation(1, bytes(16_384), end=False)] * 100]


def small_continuations(client: Client) -> list[bytes]:
    return [client.head(1, flags=0), *[client.continuation(1, b"\x82", end=False)] * ROUNDS]


def bomb(client: Client) -> list[bytes]:
    large = client.block(1, b"\x82\x86\x84\x41\x01a\x40\x01x\x7f\x81\x1e" + b"y" * 3968)
    return [large, *(client.block(2 * n + 3, b"\xbe" * 16_000) for n in range(50))]


def many_fields(client: Client) -> list[bytes]:
    return [client.block(2 * n + 1, b"\x82\x86\x84\x90" + b"\x90" * 16_000) for n in range(50)]


def size_updates(client: Client) -> list[bytes]:
    return [client.block(1, b"\x20\x3f\xe1\x1f" * 4000)]


def table_churn(client: Client) -> list[bytes]:
    entries = b"".join(b"\x40\x02%02x\x01a" % (n % 200) for n in range(2000))
    return [client.block(2 * n + 1, entries) for n in range(20)]


FLOODS: dict[str, Callable[[Client], list[bytes]]] = {
    "Rapid Reset": rapid_reset,
    "MadeYouReset": made_you_reset,
    "streams beyond the bound": heads,
    "CONTINUATION": continuations,
    "small CONTINUATION": small_continuations,
    "HPACK bomb": bomb,
    "fields without end": many_fields,
    "size updates": size_updates,
    "changes of the table": table_churn,
    "SETTINGS": lambda client: [settings((4, n % 1000)) for n in range(ROUNDS)],
    "large SETTINGS": lambda client: [settings(*[(4, n) for n in range(2000)])] * 10,
    "PING": lambda client: [client.ping()] * ROUNDS,
    "PRIORITY": lambda client: [frame(2, 0, 1, bytes(5))] * ROUNDS,
    "PRIORITY_UPDATE": lambda client: [frame(0x10, 0, 0, b"\0\0\0\1u=1")] * ROUNDS,
    "WINDOW_UPDATE": lambda client: [window_update(0, 1)] * ROUNDS,
    "empty DATA": lambda client: [
        client.head(1, POST, end=False),
        *[client.data(1, b"", end=False)] * ROUNDS,
    ],
    "unknown frames": lambda client: [frame(0x42, 0, 0)] * ROUNDS,
    "frames on a closed stream": lambda client: [
        client.head(1),
        *[client.rst(1), frame(8, 0, 1, bytes(4))] * ROUNDS,
    ],
    "uploads that nobody reads": lambda client: [
        client.head(2 * n + 1, POST, end=False) + client.data(2 * n + 1, bytes(16_000), end=False)
        for n in range(100)
    ],
    "malformed requests": lambda client: [
        client.head(2 * n + 1, [*GET, (b"connection", b"x")]) for n in range(ROUNDS)
    ],
    "trailers": lambda client: [
        client.head(1, POST, end=False),
        *[client.head(1, [(b"a", b"b")], end=False)] * ROUNDS,
    ],
}


class CostTests(SynchronousTestCase):
    """An attack costs a moment, and holds little memory; a test for each is added below."""

    def check(self, attack: Callable[[Client], list[bytes]], *, is_blocked: bool) -> None:
        client = Client(None).handshake()
        pieces = attack(client)
        client.site.reads = False
        connection = client.connection
        connection.output.is_blocked = is_blocked
        gc.collect()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for piece in pieces:
            connection.receive(piece)
            connection.begin()
            if not is_blocked:
                connection.take()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        self.assertLess(held, BYTES)

        client = Client(None).handshake()
        pieces = attack(client)
        started = process_time()
        for piece in pieces:
            client.connection.receive(piece)
            client.connection.begin()
            client.connection.take()
        self.assertLess(process_time() - started, SECONDS)


def _add(name: str, attack: Callable[[Client], list[bytes]]) -> None:
    def reading(self: CostTests) -> None:
        self.check(attack, is_blocked=False)

    def unread(self: CostTests) -> None:
        self.check(attack, is_blocked=True)

    plain = name.lower().replace(" ", "_")
    for test, suffix in ((reading, ""), (unread, "_unread")):
        test.__doc__ = f"{name}: a bounded cost."
        setattr(CostTests, f"test_{plain}{suffix}", test)


for _name, _attack in FLOODS.items():
    _add(_name, _attack)


class GuardTests(SynchronousTestCase):
    def test_bucket(self) -> None:
        """A bucket gives so many tokens at once, and then some each second."""
        bucket = Bucket(3, 33)
        self.assertEqual([bucket.take(1000.0) for _ in range(4)], [True, True, True, False])
        self.assertTrue(bucket.take(1000.0 + 1.01 / 33))
        self.assertFalse(bucket.take(1000.0 + 1.02 / 33))
        bucket.put()
        self.assertTrue(bucket.take(1000.0 + 1.02 / 33))

    def test_limits(self) -> None:
        """The bounds are those of the configuration, and what exceeds one is counted."""
        limits = Limits(
            http2_resets=1,
            http2_control_frames=2,
            http2_glitches=3,
            http2_priorities=4,
            http2_window_updates=1,
        )
        kinds = Counter[str]()
        for allowed, deed in (
            (1, lambda guard: guard.reset(1.0)),
            (2, lambda guard: guard.control(1.0)),
            (3, lambda guard: guard.glitch("odd", 1.0)),
            (4, lambda guard: guard.priority()),
            (5, lambda guard: guard.window_update()),
        ):
            guard = Guard(limits, kinds)
            for _ in range(allowed):
                deed(guard)
            with self.assertRaises(ConnectionFault):
                deed(guard)
        self.assertEqual(kinds["odd"], 4)
        self.assertEqual(kinds["too_many_reset"], 1)


class ConfiguredTests(SynchronousTestCase):
    """Bounds that are configured hold in the place of the defaults."""

    def client(self, body: bytes | None = None, **limits: int) -> Client:
        return Client(body, limits=Limits(**limits)).handshake()  # type: ignore[arg-type]

    def assert_calmed(self, client: Client, after: Sequence[bytes], too_much: bytes) -> None:
        client.send(*after)
        self.assertIsNone(client.goaway())
        client.send(too_much)
        self.assertEqual(client.goaway(), ENHANCE_YOUR_CALM)

    def test_counts(self) -> None:
        """Numbers of frames, of entries, and of what grows back in a second."""
        entries = settings(*[(0x77, 1)] * 12)
        self.assert_calmed(self.client(http2_settings=12), [entries], settings(*[(0x77, 1)] * 13))
        client = self.client(http2_empty_frames=3)
        empty = client.data(1, b"", end=False)
        head = client.head(1, POST, end=False)
        self.assert_calmed(client, [head, *[empty] * 3], empty)
        client = self.client(http2_glitches=1, http2_refill=2)
        odd = frame(0x77, 0, 0)
        client.send(odd)
        for _ in range(10):
            client.now += 0.5
            client.send(odd)
        self.assert_calmed(client, [], odd)

    def test_unread(self) -> None:
        """Answers that wait because the client does not read."""
        client = self.client(http2_unread_answers=10)
        client.connection.output.is_blocked = True
        client.connection.receive(client.ping() * 10)
        self.assertFalse(client.connection.is_over)
        client.connection.receive(client.ping())
        self.assertTrue(client.connection.is_over)

    def test_trailers(self) -> None:
        """The size of trailers."""
        for size, status in ((900, None), (1100, 400)):
            client = self.client(http2_trailer_size=1024)
            client.send(client.head(1, POST, end=False), client.head(1, [(b"x", b"y" * size)]))
            statuses = [
                int(dict(client.decoder.decode(each.payload, raw=True))[b":status"])
                for each in client.of(HEADERS, 1)
            ]
            self.assertEqual(statuses, [] if status is None else [status])

    def test_table(self) -> None:
        """The dynamic table that a client may use, which it is told."""
        client = Client(None, limits=Limits(http2_table_size=8192))
        client.send(PREFACE, settings())
        self.assertIn((HEADER_TABLE_SIZE, 8192), read_settings(client.frames[0].payload))
        client.frames.clear()
        # A change of the size to 8,192 (RFC 7541 section 6.3).
        client.send(client.block(1, b"\x3f\xe1\x3f\x82\x86\x84\x41\x01a"))
        self.assertEqual((client.goaway(), len(client.site.received)), (None, 1))
        client.send(client.block(3, b"\x3f\xe2\x3f\x82\x86\x84\x41\x01a"))
        self.assertEqual(client.goaway(), COMPRESSION_ERROR)

    def test_windows(self) -> None:
        """What a client may send in advance, on a stream and on all of them."""
        client = Client(None, limits=Limits(http2_connection_window=100_000))
        client.send(PREFACE, settings())
        (update,) = client.of(WINDOW_UPDATE, 0)
        self.assertEqual(int.from_bytes(update.payload, "big"), 100_000 - 65_535)
        client.site.reads = False
        for stream_id, size in ((1, 60_000), (3, 40_000)):
            client.send(client.head(stream_id, POST, end=False))
            for start in range(0, size, 10_000):
                client.send(client.data(stream_id, bytes(min(10_000, size - start)), end=False))
        self.assertIsNone(client.goaway())
        client.send(client.data(3, b"x", end=False))
        self.assertEqual(client.goaway(), FLOW_CONTROL_ERROR)
        for most in (1 << 16, 1 << 18):
            window = ReceiveWindow(65_535, SharedGrowth(1 << 20, most))
            for _ in range(100):
                window.take(30_000)
                window.give_back(30_000)
            self.assertLessEqual(window.left, most)
            self.assertGreater(window.left, most - 200_000)

    def test_queue(self) -> None:
        """What is queued for a client that does not read."""
        for size, count in ((1 << 17, 1), (1 << 20, 16)):
            client = self.client(http2_queue=size)
            client.connection.output.window = 0
            client.send(*[client.head(2 * n + 1) for n in range(32)])
            for received in client.site.received[: count - 1]:
                received.stream.send_head(b"\x88", is_end=False)
                received.stream.send_data(bytes(60_000))
            self.assertTrue(client.connection.output.has_room())
            last = client.site.received[-1].stream
            last.send_data(bytes(60_000))
            last.send_data(bytes(60_000))
            self.assertFalse(client.connection.output.has_room())


class DocumentedTests(SynchronousTestCase):
    def test_keys(self) -> None:
        """docs/http2.md has each key."""
        text = (Path(__file__).parents[2] / "docs/http2.md").read_text()
        for each in fields(Limits):
            if each.name.startswith("http2_"):
                self.assertIn(f"`{each.name.replace('_', '-')}`", text)
