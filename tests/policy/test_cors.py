"""Tests of `ingress.policy.cors`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.field_edits import FieldEdits
from ingress.policy.cors import CORS
from ingress.policy.decision import Proceed
from ingress.policy.policy import Phase, Policy, phases_of
from ingress.policy.registry import FEATURES
from ingress.testing import policy_context, read_annotations, verdict_of
from tests.support.objects import built, ingress, problems_of, served
from tests.support.wire import Message, Wire

DEFAULTS = {
    b"Access-Control-Allow-Credentials": b"true",
    b"Access-Control-Allow-Methods": b"GET, PUT, POST, DELETE, PATCH, OPTIONS",
    b"Access-Control-Allow-Headers": (
        b"DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,"
        b"Content-Type,Range,Authorization"
    ),
    b"Access-Control-Max-Age": b"1728000",
}
SHOP = b"https://shop.example"
LISTED = {"cors-allow-origin": "https://shop.example, https://*.shop.example"}


def read(**values: str) -> CORS:
    """The policy of these annotations, with ``_`` for ``-``, which have no fault."""
    feature, faults = read_faulty(**values)
    assert faults == {}, faults
    return feature


def read_faulty(**values: str) -> tuple[CORS, dict[str, str]]:
    written = {"enable-cors": "true"}
    written |= {name.replace("_", "-"): value for name, value in values.items()}
    reading = read_annotations(CORS, written)
    assert isinstance(reading.feature, CORS)
    assert reading.closing is None
    return reading.feature, reading.faults


class ReadTests(SynchronousTestCase):
    def test_off(self) -> None:
        """Nothing is added unless it is enabled."""
        for values in ({}, LISTED, {"enable-cors": "false", **LISTED}):
            self.assertEqual(read_annotations(CORS, values), (None, {}, None))

    def test_defaults(self) -> None:
        """The defaults are those of ingress-nginx: everybody, with credentials, for 20 days."""
        policy = read()
        self.assertIsNone(policy.origins)
        self.assertEqual(dict(policy.fields), DEFAULTS)
        self.assertEqual(read(cors_allow_origin=" ", cors_allow_methods=""), policy)

    def test_values(self) -> None:
        """Lists reach browsers as they are written; credentials can be left out."""
        policy = read(
            cors_allow_methods="GET,  HEAD",
            cors_allow_headers="X-One, x_two,",
            cors_expose_headers="*, X-Three",
            cors_allow_credentials="false",
            cors_max_age="-1",
        )
        self.assertEqual(
            dict(policy.fields),
            {
                b"Access-Control-Allow-Methods": b"GET,  HEAD",
                b"Access-Control-Allow-Headers": b"X-One, x_two,",
                b"Access-Control-Expose-Headers": b"*, X-Three",
                b"Access-Control-Max-Age": b"-1",
            },
        )

    def test_bad_values(self) -> None:
        """A value that is no list of names, or no age, is a fault, and the default is used."""
        for name in ("cors_allow_methods", "cors_allow_headers", "cors_expose_headers"):
            for value in (
                "GET\r\nX: y",
                "a\nb",
                "a\0b",
                '"GET"',
                "$request_method",
                "a b",
                "a,,b",
                "a;b",
                "\xe4",
                "a" * 100 * 1024,
            ):
                policy, faults = read_faulty(**{name: value})
                self.assertEqual(policy, read())
                self.assertEqual(list(faults), [name.replace("_", "-")])
        for value in ("x", "-2", "2147483648", "1.5", "48h", "9" * 100 * 1024):
            policy, faults = read_faulty(cors_max_age=value)
            self.assertEqual(policy, read())
            self.assertEqual(list(faults), ["cors-max-age"])

    def test_bad_origins(self) -> None:
        """If no origin of the list can be read, nobody is let in, rather than everybody."""
        policy, faults = read_faulty(cors_allow_origin="shop.example")
        self.assertEqual(list(faults), ["cors-allow-origin"])
        assert policy.origins is not None
        self.assertFalse(policy.origins.has(b"https://shop.example"))
        self.assertIn("no origin may read responses", policy.explain())


class EverybodyTests(SynchronousTestCase):
    policy = read()

    def test_phases(self) -> None:
        """Preflights are answered with access, behind what concerns the connection and traces, and before other rules."""
        self.assertEqual(phases_of(CORS), {Phase.ACCESS})
        asked = [
            entry.key()
            for entry in FEATURES
            if isinstance(entry, type) and issubclass(entry, Policy)
            if Phase.ACCESS in phases_of(entry)
        ]
        before = [
            "open-telemetry",
            "blocked-clients",
            "https-redirect",
            "www-redirect",
            "ssl-passthrough",
            "client-certificates",
            "every-server-snippet",
            "server-snippet",
            "cors",
        ]
        self.assertEqual(asked[: len(before)], before)

    def test_preflight(self) -> None:
        """Every OPTIONS is answered with 204."""
        answer = verdict_of(self.policy.access(policy_context(b"OPTIONS")))
        assert isinstance(answer, Answer)
        self.assertEqual((answer.status, answer.has_body, answer.fields), (204, False, ()))

    def test_pass(self) -> None:
        """Other requests pass, from whatever origin."""
        for fields in ((), ((b"Origin", SHOP),)):
            context = policy_context(b"GET", fields=fields)
            self.assertIsNone(self.policy.access(context))

    def test_edits(self) -> None:
        """All responses have the same fields, in the place of the endpoint's."""
        edits = self.policy.response_edits
        own = ((b"access-control-allow-origin", b"https://x"), (b"X-A", b"b"))
        self.assertEqual(
            dict(edits.apply(own)),
            {b"X-A": b"b", b"Access-Control-Allow-Origin": b"*", **DEFAULTS},
        )

    def test_removed(self) -> None:
        """An endpoint cannot ask for credentials that the annotations leave out."""
        edits = read(cors_allow_credentials="false").response_edits
        found = dict(edits.apply(((b"Access-Control-Allow-Credentials", b"true"),)))
        self.assertNotIn(b"Access-Control-Allow-Credentials", found)

    def test_exposed(self) -> None:
        """What an endpoint exposes stays, unless the annotations say what is exposed."""
        own = (b"Access-Control-Expose-Headers", b"X-Total")
        self.assertIn(own, read().response_edits.apply((own,)))
        self.assertNotIn(own, read(cors_expose_headers="X-A").response_edits.apply((own,)))

    def test_shown(self) -> None:
        """It shows and explains itself."""
        self.assertEqual(
            self.policy.explain(),
            "Preflights are answered here, and every origin may read responses (CORS).",
        )
        shown = self.policy.shown()["cors"]
        assert isinstance(shown, dict)
        self.assertEqual(shown["origins"], ["*"])
        self.assertEqual(shown["fields"]["Access-Control-Max-Age"], "1728000")


