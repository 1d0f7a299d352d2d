"""
Tests of `ingress.routing.build.host_passthrough`, beside the golden case ``tls/passthrough``.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import UpstreamKey
from ingress.explain.as_json import as_json
from ingress.explain.as_text import as_text, summary
from ingress.explain.asked import ask
from ingress.explain.differences import find_differences
from ingress.explain.explanation import explain, with_hints
from ingress.kube.objects import Ingress
from ingress.routing.build import Built
from ingress.routing.passthrough import Passthrough
from tests.support.objects import NOW, built, ingress, served

PASS = {"ssl-passthrough": "true"}


def passed(**annotations: str) -> Ingress:
    written = {name.replace("_", "-"): value for name, value in annotations.items()}
    return ingress("a.example", {"/": "web:80"}, annotations={**PASS, **written})


def passthrough_of(result: Built, host: bytes = b"a.example") -> Passthrough:
    found = result.snapshot.hosts[host].passthrough
    assert found is not None
    return found


class PassthroughTests(SynchronousTestCase):
    def test_upstream(self) -> None:
        """The Service of the path / gets the connections, by its address if that is asked for."""
        self.assertEqual(
            passthrough_of(built(passed(), served("web"))).upstream,
            UpstreamKey("default", "web", "80"),
        )
        by_service = passthrough_of(built(passed(service_upstream="true"), served("web")))
        assert by_service.upstream is not None
        self.assertTrue(by_service.upstream.is_by_service)

    def test_refusal(self) -> None:
        """Source ranges decide by the address; with satisfy: any nothing else could."""
        for extra in ({}, {"satisfy": "any", "auth_url": "http://web.default.svc.cluster.local/"}):
            found = passthrough_of(
                built(passed(whitelist_source_range="192.0.2.0/24", **extra), served("web"))
            )
            self.assertEqual(found.refusal(b"192.0.2.7"), "")
            self.assertIn("address", found.refusal(b"198.51.100.1"))
            self.assertIn("address", found.refusal(b"2001:db8::1"))
        found = passthrough_of(built(passed(denylist_source_range="192.0.2.0/24"), served("web")))
        self.assertIn("address", found.refusal(b"192.0.2.7"))
        self.assertEqual(found.refusal(b"198.51.100.1"), "")

    def test_closed(self) -> None:
        """An access rule that cannot be honoured closes the connections, whatever it is about."""
        for written in (
            {"whitelist_source_range": "office"},
            {"limit_connections": "many"},
            {"auth_type": "digest"},
        ):
            found = passthrough_of(built(passed(**written), served("web")))
            self.assertIsNone(found.upstream)
            self.assertIn("closed", found.refusal(b"192.0.2.7"))

    def test_older_namespace(self) -> None:
        """No namespace takes over a host that another one has first, nor does it lose its own."""
        theirs = ingress("a.example", {"/b": "web:80"}, name="b/b", annotations=PASS)
        mine = ingress("a.example", {"/": "web:80"}, name="a/a")
        self.assertIsNone(built(mine, theirs).snapshot.hosts[b"a.example"].passthrough)
        root = ingress("a.example", {"/": "web:80"}, name="b/b")
        first = ingress("a.example", {"/a": "web:80"}, name="a/a", annotations=PASS)
        # The path / of another namespace is none of ours to pass connections to.
        self.assertIsNone(passthrough_of(built(first, root)).upstream)

    def test_alias(self) -> None:
        """Another name of the host is passed through as well."""
        result = built(passed(server_alias="b.example"), served("web"))
        self.assertEqual(passthrough_of(result, b"b.example").host, "b.example")


class ExplainedTests(SynchronousTestCase):
    def test_explained(self) -> None:
        """A request over https is explained by its connection, one over http as ever."""
        result = built(passed(whitelist_source_range="192.0.2.0/24"), served("web"))
        told = explain(result, ask("https://a.example/x", client="192.0.2.7"), now=NOW)
        self.assertIn("TLS is passed through to default/web:80", summary(told))
        self.assertEqual(as_json(told)["passthrough"]["upstream"], "default/web:80")
        self.assertIsNone(told.endpoint)
        refused = explain(result, ask("https://a.example/x", client="198.51.100.1"), now=NOW)
        self.assertIn("closed", summary(refused))
        # Certificate, protocol and settings of the proxy do not matter.
        self.assertEqual(with_hints(result, told).hints, ())
        for absent in ("self-signed", "HTTP/", "settings"):
            self.assertNotIn(absent, as_text(told))
        http = explain(result, ask("http://a.example/x", client="192.0.2.7"), now=NOW)
        self.assertEqual((http.status, http.passthrough), (308, None))

    def test_differences(self) -> None:
        """That TLS ends elsewhere is a difference, and may open access."""
        plain = built(ingress("a.example", {"/": "web:80"}), served("web"))
        result = built(passed(), served("web"))
        found = {each.subject: each for each in find_differences(plain, result)}
        change = found["connections over TLS for a.example"]
        self.assertEqual(
            change.changes, ("TLS ends at the proxy -> passed through to default/web:80",)
        )
        self.assertTrue(change.opens)
        back = {each.subject: each for each in find_differences(result, plain)}
        self.assertFalse(back["connections over TLS for a.example"].opens)
