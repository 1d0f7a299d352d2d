"""Tests of `ingress.routing.build.canary_ingress`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.objects import IngressBackend, TypedLocalObjectReference
from ingress.policy.load_balance import Algorithm
from ingress.routing.build.canary_set import DEFAULT, CanarySet
from tests.support.objects import built, ingress, problems_of

CANARY = {"canary": "true", "canary-weight": "5"}


def read(
    paths: Mapping[str, str], annotations: Mapping[str, str] | None = None, default: str = ""
) -> CanarySet:
    item = ingress(
        "A.example", paths, annotations={**CANARY, **(annotations or {})}, default=default
    )
    rules = built(item).memo.rules.sets["Ingress", "default", "web"]
    assert rules.canary is not None
    return rules.canary


class ReadTests(SynchronousTestCase):
    def test_paths(self) -> None:
        """The rules are those of its hosts, with their paths as they are written."""
        found = read({"/a/": "new:80", "=/b": "new:http", "~/(c)": "other:80"})
        self.assertEqual(list(found.hosts), ["a.example"])
        self.assertEqual(
            [
                (path.written, path.path_type, str(path.upstream))
                for path in found.hosts["a.example"]
            ],
            [
                ("/a/", "Prefix", "default-new-80"),
                ("/b", "Exact", "default-new-http"),
                ("/(c)", "ImplementationSpecific", "default-other-80"),
            ],
        )

    def test_default(self) -> None:
        """A default backend is one more rule of each host."""
        found = read({"/a": "new:80"}, default="new:81")
        self.assertEqual([path.path_type for path in found.hosts["a.example"]], ["Prefix", DEFAULT])

    def test_settings(self) -> None:
        """How its endpoints share requests is its own affair."""
        found = read({"/": "new:80"}, {"load-balance": "ewma", "affinity": "cookie"})
        self.assertEqual(found.load_balance.algorithm, Algorithm.EWMA)
        self.assertIsNotNone(found.affinity)

    def test_guard(self) -> None:
        """The annotation that decides who may come is named."""
        self.assertEqual(read({"/": "new:80"}).guard, "")
        found = read({"/": "new:80"}, {"auth-url": "http://auth"})
        self.assertEqual(found.guard, "nginx.ingress.kubernetes.io/auth-url")

    def test_no_service(self) -> None:
        """A backend that is no Service is left out."""
        item = ingress("a.example", {"/": "new:80"}, annotations=CANARY)
        other = IngressBackend(resource=TypedLocalObjectReference(kind="Bucket", name="x"))
        (rule,) = item.spec.rules
        assert rule.http is not None
        (path,) = rule.http.paths
        http = msgspec.structs.replace(
            rule.http, paths=(msgspec.structs.replace(path, backend=other),)
        )
        spec = msgspec.structs.replace(item.spec, rules=(msgspec.structs.replace(rule, http=http),))
        result = built(msgspec.structs.replace(item, spec=spec))
        self.assertEqual(dict(result.snapshot.upstreams), {})

    def test_faulty(self) -> None:
        """A canary with a fault elsewhere asks for nothing."""
        item = ingress("a.example", {"/": "new:80"}, annotations=CANARY)
        result = built(msgspec.structs.replace(item, only_guards=True))
        self.assertEqual((dict(result.snapshot.hosts), problems_of(result)), ({}, []))
