"""
What a connection was made of is freed with it, without the garbage collector.

The collector sees no object that lived when a large change was settled
(`ingress.memory`): a cycle that is garbage later would never be freed.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.policy.compression import Coding, Compression
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Proceed
from ingress.policy.mirror import Mirror
from ingress.policy.response_pace import ResponsePace
from ingress.policy.server_url import parse_server_url
from ingress.policy.subrequest import Subrequest, SubrequestFailed
from ingress.routing.route import Route
from tests.exchange.test_exchange_policies import Access, Erring, Requesting, Responding
from tests.support.memory_socket import CAPACITY
from tests.support.wire import (
    CHUNKED_OK,
    ENDPOINT,
    GET,
    LIMITS,
    OK,
    UPSTREAM,
    Peer,
    Wire,
    post,
    request,
    response,
    snapshot_of,
)

GZIP = request(b"GET", b"Accept-Encoding: gzip")
UPGRADE = request(b"GET", b"Connection: Upgrade", b"Upgrade: websocket")
SWITCHING = response(101, b"Connection: Upgrade", b"Upgrade: websocket")


def served(wire: Wire, client: Peer) -> None:
    client.send(GET)
    wire.accept().send(OK)
    client.read()
    client.close()


def kept_alive(wire: Wire, client: Peer) -> None:
    client.send(GET)
    endpoint = wire.accept()
    endpoint.send(OK)
    client.send(GET + GET)
    endpoint.send(OK)
    endpoint.send(OK)
    client.close()
    wire.advance(LIMITS.idle_upstream_timeout + 2)


def refused(wire: Wire, client: Peer) -> None:
    client.send(b"nonsense\r\n\r\n")
    client.read()
    client.close()


def reset_while_waiting(wire: Wire, client: Peer) -> None:
    client.send(GET)
    wire.accept().read()
    client.reset()


def reset_while_dialling(wire: Wire, client: Peer) -> None:
    client.send(GET)
    wire.next_dial()
    client.reset()


def upload_given_up(wire: Wire, client: Peer) -> None:
    client.send(post(100_000) + b"x" * 1000)
    wire.accept().read()
    client.reset()


def upload_that_turns_bad(wire: Wire, client: Peer) -> None:
    client.send(request(b"POST", b"Transfer-Encoding: chunked"))
    wire.accept().read()
    client.send(b"nonsense\r\n")
    client.read()
    client.close()


def upload_too_slow(wire: Wire, client: Peer) -> None:
    client.send(post(100) + b"x")
    wire.accept().read()
    wire.advance(LIMITS.body_timeout + 2)
    client.read()
    client.close()


def early_answer(wire: Wire, client: Peer) -> None:
    client.send(post(100_000) + b"x")
    wire.accept().send(OK)
    client.read()
    client.close()


def too_slow_reader(wire: Wire, client: Peer) -> None:
    client.send(GET)
    wire.accept().send_some(response(200, b"Content-Length: 10000000") + b"x" * (8 * CAPACITY))
    wire.advance(LIMITS.send_timeout + 2)


def endpoint_that_breaks(wire: Wire, client: Peer) -> None:
    client.send(GET)
    wire.accept().send(CHUNKED_OK + b"nonsense\r\n")
    client.read()
    client.close()


def endpoint_that_is_silent(wire: Wire, client: Peer) -> None:
    client.send(GET)
    wire.accept().read()
    wire.advance(LIMITS.read_timeout + 2)
    client.read()
    client.close()


def endpoint_that_cannot_be_reached(wire: Wire, client: Peer) -> None:
    client.send(GET)
    wire.next_dial().time_out()
    client.read()
    client.close()


def endpoint_that_died_while_kept(wire: Wire, client: Peer) -> None:
    client.send(GET)
    endpoint = wire.accept()
    endpoint.send(OK)
    client.send(GET)
    endpoint.reset()
    wire.accept().send(OK)
    client.read()
    client.close()


def tunnel_ended_by_client(wire: Wire, client: Peer) -> None:
    client.send(UPGRADE)
    endpoint = wire.accept()
    endpoint.send(SWITCHING + b"x")
    client.send(b"y")
    client.close()
    endpoint.close()


def tunnel_ended_by_endpoint(wire: Wire, client: Peer) -> None:
    client.send(UPGRADE)
    endpoint = wire.accept()
    endpoint.send(SWITCHING)
    endpoint.reset()
    client.read()
    client.close()


def idle_too_long(wire: Wire, client: Peer) -> None:
    wire.advance(LIMITS.head_timeout + 2)
    client.close()


def serve(wire: Wire, decision: object, *, waits: bool) -> list[Deferred[object]]:
    """
    Publish a rule with a policy in each phase.

    :param waits: whether each is decided by a Deferred that this returns, later.
    """
    waiting: list[Deferred[object]] = []

    def decide(context: PolicyContext) -> object:
        if not waits:
            return decision
        waiting.append(Deferred())
        return waiting[-1]

    policies = tuple(kind(decide) for kind in (Access, Requesting, Responding, Erring))
    route = Route(ingress=("a", "b"), upstream=UPSTREAM, policies=policies)
    wire.plane.publish(snapshot_of(ENDPOINT, route=route))
    return waiting


def policies_that_wait(wire: Wire, client: Peer) -> None:
    waiting = serve(wire, None, waits=True)
    client.send(post(5) + b"hello")
    waiting.pop().callback(None)
    waiting.pop().callback(None)
    wire.accept().send(OK)
    waiting.pop().callback(None)
    client.read()
    client.close()


def reset_while_policies_wait(wire: Wire, client: Peer) -> None:
    waiting = serve(wire, None, waits=True)
    client.send(GET)
    waiting.pop().callback(None)
    client.reset()
    other = wire.connect()
    other.send(GET)
    waiting[-1].callback(None)
    waiting[-1].callback(None)
    wire.accept().send(OK)
    other.reset()


def policy_that_answers(wire: Wire, client: Peer) -> None:
    serve(wire, Answer(403, Outcome.ACCESS_REFUSED, "No."), waits=False)
    client.send(GET)
    client.read()
    client.close()


def policies_that_divert(wire: Wire, client: Peer) -> None:
    serve(wire, Proceed(upstream=UPSTREAM), waits=False)
    client.send(GET)
    endpoint = wire.accept()
    endpoint.read()
    endpoint.send(response(500, b"Content-Length: 3") + b"n")
    wire.accept().send(OK)
    client.read()
    client.close()


def slowed_down(wire: Wire, client: Peer) -> None:
    pace_responses(wire)
    client.send(GET)
    wire.accept().send(response(200, b"Content-Length: 1500") + bytes(1500))
    wire.advance(2)
    client.read()
    client.close()


def reset_while_slowed_down(wire: Wire, client: Peer) -> None:
    pace_responses(wire)
    client.send(GET)
    wire.accept().send(response(200, b"Content-Length: 15000") + bytes(3000))
    client.reset()


def slowed_down_and_broken_off(wire: Wire, client: Peer) -> None:
    pace_responses(wire)
    client.send(GET)
    endpoint = wire.accept()
    endpoint.send(response(200, b"Content-Length: 15000") + bytes(1100))
    wire.advance(2)
    endpoint.close()
    client.read()


def compressed(wire: Wire, client: Peer) -> None:
    compress_responses(wire)
    client.send(GZIP)
    wire.accept().send(response(200, b"Content-Length: 1500") + bytes(1500))
    client.read()
    client.close()


def reset_while_compressed(wire: Wire, client: Peer) -> None:
    compress_responses(wire)
    client.send(GZIP)
    wire.accept().send(response(200, b"Content-Length: 15000") + bytes(3000))
    client.reset()


def compressed_and_broken_off(wire: Wire, client: Peer) -> None:
    compress_responses(wire)
    client.send(GZIP)
    endpoint = wire.accept()
    endpoint.send(response(200, b"Content-Length: 15000") + bytes(3000))
    wire.advance(1)
    endpoint.close()
    client.read()


def compress_responses(wire: Wire) -> None:
    """Compress all, and slow them down."""
    compression = Compression((Coding("gzip", 1, 20, frozenset({b"*"})),))
    route = Route(
        ingress=("default", "web"),
        upstream=UPSTREAM,
        compression=compression,
        pace=ResponsePace(1 << 20),
    )
    wire.plane.publish(snapshot_of(ENDPOINT, route=route))


def pace_responses(wire: Wire) -> None:
    """Allow 1,000 bytes a second."""
    route = Route(ingress=("default", "web"), upstream=UPSTREAM, pace=ResponsePace(1000))
    wire.plane.publish(snapshot_of(ENDPOINT, route=route))


def policy_that_asks(wire: Wire, client: Peer) -> None:
    question = Subrequest(UPSTREAM, b"GET", b"/check", b"auth")
    policy = Access(lambda context: context.ask(question).addCallback(lambda response: None))
    route = Route(ingress=("a", "b"), upstream=UPSTREAM, policies=(policy,))
    wire.plane.publish(snapshot_of(ENDPOINT, route=route))
    client.send(GET)
    server = wire.accept()
    server.read()
    server.send(OK)
    server.read()
    server.send(OK)
    client.read()
    client.send(GET)
    server.read()
    server.send(response(200, b"Content-Length: 10") + b"0")
    server.close()
    client.read()
    client.send(GET)
    wire.next_dial()
    client.reset()


def policy_that_asks_here(wire: Wire, client: Peer) -> None:
    question = Subrequest(None, b"GET", b"/", b"")

    def decide(context: PolicyContext) -> object:
        if context.request.field(b"cdn-loop"):
            return None
        return context.ask(question).addCallback(lambda response: None)

    route = Route(ingress=("a", "b"), upstream=UPSTREAM, policies=(Access(decide),))
    wire.plane.publish(snapshot_of(ENDPOINT, route=route))
    client.send(GET)
    endpoint = wire.accept()
    endpoint.read()
    endpoint.send(OK)
    endpoint.read()
    endpoint.send(OK)
    client.read()
    client.send(GET)
    endpoint.read()
    client.reset()


def copied(wire: Wire, client: Peer) -> None:
    endpoint, server = mirror_requests(wire, client, GET)
    server.send(OK)
    endpoint.send(OK)
    client.read()
    client.close()


def copied_without_answer(wire: Wire, client: Peer) -> None:
    endpoint, _ = mirror_requests(wire, client, GET)
    endpoint.send(OK)
    client.read()
    client.close()
    wire.advance(LIMITS.read_timeout + 2)


def copied_too_slowly(wire: Wire, client: Peer) -> None:
    endpoint, _ = mirror_requests(wire, client, post(1_000_000))
    for _ in range(100):
        client.send(bytes(10_000))
        endpoint.read()
    endpoint.send(OK)
    client.read()
    client.close()


def copied_and_given_up(wire: Wire, client: Peer) -> None:
    mirror_requests(wire, client, post(10) + b"hello")
    client.reset()


def mirror_requests(wire: Wire, client: Peer, data: bytes) -> tuple[Peer, Peer]:
    """Send a request that is copied."""
    mirror = Mirror(parse_server_url("http://web.default.svc:80/", "default"))
    route = Route(ingress=("default", "web"), upstream=UPSTREAM, mirror=mirror)
    wire.plane.publish(snapshot_of(ENDPOINT, route=route))
    client.send(data)
    endpoint, server = wire.accept(), wire.accept()
    endpoint.read()
    return endpoint, server


SCENARIOS: tuple[Callable[[Wire, Peer], None], ...] = (
    served,
    kept_alive,
    refused,
    reset_while_waiting,
    reset_while_dialling,
    upload_given_up,
    upload_that_turns_bad,
    upload_too_slow,
    early_answer,
    too_slow_reader,
    endpoint_that_breaks,
    endpoint_that_is_silent,
    endpoint_that_cannot_be_reached,
    endpoint_that_died_while_kept,
    tunnel_ended_by_client,
    tunnel_ended_by_endpoint,
    idle_too_long,
    policies_that_wait,
    reset_while_policies_wait,
    policy_that_answers,
    policies_that_divert,
    copied,
    copied_without_answer,
    copied_too_slowly,
    copied_and_given_up,
    slowed_down,
    reset_while_slowed_down,
    slowed_down_and_broken_off,
    policy_that_asks,
    policy_that_asks_here,
    compressed,
    reset_while_compressed,
    compressed_and_broken_off,
)


class CycleTests(SynchronousTestCase):
    def garbage_of(self, scenario: Callable[[Wire, Peer], None]) -> set[str]:
        """The types of ours that only the collector would have freed."""
        first, wire = Wire(), Wire()
        scenario(first, first.connect())  # what is made but once is made now
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            scenario(wire, wire.connect())
            wire.network.settle()
            gc.collect()
            return {
                f"{kind.__module__}.{kind.__qualname__}"
                for kind in map(type, gc.garbage)
                if kind.__module__.startswith("ingress.")
            }
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()

    def test_none_is_left(self) -> None:
        """Nothing of a connection waits for the garbage collector, however it ends."""
        found = {scenario.__name__: self.garbage_of(scenario) for scenario in SCENARIOS}
        self.flushLoggedErrors(SubrequestFailed)
        self.assertEqual({name: kinds for name, kinds in found.items() if kinds}, {})