class ListTests(SynchronousTestCase):
    policy = read(cors_allow_origin=LISTED["cors-allow-origin"])

    def decide(self, method: bytes, origin: bytes | None) -> object:
        fields = () if origin is None else ((b"Origin", origin),)
        return verdict_of(self.policy.access(policy_context(method, fields=fields)))

    def test_echo(self) -> None:
        """An origin of the list is echoed as it was sent."""
        for origin in (SHOP, b"HTTPS://Shop.example", b"https://www.shop.example"):
            verdict = self.decide(b"GET", origin)
            assert isinstance(verdict, Proceed)
            own = ((b"Access-Control-Allow-Origin", b"*"), (b"X-A", b"b"))
            self.assertEqual(
                dict(verdict.response_edits.apply(own)),
                {b"X-A": b"b", b"Access-Control-Allow-Origin": origin, **DEFAULTS},
            )

    def test_preflight(self) -> None:
        """A preflight of an origin of the list is answered with 204 and all fields."""
        answer = self.decide(b"OPTIONS", SHOP)
        assert isinstance(answer, Answer)
        self.assertEqual((answer.status, answer.has_body), (204, False))
        expected = {b"Access-Control-Allow-Origin": SHOP, **DEFAULTS}
        self.assertEqual(dict(answer.fields), expected)

    def test_others(self) -> None:
        """Other requests pass, and their responses have no such fields, not even the endpoint's."""
        for method in (b"GET", b"OPTIONS"):
            for origin in (None, b"https://evil.example", b"https://shop.example.evil", b"null"):
                verdict = self.decide(method, origin)
                assert isinstance(verdict, Proceed)
                own = tuple((name, b"x") for name in (*DEFAULTS, b"Access-Control-Allow-Origin"))
                self.assertEqual(verdict.response_edits.apply((*own, (b"A", b"b"))), [(b"A", b"b")])

    def test_vary(self) -> None:
        """Caches learn that responses depend on the origin."""
        self.assertEqual(self.policy.response_edits, FieldEdits(add=((b"Vary", b"Origin"),)))

    def test_shown(self) -> None:
        """It shows and explains its origins."""
        self.assertIn("https://shop.example, https://*.shop.example", self.policy.explain())
        shown = self.policy.shown()["cors"]
        assert isinstance(shown, dict)
        self.assertEqual(shown["origins"], ["https://shop.example", "https://*.shop.example"])


