"""Tests for `ingress.explain.port_differences`, within whole comparisons."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.explain.differences import find_differences
from tests.routing.build.test_port_rules import build_ports, tcp, udp


class PortTests(SynchronousTestCase):
    def changes(self, old: dict[str, str], new: dict[str, str]) -> list[tuple[str, str, bool]]:
        found = find_differences(build_ports(tcp(old), udp({})), build_ports(tcp(new), udp({})))
        return [(each.subject, each.changes[0], each.opens) for each in found]

    def test_changes(self) -> None:
        """A port that opens or leads elsewhere may let somebody in; one that closes does not."""
        web, dns = "default/web:80", "default/dns:53"
        for old, new, change, opens in (
            ({}, {"9": web}, f"closed -> {web}", True),
            ({"9": web}, {}, f"{web} -> closed", False),
            ({"9": web}, {"9": dns}, f"{web} -> {dns}", True),
            (
                {"9": web},
                {"9": f"{web}:PROXY:PROXY"},
                f"{web} -> {web}, PROXY protocol from clients, PROXY protocol to endpoints",
                True,
            ),
        ):
            self.assertEqual(self.changes(old, new), [("TCP port 9", change, opens)])

    def test_same(self) -> None:
        """Nothing is said of ports that stay as they are."""
        self.assertEqual(self.changes({"9": "default/web:80"}, {"9": "default/web:80:"}), [])
