"""
Tests for `ingress.explain.explanation`, and of its two forms.
"""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.explain.as_json import as_json
from ingress.explain.as_text import as_text, summary
from ingress.explain.asked import ask
from ingress.explain.explanation import Explanation, explain
from tests.support.certs import CertificateAuthority
from tests.support.objects import FILES, NOW, built, ingress, secret, served

WEB = ingress("a.example", {"/": "web:80", "/none": "none:80"}, tls={"pair": ["a.example"]})


def explained(url: str, *objects: object, fields: tuple[str, ...] = ()) -> Explanation:
    result = built(*(objects or (WEB,)), served("web"))  # type: ignore[arg-type]
    return explain(result, ask(url, fields=fields), now=NOW)


class ExplanationTests(SynchronousTestCase):
    """A request is explained from the certificate to the endpoint."""

    def test_endpoint(self) -> None:
        """A request that an endpoint answers has no status, and an endpoint."""
        explanation = explained("https://a.example/x")
        self.assertIsNone(explanation.status)
        self.assertEqual(str(explanation.endpoint), "10.0.0.1:8080")
        self.assertEqual(
            summary(explanation), "the endpoint 10.0.0.1:8080 of default/web:80 answers"
        )
        self.assertIn(("X-Forwarded-Proto", "https"), explanation.request_changes.added)

    def test_redirect(self) -> None:
        """A redirect has its status and its target, and the policy that asks for it."""
        explanation = explained("http://a.example/x")
        self.assertEqual((explanation.status, explanation.redirect), (308, "https://a.example/x"))
        self.assertEqual([each.verdict for each in explanation.verdicts], ["answers 308"])

    def test_no_endpoint(self) -> None:
        """A Service without endpoints says what is wrong with it."""
        explanation = explained("https://a.example/none")
        self.assertEqual((explanation.status, explanation.outcome), (503, "no_endpoint"))
        self.assertIn("Service default/none does not exist", explanation.upstream_fault)
        self.assertIn("none:80", "".join(str(problem) for problem in explanation.problems))

    def test_no_route(self) -> None:
        """A 404 names the nearest rules, on this host and on others, and classes of others."""
        other = ingress("b.example", {"/cart": "web:80"}, name="b", class_annotation="nginx")
        exact = ingress("shop.example", {"=/cart": "web:80"}, name="shop")
        explanation = explained("http://shop.example/cart/", exact, other)
        self.assertEqual(explanation.status, 404)
        hints = " ".join(explanation.hints)
        self.assertIn("Exact /cart of Ingress default/shop: a slash at the end", hints)
        explanation = explained("http://shp.example/cart", exact)
        hints = " ".join(explanation.hints)
        self.assertIn("similar hosts have rules: shop.example", hints)
        self.assertIn("another host, shop.example: Exact /cart of Ingress default/shop", hints)

    def test_bad_request(self) -> None:
        """A request that is refused before any rule has a status, and neither client nor rule."""
        explanation = explained("http://a.example/%zz")
        self.assertEqual((explanation.status, explanation.outcome), (400, "bad_request"))
        self.assertIsNone(explanation.client)
        self.assertIn("400 bad_request", as_text(explanation))

    def test_client(self) -> None:
        """What the peer says of the client is believed, in whole, in part, or not at all."""
        networks = (ip_network("10.0.0.0/8"),)
        named = replace(FILES.nginx.forwarded_for, address_proxies=networks)
        for config, address, reason in (
            (FILES, "10.0.0.7", "none of trusted-proxies"),
            (replace(FILES, trusted_proxies=networks), "203.0.113.7", "are believed"),
            (
                replace(FILES, nginx=replace(FILES.nginx, forwarded_for=named)),
                "203.0.113.7",
                "about the address of its client alone",
            ),
        ):
            asked = ask(
                "http://a.example/", fields=("X-Forwarded-For: 203.0.113.7",), client="10.0.0.7"
            )
            explanation = explain(built(WEB, config=config), asked, now=NOW)
            assert explanation.client is not None
            self.assertEqual(explanation.client.address, address.encode())
            self.assertIn(reason, explanation.client_reason)

    def test_certificate(self) -> None:
        """The certificate of the handshake is named, with what is wrong with it."""
        for name, part in (("a.example", "is for it"), ("b.example", "self-signed")):
            issued = CertificateAuthority().issue(name)
            pair = secret("pair", issued.chain_pem, issued.key_pem)
            explanation = explained("https://a.example/", WEB, pair)
            self.assertEqual(explanation.certificate is not None, name == "a.example")
            self.assertIn(part, explanation.certificate_reason)
            self.assertIn(part, as_text(explanation))
        self.assertIn("not over TLS", as_text(explained("http://a.example/")))

    def test_secrets(self) -> None:
        """Neither credentials nor values that decide access are shown."""
        closed = ingress(
            "a.example", {"/": "web:80"}, annotations={"whitelist-source-range": "198.51.100.77"}
        )
        for explanation in (
            explained(
                "https://a.example/",
                fields=("Authorization: Basic aHVudGVyMg==", "Cookie: session=hunter2"),
            ),
            explained("http://a.example/", closed),
        ):
            for text in (as_text(explanation), json.dumps(as_json(explanation))):
                self.assertNotIn("aHVudGVyMg", text)
                self.assertNotIn("hunter2", text)

    @given(st.text(max_size=30), st.sampled_from(("GET", "POST", "OPTIONS", "BREW")))
    def test_any_target(self, target: str, method: str) -> None:
        """Whatever is asked for is explained, as text and as JSON, in lines that stay lines."""
        asked = ask(f"https://a.example/{target.replace('#', '')}", method)
        explanation = explain(built(WEB, served("web")), asked, now=NOW)
        json.dumps(as_json(explanation))
        self.assertTrue(as_text(explanation).endswith("\n"))
        self.assertEqual(explanation.status is None, explanation.endpoint is not None)


class SecretsTests(SynchronousTestCase):
    def test_hidden(self) -> None:
        """What annotations have of secrets is in no explanation, and in no repr."""
        values = {
            "configuration-snippet": 'proxy_set_header Authorization "Bearer s3cret";',
            "server-snippet": 'if ($http_x_key != "s3cret") { return 403; }',
            "mirror-target": "http://copies.default.svc/in?key=s3cret",
            "auth-url": "http://auth.default.svc/check?key=s3cret",
            "auth-signin": "https://login.example/?key=s3cret",
            "txingress.dev/jwt-issuer": "https://issuer.example",
            "txingress.dev/jwt-audience": "web",
            "txingress.dev/jwt-jwks-url": "https://keys.example/s3cret",
        }
        wrong = {
            "mirror-target": "http://user:s3cret@copies/",
            "auth-url": "http://user:s3cret@auth/",
            "auth-signin": "ftp://s3cret",
        }
        one_by_one = [{name: value} for name, value in (*values.items(), *wrong.items())]
        for asked in (values, wrong, *one_by_one):
            web = ingress("a.example", {"/": "web:80"}, annotations=asked)
            result = built(web, served("web"), config=replace(FILES, snippets="interpret"))
            explanation = explain(result, ask("http://a.example/x"), now=NOW)
            for text in (
                as_text(explanation),
                json.dumps(as_json(explanation)),
                repr(result.snapshot),
                str(result.problems),
            ):
                self.assertNotIn("s3cret", text, asked)
