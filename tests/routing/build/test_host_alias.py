"""Tests of aliases of hosts; tests/fixtures/routing/host/alias.yaml has more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Hosts
from ingress.policy.server_alias import ServerAlias
from ingress.routing.build.host_alias import aliases_of
from ingress.routing.match import find_certificate, find_route
from tests.support.certs import CertificateAuthority
from tests.support.objects import FILES, NOW, built, ingress, problems_of, secret

CA = CertificateAuthority()
OWNED = replace(FILES, hosts=Hosts(ownership="namespace"))


class AliasesOfTests(SynchronousTestCase):
    def test_first_host(self) -> None:
        """Aliases are for the first host that has a name; without one there are none."""
        features = {"server-alias": ServerAlias(("b.example", "a.example"))}
        self.assertEqual(aliases_of(features, ("", "a.example", "c")), {"b.example": "a.example"})
        self.assertEqual(aliases_of(features, ("",)), {})
        self.assertEqual(aliases_of({}, ("a.example",)), {})


class CertificateTests(SynchronousTestCase):
    def test_certificate(self) -> None:
        """An alias has the certificate of its host, if it covers the alias."""
        issued = CA.issue(
            "a.example", "b.example", not_before=NOW, not_after=NOW + timedelta(days=9)
        )
        result = built(
            ingress(
                "a.example",
                {"/": "web:80"},
                tls={"cert": ["a.example"]},
                annotations={"server-alias": "b.example, c.example"},
            ),
            secret("cert", issued.chain_pem, issued.key_pem),
        )
        found = find_certificate(result.snapshot, "b.example")
        assert found is not None
        self.assertEqual(found.chain_pem, issued.chain_pem)
        self.assertIsNone(find_certificate(result.snapshot, "c.example"))


class OwnerTests(SynchronousTestCase):
    def test_owned_wildcard(self) -> None:
        """Where hosts belong to namespaces, an alias below the wildcard of another is refused."""
        items = (
            ingress("*.a.example", {"/": "web:80"}, name="bank/web", created="2024-01-01"),
            ingress(
                "b.example",
                {"/": "web:80"},
                name="evil/web",
                created="2025-01-01",
                annotations={"server-alias": "x.a.example"},
            ),
        )
        result = built(*items, config=OWNED)
        route = find_route(result.snapshot, b"x.a.example", b"/")
        assert route is not None
        self.assertEqual(route.ingress, ("bank", "web"))
        (problem,) = [one for one in problems_of(result, "evil/web") if "server-alias" in one]
        self.assertIn("the alias is not served", problem)

    def test_taken_later(self) -> None:
        """A rule takes the host from an alias, and gives it back when it is gone."""
        alias = ingress(
            "b.example", {"/": "web:80"}, name="a", annotations={"server-alias": "a.example"}
        )
        rule = ingress("a.example", {"/x": "web:80"}, name="b")
        before = built(alias)
        both = built(alias, rule, previous=before)
        after = built(alias, previous=both)
        for result, path, expected in ((before, b"/", "a"), (both, b"/x", "b"), (after, b"/", "a")):
            route = find_route(result.snapshot, b"a.example", path)
            assert route is not None
            self.assertEqual(route.ingress[1], expected)
        self.assertIsNone(find_route(both.snapshot, b"a.example", b"/"))
        self.assertIn("a rule has this host", "".join(problems_of(both, "default/a")))
        self.assertNotIn("a rule has this host", "".join(problems_of(after, "default/a")))
