"""Tests of `ingress.exchange.subrequests`: requests that policies send themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.config import Config, Limits
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.errors import Outcome
from ingress.exchange.subrequest_call import MAX_BODY
from ingress.exchange.subrequests import MAX_IN_FLIGHT, Subrequests
from ingress.field_edits import FieldEdits
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Verdict
from ingress.policy.policy import Policy
from ingress.policy.source_ranges import SourceRanges
from ingress.policy.subrequest import Subrequest, SubrequestFailed, Subresponse
from ingress.routing.resource import ReverseProxyResource
from ingress.routing.route import Route
from ingress.routing.snapshot import VirtualHost
from tests.support.wire import (
    ENDPOINT,
    GET,
    OK,
    UPGRADE,
    UPSTREAM,
    Message,
    Peer,
    Wire,
    post,
    request,
    response,
    snapshot_of,
)

SERVER = UpstreamKey("sso", "auth", "80")
SERVER_ENDPOINT = Endpoint("10.2.0.1", 4180)
OTHER_SERVER = Endpoint("10.2.0.2", 4180)
OURS = UpstreamKey("", "sso.example", "443")

TO_SERVER = Subrequest(
    SERVER,
    b"GET",
    b"/check?x=1",
    b"auth.sso.svc",
    FieldEdits(replace=((b"X-Original-URL", b"http://a.example/"),)),
    purpose="test",
)
HERE = TO_SERVER._replace(upstream=None, authority=b"", target=b"/sso/check")


@dataclass(frozen=True, slots=True)
class Asks(Policy):
    """Lets a request pass if the response to its own has status 200; keeps what came."""

    name: ClassVar[str] = "test-asks"
    subrequest: Subrequest
    came: list[Subresponse | SubrequestFailed]

    def access(self, context: PolicyContext) -> Decision:
        asked = context.ask(self.subrequest)
        result: Deferred[Verdict] = asked.addCallbacks(self._answered, self._failed)
        return result

    def _answered(self, subresponse: Subresponse) -> Verdict:
        self.came.append(subresponse)
        status = subresponse.status
        return None if status == 200 else Answer(status, Outcome.ACCESS_REFUSED, "No.")

    def _failed(self, failure: object) -> Verdict:
        error = failure.value  # type: ignore[attr-defined]
        if isinstance(error, SubrequestFailed):
            self.came.append(error)
        return Answer(500, Outcome.ACCESS_REFUSED, "Nobody could be asked.")


class SubrequestCase(SynchronousTestCase):
    config = Config()

    def serve(self, subrequest: Subrequest = TO_SERVER, *endpoints: Endpoint) -> Wire:
        """Publish a rule whose policy asks; ``/sso`` of the same host has no policy."""
        self.came: list[Subresponse | SubrequestFailed] = []
        wire = self.wire = Wire(ENDPOINT)
        route = Route(("default", "web"), UPSTREAM, policies=(Asks(subrequest, self.came),))
        self.publish(route, *(endpoints or (SERVER_ENDPOINT,)))
        return wire

    def publish(self, route: Route, *endpoints: Endpoint) -> None:
        snapshot = snapshot_of(ENDPOINT, config=self.config, route=route)
        sso = Route(("default", "sso"), SERVER, path="/sso", policies=self.sso_policies())
        root = ReverseProxyResource(
            prefix=route, children={b"sso": ReverseProxyResource(prefix=sso)}
        )
        upstreams = {
            **snapshot.upstreams,
            SERVER: Upstream(SERVER, endpoints),
            OURS: Upstream(OURS, is_own=True),
        }
        host = VirtualHost("", root=root)
        self.wire.plane.publish(replace(snapshot, any_host=host, upstreams=upstreams))

    def sso_policies(self) -> tuple[Policy, ...]:
        return ()

    @property
    def subrequests(self) -> Subrequests:
        asker = self.wire.plane.exchanges.asker
        assert isinstance(asker, Subrequests)
        return asker

    def ask(self, data: bytes = GET) -> Peer:
        self.client = self.wire.connect()
        self.client.send(data)
        return self.client

    def server(self, answer: bytes = OK) -> Message:
        """The server takes the request of the policy and answers it."""
        server = self.wire.accept()
        self.sent = Message.parse(server.read())
        server.send(answer)
        return self.sent

    def failure(self) -> SubrequestFailed:
        """What the policy was told."""
        (error,) = self.came
        assert isinstance(error, SubrequestFailed)
        self.assertEqual(repr(self.subrequests), "<Subrequests: 0 in flight>")
        return error


class AskTests(SubrequestCase):
    """A request goes to the server, and its response decides."""

    def test_passes(self) -> None:
        """The client's request is sent after the response has come."""
        self.serve()
        self.ask()
        self.server(response(200, b"Content-Length: 0", b"X-User: alice", b"X-User: bob"))
        (subresponse,) = self.came
        assert isinstance(subresponse, Subresponse)
        self.assertEqual(subresponse.values(b"x-user"), [b"alice", b"bob"])
        self.wire.accept().send(OK)
        self.assertEqual(self.client.receive().status, 200)
        self.assertEqual(repr(self.subrequests), "<Subrequests: 0 in flight>")

    def test_answers(self) -> None:
        """No endpoint is asked where the policy answers."""
        self.serve()
        self.ask()
        self.server(response(401, b"Content-Length: 0"))
        self.assertEqual(self.client.receive().status, 401)
        self.assertEqual(self.wire.dials, [])

    def test_head(self) -> None:
        """The server gets the client's fields, and none of its body, its hop or our own."""
        self.serve()
        self.ask(
            post(
                5,
                b"Cookie: session=1",
                b"Authorization: Bearer t",
                b"Expect: 100-continue",
                b"Connection: keep-alive, X-Hop",
                b"X-Hop: 1",
                b"X-Forwarded-For: 10.9.9.9",
                b"X-Forwarded-Proto: https",
                b"X-Original-URL: http://evil.example/",
                b"X-Real-IP: 10.9.9.9",
                b"X-Request-ID: id-7",
                b"Te: trailers",
            )
        )
        sent = self.server()
        self.assertEqual(sent.first_line, b"GET /check?x=1 HTTP/1.1")
        self.assertEqual(
            sent.fields,
            [
                (b"Host", b"auth.sso.svc"),
                (b"Cookie", b"session=1"),
                (b"Authorization", b"Bearer t"),
                (b"CDN-Loop", b"txingress"),
                (b"X-Original-URL", b"http://a.example/"),
                (b"X-Request-ID", b"id-7"),
                (b"X-Real-IP", b"192.0.2.1"),
                (b"X-Forwarded-For", b"192.0.2.1"),
            ],
        )
        self.assertEqual(sent.rest, b"")

    def test_websocket(self) -> None:
        """A request for a WebSocket asks as every other one, without Upgrade."""
        self.serve()
        self.ask(UPGRADE)
        sent = self.server()
        self.assertEqual(sent.values(b"Upgrade") + sent.values(b"Connection"), [])
        self.assertEqual(self.wire.accept().receive().values(b"Upgrade"), [b"websocket"])

    def test_kept_connection(self) -> None:
        """The next request goes over the same connection."""
        self.serve()
        client = self.ask()
        server = self.wire.accept()
        server.read()
        server.send(OK)
        endpoint = self.wire.accept()
        endpoint.send(OK)
        client.read()
        client.send(GET)
        self.assertIn(b"/check", server.read())
        server.send(OK)
        self.assertIn(b"GET /", endpoint.read())

    def test_body_waits(self) -> None:
        """The body of the client stays unread, and reaches the endpoint whole."""
        self.serve()
        route = Route(("default", "web"), UPSTREAM, policies=(Asks(TO_SERVER, self.came),))
        self.publish(replace(route, proxy=replace(route.proxy, body_size=None)), SERVER_ENDPOINT)
        body = b"x" * 1_000_000
        client = self.ask(post(len(body)))
        taken = client.send_some(body)
        self.assertLess(taken, len(body))
        self.server()
        endpoint = self.wire.accept()
        received = endpoint.read()
        while taken < len(body):
            taken += client.send_some(body[taken:])
            received += endpoint.read()
        self.assertEqual(received.partition(b"\r\n\r\n")[2], body)

    def test_edits(self) -> None:
        """Edits may replace Host and the client's address, too."""
        edits = FieldEdits(
            replace=((b"Host", b"b.example"), (b"X-Real-IP", b"-"), (b"Cookie", b"none"))
        )
        self.serve(TO_SERVER._replace(edits=edits))
        self.ask(request(b"GET", b"Cookie: session=1"))
        sent = self.server()
        self.assertEqual(sent.values(b"Host"), [b"b.example"])
        self.assertEqual(sent.values(b"X-Real-IP"), [b"-"])
        self.assertEqual(sent.values(b"Cookie"), [b"none"])

    def test_retry(self) -> None:
        """Another endpoint of the server is asked if one fails."""
        self.serve(TO_SERVER, SERVER_ENDPOINT, OTHER_SERVER)
        self.ask()
        self.wire.next_dial().refuse()
        self.server(response(403, b"Content-Length: 0"))
        self.assertEqual(self.client.receive().status, 403)

    def test_body_dropped(self) -> None:
        """The body of the response is read and dropped."""
        self.serve()
        self.ask()
        self.server(response(200, b"Content-Length: 10") + b"0123456789")
        self.assertEqual(
            [each.status for each in self.came if isinstance(each, Subresponse)], [200]
        )

    def test_head_method(self) -> None:
        """HEAD has a response without body."""
        self.serve(TO_SERVER._replace(method=b"HEAD"))
        self.ask()
        self.server(response(200, b"Content-Length: 10"))
        self.assertEqual(len(self.came), 1)


