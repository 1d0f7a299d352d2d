"""Tests of `ingress.exchange.shaping`: stages and policies of one rule together."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ingress.message import Response
from ingress.policy.compression import Coding, Compression
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Verdict
from ingress.policy.policy import Policy
from ingress.policy.response_pace import ResponsePace
from ingress.routing.route import Route
from tests.exchange.test_compressor import parts
from tests.support.wire import UPSTREAM, Wire, request, response

_WAITING: list[Deferred[Verdict]] = []


class Waiting(Policy):
    """A policy that waits before it lets a response pass."""

    name = "waiting"

    def response(self, context: PolicyContext, response: Response) -> Decision:
        decision: Deferred[Verdict] = Deferred()
        _WAITING.append(decision)
        return decision


class ShapeTests(SynchronousTestCase):
    def test_after_a_wait(self) -> None:
        """What has come while a policy waited passes through the stages, too."""
        coding = Coding("gzip", 1, 20, frozenset({b"text/plain"}))
        route = Route(
            ingress=("default", "web"),
            upstream=UPSTREAM,
            policies=(Waiting(),),
            compression=Compression((coding,)),
            pace=ResponsePace(1_000_000),
        )
        for length in (100, 300_000):
            wire = Wire(route=route)
            client = wire.connect()
            client.send(request(b"GET", b"Accept-Encoding: gzip"))
            endpoint = wire.accept()
            endpoint.read()
            body = b"x" * length
            data = response(200, b"Content-Type: text/plain", b"Content-Length: %d" % length) + body
            sent = endpoint.send_some(data)
            self.assertEqual(client.read(), b"")
            _WAITING.pop().callback(None)
            received = client.read()
            for _ in range(100):
                sent += endpoint.send_some(data[sent:])
                received += client.read()
            head, decoded, is_whole = parts(received + client.read())
            self.assertIn(b"Content-Encoding: gzip", head)
            self.assertEqual((decoded, is_whole), (body, True))

    def test_nothing_to_shape(self) -> None:
        """A response without a body is not touched."""
        route = Route(ingress=("default", "web"), upstream=UPSTREAM, pace=ResponsePace(1))
        wire = Wire(route=route)
        client = wire.connect()
        client.send(request(b"GET"))
        wire.accept().send(response(200, b"Content-Length: 0"))
        self.assertIn(b"Content-Length: 0", client.read())
