"""
Tests for `ingress.signing.wanted`.
"""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.objects import Ingress
from ingress.policy.certificate_signer import CERTIFICATE_SIGNER
from ingress.signing.wanted import Wanted, wanted_certificates
from tests.support.objects import ingress

SIGNER = "example.com/ingress"
ASKS = {CERTIFICATE_SIGNER: SIGNER}


def wanted(*ingresses: Ingress) -> list[Wanted]:
    found = wanted_certificates({each.key: each for each in ingresses}, (SIGNER,))
    return list(found.values())


def moved(item: Ingress, namespace: str) -> Ingress:
    metadata = msgspec.structs.replace(item.metadata, namespace=namespace)
    return msgspec.structs.replace(item, metadata=metadata)


class WantedTests(SynchronousTestCase):
    def test_asked(self) -> None:
        """An Ingress gets what it asks for: the hosts of the entry, or all that it has."""
        for hosts in (("A.example",), ()):
            item = ingress("a.example", {"/": "web:80"}, annotations=ASKS, tls={"web-tls": hosts})
            (each,) = wanted(item)
            self.assertEqual(
                each, Wanted(("default", "web-tls"), ("a.example",), SIGNER, ("default", "web"))
            )

    def test_not_asked(self) -> None:
        """Without the annotation, with another signer, or without a Secret nothing is wanted."""
        tls = {"web-tls": ["a.example"]}
        for asked, entries in (
            ({}, tls),
            ({CERTIFICATE_SIGNER: "example.com/other"}, tls),
            (ASKS, {}),
            (ASKS, {"": ["a.example"]}),
        ):
            item = ingress("a.example", {"/": "web:80"}, annotations=asked, tls=entries)
            self.assertEqual(wanted(item), [])

    def test_refused(self) -> None:
        """Nobody gets a certificate for a host that it does not serve alone."""
        paths = {"/": "web:80"}
        foreign = ingress("a.example", paths, annotations=ASKS, tls={"s": ["b.example"]})
        (each,) = wanted(foreign)
        self.assertIn("no rules for b.example", each.refusal)
        own = ingress("a.example", paths, annotations=ASKS, tls={"s": ["a.example"]})
        neighbour = moved(ingress("A.example", {"/b": "web:80"}, name="n"), "shop")
        (each,) = wanted(own, neighbour)
        self.assertIn("another namespace", each.refusal)
        (each,) = wanted(ingress("", paths, annotations=ASKS, tls={"s": []}))
        self.assertIn("no host", each.refusal)

    def test_wildcards(self) -> None:
        """A wildcard covers hosts of others, and a host may be covered by a wildcard of others."""
        for host, other, is_refused in (
            ("*.example", "a.example", True),
            ("a.example", "*.example", True),
            ("*.example", "a.b.example", False),
            ("a.example", "b.example", False),
            ("*.example", "*.b.example", False),
        ):
            own = ingress(host, {"/": "web:80"}, annotations=ASKS, tls={"s": [host]})
            neighbour = moved(ingress(other, {"/": "web:80"}, name="n"), "shop")
            (each,) = wanted(own, neighbour)
            self.assertEqual(bool(each.refusal), is_refused, (host, other))
            (each,) = wanted(own, ingress(other, {"/": "web:80"}, name="n"))
            self.assertEqual(each.refusal, "")

    def test_further_names(self) -> None:
        """A host that a neighbour serves by an annotation is the neighbour's as well."""
        for host, of_neighbour in (
            ("b.example", {"server-alias": "c.example, B.example."}),
            ("b.example", {"server-alias": "*.example"}),
            ("*.example", {"server-alias": "b.example"}),
            ("www.a.example", {"from-to-www-redirect": "true"}),
        ):
            own = ingress(host, {"/": "web:80"}, annotations=ASKS, tls={"s": [host]})
            neighbour = ingress("a.example", {"/": "web:80"}, name="n", annotations=of_neighbour)
            (each,) = wanted(own, moved(neighbour, "shop"))
            self.assertIn("another namespace", each.refusal, host)
            (each,) = wanted(own, neighbour)
            self.assertEqual(each.refusal, "")

    def test_shared_secret(self) -> None:
        """The first Ingress decides about a Secret that two of them name."""
        tls = {"s": ["a.example"]}
        one = ingress("a.example", {"/": "web:80"}, name="a", annotations=ASKS, tls=tls)
        other = ingress("a.example", {"/b": "web:80"}, name="b", annotations=ASKS, tls=tls)
        (each,) = wanted(other, one)
        self.assertEqual(each.ingress, ("default", "a"))
