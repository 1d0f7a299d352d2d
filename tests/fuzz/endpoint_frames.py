"""
``python -m tests.fuzz.endpoint_frames --seconds 60``: frames right and wrong from an endpoint that speaks
HTTP/2, to clients that speak HTTP/1.1, through the data plane.

Clients read fast or slowly. For `h11` each gets one response, whole or visibly cut, that consists
of what the endpoint has sent on its stream.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from random import Random

import h11
import hpack

from ingress.http2.frame import (
    DATA,
    DEFAULT_WINDOW,
    END_STREAM,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    RST_STREAM,
    WINDOW_UPDATE,
)
from ingress.policy.backend_version import BackendVersion
from ingress.routing.route import Route
from tests.fuzz.campaign import no_failures, run
from tests.fuzz.downgrade import whole_frames
from tests.fuzz.frame_sequences import ServerSequence
from tests.support.http2_client import Frame, frame
from tests.support.wire import UPSTREAM, Peer, Wire, request

ODDITIES = (8, 30, 1000)


class BigSequence(ServerSequence):
    """Bodies that fill windows and buffers, too."""

    def __init__(
        self, random: Random, streams: list[int], room: Callable[[int], int], bulk: int
    ) -> None:
        super().__init__(random, random.choice(ODDITIES), streams)
        self._room = room
        self._bulk = bulk

    def data(self) -> list[bytes]:
        stream_id = self.random.choice(list(self.open))
        room = min(self._room(stream_id), 16_384)
        if self.open[stream_id] is None and self.random.randrange(100) < self._bulk:
            payload = self.random.randbytes(room)
            return [frame(DATA, 0, stream_id, payload)] if room else [frame(PING, 0, 0, bytes(8))]
        return super().data() if room > 1000 else [frame(PING, 0, 0, bytes(8))]


class Endpoint:
    """A connection to the endpoint, and what was sent on it."""

    def __init__(self, peer: Peer, random: Random) -> None:
        self.peer = peer
        self.random = random
        self.paths: dict[int, bytes] = {}
        """The targets of the requests, by stream."""

        self.bodies: defaultdict[int, bytes] = defaultdict(bytes)
        self.ended: set[int] = set()
        self.reset: set[int] = set()
        self._windows: defaultdict[int, int] = defaultdict(lambda: DEFAULT_WINDOW)
        self._decoder = hpack.Decoder()
        self._received = b""
        self.look()
        streams = sorted(self.paths) or [1]
        self.sequence = BigSequence(random, streams, self._room, random.choice([5, 95]))
        self._waiting = self.sequence.frames(1)
        self._left = random.randrange(2, 90)

    def _room(self, stream_id: int) -> int:
        return max(0, min(self._windows[0], self._windows[stream_id]))

    def look(self) -> None:
        """Take what has come: requests and windows."""
        self._received += self.peer.read()
        self._received = self._received.removeprefix(PREFACE)
        frames, self._received = whole_frames(self._received)
        for each in frames:
            if each.kind == HEADERS:
                fields = dict(self._decoder.decode(each.payload, raw=True))
                if b":path" in fields:
                    self.paths[each.stream_id] = fields[b":path"]
            elif each.kind == WINDOW_UPDATE:
                self._windows[each.stream_id] += int.from_bytes(each.payload, "big")

    def send_some(self) -> bool:
        """:return: whether there is more."""
        if not self._left or not self.peer.is_open:
            return False
        self._left -= 1
        self._waiting += self.sequence.step()
        data = b"".join(self._waiting)
        self._waiting = []
        for each in whole_frames(data)[0]:
            self._keep(each)
        self.peer.send_some(data)
        return True

    def _keep(self, each: Frame) -> None:
        if each.kind == DATA:
            self._windows[0] -= len(each.payload)
            self._windows[each.stream_id] -= len(each.payload)
            payload = each.payload
            if each.flags & PADDED and payload:
                payload = payload[1 : max(len(payload) - payload[0], 1)]
            if each.stream_id not in self.ended:
                self.bodies[each.stream_id] += payload
        if each.kind in (DATA, HEADERS) and each.flags & END_STREAM:
            self.ended.add(each.stream_id)
        if each.kind == RST_STREAM:
            self.reset.add(each.stream_id)


class Client:
    """A client in HTTP/1.1 with one request."""

    def __init__(self, wire: Wire, number: int, random: Random) -> None:
        self.target = b"/%d" % number
        self.method = random.choice([b"GET", b"GET", b"POST", b"HEAD"])
        self.received = b""
        self.peer = wire.connect()
        length = b"Content-Length: 5" if self.method == b"POST" else b"X-A: 1"
        head = request(self.method, length, target=self.target)
        self.peer.send(head + (b"hello" if self.method == b"POST" else b""))

    def read(self) -> bool:
        """:return: whether something came."""
        data = self.peer.read()
        self.received += data
        return bool(data)

    def check(self, endpoints: list[Endpoint]) -> None:
        """:raises AssertionError: if it got what nobody has sent it."""
        status, body, is_whole = self._response()
        has_length = b"\r\ncontent-length: " in self.received.lower()
        streams = [
            (endpoint, stream_id)
            for endpoint in endpoints
            for stream_id, path in endpoint.paths.items()
            if path == self.target
        ]
        context = (self.target, self.received[:300], status, len(body), is_whole)
        for endpoint, stream_id in streams:
            if stream_id in endpoint.ended - endpoint.reset and not endpoint.sequence.was_odd:
                assert is_whole, context
        if status in (0, 502, 504):
            return
        assert any(e.bodies[n].startswith(body) for e, n in streams), context
        is_bodiless = self.method == b"HEAD" or status in (204, 304)
        if is_whole and not has_length and not is_bodiless:
            # Others are whole with their head, or with the length that they have announced.
            assert any(n in e.ended and e.bodies[n] == body for e, n in streams), context

    def _response(self) -> tuple[int, bytes, bool]:
        """:return: the status, the body, and whether the response is whole."""
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 24)
        parser.send(h11.Request(method=self.method, target=self.target, headers=[("host", "a")]))
        parser.send(h11.EndOfMessage())
        parser.receive_data(self.received)
        status, body = 0, b""
        while True:
            event = parser.next_event()
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert not parser.trailing_data[0], "more than one response"
                return status, body, True
            elif event is h11.NEED_DATA:
                return status, body, False


def check(random: Random) -> None:
    """One connection to an endpoint."""
    with no_failures():
        wire = Wire(
            route=Route(ingress=("default", "web"), upstream=UPSTREAM, version=BackendVersion(True))
        )
        clients = [Client(wire, number, random) for number in range(random.randrange(1, 5))]
        endpoints: list[Endpoint] = []
        for _ in range(150):
            wire.advance(0)
            if wire.dials and len(endpoints) < 3:
                endpoints.append(Endpoint(wire.accept(), random))
            going_on = False
            for endpoint in endpoints:
                endpoint.look()
                going_on |= endpoint.send_some()
            if not going_on and not wire.dials:
                break
            if random.randrange(2):
                random.choice(clients).read()
        while wire.dials:
            wire.next_dial().refuse()
        for endpoint in endpoints:
            random.choice([endpoint.peer.end, endpoint.peer.reset])()
        is_moving = True
        while is_moving:
            is_moving = bool(sum(client.read() for client in clients))
            wire.advance(0)
        while wire.dials:
            wire.next_dial().refuse()
        for client in clients:
            client.read()
            client.check(endpoints)


if __name__ == "__main__":
    sys.exit(run("endpoint_frames", check))
