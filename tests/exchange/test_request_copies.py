"""Tests of `ingress.exchange.request_copies` and `ingress.exchange.mirrored_call`."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.exchange.mirrored_call import Mirrors, RequestCopy
from ingress.exchange.request_copies import MAX_ANSWER, MAX_IN_FLIGHT, MAX_WAITING
from ingress.field_edits import FieldEdits
from ingress.policy.decision import Proceed
from ingress.policy.mirror import Mirror
from ingress.policy.policy import Policy
from ingress.policy.proxy_settings import ProxySettings
from ingress.policy.server_url import parse_server_url
from ingress.policy.source_ranges import SourceRanges
from ingress.policy.upstream_host import UpstreamHost
from ingress.routing.resource import ReverseProxyResource
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot, VirtualHost
from ingress.testing import read_annotations
from tests.exchange.test_exchange_policies import Erring
from tests.support.wire import (
    ENDPOINT,
    GET,
    LIMITS,
    OK,
    OTHER_ENDPOINT,
    SWITCHING,
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

SHADOW = UpstreamKey("test", "shadow", "80")
OURS = UpstreamKey("", "ours.example", "80")
SHADOW_ENDPOINT = Endpoint("10.3.0.1", 80)
TO_SHADOW = Mirror(parse_server_url("http://shadow.test.svc/copy$request_uri", "default"))
HERE = Mirror(parse_server_url("http://$host/here", "default"))


class MirrorCase(SynchronousTestCase):
    def serve(self, mirror: Mirror = TO_SHADOW, *policies: Policy, **settings: object) -> None:
        """Serve one rule with a mirror; ``/here`` has none."""
        self.wire = Wire(ENDPOINT)
        route = Route(
            ("default", "web"),
            UPSTREAM,
            mirror=mirror,
            policies=policies,
            **settings,  # type: ignore[arg-type]
        )
        here = Route(("default", "here"), SHADOW, path="/here")
        snapshot = snapshot_of(ENDPOINT, config=Config(limits=LIMITS), route=route)
        root = ReverseProxyResource(
            prefix=route, children={b"here": ReverseProxyResource(prefix=here)}
        )
        upstreams = {
            **snapshot.upstreams,
            SHADOW: Upstream(SHADOW, (SHADOW_ENDPOINT,)),
            OURS: Upstream(OURS, is_own=True),
        }
        self.wire.plane.publish(
            replace(snapshot, any_host=VirtualHost("", root=root), upstreams=upstreams)
        )

    def ask(self, data: bytes = GET) -> Peer:
        self.client = self.wire.connect()
        self.client.send(data)
        return self.client

    def both(self) -> tuple[Peer, Peer]:
        """The endpoint of the rule, and the server that gets the copy."""
        endpoint, server = self.wire.next_dial(), self.wire.next_dial()
        self.assertEqual((endpoint.endpoint, server.endpoint), (ENDPOINT, SHADOW_ENDPOINT))
        return endpoint.accept(), server.accept()

    def answer(self, endpoint: Peer) -> None:
        """The endpoint answers, and the client gets that."""
        endpoint.send(OK)
        self.assertEqual(self.client.receive().status, 200)

    def results(self) -> dict[str, int]:
        found = self.wire.plane.exchanges.mirrors.results
        return {result: count for result, count in found.items() if count}

    def in_flight(self) -> str:
        return repr(self.wire.plane.exchanges.mirrors)


class CopyTests(MirrorCase):
    """What the server gets."""

    def test_head(self) -> None:
        """It gets the head that the endpoint gets, with its own target and Host."""
        self.serve()
        self.ask(request(b"GET", b"X-A: 1", b"Cookie: a=b", target=b"/x?y=z"))
        endpoint, server = self.both()
        original, copy = endpoint.receive(), server.receive()
        self.assertEqual(copy.first_line, b"GET /copy/x?y=z HTTP/1.1")
        self.assertEqual(copy.values(b"Host"), [b"shadow.test.svc"])
        fields = [pair for pair in original.fields if pair[0] != b"Host"]
        self.assertEqual([pair for pair in copy.fields if pair[0] != b"Host"], fields)
        server.send(OK)
        self.answer(endpoint)
        self.assertEqual(self.results(), {"sent": 1})

    def test_edits(self) -> None:
        """What policies change of a head is changed in the copy as well."""
        edits = FieldEdits(replace=((b"Host", b"x.example"),), remove=frozenset((b"x-a",)))
        self.serve(TO_SHADOW, UpstreamHost("x.example", edits))
        self.ask(request(b"GET", b"X-A: 1"))
        _, server = self.both()
        copy = server.receive()
        self.assertEqual(copy.values(b"X-A"), [])
        self.assertEqual(copy.values(b"Host"), [b"shadow.test.svc"])

    def test_body(self) -> None:
        """It gets the body as it comes, and its end."""
        self.serve()
        self.ask(post(10) + b"hello")
        endpoint, server = self.both()
        self.assertTrue(endpoint.read().endswith(b"\r\n\r\nhello"))
        self.assertTrue(server.read().endswith(b"\r\n\r\nhello"))
        self.client.send(b"world")
        self.assertEqual((endpoint.read(), server.read()), (b"world", b"world"))
        server.send(OK)
        self.answer(endpoint)
        self.assertEqual(self.results(), {"sent": 1})

    def test_stale(self) -> None:
        """A copy that a kept connection has lost is sent again on another one, and no oftener."""
        self.serve()
        self.ask()
        endpoint, server = self.both()
        server.read()
        server.send(OK)
        self.answer(endpoint)
        self.client.send(post(5) + b"hello")
        self.assertTrue(server.read().endswith(b"\r\n\r\nhello"))
        server.close()
        again = self.wire.accept()
        self.assertTrue(again.read().endswith(b"\r\n\r\nhello"))
        again.close()
        self.assertEqual(self.wire.dials, [])
        self.assertEqual(self.results(), {"sent": 1, "failed": 1})

    def test_chunked(self) -> None:
        """A body of unknown length is copied as well."""
        self.serve()
        self.ask(request(b"POST", b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n")
        endpoint, server = self.both()
        for peer in (endpoint, server):
            self.assertTrue(peer.read().endswith(b"5\r\nhello\r\n0\r\n\r\n"))

    def test_without_body(self) -> None:
        """With ``mirror-request-body: off`` it gets the head, without what frames a body."""
        self.serve(replace(TO_SHADOW, has_body=False))
        fields = (b"Content-Type: text/plain", b"Expect: 100-continue")
        self.ask(post(5, *fields) + b"hello")
        endpoint, server = self.both()
        copy = server.receive()
        self.assertEqual((copy.rest, copy.values(b"Content-Length")), (b"", []))
        self.assertEqual(copy.values(b"Content-Type"), [b"text/plain"])
        self.assertEqual(copy.values(b"Expect"), [])
        self.assertTrue(endpoint.read().endswith(b"hello"))
        server.send(OK)
        self.assertEqual(self.results(), {"sent": 1})

    def test_kept_connection(self) -> None:
        """Its connection serves again."""
        self.serve()
        self.ask()
        endpoint, server = self.both()
        for _ in range(2):
            self.assertTrue(server.read().startswith(b"GET /copy/ HTTP/1.1"))
            server.send(OK)
            endpoint.read()
            self.answer(endpoint)
            self.client.send(GET)
        self.assertEqual(self.wire.dials, [])

    def test_websocket(self) -> None:
        """A WebSocket is not copied."""
        self.serve()
        self.ask(UPGRADE)
        endpoint = self.wire.accept()
        endpoint.send(SWITCHING)
        self.assertEqual((self.client.receive().status, self.wire.dials), (101, []))
        self.assertEqual(self.results(), {})

    def test_let_in(self) -> None:
        """What is not let in, or has no Service, is not copied."""
        read = read_annotations(SourceRanges, {"denylist-source-range": "0.0.0.0/0"})
        assert isinstance(read.feature, SourceRanges)
        self.serve(TO_SHADOW, read.feature)
        self.ask()
        self.assertEqual((self.client.receive().status, self.wire.dials), (403, []))

    def test_diversion(self) -> None:
        """A request that goes to another Service in place of an error is copied once."""
        self.serve(TO_SHADOW, Erring(lambda context: Proceed(upstream=SHADOW)))
        self.ask()
        self.wire.next_dial().refuse()
        server = self.wire.accept()
        server.read()
        self.wire.accept().send(OK)
        self.assertEqual(self.client.receive().status, 200)
        self.assertEqual(self.wire.dials, [])

    def test_retry(self) -> None:
        """A request that is sent again is copied once."""
        self.serve()
        upstreams = {
            **self.snapshot.upstreams,
            UPSTREAM: Upstream(UPSTREAM, (ENDPOINT, OTHER_ENDPOINT)),
        }
        self.wire.plane.publish(replace(self.snapshot, upstreams=upstreams))
        self.ask()
        self.wire.next_dial().refuse()
        self.assertEqual(
            [dial.endpoint for dial in self.wire.dials], [SHADOW_ENDPOINT, OTHER_ENDPOINT]
        )

    @property
    def snapshot(self) -> Snapshot:
        found = self.wire.plane.exchanges.snapshot
        assert found is not None
        return found


class NeverInTheWayTests(MirrorCase):
    """Nothing that becomes of a copy reaches the request."""

    def test_unreachable(self) -> None:
        """A server that cannot be reached is counted, and asked once."""
        self.serve()
        self.ask()
        endpoint = self.wire.accept()
        self.wire.next_dial().refuse()
        self.answer(endpoint)
        self.assertEqual((self.results(), self.wire.dials), ({"failed": 1}, []))

    def test_no_endpoint(self) -> None:
        """So is one without endpoints, and one that is not there at all."""
        for gone in ({SHADOW: Upstream(SHADOW)}, {}):
            self.serve()
            snapshot = self.wire.plane.exchanges.snapshot
            assert snapshot is not None
            upstreams = {UPSTREAM: snapshot.upstreams[UPSTREAM], **gone}
            self.wire.plane.publish(replace(snapshot, upstreams=upstreams))
            self.ask()
            self.answer(self.wire.accept())
            self.assertEqual(self.results(), {"failed": 1})
            self.assertEqual(self.in_flight(), "<RequestCopies: 0 in flight>")

    def test_no_endpoint_of_the_rule(self) -> None:
        """A copy is sent although the rule's own Service has no endpoint."""
        self.serve()
        snapshot = self.wire.plane.exchanges.snapshot
        assert snapshot is not None
        upstreams = {**snapshot.upstreams, UPSTREAM: Upstream(UPSTREAM)}
        self.wire.plane.publish(replace(snapshot, upstreams=upstreams))
        self.ask()
        self.assertEqual(self.client.receive().status, 503)
        self.wire.accept().send(OK)
        self.assertEqual(self.results(), {"sent": 1})

    def test_error(self) -> None:
        """An error of the server is an answer like any other."""
        self.serve()
        self.ask()
        endpoint, server = self.both()
        server.send(response(500, b"Content-Length: 3") + b"no!")
        self.answer(endpoint)
        self.assertEqual(self.results(), {"sent": 1})

    def test_broken(self) -> None:
        """An answer that is none, or breaks off, fails the copy alone."""
        for answer in (b"nonsense\r\n\r\n", response(200, b"Content-Length: 9") + b"x", b""):
            self.serve()
            self.ask()
            endpoint, server = self.both()
            server.send(answer)
            server.close()
            self.answer(endpoint)
            self.assertEqual(self.results(), {"failed": 1})

    def test_silent(self) -> None:
        """A server that does not answer in time is left, long after the client is gone."""
        self.serve()
        self.ask()
        endpoint, server = self.both()
        self.answer(endpoint)
        self.client.close()
        self.wire.advance(LIMITS.read_timeout + 2)
        self.assertEqual(self.in_flight(), "<RequestCopies: 0 in flight>")
        self.assertEqual(sum(self.results().values()), 1)
        self.assertFalse(server.is_open)

    def test_dripping(self) -> None:
        """So is one that sends its answer byte by byte."""
        self.serve()
        self.ask()
        endpoint, server = self.both()
        self.answer(endpoint)
        server.send(response(200, b"Content-Length: 100000"))
        for _ in range(int(LIMITS.read_timeout) + 2):
            if server.is_open:
                server.send(b"x")
            self.wire.advance(1)
        self.assertFalse(server.is_open)
        self.assertEqual(self.results(), {"slow": 1})

    def test_endless(self) -> None:
        """An answer that is too long is not read to its end."""
        self.serve()
        self.ask()
        endpoint, server = self.both()
        server.send(response(200, b"Content-Length: %d" % (10 * MAX_ANSWER)))
        taken = server.send_some(b"x" * (2 * MAX_ANSWER))
        self.assertLess(taken, 2 * MAX_ANSWER)
        self.assertFalse(server.is_open)
        self.answer(endpoint)
        self.assertEqual(self.results(), {"sent": 1})

    def test_slow(self) -> None:
        """A server that reads nothing loses its copy; the endpoint gets all of the body."""
        self.serve(proxy=ProxySettings(body_size=None))
        size = 3 * 1024 * 1024
        self.ask(post(size))
        endpoint, server = self.both()
        received = len(endpoint.receive().rest)
        for _ in range(size // 4096):
            self.client.send(b"x" * 4096)
            received += len(endpoint.read())
        self.assertEqual((received, self.results()), (size, {"slow": 1}))
        self.assertFalse(server.is_open)
        self.answer(endpoint)

    def test_slow_connection(self) -> None:
        """One to which no connection is made in time loses it likewise."""
        self.serve()
        self.ask(post(10 * MAX_WAITING))
        endpoint = self.wire.accept()
        endpoint.read()
        self.client.send(b"x" * (MAX_WAITING // 2))
        endpoint.read()
        self.assertEqual(len(self.wire.dials), 1)
        self.client.send(b"x" * MAX_WAITING)
        endpoint.read()
        self.assertEqual((self.wire.dials, self.results()), ([], {"slow": 1}))

    def test_pace(self) -> None:
        """The endpoint decides about the pace: it is never waited for the server."""
        self.serve(proxy=ProxySettings(body_size=None))
        self.ask(post(4 * 1024 * 1024))
        endpoint, server = self.both()
        server.read()
        sent = self.client.send_some(b"x" * (4 * 1024 * 1024))
        self.assertLess(sent, 4 * 1024 * 1024)
        endpoint.read()
        self.assertTrue(self.client.send_some(b"x" * 4096))

    def test_client_lost(self) -> None:
        """A copy whose body will never be whole is cut off; a whole one goes on."""
        self.serve()
        self.ask(post(10) + b"hello")
        _, server = self.both()
        server.read()
        self.client.reset()
        self.assertFalse(server.is_open)
        self.ask()
        _, server = self.both()
        self.client.reset()
        server.send(OK)
        self.assertEqual(self.results(), {"cut": 1, "sent": 1})

    def test_early_answer(self) -> None:
        """An endpoint that answers before the body is whole ends the copy, too."""
        self.serve()
        self.ask(post(10) + b"hello")
        endpoint, server = self.both()
        self.answer(endpoint)
        self.assertFalse(server.is_open)
        self.assertEqual(self.results(), {"cut": 1})

    def test_answered_early(self) -> None:
        """A server that answers before the body is whole gets no more of it."""
        self.serve()
        self.ask(post(10) + b"hello")
        endpoint, server = self.both()
        server.send(OK)
        self.client.send(b"world")
        self.assertTrue(endpoint.read().endswith(b"helloworld"))
        self.answer(endpoint)
        self.assertEqual(self.results(), {"sent": 1})

    def test_switching(self) -> None:
        """A server that switches protocols unasked is left."""
        self.serve()
        self.ask()
        endpoint, server = self.both()
        server.send(SWITCHING)
        self.answer(endpoint)
        self.assertEqual(self.results(), {"failed": 1})

    def test_many(self) -> None:
        """A server that hangs holds so many copies and no more."""
        self.serve()
        clients = []
        for _ in range(MAX_IN_FLIGHT + 3):
            clients.append(self.ask())
        self.wire.network.settle()
        dials = [dial for dial in self.wire.dials if dial.endpoint == SHADOW_ENDPOINT]
        self.assertEqual((len(dials), self.results()), (MAX_IN_FLIGHT, {"busy": 3}))
        for client in clients:
            client.close()

    def test_mistake(self) -> None:
        """A mistake of ours in a copy is logged, and fails no request."""
        for where in ("copy", "start", "send_body", "end"):
            self.serve()
            self.wire.plane.exchanges.mirrors = MistakenMirrors(where)
            self.ask(post(5) + b"hello")
            self.answer(self.wire.accept())
            self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1, where)


class MistakenCopy(RequestCopy):
    """A copy of which one method raises."""

    def __init__(self, where: str) -> None:
        self.where = where

    def start(self) -> None:
        self._raise("start")

    def send_body(self, data: bytes) -> None:
        self._raise("send_body")

    def end_body(self, trailers: object) -> None:
        self._raise("end")

    def _raise(self, where: str) -> None:
        if where == self.where:
            raise RuntimeError(where)


class MistakenMirrors(Mirrors):
    """Makes such copies, or none at all."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def copy(self, *arguments: object) -> RequestCopy:
        if self.where == "copy":
            raise RuntimeError(self.where)
        return MistakenCopy(self.where)


class OwnHostTests(MirrorCase):
    """Copies to hosts of ours need no connection to us."""

    def test_answered_here(self) -> None:
        """The rules of the host answer, with the body."""
        self.serve(HERE)
        self.ask(post(10) + b"hello")
        endpoint, server = self.both()
        copy = server.receive()
        self.assertEqual(copy.first_line, b"POST /here HTTP/1.1")
        self.assertEqual(copy.values(b"Host"), [b"a.example"])
        self.assertEqual(copy.values(b"X-Real-IP"), [b"192.0.2.1"])
        self.client.send(b"world")
        self.assertEqual(server.read(), b"world")
        server.send(OK)
        endpoint.read()
        self.answer(endpoint)
        self.assertEqual(self.results(), {"sent": 1})

    def test_leads_here(self) -> None:
        """So do they for a name that leads to us."""
        self.serve(Mirror(parse_server_url("http://ours.example/here", "default")))
        self.ask()
        endpoint, server = self.both()
        self.assertEqual(Message.parse(server.read()).values(b"Host"), [b"ours.example"])
        self.answer(endpoint)

    def test_loop(self) -> None:
        """A mirror that leads to its own rule ends, with finitely many copies."""
        self.serve(Mirror(parse_server_url("http://$host$request_uri", "default")))
        self.ask()
        count = 0
        self.wire.network.settle()
        while self.wire.dials:
            self.wire.accept().send(OK)
            count += 1
        self.assertEqual(self.client.receive().status, 200)
        self.assertLess(count, 50)
        self.assertEqual(self.in_flight(), "<RequestCopies: 0 in flight>")

    def test_bad_path(self) -> None:
        """A target that no client may ask for fails the copy alone."""
        self.serve(Mirror(parse_server_url("http://$host/../x", "default")))
        self.ask()
        self.answer(self.wire.accept())
        self.assertEqual(self.results(), {"failed": 1})

    def test_client_lost(self) -> None:
        """A copy whose body will never be whole ends its exchange."""
        self.serve(HERE)
        self.ask(post(10) + b"hello")
        _, server = self.both()
        self.client.reset()
        self.assertFalse(server.is_open)
        self.assertEqual(self.results(), {"cut": 1})
