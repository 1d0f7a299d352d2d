"""Tests of `ingress.serving.data_plane`."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.http1.body import LAST_CHUNK, encode_chunk
from ingress.http1.head import HEAD_END
from ingress.http1.request_head import parse_request_head
from ingress.http1.response_head import parse_response_head
from ingress.policy.backend_tls import BackendTLS
from tests.support.wire import (
    CHUNKED_OK,
    ENDPOINT,
    GET,
    OK,
    OTHER_ENDPOINT,
    Peer,
    Wire,
    post,
    request,
    response,
    snapshot_of,
)

CLIENT_SENDS = [
    GET,
    GET[:9],
    GET[9:],
    GET * 3,
    request(b"HEAD"),
    request(b"GET", b"Connection: close"),
    request(b"GET", version=b"1.0"),
    post(5) + b"hello",
    post(5),
    b"hello",
    post(300_000) + b"x" * 1000,
    b"x" * 150_000,
    request(b"PUT", b"Transfer-Encoding: chunked"),
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"\r\n",
    b"nonsense\r\n\r\n",
]
ENDPOINT_SENDS = [
    OK,
    OK[:20],
    OK[20:],
    response(100),
    response(204),
    response(200, b"Content-Length: 2", b"Connection: close") + b"ok",
    response(200) + b"until the end",
    CHUNKED_OK,
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    response(200, b"Content-Length: 300000"),
    b"y" * 150_000,
    b"nonsense\r\n\r\n",
]
OPERATIONS = [
    "connect",
    "send",
    "send",
    "read",
    "end",
    "close",
    "reset",
    "accept",
    "accept",
    "refuse",
    "time_out",
    "answer",
    "answer",
    "take",
    "endpoint_close",
    "endpoint_reset",
    "advance",
    "publish",
]


class DataPlaneTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire(ENDPOINT)
        self.client = self.wire.connect()

    def test_published(self) -> None:
        """Requests that come after a publication are served by the new Snapshot."""
        self.wire.plane.publish(snapshot_of(OTHER_ENDPOINT))
        self.client.send(GET)
        self.assertEqual(self.wire.dials[0].endpoint, OTHER_ENDPOINT)

    def test_gone_endpoint(self) -> None:
        """Idle connections to an endpoint that is gone are closed, busy ones when they are idle."""
        self.client.send(GET)
        busy = self.wire.accept()
        busy.read()
        other_client = self.wire.connect()
        other_client.send(GET)
        idle = self.wire.accept()
        idle.read()
        idle.send(OK)
        self.assertTrue(idle.is_open)
        self.wire.plane.publish(snapshot_of(OTHER_ENDPOINT))
        self.assertTrue(idle.saw_end)
        self.assertTrue(busy.is_open)
        busy.send(OK)
        self.assertEqual(self.client.receive().rest, b"ok")
        self.assertTrue(busy.saw_end)

    def test_same_upstreams(self) -> None:
        """A Snapshot that changes no Upstream closes no connection."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(OK)
        snapshot = self.wire.plane.exchanges.snapshot
        assert snapshot is not None
        self.wire.plane.publish(replace(snapshot, config=Config()))
        self.assertTrue(endpoint.is_open)

    def test_other_tls(self) -> None:
        """A Snapshot that changes only how endpoints are spoken to forgets the old way."""
        pool = self.wire.registry.pool(ENDPOINT, BackendTLS())
        snapshot = self.wire.plane.exchanges.snapshot
        assert snapshot is not None
        self.wire.plane.publish(replace(snapshot, hosts={}))
        self.assertTrue(pool.is_retired)

    def test_request_ids(self) -> None:
        """Request ids are 32 hexadecimal digits and differ."""
        one, other = (
            self.wire.plane.exchanges.make_request_id(),
            self.wire.plane.exchanges.make_request_id(),
        )
        self.assertRegex(one, rb"^[0-9a-f]{32}$")
        self.assertNotEqual(one, other)