class FailureTests(SubrequestCase):
    """Whatever goes wrong, the policy is told, and nothing is left behind."""

    def test_broken(self) -> None:
        """No response, or one that is not whole, is a failure."""
        for answer, outcome in (
            (b"", Outcome.ENDPOINT_BROKE),
            (b"HTTP/1.1 200", Outcome.ENDPOINT_BROKE),
            (b"nonsense\r\n\r\n", Outcome.ENDPOINT_BROKE),
            (response(200, b"Content-Length: 10") + b"012", Outcome.ENDPOINT_BROKE),
            (response(200, b"Transfer-Encoding: chunked") + b"2\r\nok\r\n", Outcome.ENDPOINT_BROKE),
            (response(200, b"Transfer-Encoding: chunked") + b"zz\r\n", Outcome.ENDPOINT_BROKE),
            (response(100), Outcome.ENDPOINT_BROKE),
            (response(103) * 200, Outcome.ENDPOINT_BROKE),
            (response(101, b"Upgrade: websocket", b"Connection: Upgrade"), Outcome.ENDPOINT_BROKE),
            (response(200, b"X: " + b"x" * 70_000), Outcome.ENDPOINT_BROKE),
            (response(200, *[b"X: y"] * 300), Outcome.ENDPOINT_BROKE),
        ):
            self.serve()
            self.ask()
            server = self.wire.accept()
            server.read()
            server.send_some(answer)
            server.close()
            self.assertEqual(self.client.receive().status, 500, answer[:80])
            self.assertIs(self.failure().outcome, outcome, answer[:80])
            self.assertEqual(self.wire.dials, [], answer[:80])

    def test_unreachable(self) -> None:
        """A server that refuses, or does not accept, is a failure."""
        self.serve()
        self.ask()
        self.wire.next_dial().refuse()
        self.assertEqual(self.client.receive().status, 500)
        self.assertIs(self.failure().outcome, Outcome.DIAL_FAILED)

    def test_nobody(self) -> None:
        """An Upstream without endpoint, or that is unknown, is a failure at once."""
        gone = TO_SERVER._replace(upstream=UpstreamKey("sso", "gone", "80"))
        for subrequest in (gone, TO_SERVER):
            self.serve(subrequest)
            self.publish(
                Route(("default", "web"), UPSTREAM, policies=(Asks(subrequest, self.came),))
            )
            self.ask()
            self.assertEqual(self.client.receive().status, 500)
            self.assertIs(self.failure().outcome, Outcome.NO_ENDPOINT)

    def test_slow(self) -> None:
        """A server that is too slow is given up before the policy is."""
        self.serve()
        self.ask()
        server = self.wire.accept()
        server.read()
        server.send(response(200, b"Content-Length: 100000"))
        timeout = Limits().policy_timeout
        for _ in range(int(timeout)):
            if self.came:
                break
            server.send(b"x")
            self.wire.advance(1)
        self.assertIs(self.failure().outcome, Outcome.ENDPOINT_TIMEOUT)
        self.assertEqual(self.client.receive().status, 500)
        self.assertTrue(server.saw_reset or server.saw_end)
        self.assertEqual(self.wire.plane.exchanges.policy_faults.failures, {})

    def test_endless_body(self) -> None:
        """A body without end is a failure."""
        self.serve()
        self.ask()
        server = self.wire.accept()
        server.read()
        server.send(response(200))
        sent = 0
        while not self.came and sent < 2 * MAX_BODY:
            sent += server.send_some(b"x" * 50_000)
        self.assertIs(self.failure().outcome, Outcome.ENDPOINT_BROKE)

    def test_client_gone(self) -> None:
        """The request ends with the client, whether there is a connection yet or not."""
        self.serve()
        self.ask()
        self.client.reset()
        self.assertEqual(self.wire.dials, [])
        self.ask()
        server = self.wire.accept()
        server.read()
        self.client.reset()
        self.assertTrue(server.saw_reset or server.saw_end)
        self.assertEqual(repr(self.subrequests), "<Subrequests: 0 in flight>")
        self.assertEqual(self.wire.dials, [])

    def test_bound(self) -> None:
        """An Ingress whose server hangs has so many requests in flight, and no other waits."""
        self.serve()
        clients = [self.ask() for _ in range(MAX_IN_FLIGHT)]
        self.assertEqual(repr(self.subrequests), f"<Subrequests: {MAX_IN_FLIGHT} in flight>")
        self.ask()
        self.assertEqual(self.client.receive().status, 500)
        (error,) = self.came
        assert isinstance(error, SubrequestFailed)
        self.assertIs(error.outcome, Outcome.OVERLOADED)
        other = Route(("other", "web"), UPSTREAM, policies=(Asks(TO_SERVER, self.came),))
        self.publish(other, OTHER_SERVER)
        self.ask()
        self.assertEqual(repr(self.subrequests), f"<Subrequests: {MAX_IN_FLIGHT + 1} in flight>")
        for client in clients:
            client.reset()
        self.assertEqual(repr(self.subrequests), "<Subrequests: 1 in flight>")

    def test_published_meanwhile(self) -> None:
        """A request is asked for as it was when it came, whatever is published meanwhile."""
        self.serve()
        self.ask()
        server = self.wire.accept()
        server.read()
        self.publish(Route(("default", "web"), UPSTREAM))
        server.send(response(403, b"Content-Length: 0"))
        self.assertEqual(self.client.receive().status, 403)


