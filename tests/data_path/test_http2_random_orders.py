"""
One client's connection in HTTP/2, its endpoints and its policies, in random orders of events.

Whatever the order: every request has one record and at most one response, no window is exceeded,
nothing is counted as in flight at the end, and no connection is left open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from ingress.downstream.http2 import HTTP2Downstream
from ingress.http2.frame import (
    DATA,
    DEFAULT_WINDOW,
    END_STREAM,
    FRAME_HEADER,
    HEADERS,
    PING,
    PREFACE,
)
from ingress.policy.policy import Phase
from tests.data_path import test_random_orders as http1
from tests.support.http2_client import GET, POST, Client, frame, window_update
from tests.support.http2_client import settings as settings_frame

CONNECT = ((b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:])
LENGTH = b"content-length"

OPENED = {
    "GET": (GET, True),
    "HEAD": (((b":method", b"HEAD"), *GET[1:]), True),
    "urgent GET": ((*GET, (b"priority", b"u=0")), True),
    "POST": (POST, False),
    "POST of 10": ((*POST, (LENGTH, b"10")), False),
    "POST of 0": ((*POST, (LENGTH, b"0")), False),
    "WebSocket": (CONNECT, False),
    "malformed": ((*GET, (b"connection", b"close")), False),
}


class Scene(http1.Scene):
    """
    :ivar stream_id: the last stream that the client has opened.
    """

    def __init__(self, phases: Collection[Phase], *, retries: bool) -> None:
        super().__init__(phases, retries=retries)
        self.writer = Client()
        self.stream_id = -1
        self.heads = Counter[int]()
        self.ends = Counter[int]()
        self.windows: dict[int, int] = {0: DEFAULT_WINDOW}
        self.is_broken = False
        """Whether the client has broken a rule on purpose, or ended, or got GOAWAY."""

        self._waiting = b""
        transport = self.connection.transport
        self.client.send(PREFACE + settings_frame())
        self.http2 = cast(HTTP2Downstream, transport.protocol)
        assert isinstance(self.http2, HTTP2Downstream)

    def read(self) -> None:
        if self.has_left:
            return
        self._waiting += self.client.read()
        while len(self._waiting) >= FRAME_HEADER:
            size = FRAME_HEADER + int.from_bytes(self._waiting[:3], "big")
            if len(self._waiting) < size:
                break
            data, self._waiting = self._waiting[:size], self._waiting[size:]
            self._take(data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:])

    def _take(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if kind == HEADERS:
            block = dict(self.writer.decoder.decode(payload, raw=True))
            if int(block.get(b":status", b"0")) >= 200:
                self.heads[stream_id] += 1
        elif kind == DATA:
            for window in (0, stream_id):
                self.windows[window] -= len(payload)
                assert self.windows[window] >= 0, "a window is exceeded"
        elif kind == PING and not flags:
            self.client_sends(frame(PING, 1, 0, payload))
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            self.ends[stream_id] += 1

    def open(self, name: str) -> None:
        fields, end = OPENED[name]
        if self.has_left or self.has_ended:
            return
        self.stream_id += 2
        self.windows[self.stream_id] = DEFAULT_WINDOW
        self.client_sends(self.writer.head(self.stream_id, fields, end=end))

    def send(self, size: int, *, end: bool) -> None:
        if self.stream_id > 0:
            pieces = [b"x" * 16_000] * (size // 16_000) + [b"x" * (size % 16_000)]
            frames = [self.writer.data(self.stream_id, each, end=False) for each in pieces if each]
            if end:
                frames.append(self.writer.data(self.stream_id, b""))
            self.client_sends(b"".join(frames))

    def reset(self) -> None:
        if self.stream_id > 0:
            self.client_sends(self.writer.rst(self.stream_id))

    def update(self) -> None:
        """Give the last stream, and the connection, another window."""
        if self.stream_id > 0 and not (self.has_left or self.has_ended):
            for window in (0, self.stream_id):
                self.windows[window] += 200_000
                self.client_sends(window_update(window, 200_000))

    def finish(self) -> None:
        """Let everything end by itself but for tunnels, which last; then the client goes."""
        self.wire.network.settle()
        for _ in range(http1.MOST_REQUESTS):
            if not self.http2.in_flight():
                break
            while self.wire.dials:
                self.refuse()
            self.pass_time(70)
            if any(each.is_tunnel for each in self.http2._writers.values()):
                break
        else:
            raise AssertionError(f"{self.http2} never ends")
        self.client_resets()
        for endpoint in self.endpoints:
            endpoint.read()
        self.wire.advance(200)


def all_steps() -> dict[str, Callable[[Scene], None]]:
    """What can happen, by its name."""
    steps = {
        name: cast(Callable[[Scene], None], step)
        for name, step in http1.all_steps().items()
        if name not in http1.SENT_BY_CLIENT
    }
    for name in OPENED:
        steps[name] = lambda scene, name=name: scene.open(name)  # type: ignore[misc]
    steps |= {
        "5 bytes": lambda scene: scene.send(5, end=False),
        "70 KB": lambda scene: scene.send(70_000, end=False),
        "the last bytes": lambda scene: scene.send(5, end=True),
        "the end": lambda scene: scene.send(0, end=True),
        "reset": Scene.reset,
        "window": Scene.update,
        "bad frame": lambda scene: scene.client_sends(frame(DATA, 0, 0)),
    }
    return steps


STEPS = all_steps()
USUAL = [
    *("GET", "POST of 10", "5 bytes", "the last bytes", "reset", "window"),
    *("accept", "accept", "200", "half of a 200", "200 of 300 KB", "endpoint closes"),
    *("pass", "pass", "other Upstream", "missing Upstream"),
]


class RandomOrderTests(http1.RandomOrderCase):
    @settings(max_examples=250)
    @given(
        st.lists(
            st.one_of(st.sampled_from(sorted(STEPS)), st.sampled_from(USUAL)),
            min_size=10,
            max_size=http1.MOST_STEPS,
        ),
        st.sets(st.sampled_from(Phase)),
        st.booleans(),
    )
    def test_everything_ends(self, steps: list[str], phases: set[Phase], retries: bool) -> None:
        """Nothing is left behind, and the records say what the client has seen."""
        scene = Scene(phases, retries=retries)
        self.play(scene, [STEPS[step] for step in steps])
        self.assertEqual(scene.http2._codec.streams, {})
        self.check_records(scene)

    def check_records(self, scene: Scene) -> None:
        requests = [each.request for each in scene.records if each.request is not None]
        self.assertEqual(len(requests), scene.http2._request_count)
        self.assertLessEqual(set(scene.heads.values()), {1})
        self.assertLessEqual(set(scene.ends.values()), {1})
        self.assertLessEqual(len(scene.heads), len(scene.records))
