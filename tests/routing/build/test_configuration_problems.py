"""
Tests for `ingress.routing.build.configuration_problems`.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, FilesSource, LocalService, OtlpSettings
from ingress.config.compression import CodingSettings, CompressionSettings
from ingress.kube.objects import KubeObject
from ingress.routing.build import Built, build
from tests.support.objects import FILES, endpoint_slice, ingress, objects, service

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


class PackageTests(SynchronousTestCase):
    """Packages that the configuration needs are Problems where they are missing."""

    def hide(self, module: str) -> None:
        """Have a module seem not to be installed."""
        there = sys.modules.pop(module, None)
        sys.modules[module] = None  # type: ignore[assignment]

        def restore() -> None:
            del sys.modules[module]
            if there is not None:
                sys.modules[module] = there

        self.addCleanup(restore)

    def test_compression(self) -> None:
        """A coding without its package is a Problem, and the others compress."""
        on = CodingSettings(enabled=True, min_length=7)
        settings = CompressionSettings(gzip=on, brotli=on, zstd=on)
        config = replace(FILES, compression=settings)
        web = objects([ingress("a.example", {"/": "web:80"})])
        self.assertEqual(self.problems(build(web, config, now=NOW)), [])
        self.hide("brotli")
        # Other settings, because what these come to is kept.
        config = replace(config, compression=replace(settings, memory=1))
        built = build(web, config, now=NOW)
        (problem,) = self.problems(built)
        self.assertIn("needs the Python package Brotli, which is not installed", problem)
        route = built.snapshot.hosts[b"a.example"].route(b"/")
        assert route is not None
        assert route.compression is not None
        self.assertEqual([each.name for each in route.compression.codings], ["zstd", "gzip"])

    def problems(self, built: Built) -> list[str]:
        return [str(each) for each in built.all_problems() if each.field.startswith("compression")]


class CollectorTests(SynchronousTestCase):
    def test_missing(self) -> None:
        """Spans for all rules and no collector are a Problem; nothing else is."""
        web = objects([ingress("a.example", {"/": "web:80"})])
        for otlp, count in (
            (OtlpSettings(), 0),
            (OtlpSettings("http://127.0.0.1:4318/"), 0),
            (OtlpSettings("http://127.0.0.1:4318/", for_all=True), 0),
            (OtlpSettings(for_all=True), 1),
        ):
            built = build(web, replace(FILES, otlp=otlp), now=NOW)
            found = [str(each) for each in built.all_problems() if each.field == "otlp.for-all"]
            self.assertEqual(len(found), count, found)
            self.assertTrue(all("no collector is configured" in each for each in found))
