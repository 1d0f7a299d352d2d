"""
Nothing is left of an exchange, however it ends: all that is counted up is counted down.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

from twisted.trial.unittest import SynchronousTestCase

from ingress.exchange.exchange import Exchange
from ingress.exchange.tunnel import Tunnel
from ingress.policy.proxy_settings import ProxySettings, RetryCondition
from ingress.routing.route import Route
from ingress.upstream.http1 import HTTP1Upstream
from tests.support.wire import (
    CHUNKED_OK,
    ENDPOINT,
    GET,
    LIMITS,
    OK,
    ONE_BUFFER_TOO_MUCH,
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

ROUTE = Route(
    ingress=("default", "web"),
    upstream=UPSTREAM,
    proxy=ProxySettings(
        body_size=1000,
        retry_on=frozenset({RetryCondition.ERROR, RetryCondition.TIMEOUT, RetryCondition.HTTP_503}),
    ),
)

Ending = Callable[[Wire, Peer], object]


def _asked(wire: Wire, client: Peer, head: bytes = GET) -> Peer:
    """Return the endpoint, which has read the request."""
    client.send(head)
    endpoint = wire.accept()
    endpoint.read()
    return endpoint


def _kept(wire: Wire, client: Peer) -> Peer:
    """Return the endpoint of a kept connection, which has got another request."""
    endpoint = _asked(wire, client)
    endpoint.send(OK)
    client.read()
    client.send(GET)
    endpoint.read()
    return endpoint


def _tunnel(wire: Wire, client: Peer) -> Peer:
    endpoint = _asked(wire, client, UPGRADE)
    endpoint.send(SWITCHING)
    client.read()
    return endpoint


def answered(wire: Wire, client: Peer) -> None:
    _asked(wire, client).send(OK)


def answered_until_close(wire: Wire, client: Peer) -> None:
    endpoint = _asked(wire, client)
    endpoint.send(response(200) + b"body")
    endpoint.close()


def answered_before_the_body(wire: Wire, client: Peer) -> None:
    _asked(wire, client, post(10)).send(OK)


def refused_dial(wire: Wire, client: Peer) -> None:
    client.send(GET)
    wire.next_dial().refuse()
    wire.next_dial().refuse()


def second_endpoint(wire: Wire, client: Peer) -> None:
    client.send(GET)
    wire.next_dial().time_out()
    wire.accept().send(OK)


def another_for_a_status(wire: Wire, client: Peer) -> None:
    _asked(wire, client).send(response(503, b"Content-Length: 0"))
    wire.accept().send(OK)


def silent_endpoint(wire: Wire, client: Peer) -> None:
    _asked(wire, client)
    wire.advance(LIMITS.read_timeout + 2)
    wire.accept().reset()


def broken_answer(wire: Wire, client: Peer) -> None:
    _asked(wire, client).send(b"nonsense\r\n\r\n")


def broken_body(wire: Wire, client: Peer) -> None:
    _asked(wire, client).send(CHUNKED_OK + b"nonsense\r\n")


def cut_off_body(wire: Wire, client: Peer) -> None:
    endpoint = _asked(wire, client)
    endpoint.send(CHUNKED_OK)
    endpoint.reset()


def kept_connection_dies(wire: Wire, client: Peer) -> None:
    _kept(wire, client).close()
    wire.accept().send(OK)


def kept_connection_of_a_gone_endpoint_dies(wire: Wire, client: Peer) -> None:
    endpoint = _kept(wire, client)
    wire.plane.publish(snapshot_of(OTHER_ENDPOINT, route=ROUTE))
    endpoint.close()
    wire.accept().send(OK)


def lost_while_dialling(wire: Wire, client: Peer) -> None:
    client.send(GET)
    client.reset()


def lost_while_waiting(wire: Wire, client: Peer) -> None:
    _asked(wire, client)
    client.reset()


def lost_while_stalled(wire: Wire, client: Peer) -> None:
    _asked(wire, client).send_some(ONE_BUFFER_TOO_MUCH)
    client.reset()


def never_read(wire: Wire, client: Peer) -> None:
    _asked(wire, client).send_some(ONE_BUFFER_TOO_MUCH)
    wire.advance(LIMITS.send_timeout + 2)


def slow_body(wire: Wire, client: Peer) -> None:
    _asked(wire, client, post(10))
    wire.advance(LIMITS.body_timeout + 2)


def bad_body(wire: Wire, client: Peer) -> None:
    _asked(wire, client, request(b"POST", b"Transfer-Encoding: chunked"))
    client.send(b"nonsense\r\n")


def large_body(wire: Wire, client: Peer) -> None:
    _asked(wire, client, request(b"POST", b"Transfer-Encoding: chunked"))
    client.send(b"3e9\r\n" + b"x" * 1001 + b"\r\n")


def half_closed(wire: Wire, client: Peer) -> None:
    endpoint = _asked(wire, client)
    client.end()
    endpoint.send(OK)


def tunnel_ended_by_both(wire: Wire, client: Peer) -> None:
    endpoint = _tunnel(wire, client)
    client.end()
    endpoint.end()


def tunnel_lost(wire: Wire, client: Peer) -> None:
    _tunnel(wire, client)
    client.reset()


def tunnel_broken(wire: Wire, client: Peer) -> None:
    _tunnel(wire, client).reset()


def tunnel_silent(wire: Wire, client: Peer) -> None:
    _tunnel(wire, client)
    wire.advance(LIMITS.read_timeout + 2)


def cut_while_dialling(wire: Wire, client: Peer) -> None:
    client.send(GET)
    wire.plane.clients.connections.cut()


def cut_within_an_answer(wire: Wire, client: Peer) -> None:
    _asked(wire, client).send(CHUNKED_OK)
    wire.plane.clients.connections.cut()


def cut_tunnel(wire: Wire, client: Peer) -> None:
    _tunnel(wire, client)
    wire.plane.clients.connections.cut()


ENDINGS: tuple[Ending, ...] = (
    answered,
    answered_until_close,
    answered_before_the_body,
    refused_dial,
    second_endpoint,
    another_for_a_status,
    silent_endpoint,
    broken_answer,
    broken_body,
    cut_off_body,
    kept_connection_dies,
    kept_connection_of_a_gone_endpoint_dies,
    lost_while_dialling,
    lost_while_waiting,
    lost_while_stalled,
    never_read,
    slow_body,
    bad_body,
    large_body,
    half_closed,
    tunnel_ended_by_both,
    tunnel_lost,
    tunnel_broken,
    tunnel_silent,
    cut_while_dialling,
    cut_within_an_answer,
    cut_tunnel,
)


def _living(*kinds: type) -> Iterator[object]:
    return (each for each in gc.get_objects() if isinstance(each, kinds))


class CounterTests(SynchronousTestCase):
    def end(self, ending: Ending) -> Wire:
        """The wire after an exchange has ended like this, its client with it, and some time."""
        wire = Wire(ENDPOINT, OTHER_ENDPOINT, route=ROUTE)
        pools = [wire.registry.pool(endpoint) for endpoint in (ENDPOINT, OTHER_ENDPOINT)]
        client = wire.connect()
        ending(wire, client)
        wire.network.settle()
        self.assertEqual([pool.load.in_flight for pool in pools], [0, 0], ending)
        self.assertEqual(wire.plane.calls.retry_budget.in_flight, 0)
        self.assertEqual(wire.plane.calls.retry_budget.retries, 0)
        client.close()
        wire.advance(LIMITS.idle_upstream_timeout + LIMITS.send_timeout + 2)
        return wire

    def test_counters(self) -> None:
        """No request is in flight, no connection is open, and nothing has a deadline."""
        for ending in ENDINGS:
            with self.subTest(ending.__name__):
                wire = self.end(ending)
                self.assertEqual(len(wire.plane.clients.connections), 0)
                self.assertEqual(repr(wire.deadlines), "<Deadlines of 0>")
                self.assertEqual(wire.dials, [])
                self.assertEqual(wire.network.readers | wire.network.writers, set())

    def test_objects(self) -> None:
        """Nothing refers to the exchange, its connection or its tunnel, not even in a cycle."""
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        kinds = (Exchange, HTTP1Upstream, Tunnel)
        before = len(list(_living(*kinds)))
        for ending in ENDINGS:
            with self.subTest(ending.__name__):
                wire = self.end(ending)
                self.assertEqual(len(list(_living(*kinds))), before)
                del wire
