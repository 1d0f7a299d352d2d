"""Tests for `ingress.config.ports_section`, within whole configurations."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, PortServices, changed_needing_restart
from ingress.config_file import ConfigError, load_config
from ingress.endpoint import UpstreamKey
from ingress.port_service import TCP, UDP, PortKey


class PortsTests(SynchronousTestCase):
    def load(self, text: str) -> Config:
        self.path = Path(self.mktemp())
        self.path.mkdir()
        file = self.path / "ingress.yaml"
        file.write_text(f"source: {{files: .}}\n{dedent(text)}")
        return load_config(file)

    def mistakes(self, text: str) -> list[str]:
        error = self.assertRaises(ConfigError, self.load, text)
        return [str(each).partition("ingress.yaml, ")[2] for each in error.mistakes]

    def test_default(self) -> None:
        """Without the keys there are no ports."""
        self.assertEqual(self.load("").port_services, PortServices())

    def test_all(self) -> None:
        """Ports of both protocols, on all addresses or on one, and the ConfigMaps."""
        ports = self.load("""\
            tcp-services: ingress-nginx/tcp-services
            udp-services: ingress-nginx/udp-services
            listen:
              tcp:
                5432: db/postgres:5432
                "127.0.0.1:6379": db/redis:redis::PROXY
              udp: {"[::1]:53": kube-system/dns:53}
            """).port_services
        self.assertEqual(ports.tcp, ("ingress-nginx", "tcp-services"))
        self.assertEqual(ports.udp, ("ingress-nginx", "udp-services"))
        found = {each.key: each for each in ports.listed}
        self.assertEqual(
            {str(each.key): (each.upstream.full_name, each.interface) for each in ports.listed},
            {
                "TCP port 5432": ("db/postgres:5432", ""),
                "TCP port 6379": ("db/redis:redis", "127.0.0.1"),
                "UDP port 53": ("kube-system/dns:53 (UDP)", "::1"),
            },
        )
        redis = found[PortKey(TCP, 6379)]
        self.assertEqual((redis.proxy_in, redis.proxy_out), (False, True))
        self.assertEqual(redis.source.field, "listen.tcp[127.0.0.1:6379]")
        self.assertEqual(redis.source.origin.file, str(self.path.absolute() / "ingress.yaml"))
        key = UpstreamKey("kube-system", "dns", "53", is_udp=True)
        self.assertEqual(found[PortKey(UDP, 53)].upstream, key)

    def test_live(self) -> None:
        """No restart is needed for a change of ports."""
        before = self.load("listen: {tcp: {9000: a/b:1}}")
        after = self.load("listen: {tcp: {9001: a/b:1}}\nudp-services: a/b")
        self.assertEqual(changed_needing_restart(before, after), ("source.files",))

    def test_mistakes(self) -> None:
        """Each mistake says what is accepted."""
        for text, expected in (
            ("listen: {tcp: {x: a/b:1}}", "PORT, or ADDRESS:PORT"),
            ("listen: {tcp: {0: a/b:1}}", "from 1 to 65535"),
            ("listen: {tcp: {65536: a/b:1}}", "from 1 to 65535"),
            ("listen: {udp: {53: a/b}}", "NAMESPACE/SERVICE:PORT"),
            ("listen: {udp: {53: 1}}", "NAMESPACE/SERVICE:PORT"),
            ("listen: {tcp: {53: 'a/b:1:Pr'}}", "NAMESPACE/SERVICE:PORT"),
            ("listen: {tcp: {53: a/b:1, ':53': a/b:2}}", "TCP port 53 is listed twice"),
            ("listen: {tcp: [53]}", "listen.tcp"),
            ("tcp-services: x", "tcp-services"),
        ):
            (mistake,) = self.mistakes(text)
            self.assertIn(expected, mistake, text)
