"""
Tests for `ingress.exchange.explained_response` and `ingress.exchange.new_exchange`.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.config.explain import ExplainSettings
from ingress.errors import Outcome
from ingress.exchange.explained_response import MAX_SIZE, RATE, explanation
from ingress.routing.route import Route
from ingress.telemetry.record import AttemptRecord
from tests.support.exchange_record import answered
from tests.support.http2_wire import GET, HTTP2Client
from tests.support.wire import ENDPOINT, OK, OTHER_ENDPOINT, UPGRADE, UPSTREAM, Wire, request

TOKEN = b"0123456789abcdef"
ON = Config(explain=ExplainSettings(TOKEN))
ASKING = request(b"GET", b"X-Explain: " + TOKEN)


class WireTests(SynchronousTestCase):
    """Requests with X-Explain, from client to endpoint."""

    def exchange(self, wire: Wire, sent: bytes = ASKING, answer: bytes = OK) -> tuple[bytes, bytes]:
        """What the endpoint got, and what the client."""
        client = wire.connect()
        client.send(sent)
        endpoint = wire.accept()
        got = endpoint.read()
        endpoint.send(answer)
        return got, client.read()

    def test_explained(self) -> None:
        """The response is as usual, with a field that says where it comes from."""
        wire = Wire(config=ON)
        got, response = self.exchange(wire)
        self.assertNotIn(b"explain", got.lower())
        self.assertTrue(response.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertTrue(response.endswith(b"\r\n\r\nok"))
        self.assertIn(
            b"\r\nX-Explanation: snapshot=0; rule=*/; ingress=default/web; "
            b"upstream=default/web:80; outcome=ok; endpoint=10.1.0.1:8080; tries=1\r\n",
            response,
        )

    def test_not_asked(self) -> None:
        """Other responses have no such field, whether none is asked for, the token is wrong, or
        explanations are off; the token reaches no endpoint in any case."""
        for config, sent in (
            (ON, request(b"GET")),
            (ON, request(b"GET", b"X-Explain: " + TOKEN + b"0")),
            (ON, request(b"GET", b"X-Explain: ")),
            (ON, request(b"GET", b"X-Explain: \xff")),
            (ON, request(b"GET", b"X_Explain: " + TOKEN)),
            (Config(), ASKING),
            (Config(), request(b"GET", b"X-Explain: ")),
        ):
            got, response = self.exchange(Wire(config=config), sent)
            self.assertNotIn(b"xplain", got, sent)
            self.assertNotIn(b"X-Explanation", response, sent)

    def test_refused(self) -> None:
        """An answer of the proxy's own is explained as well."""
        wire = Wire(config=ON)
        client = wire.connect()
        client.send(ASKING)
        wire.next_dial().refuse()
        self.assertIn(b"outcome=dial_failed; endpoint=10.1.0.1:8080; tries=1", client.read())
        snapshot = wire.plane.exchanges.snapshot
        assert snapshot is not None
        wire.plane.publish(replace(snapshot, any_host=None, hosts={}, generation=7))
        client = wire.connect()
        client.send(ASKING)
        self.assertIn(b"X-Explanation: snapshot=7; rule=none; outcome=no_route\r\n", client.read())

    def test_tunnel(self) -> None:
        """So is the agreement to a tunnel."""
        wire = Wire(config=ON)
        sent = UPGRADE.replace(b"\r\n\r\n", b"\r\nX-Explain: " + TOKEN + b"\r\n\r\n")
        answer = (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        )
        got, response = self.exchange(wire, sent, answer)
        self.assertNotIn(b"xplain", got)
        self.assertIn(b"\r\nX-Explanation: ", response)

    def test_http2(self) -> None:
        """So is a response over HTTP/2."""
        wire = Wire(config=ON)
        client = HTTP2Client(wire)
        stream = client.request([*GET, (b"x-explain", TOKEN)])
        endpoint = wire.accept()
        self.assertNotIn(b"xplain", endpoint.read())
        endpoint.send(OK)
        client.settle()
        answer = client.answers[stream]
        self.assertEqual((answer.status, answer.body), (200, b"ok"))
        self.assertIn(b"endpoint=10.1.0.1:8080", answer.fields[b"x-explanation"])

    def test_own_field(self) -> None:
        """An endpoint cannot explain in our name."""
        answer = OK.replace(b"\r\n\r\n", b"\r\nx-explanation: snapshot=9\r\n\r\n")
        _, response = self.exchange(Wire(config=ON), answer=answer)
        self.assertEqual(response.lower().count(b"x-explanation"), 1)
        self.assertNotIn(b"snapshot=9", response)

    def test_rate(self) -> None:
        """Beyond a rate responses are not explained."""
        wire = Wire(config=ON)
        client, endpoint = wire.connect(), None
        explained = []
        for number in range(RATE + 2):
            if number > RATE:
                wire.advance(1)
            client.send(ASKING)
            endpoint = endpoint or wire.accept()
            endpoint.read()
            endpoint.send(OK)
            explained.append(b"X-Explanation" in client.read())
        self.assertEqual(explained, [True] * RATE + [False, True])

    def test_switched(self) -> None:
        """The configuration switches it on and off, and replaces the token."""
        wire = Wire(config=ON)
        exchanges = wire.plane.exchanges
        first = exchanges.explaining
        assert exchanges.snapshot is not None
        for token in (TOKEN, b"another token 16"):
            config = Config(explain=ExplainSettings(token))
            wire.plane.publish(replace(exchanges.snapshot, config=config))
            self.assertEqual(exchanges.explaining is first, token == TOKEN)
        wire.plane.publish(replace(exchanges.snapshot, config=Config()))
        self.assertIsNone(exchanges.explaining)


class ExplanationTests(SynchronousTestCase):
    def test_tries(self) -> None:
        """Several attempts are named with their statuses."""
        tries = [AttemptRecord(OTHER_ENDPOINT, 1.0), AttemptRecord(ENDPOINT, 1.0, 200)]
        value = explanation(answered(tries=tries), 1)
        self.assertTrue(
            value.endswith(
                b"; endpoint=10.1.0.1:8080; tries=2; tried=10.1.0.2:8080=-,10.1.0.1:8080=200"
            ),
            value,
        )

    def test_bounded(self) -> None:
        """It is one line of at most a kilobyte, whatever the author of the rule wrote."""
        for path in (
            "/\r\nSet-Cookie: a=b",
            "/\0\x7f\x85",
            '/;x=y z"',
            "/\u20ac\ud800",
            "/" + "x" * 9000,
        ):
            route = Route(("n" * 63, "i" * 253), UPSTREAM, path, host="h" * 253)
            tries = [AttemptRecord(ENDPOINT._replace(host="f" * 39), 1.0, 502)] * 9
            value = explanation(
                answered(route=route, tries=tries, outcome=Outcome.ENDPOINT_BROKE), 10**9
            )
            self.assertLessEqual(len(value), MAX_SIZE)
            self.assertTrue(value.decode("ascii").isprintable(), value)
            self.assertEqual(value.count(b"; "), value.count(b";"))
