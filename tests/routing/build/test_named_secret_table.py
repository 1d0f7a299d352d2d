"""Tests of the Secrets that annotations name, from one build to the next."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.objects import Ingress, Secret
from ingress.policy.annotation import Subject
from ingress.policy.backend_tls import BackendTLS
from ingress.policy.refusal import Refusal
from ingress.routing.build import Built
from ingress.routing.route import Route
from tests.support.certs import CertificateAuthority
from tests.support.objects import built, ingress, metadata, problems_of, served

CA = CertificateAuthority()
OTHER_CA = CertificateAuthority("Another")
WEB = served("web")


def trusting(ca: CertificateAuthority, name: str = "ca") -> Secret:
    return Secret(metadata=metadata(name), data={"ca.crt": ca.root_pem})


BAD = Secret(metadata=metadata("ca"), data={"ca.crt": b"garbage"})


def verifying(name: str = "web", secret: str = "default/ca") -> Ingress:
    annotations = {
        "backend-protocol": "HTTPS",
        "proxy-ssl-secret": secret,
        "proxy-ssl-verify": "on",
    }
    return ingress(f"{name}.example", {"/": "web:80"}, name=name, annotations=annotations)


def route_of(result: Built, name: str = "web") -> Route:
    route = result.snapshot.hosts[f"{name}.example".encode()].route(b"/")
    assert route is not None
    return route


def tls_of(result: Built, name: str = "web") -> BackendTLS | None:
    """What endpoints are asked with; None where the paths are closed."""
    route = route_of(result, name)
    if route.policies == (Refusal(Subject.ENCRYPTION),):
        return None
    assert route.policies == ()
    assert route.tls is not None
    return route.tls


class ChangeTests(SynchronousTestCase):
    """A Secret that changes is followed, and nothing is kept of what it held."""

    def test_appears(self) -> None:
        """Paths are closed until the Secret is there."""
        first = built(verifying(), WEB)
        self.assertIsNone(tls_of(first))
        (problem,) = problems_of(first)
        self.assertIn("Secret default/ca does not exist; the paths answer 503", problem)
        second = built(verifying(), WEB, trusting(CA), previous=first)
        tls = tls_of(second)
        assert tls is not None
        self.assertEqual((tls.is_verified, tls.ca_pem), (True, CA.root_pem))
        self.assertEqual(problems_of(second), [])

    def test_changes(self) -> None:
        """What is trusted anew is trusted from then on."""
        first = built(verifying(), WEB, trusting(CA))
        second = built(verifying(), WEB, trusting(OTHER_CA), previous=first)
        tls = tls_of(second)
        assert tls is not None
        self.assertEqual(tls.ca_pem, OTHER_CA.root_pem)

    def test_gone(self) -> None:
        """Paths are closed once the Secret is gone, or bad: there is no last good one."""
        first = built(verifying(), WEB, trusting(CA))
        for instead in ((), (BAD,)):
            after = built(verifying(), WEB, instead, previous=first)
            self.assertIsNone(tls_of(after))
            self.assertEqual(len(problems_of(after)), 1)
            again = built(verifying(), WEB, trusting(CA), previous=after)
            self.assertEqual(tls_of(again), tls_of(first))

    def test_same(self) -> None:
        """A Secret written again with the same content changes nothing."""
        web = verifying()
        first = built(web, WEB, trusting(CA))
        second = built(web, WEB, trusting(CA), previous=first)
        self.assertIs(second.snapshot, first.snapshot)

    def test_others(self) -> None:
        """Who names another Secret is not built again."""
        items = [verifying("a"), verifying("b", "default/other"), trusting(CA, "other"), *WEB]
        first = built(*items, trusting(CA))
        second = built(*items, trusting(OTHER_CA), previous=first)
        self.assertNotEqual(tls_of(second, "a"), tls_of(first, "a"))
        self.assertIs(route_of(second, "b"), route_of(first, "b"))

    def test_shared(self) -> None:
        """Everybody who names the Secret follows it, and it is forgotten with the last one."""
        one, two = verifying("one"), verifying("two")
        first = built(one, two, WEB)
        self.assertIsNone(tls_of(first, "one"))
        second = built(one, two, WEB, trusting(CA), previous=first)
        self.assertEqual(tls_of(second, "one"), tls_of(second, "two"))
        third = built(two, WEB, trusting(CA), previous=second)
        self.assertEqual(list(third.memo.named_secrets.secrets), [("default", "ca")])
        fourth = built(WEB, trusting(CA), previous=third)
        self.assertEqual(fourth.memo.named_secrets.secrets, {})
        self.assertEqual(fourth.memo.named_secrets.users, {})

    def test_other_secret(self) -> None:
        """An Ingress that names another Secret no longer follows the first."""
        first = built(verifying(), WEB, trusting(CA))
        moved = verifying(secret="default/other")
        second = built(moved, WEB, trusting(CA), trusting(OTHER_CA, "other"), previous=first)
        tls = tls_of(second)
        assert tls is not None
        self.assertEqual(tls.ca_pem, OTHER_CA.root_pem)
        self.assertEqual(list(second.memo.named_secrets.users), [("default", "other")])

    def test_certificate_as_well(self) -> None:
        """A Secret may serve a host and its endpoints, each by the rules of its own."""
        issued = CA.issue("web.example")
        both = Secret(
            metadata=metadata("ca"),
            data={"tls.crt": issued.chain_pem, "tls.key": issued.key_pem, "ca.crt": CA.root_pem},
        )
        web = verifying()
        spec = ingress("web.example", {"/": "web:80"}, tls={"ca": ["web.example"]}).spec
        web = msgspec.structs.replace(web, spec=spec)
        first = built(web, WEB, both)
        self.assertIn("web.example", first.snapshot.certificates)
        second = built(web, WEB, BAD, previous=first)
        self.assertIn("web.example", second.snapshot.certificates)
        self.assertEqual(route_of(second).policies, (Refusal(Subject.ENCRYPTION),))
