"""Tests of diversions: another Upstream is asked in place of what there was to be sent."""

from __future__ import annotations

from dataclasses import replace

from ingress.endpoint import UpstreamKey
from ingress.errors import Outcome
from ingress.policy.backend_tls import BackendTLS
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.decision import Proceed
from ingress.policy.policy import Policy
from ingress.policy.proxy_settings import ProxySettings
from ingress.telemetry.record import ExchangeRecord
from tests.exchange.test_exchange_policies import OTHER, Erring, PolicyCase, Responding
from tests.support.kept_records import KeptRecords
from tests.support.wire import (
    ENDPOINT,
    GET,
    OK,
    OTHER_ENDPOINT,
    SWITCHING,
    UPGRADE,
    Wire,
    post,
    request,
    response,
)

CHUNKED_POST = request(b"POST", b"Transfer-Encoding: chunked")
TO_OTHER = Proceed(upstream=OTHER)
MISSING = Proceed(upstream=UpstreamKey("default", "missing", "80"))


class DiversionTests(PolicyCase):
    def serve(self, *policies: Policy) -> Wire:
        wire = super().serve(*policies)
        self.records: list[ExchangeRecord] = []
        wire.plane.exchanges.recorder = KeptRecords(self.records)
        return wire

    def tried(self) -> list[tuple[object, int]]:
        """Return the endpoints of the only record, with the status of each."""
        (record,) = self.records
        return [(each.endpoint, each.status) for each in record.tries]

    def fail_first(self, data: bytes = GET) -> None:
        """A client asks; the endpoint of its rule answers 500."""
        self.ask(data)
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(response(500, b"Content-Length: 0"))

    def test_tries(self) -> None:
        """The record has all endpoints that were asked, each once, in order."""
        self.serve(Responding(lambda context: TO_OTHER))
        self.fail_first()
        self.assertEqual(self.answered().status, 200)
        self.assertEqual(self.tried(), [(ENDPOINT, 500), (OTHER_ENDPOINT, 200)])

    def test_nobody_there(self) -> None:
        """An Upstream that does not exist adds nothing to the endpoints that were asked."""
        self.serve(Responding(lambda context: MISSING))
        self.fail_first()
        self.assertEqual(self.client.receive().status, 503)
        self.assertEqual(self.tried(), [(ENDPOINT, 500)])

    def test_failed_as_well(self) -> None:
        """The answer is 502 if the other endpoint cannot be reached; no policy sees it."""
        policy = Erring(lambda context: TO_OTHER)
        self.serve(policy)
        self.ask()
        self.wire.next_dial().refuse()
        self.wire.next_dial().refuse()
        self.assertEqual(self.client.receive().status, 502)
        self.assertEqual(self.tried(), [(ENDPOINT, 502), (OTHER_ENDPOINT, 502)])
        self.assertEqual(policy.seen, [502])

    def test_session(self) -> None:
        """The client keeps the session that it has with the Upstream of its rule."""
        self.serve(Erring(lambda context: TO_OTHER))
        self.route = replace(self.route, affinity=CookieAffinity())
        self.publish()
        self.ask()
        self.wire.next_dial().refuse()
        self.assertEqual(self.answered().values(b"Set-Cookie"), [])

    def test_in_the_clear(self) -> None:
        """The other Service is spoken to in the clear, however that of the rule is."""
        self.serve(Erring(lambda context: TO_OTHER))
        self.route = replace(self.route, tls=BackendTLS())
        self.publish()
        self.ask()
        self.wire.next_dial().refuse()
        self.assertEqual(self.answered().status, 200)
        pools = self.wire.plane.calls.registry
        self.assertEqual(
            repr(pools.pool(OTHER_ENDPOINT)), f"<EndpointPool {OTHER_ENDPOINT} idle=1>"
        )

    def test_client_leaves(self) -> None:
        """A client that leaves with its body half sent is noticed, and the endpoint is left."""
        self.serve(Erring(lambda context: TO_OTHER))
        self.ask(post(10) + b"01234")
        self.wire.next_dial().refuse()
        other = self.wire.accept()
        self.client.reset()
        self.assertTrue(other.saw_reset)
        self.assertEqual(self.records[0].outcome, Outcome.CLIENT_LOST)

    def test_rest_of_the_body(self) -> None:
        """The rest of the body is dropped, and the next request follows it."""
        self.serve(Erring(lambda context: TO_OTHER))
        self.ask(post(10) + b"01234")
        self.wire.next_dial().refuse()
        other = self.wire.accept()
        self.client.send(b"56789" + GET)
        self.assertTrue(other.read().endswith(b"\r\n\r\n"))
        other.send(OK)
        self.assertEqual(self.client.receive().status, 200)
        self.assertEqual(self.wire.dials[0].endpoint, ENDPOINT)

    def test_too_large(self) -> None:
        """An answer to a body that is too large is replaced, whatever comes of the body."""
        chunks = b"a\r\n0123456789\r\n" * 2
        for data, rest in ((post(20) + b"0" * 20, b""), (CHUNKED_POST + chunks, chunks)):
            self.serve(Erring(lambda context: TO_OTHER))
            self.route = replace(self.route, proxy=ProxySettings(body_size=15))
            self.publish()
            self.ask(data)
            other = self.wire.accept()
            self.assertTrue(other.read().endswith(b"\r\n\r\n"))
            self.client.send(rest)
            other.send(response(200, b"Content-Length: 4") + b"page")
            self.assertEqual(self.client.receive().rest, b"page")

    def test_tunnel(self) -> None:
        """A request for a tunnel is diverted as an ordinary one, which 101 does not answer."""
        self.serve(Erring(lambda context: TO_OTHER))
        self.ask(UPGRADE)
        self.wire.next_dial().refuse()
        other = self.wire.accept()
        self.assertNotIn(b"pgrade", other.read())
        other.send(SWITCHING)
        self.assertEqual(self.client.receive().status, 502)

    def test_head(self) -> None:
        """The page of an answer to HEAD has no body."""
        self.serve(Erring(lambda context: TO_OTHER))
        self.ask(request(b"HEAD"))
        self.wire.next_dial().refuse()
        other = self.wire.accept()
        self.assertTrue(other.read().startswith(b"HEAD "))
        other.send(response(200, b"Content-Length: 5"))
        message = self.client.receive()
        self.assertEqual((message.values(b"Content-Length"), message.rest), ([b"5"], b""))
        self.assertTrue(self.client.is_open)