class HereTests(SubrequestCase):
    """Where the host is ours, its rules answer without a connection to ourselves."""

    def sso_policies(self) -> tuple[Policy, ...]:
        return self.policies

    def setUp(self) -> None:
        self.policies: tuple[Policy, ...] = ()

    def test_asked(self) -> None:
        """The rules for the client's host are asked; their endpoint gets the request."""
        self.serve(HERE)
        self.ask(request(b"GET", b"Cookie: session=1", b"X-Request-ID: id-7"))
        sent = self.server(response(401, b"Content-Length: 0"))
        self.assertEqual(sent.first_line, b"GET /sso/check HTTP/1.1")
        for name, value in (
            (b"Host", b"a.example"),
            (b"X-Request-ID", b"id-7"),
            (b"X-Real-IP", b"192.0.2.1"),
            (b"X-Forwarded-Proto", b"http"),
            (b"Cookie", b"session=1"),
            (b"X-Original-URL", b"http://a.example/"),
            (b"CDN-Loop", b"txingress, txingress"),
        ):
            self.assertEqual(sent.values(name), [value], name)
        self.assertEqual(self.client.receive().status, 401)

    def test_scheme(self) -> None:
        """The scheme is that of the URL, whatever the client used."""
        self.serve(HERE._replace(is_secure=True))
        self.ask()
        self.assertEqual(self.server().values(b"X-Forwarded-Proto"), [b"https"])

    def test_own_host(self) -> None:
        """A host that leads to this proxy is asked in the same way, under its own name."""
        self.serve(HERE._replace(upstream=OURS, authority=b"sso.example"))
        self.ask()
        self.assertEqual(self.server().values(b"Host"), [b"sso.example"])

    def test_no_claims(self) -> None:
        """Neither the client nor the policy's edits say there who the client is."""
        edits = FieldEdits(
            replace=((b"X-Forwarded-For", b"10.0.0.1"), (b"X_Forwarded_Proto", b"https"))
        )
        self.policies = (SourceRanges(allowed=None),)
        self.serve(HERE._replace(edits=edits))
        self.ask(request(b"GET", b"X-Forwarded-For: 10.0.0.1", b"Forwarded: for=10.0.0.1"))
        sent = self.server()
        self.assertEqual(sent.values(b"X-Forwarded-For"), [b"192.0.2.1"])
        self.assertEqual(sent.values(b"X-Real-IP"), [b"192.0.2.1"])
        self.assertEqual(sent.values(b"Forwarded") + sent.values(b"X_Forwarded_Proto"), [])

    def test_policies(self) -> None:
        """The policies of the rule that answers decide as for any client."""
        self.policies = (Asks(TO_SERVER._replace(purpose="inner"), []),)
        self.serve(HERE)
        self.ask()
        server = self.wire.accept()
        self.assertEqual(server.receive().first_line, b"GET /check?x=1 HTTP/1.1")
        server.send(OK)
        self.assertEqual(server.receive().first_line, b"GET /sso/check HTTP/1.1")
        server.send(response(204))
        self.assertEqual(
            [each.status for each in self.came if isinstance(each, Subresponse)], [204]
        )

    def test_loop(self) -> None:
        """A rule that asks itself ends, and is closed."""
        self.serve(HERE._replace(target=b"/"))
        self.ask()
        self.assertEqual(self.client.receive().status, 500)
        self.assertEqual(self.wire.dials, [])
        self.assertEqual(repr(self.subrequests), "<Subrequests: 0 in flight>")
        self.assertIs(self.came[0].outcome, Outcome.LOOP_DETECTED)  # type: ignore[union-attr]

    def test_bad_target(self) -> None:
        """A path that no client may ask for is a failure."""
        self.serve(HERE._replace(target=b"/../x"))
        self.ask()
        self.assertEqual(self.client.receive().status, 500)
        self.assertIs(self.failure().outcome, Outcome.BAD_REQUEST)

    def test_client_gone(self) -> None:
        """The request ends with the client."""
        self.serve(HERE)
        self.ask()
        server = self.wire.accept()
        server.read()
        self.client.reset()
        self.assertTrue(server.saw_reset or server.saw_end)
        self.assertEqual(repr(self.subrequests), "<Subrequests: 0 in flight>")

    def test_broken(self) -> None:
        """A response that breaks off is a failure, an answer of the proxy's own is none."""
        self.serve(HERE)
        self.ask()
        server = self.wire.accept()
        server.read()
        server.send(response(200, b"Content-Length: 10") + b"012")
        server.close()
        self.assertEqual(self.client.receive().status, 500)
        self.assertIs(self.failure().outcome, Outcome.ENDPOINT_BROKE)
        self.serve(HERE)
        self.ask()
        self.wire.next_dial().refuse()
        self.assertEqual(self.client.receive().status, 502)
