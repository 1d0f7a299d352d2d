"""
One client's connection, its endpoints and its policies, in random orders of events.

Whatever the order: every request has one record and at most one response, nothing is counted
as in flight at the end, and no connection is left open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ingress.downstream.http1 import HTTP1Downstream
from ingress.downstream.http1_state import TUNNELLING
from ingress.endpoint import Upstream, UpstreamKey
from ingress.errors import Outcome
from ingress.field_edits import FieldEdits
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Proceed
from ingress.policy.policy import Phase
from ingress.policy.proxy_settings import ProxySettings, RetryCondition
from ingress.routing.route import Route
from ingress.telemetry.record import CLIENT_GONE, ExchangeRecord
from tests.exchange.test_exchange_policies import (
    NO,
    OTHER,
    Access,
    Erring,
    Requesting,
    Responding,
)
from tests.support.kept_records import KeptRecords
from tests.support.wire import (
    CHUNKED_OK,
    ENDPOINT,
    GET,
    OK,
    OTHER_ENDPOINT,
    SWITCHING,
    UPGRADE,
    UPSTREAM,
    Peer,
    Wire,
    post,
    request,
    response,
    snapshot_of,
)

SENT_BY_CLIENT = {
    "GET": GET,
    "HEAD": request(b"HEAD"),
    "POST of 10": post(10),
    "POST of 100 KB": post(100_000),
    "POST in chunks": request(b"POST", b"Transfer-Encoding: chunked"),
    "WebSocket": UPGRADE,
    "5 bytes": b"01234",
    "70 KB": b"x" * 70_000,
    "chunk": b"5\r\nabcde\r\n",
    "last chunk": b"0\r\n\r\n",
    "bad chunk": b"zz\r\n",
}
SENT_BY_ENDPOINT = {
    "100": response(100),
    "103": response(103, b"Link: x"),
    "101": SWITCHING,
    "200": OK,
    "200 in chunks": CHUNKED_OK + b"3\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n",
    "200 to the end": response(200) + b"abc",
    "half of a 200": response(200, b"Content-Length: 10") + b"01234",
    "other half": b"56789",
    "200 of 300 KB": response(200, b"Content-Length: 300000") + b"x" * 300_000,
    "204": response(204),
    "503": response(503, b"Content-Length: 0"),
    "no response": b"nonsense\r\n\r\n",
}
DECISIONS = {
    "pass": None,
    "answer": NO,
    "edit": Proceed(response_edits=FieldEdits(add=((b"X-Edit", b"1"),))),
    "other target": Proceed(target=b"/other"),
    "other Upstream": Proceed(upstream=OTHER),
    "missing Upstream": Proceed(upstream=UpstreamKey("default", "missing", "80")),
}
USUAL = [
    *("GET", "POST of 10", "5 bytes", "client resets"),
    *("accept", "accept", "200", "half of a 200", "endpoint closes"),
    *("pass", "pass", "other Upstream", "missing Upstream"),
]
"""Steps that lead somewhere from most states, so that they are taken more often."""

MOST_STEPS = 40
MOST_REQUESTS = 4 * MOST_STEPS
"""Each may take as long as the longest of the timeouts, four times for four policies."""

KINDS = {
    Phase.ACCESS: Access,
    Phase.REQUEST: Requesting,
    Phase.RESPONSE: Responding,
    Phase.ERROR: Erring,
}


class Scene:
    """
    :param phases: those in which a policy waits for its decision.
    :param retries: whether every failure is tried again that may be.
    """

    def __init__(self, phases: Collection[Phase], *, retries: bool) -> None:
        self.records: list[ExchangeRecord] = []
        self.received = b""
        self.has_left = self.has_ended = False
        self.endpoints: list[Peer] = []
        self.waiting: list[Deferred[object]] = []
        policies = tuple(KINDS[phase](self._wait) for phase in sorted(phases))
        proxy = ProxySettings(retry_on=frozenset(RetryCondition)) if retries else ProxySettings()
        route = Route(ingress=("a", "b"), upstream=UPSTREAM, policies=policies, proxy=proxy)
        snapshot = snapshot_of(ENDPOINT, ENDPOINT._replace(port=1), route=route)
        upstreams = {**snapshot.upstreams, OTHER: Upstream(OTHER, (OTHER_ENDPOINT,))}
        self.snapshot = replace(snapshot, upstreams=upstreams)
        self.wire = Wire()
        self.wire.plane.exchanges.recorder = KeptRecords(self.records)
        self.wire.plane.publish(self.snapshot)
        self.client, transport = self.wire.join(self.wire.factory)
        self.connection = cast(HTTP1Downstream, transport.protocol)

    def _wait(self, context: PolicyContext) -> Deferred[object]:
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def read(self) -> None:
        if not self.has_left:
            self.received += self.client.read()

    def client_sends(self, data: bytes) -> None:
        # First, for what comes after the end resets the connection, and nothing can be read then.
        self.read()
        if not (self.has_left or self.has_ended):
            self.client.send_some(data)

    def client_ends(self) -> None:
        if not (self.has_left or self.has_ended):
            self.has_ended = True
            self.client.end()

    def client_resets(self) -> None:
        self.read()
        if not self.has_left:
            self.has_left = True
            self.client.reset()

    def accept(self) -> None:
        if self.wire.dials:
            self.endpoints.append(self.wire.accept())

    def refuse(self) -> None:
        if self.wire.dials:
            self.wire.next_dial().refuse()

    def endpoint_sends(self, data: bytes) -> None:
        if self.endpoints:
            self.endpoints[-1].send_some(data)

    def endpoint_reads(self) -> None:
        if self.endpoints:
            self.endpoints[-1].read()

    def endpoint_closes(self) -> None:
        if self.endpoints:
            self.endpoints.pop().close()

    def endpoint_resets(self) -> None:
        if self.endpoints:
            self.endpoints.pop().reset()

    def decide(self, decision: object) -> None:
        if self.waiting and not (waiting := self.waiting.pop(0)).called:
            waiting.callback(decision)

    def rule_goes(self) -> None:
        self.wire.plane.publish(replace(self.snapshot, any_host=None, upstreams={}))

    def drain(self) -> None:
        self.wire.plane.clients.is_draining = True

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.read()
            self.wire.advance(1)

    def finish(self) -> None:
        """Let everything end by itself but for tunnels, which last; then the client goes."""
        self.wire.network.settle()
        for _ in range(MOST_REQUESTS):
            if not self.connection.in_flight() or self.connection.state is TUNNELLING:
                break
            while self.wire.dials:
                self.refuse()
            self.pass_time(70)
        else:
            raise AssertionError(f"{self.connection} never ends")
        self.client_resets()
        for endpoint in self.endpoints:
            endpoint.read()
        self.wire.advance(200)


def all_steps() -> dict[str, Callable[[Scene], None]]:
    """What can happen, by its name."""
    steps: dict[str, Callable[[Scene], None]] = {
        "client reads": Scene.read,
        "client ends": Scene.client_ends,
        "client resets": Scene.client_resets,
        "accept": Scene.accept,
        "refuse": Scene.refuse,
        "endpoint reads": Scene.endpoint_reads,
        "endpoint closes": Scene.endpoint_closes,
        "endpoint resets": Scene.endpoint_resets,
        "rule goes": Scene.rule_goes,
        "drain": Scene.drain,
        "1 s": lambda scene: scene.pass_time(1),
        "70 s": lambda scene: scene.pass_time(70),
    }
    for name, data in SENT_BY_CLIENT.items():
        steps[name] = lambda scene, data=data: scene.client_sends(data)  # type: ignore[misc]
    for name, data in SENT_BY_ENDPOINT.items():
        steps[name] = lambda scene, data=data: scene.endpoint_sends(data)  # type: ignore[misc]
    for name, decision in DECISIONS.items():
        steps[name] = lambda scene, said=decision: scene.decide(said)  # type: ignore[misc]
    return steps


STEPS = all_steps()


def statuses(received: bytes, methods: list[bytes]) -> list[tuple[int, int | None]]:
    """
    :param methods: of the requests, in order.
    :return: the status of each final response and the size of its body; None if it is not whole.
    """
    found: list[tuple[int, int | None]] = []
    while received:
        head, end, received = received.partition(b"\r\n\r\n")
        line = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
        assert line is not None, head
        assert end, head
        status, size = int(line[1]), 0
        if status < 200 and status != 101:
            continue
        method = methods[len(found)]
        if status == 101:
            return [*found, (status, len(received))]
        length = re.search(rb"\r\nContent-Length: (\d+)", head)
        if method == b"HEAD" or status == 204:
            found.append((status, 0))
        elif length is not None:
            size = int(length[1])
            found.append((status, size if len(received) >= size else None))
            received = received[size:]
        else:
            assert b"\r\nTransfer-Encoding: chunked" in head
            body, received = read_chunks(received)
            found.append((status, body))
    return found


def read_chunks(received: bytes) -> tuple[int | None, bytes]:
    """:return: the size of a body, None if it is not whole, and what follows it."""
    body = 0
    while received:
        line, _, received = received.partition(b"\r\n")
        size = int(line, 16)
        if not size:
            assert received.startswith(b"\r\n"), "nobody said that it takes trailers"
            return body, received[2:]
        body += size
        received = received[size + 2 :]
    return None, b""


class RandomOrderCase(SynchronousTestCase):
    """What holds at the end of any order of events, whatever the client speaks."""

    def play(self, scene: Scene, actions: Iterable[Callable[[Any], object]]) -> None:
        """Have these things happen, and then all end; nothing may be left."""
        for act in actions:
            scene.wire.network.settle()
            act(scene)
        scene.finish()
        self.check_nothing_left(scene)
        # Policies that took too long are all that may be logged.
        errors = self.flushLoggedErrors()
        self.assertEqual([error for error in errors if error.type is not TimeoutError], [])

    def check_nothing_left(self, scene: Scene) -> None:
        plane, registry = scene.wire.plane, scene.wire.registry
        budget = plane.calls.retry_budget
        self.assertEqual((budget.in_flight, budget.retries), (0, 0))
        self.assertEqual(list(registry.in_flight()), [])
        self.assertEqual(len(plane.clients.connections), 0)
        self.assertEqual([each for each in scene.endpoints if each.is_open], [])


class RandomOrderTests(RandomOrderCase):
    @settings(max_examples=250)
    @given(
        st.lists(
            st.one_of(st.sampled_from(sorted(STEPS)), st.sampled_from(USUAL)),
            min_size=10,
            max_size=MOST_STEPS,
        ),
        st.sets(st.sampled_from(Phase)),
        st.booleans(),
    )
    def test_everything_ends(self, steps: list[str], phases: set[Phase], retries: bool) -> None:
        """Nothing is left behind, and the records say what the client has seen."""
        scene = Scene(phases, retries=retries)
        self.play(scene, [STEPS[step] for step in steps])
        self.check_records(scene)

    def check_records(self, scene: Scene) -> None:
        requests = [each.request for each in scene.records if each.request is not None]
        self.assertEqual(len(requests), scene.connection._request_count)
        for record in scene.records:
            self.assertEqual(len({id(each) for each in record.tries}), len(record.tries))
            self.assertNotIn(None, [each.response_time for each in record.tries])
        # What was no request is the last that a connection has, and looks like a GET.
        seen = statuses(scene.received, [*(each.method for each in requests), b"GET"])
        for (status, size), record in zip(seen, scene.records, strict=False):
            if record.status != CLIENT_GONE:
                self.assertEqual(status, record.status)
            if record.outcome is Outcome.OK and status != 101 and size is not None:
                self.assertEqual(size, record.body_size)