class AnythingTests(SynchronousTestCase):
    """Whatever clients, endpoints and time do to it, the data plane stays in order."""

    @settings(deadline=None, max_examples=80)
    @given(st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 1000)), max_size=40))
    def test_anything(self, operations: list[tuple[str, int]]) -> None:
        """Nothing fails, and nothing is left behind when all clients are gone."""
        wire = Wire(ENDPOINT, OTHER_ENDPOINT)
        clients = [wire.connect()]
        endpoints: list[Peer] = []

        def do(name: str, number: int) -> None:
            client = clients[number % len(clients)]
            endpoint = endpoints[number % len(endpoints)] if endpoints else None
            if name == "connect":
                clients.append(wire.connect())
            elif name == "send":
                client.send_some(CLIENT_SENDS[number % len(CLIENT_SENDS)])
            elif name in ("end", "close", "reset", "read"):
                getattr(client, name)()
            elif name in ("accept", "refuse", "time_out") and wire.dials:
                peer = getattr(wire.next_dial(), name)()
                if peer is not None:
                    endpoints.append(peer)
            elif name == "answer" and endpoint is not None:
                endpoint.send_some(ENDPOINT_SENDS[number % len(ENDPOINT_SENDS)])
            elif name == "take" and endpoint is not None:
                endpoint.read()
            elif name in ("endpoint_close", "endpoint_reset") and endpoint is not None:
                getattr(endpoint, name.removeprefix("endpoint_"))()
            elif name == "advance":
                wire.advance(number % 80)
            elif name == "publish":
                wire.plane.publish(snapshot_of(*(ENDPOINT, OTHER_ENDPOINT)[: number % 3]))

        for name, number in operations:
            do(name, number)
        self.assertEqual(self.flushLoggedErrors(), [])
        # Nobody waits for ever, whatever the others do not do.
        for client in clients:
            client.read()
        for _ in range(8):
            while wire.dials:
                wire.next_dial().time_out()
            wire.advance(80)
        self.assertEqual(len(wire.plane.clients.connections), 0)
        self.assertEqual(wire.dials, [])
        self.assertEqual([e for e in endpoints if e.is_open], [])
        self.assertEqual(repr(wire.deadlines), "<Deadlines of 0>")
        loads = [wire.registry.load(endpoint).in_flight for endpoint in (ENDPOINT, OTHER_ENDPOINT)]
        self.assertEqual(loads, [0, 0])
        self.assertEqual(repr(wire.plane.calls.retry_budget), "<RetryBudget 0 of 0 are retries>")
        self.assertEqual(self.flushLoggedErrors(), [])


class EchoingEndpoint:
    """Answers each request with its target, in one of several forms, when it is asked to."""

    FORMS = (
        b"HTTP/1.1 200 OK\r\nContent-Length: %(length)d\r\n\r\n%(target)b",
        b"HTTP/1.1 103 Hint\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%(length)x\r\n%(target)b\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %(length)d\r\nConnection: close\r\n\r\n%(target)b",
        b"HTTP/1.0 200 OK\r\nContent-Length: %(length)d\r\nConnection: keep-alive\r\n\r\n%(target)b",
    )

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._received = b""

    def serve(self, form: int) -> None:
        """Answer the requests that have come whole."""
        self._received += self.peer.read()
        while HEAD_END in self._received:
            head, _, rest = self._received.partition(HEAD_END)
            request, decoder = parse_request_head(head + HEAD_END)
            _, rest = decoder.feed(rest)
            if not decoder.is_complete:
                break
            self._received = rest
            values = {b"length": len(request.target), b"target": request.target}
            self.peer.send_some(self.FORMS[form % len(self.FORMS)] % values)
            self._received += self.peer.read()


class OrderTests(SynchronousTestCase):
    """However requests are cut, pipelined and interrupted, each answer is to its request."""

    EVIL = b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"

    def requests(self, client: int, form: int, count: int) -> bytes:
        target = b"/%d-%d" % (client, count)
        if form == 0:
            return request(b"GET", target=target)
        if form == 1:
            length = b"Content-Length: %d" % len(self.EVIL)
            return request(b"POST", length, target=target) + self.EVIL
        chunked = request(b"PUT", b"Transfer-Encoding: chunked", target=target)
        return chunked + encode_chunk(self.EVIL) + LAST_CHUNK

    def answers(self, data: bytes) -> list[bytes]:
        """The bodies of whole answers; empty for the proxy's own."""
        bodies = []
        while HEAD_END in data:
            head, _, data = data.partition(HEAD_END)
            response, new_body = parse_response_head(head + HEAD_END, b"GET")
            if response.status < 200:
                continue
            decoder = new_body()
            body, data = decoder.feed(data)
            if decoder.is_complete:
                bodies.append(body if response.status == 200 else b"")
        return bodies

    @settings(deadline=None, max_examples=60)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(
                    ["send", "send", "some", "accept", "serve", "serve", "close", "refuse"]
                ),
                st.integers(0, 100),
            ),
            max_size=40,
        )
    )
    def test_order(self, operations: list[tuple[str, int]]) -> None:
        """Every answer that a client gets is to the request whose turn it is."""
        wire = Wire(ENDPOINT, OTHER_ENDPOINT)
        clients = [wire.connect() for _ in range(3)]
        unsent = [b"", b"", b""]
        sent = [0, 0, 0]
        received = [b"", b"", b""]
        endpoints: list[EchoingEndpoint] = []
        for name, number in operations + [("accept", 0), ("some", 100), ("serve", 0)] * 20:
            client = number % 3
            if name == "send":
                unsent[client] += self.requests(client, number % 4 % 3, sent[client])
                sent[client] += 1
            if name in ("send", "some"):
                size = number + 1 if name == "some" else len(unsent[client])
                taken = clients[client].send_some(unsent[client][:size])
                unsent[client] = unsent[client][taken:]
            elif name == "accept" and wire.dials:
                endpoints.append(EchoingEndpoint(wire.accept()))
            elif name == "refuse" and wire.dials:
                wire.next_dial().refuse()
            elif name == "serve":
                for endpoint in endpoints:
                    endpoint.serve(number)
            elif name == "close" and endpoints:
                endpoints[number % len(endpoints)].peer.close()
            received[client] += clients[client].read()
        for client in range(3):
            answers = self.answers(received[client])
            for count, answer in enumerate(answers):
                self.assertIn(answer, (b"/%d-%d" % (client, count), b""))
