"""Tests of the redirect between a host with and without ``www.``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.policy.www_redirect import WwwRedirect
from ingress.testing import policy_context, read_annotations, rule_scope, verdict_of


def redirect_to(host: str) -> WwwRedirect:
    other = WwwRedirect().other_name(host)
    assert other is not None
    assert isinstance(other.feature, WwwRedirect)
    return other.feature


class WwwRedirectTests(SynchronousTestCase):
    def test_read(self) -> None:
        """``true`` asks for it; other values are the default, which does not."""
        reading = read_annotations(WwwRedirect, {"from-to-www-redirect": "true"})
        self.assertEqual(reading.feature, WwwRedirect())
        for value in ("false", "", "maybe"):
            reading = read_annotations(WwwRedirect, {"from-to-www-redirect": value})
            self.assertIsNone(reading.feature)

    def test_names(self) -> None:
        """Each host has one other name; wildcards and rules without host have none."""
        for host, expected in (("a.example", "www.a.example"), ("www.a.example", "a.example")):
            other = WwwRedirect().other_name(host)
            assert other is not None
            self.assertEqual(other.host, expected)
        for host in ("", "*.a.example"):
            self.assertIsNone(WwwRedirect().other_name(host))

    def test_only_there(self) -> None:
        """It acts on the other name, and not on the host itself."""
        self.assertIsNone(WwwRedirect().at(rule_scope(host="a.example")))
        policy = redirect_to("a.example")
        self.assertIs(policy.at(rule_scope(host="www.a.example")), policy)

    def location(self, target: bytes, *, port: bytes = b"80", is_secure: bool = False) -> bytes:
        context = policy_context(target=target, host=b"www.a.example", is_secure=is_secure)
        context.client.forwarded = (
            b"X-Forwarded-Port: %b\r\nX-Scheme: x\r\n" % port if port else b""
        )
        answer = verdict_of(redirect_to("a.example").access(context))
        assert isinstance(answer, Answer)
        self.assertEqual(answer.status, 308)
        ((name, value),) = answer.fields
        self.assertEqual(name, b"Location")
        return value

    def test_location(self) -> None:
        """The Location has the public port, and no slash at its end; the query is kept."""
        self.assertEqual(self.location(b"/foo"), b"http://a.example:80/foo")
        self.assertEqual(self.location(b"/"), b"http://a.example:80")
        self.assertEqual(self.location(b"/foo/"), b"http://a.example:80/foo")
        self.assertEqual(self.location(b"/foo/?a=b/"), b"http://a.example:80/foo/?a=b/")
        self.assertEqual(self.location(b"*"), b"http://a.example:80")
        secure = self.location(b"/", port=b"443", is_secure=True)
        self.assertEqual(secure, b"https://a.example:443")
