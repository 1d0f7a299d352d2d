"""Tests of `ingress.policy.custom_errors`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.config import Config
from ingress.config.nginx_settings import ErrorDefaults, NginxSettings
from ingress.endpoint import UpstreamKey
from ingress.error_pages import ErrorPages
from ingress.errors import Outcome
from ingress.policy.custom_errors import CustomErrors
from ingress.policy.decision import Proceed
from ingress.policy.policy import Phase, phases_of
from ingress.testing import (
    endpoint_response,
    policy_context,
    read_annotations,
    rule_scope,
    verdict_of,
)
from tests.support.objects import built, ingress, problems_of, served
from tests.support.wire import Wire

ERRORS = UpstreamKey("default", "errors", "")
POLICY = CustomErrors(ERRORS, frozenset({401, 404, 502})).at(rule_scope("/x"))
PAGES = {"custom-http-errors": "404", "default-backend": "errors"}
NO_ENDPOINT = Answer(503, Outcome.NO_ENDPOINT, "None.")


def read(**values: str) -> tuple[object, list[str]]:
    """What is read of annotations with ``_`` for ``-``, and those that are at fault."""
    written = {name.replace("_", "-"): value for name, value in values.items()}
    reading = read_annotations(CustomErrors, written)
    return reading.feature, list(reading.faults)


class ReadTests(SynchronousTestCase):
    def test_list(self) -> None:
        """A list of statuses has the Service of default-backend; bad members are left out."""
        expected = CustomErrors(ERRORS, frozenset({404, 503}))
        self.assertEqual(
            read(custom_http_errors="404, 503,", default_backend="errors"), (expected, [])
        )
        self.assertEqual(
            read(custom_http_errors="404,x,503,200,600,-404", default_backend="errors"),
            (expected, ["custom-http-errors"]),
        )

    def test_intercept(self) -> None:
        """Errors of endpoints can be left alone."""
        feature, faults = read(
            custom_http_errors="404",
            default_backend="errors",
            disable_proxy_intercept_errors="true",
        )
        self.assertEqual(feature, CustomErrors(ERRORS, frozenset({404}), False))
        self.assertEqual(faults, [])

    def test_halves(self) -> None:
        """The Service alone is for missing endpoints; a list alone is a fault."""
        self.assertEqual(read(), (None, []))
        self.assertEqual(read(default_backend="errors"), (CustomErrors(ERRORS), []))
        self.assertEqual(read(custom_http_errors="404"), (None, ["custom-http-errors"]))

    def test_bad_services(self) -> None:
        """A name that no Service has is a fault."""
        for bad in ("a/b", "A", "a\r\nX: y", "a\0", '"a"', "$a", "\xe4", "a" * 100 * 1024):
            self.assertEqual(read(default_backend=bad), (None, ["default-backend"]))


class DecisionTests(SynchronousTestCase):
    context = policy_context(
        b"GET", b"/x?y=z", fields=((b"Accept", b"text/html"), (b"X-Code", b"1"))
    )

    def test_phases(self) -> None:
        """It looks at responses of endpoints and at the proxy's own answers."""
        self.assertEqual(phases_of(CustomErrors), {Phase.RESPONSE, Phase.ERROR})

    def test_response(self) -> None:
        """The Service is asked for / with the query, and learns what happened where."""
        verdict = verdict_of(POLICY.response(self.context, endpoint_response(404)))
        assert isinstance(verdict, Proceed)
        self.assertEqual((verdict.upstream, verdict.target), (ERRORS, b"/?y=z"))
        sent = verdict.request_edits.apply_to_request([(b"X-Code", b"1"), (b"x_namespace", b"2")])
        self.assertEqual(
            dict(sent),
            {
                b"X-Code": b"404",
                b"X-Format": b"text/html",
                b"X-Original-URI": b"/x?y=z",
                b"X-Namespace": b"default",
                b"X-Ingress-Name": b"web",
                b"X-Service-Name": b"web",
                b"X-Service-Port": b"80",
            },
        )
        self.assertEqual(verdict.request_edits.host, b"a.example")

    def test_own_answer(self) -> None:
        """So it is in the place of an error of the proxy's own."""
        answer = Answer(502, Outcome.DIAL_FAILED, "No.")
        verdict = verdict_of(POLICY.error(self.context, answer))
        assert isinstance(verdict, Proceed)
        self.assertEqual((verdict.upstream, verdict.target), (ERRORS, b"/?y=z"))

    def test_challenge(self) -> None:
        """A page of the Service for 401 has the challenge that browsers ask users for."""
        field = (b"WWW-Authenticate", b'Basic realm="x"')
        answer = Answer(401, Outcome.ACCESS_REFUSED, "No.", fields=(field,))
        for decision in (
            POLICY.response(self.context, endpoint_response(401, (field,))),
            POLICY.error(self.context, answer),
        ):
            verdict = verdict_of(decision)
            assert isinstance(verdict, Proceed)
            self.assertEqual(verdict.response_edits.apply(()), [field])

    def test_others(self) -> None:
        """Other statuses pass, and those of endpoints if they are not to be replaced."""
        for status in (200, 302, 403, 500):
            self.assertIsNone(POLICY.response(self.context, endpoint_response(status)))
        self.assertIsNone(POLICY.error(self.context, Answer(403, Outcome.ACCESS_REFUSED, "No.")))
        own = CustomErrors(ERRORS, frozenset({404}), False)
        self.assertIsNone(own.response(self.context, endpoint_response(404)))

    def test_no_endpoint(self) -> None:
        """Without endpoints the Service is asked for the path itself, whatever the list."""
        for policy in (POLICY, CustomErrors(ERRORS)):
            verdict = verdict_of(policy.error(self.context, NO_ENDPOINT))
            assert isinstance(verdict, Proceed)
            self.assertEqual((verdict.upstream, verdict.target), (ERRORS, None))
            self.assertIn((b"X-Code", b"503"), verdict.request_edits.replace)

    def test_shown(self) -> None:
        """It shows and explains itself."""
        self.assertEqual(
            POLICY.explain(),
            "The Service errors is asked if there is no endpoint, and in the place of the errors "
            "401, 404, 502.",
        )
        self.assertEqual(
            POLICY.shown(),
            {
                "customErrors": {
                    "service": "errors",
                    "statuses": [401, 404, 502],
                    "ofEndpoints": True,
                }
            },
        )


