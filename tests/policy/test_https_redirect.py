"""Tests of the redirect to https."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.policy.annotation import PREFIX, Annotations
from ingress.policy.https_redirect import HttpsRedirect, RedirectSettings, read_redirect_settings
from ingress.testing import policy_context


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


class ReadRedirectSettingsTests(SynchronousTestCase):
    def test_default(self) -> None:
        """Without annotations the configuration decides."""
        for is_on in (True, False):
            settings = read_redirect_settings(Annotations({}), is_on)
            self.assertEqual(settings, RedirectSettings(is_on=is_on))

    def test_annotations(self) -> None:
        """Annotations go before the configuration."""
        values = {"ssl-redirect": "true", "force-ssl-redirect": "1", "preserve-trailing-slash": "t"}
        annotations = Annotations({PREFIX + name: value for name, value in values.items()})
        self.assertEqual(
            read_redirect_settings(annotations, False), RedirectSettings(True, True, True)
        )
