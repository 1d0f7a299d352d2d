"""Tests of `ingress.policy.redirect`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.policy.feature import RouteFeature
from ingress.policy.policy import Phase, phases_of
from ingress.policy.redirect import Redirect
from ingress.testing import policy_context, read_annotations

URL = "https://new.example:8443/a,b?c=~d&e=_.-"


class ReadTests(SynchronousTestCase):
    def read(self, **values: str) -> RouteFeature | None:
        reading = read_annotations(
            Redirect, {name.replace("_", "-"): value for name, value in values.items()}
        )
        self.assertEqual(reading.faults, {})
        self.assertIsNone(reading.closing)
        return reading.feature

    def fault(self, **values: str) -> tuple[RouteFeature | None, str]:
        """What is read in spite of the one fault, and its message."""
        reading = read_annotations(
            Redirect, {name.replace("_", "-"): value for name, value in values.items()}
        )
        (message,) = reading.faults.values()
        return reading.feature, message

    def test_nothing(self) -> None:
        """Without a place nobody is redirected."""
        self.assertIsNone(self.read())
        self.assertIsNone(self.read(permanent_redirect="", temporal_redirect=" "))
        self.assertIsNone(self.read(permanent_redirect_code="308", relative_redirects="true"))

    def test_defaults(self) -> None:
        """A permanent redirect is 301, a temporal one 302."""
        self.assertEqual(self.read(permanent_redirect=URL), Redirect(URL, 301))
        self.assertEqual(self.read(temporal_redirect=URL), Redirect(URL, 302))

    def test_codes(self) -> None:
        """Each redirect has the codes that suit it."""
        for code in (301, 302, 303, 307, 308):
            feature = self.read(permanent_redirect=URL, permanent_redirect_code=str(code))
            self.assertEqual(feature, Redirect(URL, code))
        for code in (301, 302, 303, 307):
            feature = self.read(temporal_redirect=URL, temporal_redirect_code=str(code))
            self.assertEqual(feature, Redirect(URL, code))

    def test_bad_codes(self) -> None:
        """Any other code is a fault, and the default is used."""
        for code in ("200", "300", "304", "399", "0", "-301", "3xx"):
            feature, message = self.fault(permanent_redirect=URL, permanent_redirect_code=code)
            self.assertEqual(feature, Redirect(URL, 301))
            self.assertIn("is accepted", message)
        feature, message = self.fault(temporal_redirect=URL, temporal_redirect_code="308")
        self.assertEqual(feature, Redirect(URL, 302))
        self.assertEqual(
            message, "301, 302, 303 or 307 is accepted; the default 302 is used instead"
        )

    def test_precedence(self) -> None:
        """The temporal redirect takes precedence; one that is at fault leaves the other."""
        self.assertEqual(
            self.read(permanent_redirect="/x", temporal_redirect=URL), Redirect(URL, 302)
        )
        feature, _ = self.fault(permanent_redirect=URL, temporal_redirect="/x")
        self.assertEqual(feature, Redirect(URL, 301))

    def test_path(self) -> None:
        """A permanent redirect may lead to a path of the same host."""
        self.assertEqual(self.read(permanent_redirect="/new?x=1"), Redirect("/new?x=1"))
        self.assertEqual(
            self.read(permanent_redirect="/new", relative_redirects="true"),
            Redirect("/new", is_relative=True),
        )
        self.assertEqual(
            self.read(permanent_redirect=URL, relative_redirects="true"), Redirect(URL)
        )

    def test_bad_places(self) -> None:
        """A place that is no http URL, or has a character that is not taken, redirects nobody."""
        for place in (
            "new.example",
            "ftp://new.example/",
            "javascript:alert",
            "https://",
            "https:///x",
            "//evil.example",
            "http://a.example/$request_uri",
            "http://a.example/a b",
            "http://a.example/\r\nX: y",
            "http://a.example/%41",
            "http://a.example/#x",
            "http://ä.example/",
            "http://user@a.example/",
            "http://a.example/" + "a" * 100 * 1024,
        ):
            feature, message = self.fault(permanent_redirect=place)
            self.assertIsNone(feature, place)
            self.assertIn("requests are not redirected by it", message)


class DecisionTests(SynchronousTestCase):
    def location(
        self,
        policy: Redirect,
        *,
        host: bytes = b"a.example",
        is_secure: bool = False,
        forwarded: bytes = b"",
    ) -> bytes:
        context = policy_context(b"POST", b"/old?q=1", host=host, is_secure=is_secure)
        if forwarded:
            context.client.authority = forwarded
        answer = policy.request(context)
        assert isinstance(answer, Answer)
        self.assertEqual(answer.status, policy.status)
        ((name, value),) = answer.fields
        self.assertEqual(name, b"Location")
        return value

    def test_phase(self) -> None:
        """It takes part after the rules of access."""
        self.assertEqual(phases_of(Redirect), {Phase.REQUEST})

    def test_url(self) -> None:
        """A URL is the Location, without anything of the request."""
        self.assertEqual(self.location(Redirect(URL, 308)), URL.encode())

    def test_path(self) -> None:
        """A path is made absolute with the client's scheme, host and port."""
        policy = Redirect("/new")
        self.assertEqual(self.location(policy), b"http://a.example/new")
        self.assertEqual(
            self.location(policy, host=b"a.example:8443", is_secure=True),
            b"https://a.example:8443/new",
        )

    def test_forwarded(self) -> None:
        """The host that a trusted proxy names is the host of the Location, without its port."""
        self.assertEqual(
            self.location(Redirect("/new"), host=b"inner:80", forwarded=b"Shop.example:8080"),
            b"http://shop.example/new",
        )

    def test_relative(self) -> None:
        """A path stays one where that is asked for, or where the request has no host."""
        self.assertEqual(self.location(Redirect("/new", is_relative=True)), b"/new")
        self.assertEqual(self.location(Redirect("/new"), host=b""), b"/new")

    def test_shown(self) -> None:
        """It shows and explains itself."""
        policy = Redirect("/new", 308)
        self.assertEqual(policy.explain(), "Every request is redirected to /new (308).")
        self.assertEqual(policy.shown(), {"redirect": {"location": "/new", "status": 308}})