class WireTests(SynchronousTestCase):
    def test_response(self) -> None:
        """A client gets the page of the Service, with its status, for an endpoint's error."""
        web = ingress("a.example", {"/": "web:80"}, annotations=PAGES)
        result = built(web, served("web"), served("errors"))
        self.assertEqual(problems_of(result), [])
        wire = Wire()
        wire.plane.publish(result.snapshot)
        client = wire.connect()
        client.send(b"POST /x?y HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello")
        endpoint = wire.accept()
        endpoint.read()
        endpoint.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nwrong")
        errors = wire.accept()
        received = errors.receive()
        self.assertEqual(received.first_line, b"POST /?y HTTP/1.1")
        self.assertEqual(received.rest, b"")
        self.assertEqual(received.values(b"X-Code"), [b"404"])
        self.assertEqual(received.values(b"Host"), [b"a.example"])
        errors.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsorry")
        answer = client.receive()
        self.assertEqual((answer.status, answer.rest), (200, b"sorry"))

    def test_no_endpoint(self) -> None:
        """The Service is asked where the rule's own does not exist."""
        web = ingress("a.example", {"/": "gone:80"}, annotations=PAGES)
        wire = Wire()
        wire.plane.publish(built(web, served("errors")).snapshot)
        client = wire.connect()
        client.send(b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n")
        received = wire.accept().receive()
        self.assertEqual(received.first_line, b"GET /x HTTP/1.1")
        self.assertEqual(received.values(b"X-Code"), [b"503"])

    def test_missing(self) -> None:
        """A Service that does not exist is a Problem of the annotation."""
        web = ingress("a.example", {"/": "web:80"}, annotations=PAGES)
        (problem,) = problems_of(built(web, served("web")))
        self.assertIn("default-backend", problem)
        self.assertIn("Service default/errors does not exist", problem)


class ConfigurationTests(SynchronousTestCase):
    """The configuration has a default backend, or error pages."""

    pages = ErrorPages(pages={"404": {"text/html": b"page"}})
    response = endpoint_response(404, [(b"WWW-Authenticate", b"Basic")])

    def read(self, config: Config, **annotations: str) -> CustomErrors | None:
        named = {name.replace("_", "-"): value for name, value in annotations.items()}
        reading = read_annotations(CustomErrors, named, config=config)
        self.assertEqual(reading.closing, None)
        self.faults = reading.faults
        assert reading.feature is None or isinstance(reading.feature, CustomErrors)
        return reading.feature

    def test_backend(self) -> None:
        """Errors are those of the default backend; a rule without endpoints stays without."""
        config = Config(default_backend=("errors", "pages", "http"))
        policy = self.read(config, custom_http_errors="404,503")
        assert policy is not None
        self.assertEqual(
            (policy.backend, list(policy.upstreams)), (UpstreamKey("errors", "pages", "http"), [])
        )
        verdict = verdict_of(policy.response(policy_context(), self.response))
        assert isinstance(verdict, Proceed)
        self.assertEqual(verdict.upstream, policy.backend)
        answer = Answer(503, Outcome.NO_ENDPOINT, "")
        verdict = verdict_of(policy.error(policy_context(target=b"/x"), answer))
        assert isinstance(verdict, Proceed)
        self.assertEqual(verdict.target, b"/")

    def test_pages(self) -> None:
        """An error of an endpoint that has a page becomes an answer, with its challenge."""
        policy = self.read(Config(error_pages=self.pages), custom_http_errors="404,503")
        assert policy is not None
        self.assertIn("there is no error page for 503", self.faults["custom-http-errors"])
        answer = verdict_of(policy.response(policy_context(), self.response))
        assert isinstance(answer, Answer)
        self.assertEqual((answer.status, answer.fields), (404, ((b"WWW-Authenticate", b"Basic"),)))
        self.assertIsNone(verdict_of(policy.response(policy_context(), endpoint_response(503))))
        self.assertIsNone(verdict_of(policy.error(policy_context(), answer)))

    def test_config_map(self) -> None:
        """The list of the ConfigMap holds where the annotation is absent."""
        settings = NginxSettings(errors=ErrorDefaults(frozenset({404}), disable_intercept=True))
        config = Config(error_pages=self.pages, nginx=settings)
        policy = self.read(config)
        assert policy is not None
        self.assertEqual((policy.statuses, policy.intercepts), ({404}, False))
        policy = self.read(config, custom_http_errors="403", default_backend="pages")
        assert policy is not None
        self.assertEqual((policy.statuses, policy.is_own), ({403}, True))

    def test_nothing(self) -> None:
        """Without either of them the list has no effect, which is told."""
        self.assertIsNone(self.read(Config(), custom_http_errors="404"))
        self.assertIn("has no effect", self.faults["custom-http-errors"])
