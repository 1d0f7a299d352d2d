"""Tests of the redirect to https."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.config import Config, Listen
from ingress.errors import Outcome
from ingress.policy.feature import RouteFeature
from ingress.policy.https_redirect import HttpsRedirect
from ingress.testing import policy_context, read_annotations, rule_scope

CONFIG = Config()


def location(
    policy: HttpsRedirect, target: bytes, host: bytes = b"a.example", *, is_secure: bool = False
) -> bytes | None:
    """The Location of the answer; None for no answer."""
    answer = policy.access(policy_context(b"GET", target, host=host, is_secure=is_secure))
    if answer is None:
        return None
    assert isinstance(answer, Answer)
    assert (answer.status, answer.outcome) == (308, Outcome.REDIRECTED), answer
    ((name, value),) = answer.fields
    assert name == b"Location"
    return value


class HttpsRedirectTests(SynchronousTestCase):
    def test_location(self) -> None:
        """The raw target is kept; a trailing slash is cut, but not out of a query."""
        for target, expected in (
            (b"/", b"https://a.example"),
            (b"/x/", b"https://a.example/x"),
            (b"/x%2F?y=1%20/", b"https://a.example/x%2F?y=1%20/"),
            (b"/x/?y", b"https://a.example/x/?y"),
            (b"//b.example/", b"https://a.example//b.example"),
            (b"*", b"https://a.example"),
        ):
            with self.subTest(target=target):
                self.assertEqual(location(HttpsRedirect(), target), expected)

    def test_trailing_slash(self) -> None:
        """It stays where the Ingress says so."""
        policy = HttpsRedirect(keeps_trailing_slash=True)
        self.assertEqual(location(policy, b"/x/"), b"https://a.example/x/")

    def test_port(self) -> None:
        """A port other than 443 is named."""
        self.assertEqual(location(HttpsRedirect(port=8443), b"/x"), b"https://a.example:8443/x")

    def test_secure(self) -> None:
        """What is secure passes."""
        self.assertIsNone(location(HttpsRedirect(), b"/x", is_secure=True))

    def test_challenge(self) -> None:
        """A challenge of a certificate authority passes; a name that begins alike does not."""
        self.assertIsNone(location(HttpsRedirect(), b"/.well-known/acme-challenge/token"))
        self.assertIsNone(location(HttpsRedirect(), b"/.well-known/acme-challenge"))
        self.assertIsNotNone(location(HttpsRedirect(), b"/.well-known/acme-challenges"))

    def test_hosts(self) -> None:
        """With hosts, those are redirected alone; a wildcard takes one label."""
        policy = HttpsRedirect(hosts=frozenset({b"a.example", b"*.b.example"}))
        for host, is_redirected in (
            (b"a.example", True),
            (b"x.b.example", True),
            (b"x.y.b.example", False),
            (b"b.example", False),
            (b"c.example", False),
            (b"", False),
        ):
            with self.subTest(host=host):
                self.assertEqual(location(policy, b"/", host) is not None, is_redirected)

    def test_believed_host(self) -> None:
        """The client is sent to the host that a trusted proxy says it asked for, without its port."""
        context = policy_context(b"GET", b"/x", host=b"inner.example")
        context.client.authority = b"Shop.Example:8080"
        answer = HttpsRedirect().access(context)
        assert isinstance(answer, Answer)
        self.assertEqual(answer.fields, ((b"Location", b"https://shop.example/x"),))

    def test_no_host(self) -> None:
        """A request without host is refused, because it can neither be served nor redirected."""
        answer = HttpsRedirect().access(policy_context(host=b""))
        assert isinstance(answer, Answer)
        self.assertEqual(answer.status, 400)


class ReadTests(SynchronousTestCase):
    def read(self, config: Config = CONFIG, **values: str) -> RouteFeature | None:
        annotations = {name.replace("_", "-"): value for name, value in values.items()}
        reading = read_annotations(HttpsRedirect, annotations, config=config)
        self.assertEqual(reading.faults, {})
        return reading.feature

    def test_default(self) -> None:
        """Without annotations the configuration decides."""
        self.assertEqual(self.read(), HttpsRedirect())
        self.assertIsNone(self.read(replace(CONFIG, ssl_redirect=False)))

    def test_annotations(self) -> None:
        """Annotations go before the configuration."""
        off = replace(CONFIG, ssl_redirect=False)
        self.assertIsNone(self.read(ssl_redirect="false"))
        self.assertEqual(self.read(off, ssl_redirect="true"), HttpsRedirect())
        self.assertEqual(
            self.read(off, force_ssl_redirect="1", preserve_trailing_slash="t"),
            HttpsRedirect(is_forced=True, keeps_trailing_slash=True),
        )

    def test_no_listener(self) -> None:
        """Nobody is sent to a port on which nothing listens."""
        config = replace(CONFIG, listen=Listen(https=()))
        self.assertIsNone(self.read(config, force_ssl_redirect="true"))


class AtTests(SynchronousTestCase):
    def test_https_hosts(self) -> None:
        """What its namespace wants over https is redirected, and nothing else."""
        policy = HttpsRedirect()
        self.assertIs(policy.at(rule_scope(https_hosts=None)), policy)
        self.assertIsNone(policy.at(rule_scope(https_hosts=frozenset())))
        some = frozenset({b"a.example"})
        self.assertEqual(policy.at(rule_scope(https_hosts=some)), HttpsRedirect(hosts=some))

    def test_forced(self) -> None:
        """Where it is forced, everything is."""
        policy = HttpsRedirect(is_forced=True)
        for https_hosts in (None, frozenset(), frozenset({b"a.example"})):
            self.assertIs(policy.at(rule_scope(https_hosts=https_hosts)), policy)
