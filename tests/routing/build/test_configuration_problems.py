"""
Tests for `ingress.routing.build.configuration_problems`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, FilesSource, LocalService
from ingress.kube.objects import KubeObject
from ingress.routing.build import build
from tests.support.objects import endpoint_slice, ingress, objects, service

NOW = datetime(2026, 11, 30, tzinfo=UTC)


class UnusedTests(SynchronousTestCase):
    """Entries of source.endpoints that serve nothing are Problems."""

    def problems(self, entry: LocalService, *items: KubeObject) -> list[str]:
        source = FilesSource((Path("manifests"),), {entry: (("127.0.0.1", 3000),)})
        built = build(objects(*items), Config(source=source), now=NOW)
        return [str(each) for each in built.all_problems() if each.field.startswith("source.")]

    def test_used(self) -> None:
        """An entry that serves is none, with its port or for all ports."""
        web = ingress("a.example", {"/": "web:80"})
        self.assertEqual(self.problems(("default", "web", ""), web), [])
        self.assertEqual(self.problems(("default", "web", "80"), web), [])

    def test_unknown_service(self) -> None:
        """An entry of a Service that no Ingress names serves nothing."""
        (problem,) = self.problems(("default", "wbe", ""), ingress("a.example", {"/": "web:80"}))
        self.assertEqual(
            problem,
            "source.endpoints[default/wbe]: is not used: no Ingress that is served has a backend"
            " of this Service",
        )

    def test_other_port(self) -> None:
        """An entry for a port that no backend names serves nothing."""
        (problem,) = self.problems(
            ("default", "web", "http"), ingress("a.example", {"/": "web:80"})
        )
        self.assertIn("source.endpoints[default/web:http]: is not used: ", problem)
        self.assertIn("port 80", problem)

    def test_hidden(self) -> None:
        """Endpoints among the files go first."""
        (problem,) = self.problems(
            ("default", "web", ""),
            ingress("a.example", {"/": "web:80"}),
            service("web"),
            endpoint_slice("web", "10.0.0.1"),
        )
        self.assertIn("the Service has endpoints among the files", problem)
