"""
Tests of `ingress.routing.build.proxy_header`.
"""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import UpstreamKey
from ingress.explain.as_text import as_text
from ingress.explain.asked import ask
from ingress.explain.explanation import explain
from ingress.kube.objects import KubeObject, Service
from ingress.routing.build import Built
from tests.support.objects import NOW, built, ingress, problems_of, served

KEY = UpstreamKey("default", "web", "80")


def annotated(value: str) -> Built:
    """What is built of a Service with this annotation."""
    objects: list[KubeObject] = []
    for each in served("web"):
        if isinstance(each, Service):
            metadata = msgspec.structs.replace(
                each.metadata, annotations={"txingress.dev/proxy-protocol": value}
            )
            each = msgspec.structs.replace(each, metadata=metadata)
        objects.append(each)
    return built(ingress("a.example", {"/": "web:80"}), objects)


class ServiceTests(SynchronousTestCase):
    def test_versions(self) -> None:
        """The endpoints of the Service get headers of the version that it names."""
        for version in ("v1", "v2"):
            result = annotated(f" {version} ")
            (endpoint,) = result.snapshot.upstreams[KEY].endpoints
            self.assertEqual((endpoint.proxy_protocol, str(endpoint)), (version, "10.0.0.1:8080"))
            self.assertEqual(problems_of(result), [])

    def test_other_values(self) -> None:
        """Any other value is told, and no header is sent."""
        for value in ("v3", "V1", "true", "1", "v1\r\nX", "$x" * 1000):
            result = annotated(value)
            (endpoint,) = result.snapshot.upstreams[KEY].endpoints
            self.assertEqual(endpoint.proxy_protocol, "")
            (problem,) = problems_of(result)
            self.assertIn("v1 or v2 is accepted", problem)

    def test_explained(self) -> None:
        """An explanation names the header, and the endpoint as that of the Service."""
        told = explain(annotated("v2"), ask("http://a.example/"), now=NOW)
        self.assertIn("after a header of the PROXY protocol (v2)", told.endpoint_protocol)
        self.assertNotIn("of another Service", as_text(told))

    def test_none(self) -> None:
        """An empty value asks for nothing."""
        self.assertEqual(problems_of(annotated("")), [])
