"""
Tests for `ingress.command.assumed_endpoints`.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.command.assumed_endpoints import ADDRESS, assumed_endpoints
from ingress.config import FilesSource
from ingress.kube.objects import ServicePort
from ingress.routing.build import build
from tests.support.objects import FILES, NOW, ingress, objects, served, service


class AssumedEndpointsTests(SynchronousTestCase):
    def test_services(self) -> None:
        """Each Service without endpoints has one on each port; those with endpoints keep theirs."""
        paths = {"/": "web:80", "/named": "named:http", "/local": "local:80", "/none": "none:80"}
        given = objects(
            ingress("a.example", paths),
            served("web"),
            service("named", ServicePort(port=80, name="http", target_port=3000)),
            service("local"),
        )
        config = replace(
            FILES,
            source=FilesSource(FILES.source.paths, {("default", "local", ""): (("127.0.0.1", 9),)}),
        )
        found = build(assumed_endpoints(given, config), config, now=NOW).snapshot.upstreams
        self.assertEqual(
            {key.service: tuple(map(str, each.endpoints)) for key, each in found.items()},
            {
                "web": ("10.0.0.1:8080",),
                "named": (f"{ADDRESS}:3000",),
                "local": ("127.0.0.1:9",),
                "none": (),
            },
        )
