"""Tests for `ingress.command.explain_port`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.ports import as_route_row, port_rows
from ingress.command.explain_port import explained_port, find_port, port_of
from ingress.command.failure import CannotRun
from tests.routing.build.test_port_rules import build_ports, tcp, udp


class PortTests(SynchronousTestCase):
    def test_url(self) -> None:
        """Protocol and port of a URL; all other URLs are those of HTTP."""
        self.assertEqual(port_of("tcp://shop.example:5432"), ("TCP", 5432))
        self.assertEqual(port_of("UDP://:53/"), ("UDP", 53))
        self.assertEqual(port_of("tcp://[::1]:53"), ("TCP", 53))
        self.assertIsNone(port_of("https://shop.example:443"))
        self.assertIsNone(port_of("shop.example/tcp://x:1"))
        for url in ("tcp://shop.example", "udp://:x", "tcp://x:1/path"):
            self.assertRaises(CannotRun, port_of, url)

    def test_explained(self) -> None:
        """A port leads to a Service port and its endpoints."""
        built = build_ports(
            tcp({"9000": "default/web:80:PROXY:PROXY", "9001": "default/gone:1"}),
            udp({"53": "default/gone:1"}),
        )
        rows = list(port_rows(built.snapshot))
        self.assertEqual([row["port"] for row in rows], [9000, 9001, 53])
        lines = list(explained_port(find_port(rows, "TCP", 9000), "TCP", 9000, ["odd"]))
        self.assertEqual(
            lines,
            [
                "port          TCP 9000 on *, by ConfigMap ingress-nginx/tcp-services data[9000]",
                "upstream      default/web:80",
                "endpoints     10.0.0.1:8080",
                "client        begins with a header of the PROXY protocol",
                "endpoint      gets a header of the PROXY protocol",
                "problem       odd",
            ],
        )
        (_, _, line) = explained_port(find_port(rows, "TCP", 9001), "TCP", 9001, ())
        self.assertIn("closed at once", line)
        (_, _, line) = explained_port(find_port(rows, "UDP", 53), "UDP", 53, ())
        self.assertIn("dropped", line)

    def test_unknown(self) -> None:
        """A port that leads nowhere."""
        (line,) = explained_port(find_port([], "TCP", 1), "TCP", 1, ())
        self.assertIn("leads nowhere", line)

    def test_among_rules(self) -> None:
        """A port has a row among those of rules."""
        built = build_ports(tcp({"9000": "default/web:80:PROXY"}), udp({}))
        (row,) = map(as_route_row, port_rows(built.snapshot))
        self.assertEqual((row["host"], row["type"]), ("*:9000", "TCP"))
        self.assertEqual(row["features"], ["proxyProtocol in"])
