"""
Tests for `ingress.routing.build.configuration_problems`.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import (
    Config,
    FilesSource,
    Listen,
    ListenerKind,
    LocalService,
    OtlpSettings,
    PortServices,
)
from ingress.config.compression import CodingSettings, CompressionSettings
from ingress.config.nginx_settings import ProxyProtocol
from ingress.kube.objects import KubeObject
from ingress.port_service import (
    TCP,
    PortKey,
    PortSource,
    make_port_service,
    parse_service_reference,
)
from ingress.problem_code import Code
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


class ProxiesTests(SynchronousTestCase):
    """Listeners that want headers of the PROXY protocol, and nobody may send any."""

    def problems(self, config: Config) -> list[str]:
        found = build(objects(), config, now=NOW).all_problems()
        return [each.field for each in found if each.code is Code.PROXIES_UNNAMED]

    def test_unnamed(self) -> None:
        """Each such listener is a Problem, unless it is a UNIX socket or the ConfigMap says no."""
        both = frozenset({ListenerKind.HTTP, ListenerKind.HTTPS})
        config = Config(listen=Listen(http=("unix:/run/http",), proxy_protocol=both))
        self.assertEqual(self.problems(config), ["listen.https.proxy-protocol"])
        named = replace(config, trusted_proxies=(ip_network("10.0.0.0/8"),))
        self.assertEqual(self.problems(named), [])
        off = replace(config.nginx, proxy_protocol=ProxyProtocol(is_on=False))
        self.assertEqual(self.problems(replace(config, nginx=off)), [])
        self.assertEqual(self.problems(Config()), [])

    def test_ports(self) -> None:
        """So is each TCP service that wants headers, in a ConfigMap or the configuration."""
        service = make_port_service(
            PortKey(TCP, 9000),
            parse_service_reference("default/web:80:PROXY"),
            PortSource(field="listen.tcp[9000]", value="default/web:80:PROXY"),
        )
        config = Config(port_services=PortServices(listed=(service,)))
        self.assertEqual(self.problems(config), ["listen.tcp[9000]"])
        named = replace(config, trusted_proxies=(ip_network("10.0.0.0/8"),))
        self.assertEqual(self.problems(named), [])
