"""
Tests for `ingress.explain.dry_run`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import Endpoint, Upstream
from ingress.exchange.client import Client
from ingress.explain.dry_run import serve_dry
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed
from ingress.policy.mirror import Mirror
from ingress.policy.policy import Policy
from ingress.policy.server_url import parse_server_url
from ingress.policy.subrequest import Subrequest
from ingress.routing.route import Route
from tests.support.wire import ENDPOINT, GET, UPSTREAM, post, request, snapshot_of


@dataclass(frozen=True, slots=True)
class Waiting(Policy):
    """Asks somebody who does not answer."""

    name: ClassVar[str] = "waiting"

    def access(self, context: PolicyContext) -> Decision:
        return Deferred()


@dataclass(frozen=True, slots=True)
class Asking(Policy):
    """Sends a request of its own."""

    name: ClassVar[str] = "asking"

    def access(self, context: PolicyContext) -> Decision:
        asked = context.ask(Subrequest(UPSTREAM, b"GET", b"/check", b"auth"))
        return asked.addCallback(lambda response: None)


@dataclass(frozen=True, slots=True)
class Sending(Policy):
    """Sends another target up."""

    name: ClassVar[str] = "sending"

    def request(self, context: PolicyContext) -> Decision:
        return Proceed(target=b"/other")


@dataclass(frozen=True, slots=True)
class Broken(Policy):
    """Fails."""

    name: ClassVar[str] = "broken"

    def access(self, context: PolicyContext) -> Decision:
        return "no decision"  # type: ignore[return-value]


def route(*policies: Policy) -> Route:
    return Route(ingress=("default", "web"), upstream=UPSTREAM, policies=policies)


class ServeDryTests(SynchronousTestCase):
    """A request is served without a socket."""

    def test_asked(self) -> None:
        """What a policy asks itself goes nowhere, and stays open."""
        policy = Asking()
        kept = serve_dry(snapshot_of(ENDPOINT, route=route(policy)), GET)
        self.assertIs(kept.waiting_for, policy)
        self.assertEqual((kept.endpoint, kept.upstream_head), (None, b""))
        kept = serve_dry(snapshot_of(ENDPOINT, route=route(policy)), GET, assumed=(policy,))
        self.assertEqual(kept.endpoint, ENDPOINT)

    def test_endpoint(self) -> None:
        """The endpoint that would be asked is kept with the head that it would get."""
        dry = serve_dry(snapshot_of(ENDPOINT), GET, client=Client("192.0.2.7", is_secure=True))
        self.assertEqual(dry.endpoint, ENDPOINT)
        self.assertIn(b"X-Forwarded-For: 192.0.2.7\r\n", dry.upstream_head)
        self.assertIn(b"X-Forwarded-Proto: https\r\n", dry.upstream_head)
        self.assertTrue(dry.answer.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertEqual([record.status for record in dry.records], [200])

    def test_body(self) -> None:
        """A body that is not there does not keep the endpoint from being asked."""
        dry = serve_dry(snapshot_of(ENDPOINT), post(5))
        self.assertEqual(dry.endpoint, ENDPOINT)
        self.assertIn(b"Content-Length: 5\r\n", dry.upstream_head)

    def test_copied(self) -> None:
        """A request that is copied, and has no endpoint itself, asks nobody."""
        mirror = Mirror(parse_server_url("http://web.default.svc/", "default"))
        gone = UPSTREAM._replace(service="gone")
        copied = replace(route(), upstream=gone, mirror=mirror)
        snapshot = snapshot_of(ENDPOINT, route=copied)
        upstreams = {**snapshot.upstreams, gone: Upstream(gone)}
        self.assertIsNone(serve_dry(replace(snapshot, upstreams=upstreams), GET).endpoint)

    def test_own_answers(self) -> None:
        """No endpoint is asked for what the proxy answers itself."""
        for data, status in ((b"GET / HTTP/1.1\r\n\r\n", 400), (request(b"CONNECT"), 400)):
            dry = serve_dry(snapshot_of(ENDPOINT), data)
            self.assertIsNone(dry.endpoint)
            self.assertEqual([record.status for record in dry.records], [status])
        self.assertEqual(serve_dry(snapshot_of(), GET).records[0].status, 503)

    def test_decisions(self) -> None:
        """What each policy decides is kept, a mistake as well."""
        dry = serve_dry(snapshot_of(ENDPOINT, route=route(Sending())), GET)
        self.assertEqual([each.decision for each in dry.decisions], [Proceed(target=b"/other")])
        self.assertTrue(dry.upstream_head.startswith(b"GET /other HTTP/1.1\r\n"))
        dry = serve_dry(snapshot_of(ENDPOINT, route=route(Broken())), GET)
        self.assertEqual([each.decision for each in dry.decisions], ["no decision"])
        self.assertEqual(dry.records[0].status, 500)
        self.flushLoggedErrors(TypeError)

    def test_waiting(self) -> None:
        """A policy that waits is told, and can be taken to let the request pass."""
        waiting = Waiting()
        snapshot = snapshot_of(ENDPOINT, route=route(waiting, Sending()))
        dry = serve_dry(snapshot, GET)
        self.assertIs(dry.waiting_for, waiting)
        self.assertEqual(dry.records, [])
        dry = serve_dry(snapshot, GET, assumed=[waiting])
        self.assertIsNone(dry.waiting_for)
        self.assertEqual(dry.endpoint, ENDPOINT)

    def test_nothing_is_kept(self) -> None:
        """Each request is served by a data plane in which nothing has happened before."""
        snapshot = snapshot_of(ENDPOINT, Endpoint("10.1.0.2", 8080))
        asked = {serve_dry(snapshot, GET).endpoint for _ in range(4)}
        self.assertEqual(len(asked), 1)
