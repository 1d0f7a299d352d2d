"""Tests of `ingress.routing.build.front_service`, beyond the golden cases."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Cluster, Config, PublicPorts, StatusAddresses
from ingress.kube.objects import Objects
from ingress.own_addresses import pack_all
from ingress.routing.build.front_service import front_addresses
from tests.support.objects import FILES


class FrontAddressesTests(SynchronousTestCase):
    def test_listed(self) -> None:
        """Listed addresses lead to us at the public ports; names among them are not known."""
        status = StatusAddresses(addresses=("203.0.113.9", "lb.example.com", "2001:db8::9"))
        config = Config(cluster=Cluster(status=status), public_ports=PublicPorts(80, 443))
        expected = [(host, port) for host in ("203.0.113.9", "2001:db8::9") for port in (80, 443)]
        self.assertEqual(front_addresses(Objects(), config), pack_all(expected))

    def test_unknown(self) -> None:
        """A Service that is not there, or not read, is no reason to refuse anything."""
        status = StatusAddresses(service=("txingress", "txingress"))
        for config in (
            Config(cluster=Cluster(status=status)),
            Config(cluster=Cluster()),
            replace(FILES, cluster=None),
        ):
            self.assertEqual(front_addresses(Objects(), config), frozenset())
