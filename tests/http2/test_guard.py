"""
Tests of `ingress.http2.guard`, and what attacks cost in processor time and memory.

`tests.http2.test_server.AttackTests` has the bounds one by one, and `tests.downstream.test_http2`
counts the connections to endpoints.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter
from collections.abc import Callable
from time import process_time

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Limits
from ingress.http2.fault import ConnectionFault
from ingress.http2.guard import REFILL, Bucket, Guard
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
        bucket = Bucket(3)
        self.assertEqual([bucket.take(1000.0) for _ in range(4)], [True, True, True, False])
        self.assertTrue(bucket.take(1000.0 + 1.01 / REFILL))
        self.assertFalse(bucket.take(1000.0 + 1.02 / REFILL))
        bucket.put()
        self.assertTrue(bucket.take(1000.0 + 1.02 / REFILL))

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