class WireTests(SynchronousTestCase):
    def serve(self, **annotations: str) -> None:
        written = {"enable-cors": "true", **annotations}
        web = ingress("a.example", {"/": "web:80"}, annotations=written)
        result = built(web, served("web"))
        self.assertEqual(problems_of(result), [])
        self.wire = Wire()
        self.wire.plane.publish(result.snapshot)
        self.client = self.wire.connect()

    def ask(self, method: bytes, origin: bytes, *fields: bytes) -> None:
        lines = [method + b" / HTTP/1.1", b"Host: a.example", b"Origin: " + origin, *fields]
        self.client.send(b"\r\n".join(lines) + b"\r\n\r\n")

    def respond(self, *fields: bytes) -> Message:
        endpoint = self.wire.accept()
        endpoint.read()
        head = [b"HTTP/1.1 200 OK", b"Content-Length: 0", b"Connection: close", *fields]
        endpoint.send(b"\r\n".join(head) + b"\r\n\r\n")
        return self.client.receive()

    def test_preflight(self) -> None:
        """A preflight is answered without an endpoint, a Content-Type and a Content-Length."""
        for values, origin, vary in (
            ({}, b"*", []),
            ({"cors-allow-origin": SHOP.decode()}, SHOP, [b"Origin"]),
        ):
            self.serve(**values)
            self.ask(b"OPTIONS", SHOP, b"Access-Control-Request-Method: PUT")
            answer = self.client.receive()
            self.assertEqual((answer.status, answer.rest), (204, b""))
            self.assertEqual(answer.values(b"Access-Control-Allow-Origin"), [origin])
            self.assertEqual(answer.values(b"Access-Control-Allow-Credentials"), [b"true"])
            self.assertEqual(answer.values(b"Vary"), vary)
            for name in (b"Content-Type", b"Content-Length"):
                self.assertEqual(answer.values(name), [])
            self.assertEqual(self.wire.dials, [])

    def test_response(self) -> None:
        """The fields take the place of the endpoint's, and its Vary stays."""
        self.serve(**{"cors-allow-origin": SHOP.decode()})
        for origin, expected in ((SHOP, [SHOP]), (b"https://evil.example", [])):
            self.ask(b"GET", origin)
            answer = self.respond(b"Access-Control-Allow-Origin: *", b"Vary: Accept")
            self.assertEqual(answer.values(b"Access-Control-Allow-Origin"), expected)
            self.assertEqual(answer.values(b"Vary"), [b"Accept", b"Origin"])

    def test_refused(self) -> None:
        """A preflight is answered although its client is refused, which then learns of that."""
        self.serve(**{"cors-allow-origin": SHOP.decode(), "whitelist-source-range": "10.0.0.0/8"})
        self.ask(b"OPTIONS", SHOP, b"Access-Control-Request-Method: PUT")
        self.assertEqual(self.client.receive().status, 204)
        self.ask(b"PUT", SHOP, b"Content-Length: 0")
        answer = self.client.receive()
        self.assertEqual(answer.status, 403)
        self.assertEqual(answer.values(b"Access-Control-Allow-Origin"), [SHOP])
        self.assertEqual(self.wire.dials, [])

    def test_own_answer(self) -> None:
        """A script of another origin can read why the proxy itself refuses."""
        for values, origin in (({}, b"*"), ({"cors-allow-origin": SHOP.decode()}, SHOP)):
            self.serve(**values)
            self.ask(b"GET", SHOP)
            endpoint = self.wire.accept()
            endpoint.read()
            endpoint.send(b"nonsense\r\n\r\n")
            answer = self.client.receive()
            self.assertEqual(answer.status, 502)
            self.assertEqual(answer.values(b"Access-Control-Allow-Origin"), [origin])
