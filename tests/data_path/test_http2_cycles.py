"""What a connection in HTTP/2 was made of is freed with it, as `test_cycles` shows of HTTP/1.1."""

from __future__ import annotations

from collections.abc import Callable

from ingress.http2.frame import PREFACE
from tests.data_path import test_cycles
from tests.support.http2_client import GET, POST, Client, settings
from tests.support.wire import LIMITS, OK, SWITCHING, Peer, Wire, response

CONNECT = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:]]

_kept: list[Client] = []
"""The clients, which have cycles of their own."""


def begin(peer: Peer) -> Client:
    peer.send(PREFACE + settings())
    client = Client()
    _kept.append(client)
    return client


def served(wire: Wire, peer: Peer) -> None:
    client = begin(peer)
    peer.send(client.head(1) + client.head(3))
    wire.accept().send(OK)
    wire.accept().send(OK)
    peer.read()
    peer.close()


def left_open(wire: Wire, peer: Peer) -> None:
    client = begin(peer)
    peer.send(client.head(1) + client.head(3, POST, end=False) + client.data(3, b"x", end=False))
    wire.accept().read()
    wire.next_dial()
    peer.reset()


def reset(wire: Wire, peer: Peer) -> None:
    client = begin(peer)
    peer.send(client.head(1))
    wire.accept().read()
    peer.send(client.rst(1))
    peer.close()


def unread(wire: Wire, peer: Peer) -> None:
    client = begin(peer)
    peer.send(client.head(1))
    wire.accept().send_some(response(200, b"Content-Length: 1000000") + bytes(500_000))
    wire.advance(LIMITS.send_timeout + 2)
    peer.close()


def malformed(wire: Wire, peer: Peer) -> None:
    client = begin(peer)
    peer.send(client.head(1, [*GET, (b"connection", b"x")]) + client.head(3))
    wire.accept().send(OK)
    peer.send(client.data(0, b""))
    peer.read()
    peer.close()


def held(wire: Wire, peer: Peer) -> None:
    client = begin(peer)
    peer.send(client.head(1, POST, end=False) + client.data(1, b"x", end=False))
    wire.next_dial()
    wire.advance(LIMITS.body_timeout + 2)
    peer.close()


def tunnelled(wire: Wire, peer: Peer) -> None:
    client = begin(peer)
    peer.send(client.head(1, CONNECT, end=False))
    endpoint = wire.accept()
    endpoint.send(SWITCHING)
    peer.send(client.data(1, b"x", end=False))
    endpoint.close()
    peer.read()
    peer.close()


def idle(wire: Wire, peer: Peer) -> None:
    served_client = begin(peer)
    peer.send(served_client.head(1))
    wire.accept().send(OK)
    wire.advance(LIMITS.keep_alive_timeout + 4)
    peer.close()


SCENARIOS: tuple[Callable[[Wire, Peer], None], ...] = (
    served,
    left_open,
    reset,
    unread,
    malformed,
    held,
    tunnelled,
    idle,
)


class HTTP2CycleTests(test_cycles.CycleTests):
    def test_none_is_left(self) -> None:
        """Nothing of a connection waits for the garbage collector, however it ends."""
        found = {scenario.__name__: self.garbage_of(scenario) for scenario in SCENARIOS}
        self.assertEqual({name: kinds for name, kinds in found.items() if kinds}, {})
