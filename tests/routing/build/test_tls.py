"""Tests of which certificate a host gets where several namespaces bring one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Hosts
from ingress.kube.objects import Ingress, Secret
from ingress.routing.match import find_certificate
from tests.support.certs import CertificateAuthority
from tests.support.objects import FILES, NOW, built, ingress, problems_of, secret

CA = CertificateAuthority()
OWNED = replace(FILES, hosts=Hosts(ownership="namespace"))
WWW, WILDCARD = "www.a.example", "*.a.example"


def tls_secret(name: str, host: str) -> Secret:
    """A Secret whose certificate is for `host`; each has a certificate of its own."""
    issued = CA.issue(host, not_before=NOW, not_after=NOW + timedelta(days=30))
    return secret(name, issued.chain_pem, issued.key_pem)


BANK = {host: tls_secret("bank/cert", host) for host in (WWW, WILDCARD)}
EVIL = {host: tls_secret("evil/cert", host) for host in (WWW, WILDCARD)}


def rules(name: str, host: str, created: str, *tls_hosts: str) -> Ingress:
    """An Ingress with a rule for `host`, and a certificate for some hosts."""
    tls = {"cert": tls_hosts} if tls_hosts else None
    return ingress(host, {"/": "web:80"}, name=name, created=created, tls=tls)


class NamespaceTests(SynchronousTestCase):
    def assert_served(
        self, expected: Secret | None, *items: Ingress | Secret, config: Config = FILES
    ) -> list[str]:
        """The certificate of this Secret is served for WWW; the Problems of ``evil/web``."""
        for objects in (items, items[::-1]):
            result = built(*objects, config=config)
            found = find_certificate(result.snapshot, WWW)
            pem = expected.data["tls.crt"] if expected is not None else None
            self.assertEqual(found.chain_pem if found is not None else None, pem)
        return [problem for problem in problems_of(result, "evil/web") if "spec.tls" in problem]

    def test_owner(self) -> None:
        """The namespace with the oldest rules for a host goes first, not the oldest entry."""
        (problem,) = self.assert_served(
            BANK[WWW],
            rules("bank/web", WWW, "2024-01-01"),
            rules("bank/late", WWW, "2025-01-01", WWW),
            rules("evil/web", "evil.example", "2023-01-01", WWW),
            *(BANK[WWW], EVIL[WWW]),
        )
        self.assertIn(
            "Ingress bank/late, whose namespace had this host first, has another", problem
        )

    def test_owner_without_certificate(self) -> None:
        """Another namespace's certificate serves only where the owner brings none."""
        items = (
            rules("bank/web", WWW, "2024-01-01", WWW),
            rules("evil/web", WWW, "2025-01-01", WWW),
        )
        self.assertEqual(len(self.assert_served(BANK[WWW], *items, BANK[WWW], EVIL[WWW])), 1)
        self.assertEqual(self.assert_served(EVIL[WWW], *items, EVIL[WWW]), [])

    def test_wildcard_of_owner(self) -> None:
        """An exact entry of another namespace does not replace the owner's wildcard."""
        self.assert_served(
            BANK[WILDCARD],
            rules("bank/web", WWW, "2024-01-01", WILDCARD),
            rules("evil/web", "evil.example", "2023-01-01", WWW),
            *(BANK[WILDCARD], EVIL[WWW]),
        )

    def test_wildcard_of_another(self) -> None:
        """A wildcard that another namespace has does not replace the owner's either."""
        self.assert_served(
            BANK[WILDCARD],
            rules("bank/web", WWW, "2024-01-01", WILDCARD),
            rules("evil/web", WILDCARD, "2023-01-01", WILDCARD),
            *(BANK[WILDCARD], EVIL[WILDCARD]),
        )

    def test_wildcard_rule(self) -> None:
        """Who has the wildcard host owns the hosts that have no rules of their own."""
        self.assert_served(
            BANK[WILDCARD],
            rules("bank/web", WILDCARD, "2024-01-01", WILDCARD),
            rules("evil/web", "evil.example", "2023-01-01", WILDCARD),
            *(BANK[WILDCARD], EVIL[WILDCARD]),
        )

    def test_no_rules(self) -> None:
        """For a host without rules the oldest entry counts."""
        self.assert_served(
            EVIL[WWW],
            rules("evil/web", "evil.example", "2023-01-01", WWW),
            rules("bank/web", "bank.example", "2024-01-01", WWW),
            *(BANK[WWW], EVIL[WWW]),
        )

    def test_needless(self) -> None:
        """One wildcard certificate for many hosts is one entry of the Snapshot."""
        items = [
            rules(f"bank/{number}", f"{number}.a.example", "2024-01-01", WILDCARD)
            for number in range(3)
        ]
        self.assertEqual(list(built(*items, BANK[WILDCARD]).snapshot.certificates), [WILDCARD])

    def test_exclusive(self) -> None:
        """Where hosts belong to namespaces, no certificate of another one is used."""
        items = (rules("bank/web", WWW, "2024-01-01"), rules("evil/web", WWW, "2025-01-01", WWW))
        (problem,) = self.assert_served(None, *items, EVIL[WWW], config=OWNED)
        self.assertIn("this host belongs to namespace bank", problem)
        self.assert_served(EVIL[WWW], *items, EVIL[WWW])
