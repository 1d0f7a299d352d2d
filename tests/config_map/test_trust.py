"""
Tests for `ingress.config_map.trust`.
"""

from __future__ import annotations

from ipaddress import IPv4Network

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.config_map.reading import read_data
from ingress.config_map.settings import apply
from ingress.config_map.trust import EVERYBODY, trusts_everybody

PRIVATE = IPv4Network("10.0.0.0/8")


def applied(config: Config | None = None, **data: str) -> Config:
    """The configuration with the values of these keys, written with _ for -."""
    named = {name.replace("_", "-"): value for name, value in data.items()}
    return apply(config or Config(), read_data(named, {}))


class TrustTests(SynchronousTestCase):
    """Whose forwarded fields are believed."""

    def test_nobody(self) -> None:
        """The addresses alone change nothing, and false trusts nobody."""
        self.assertEqual(applied(proxy_real_ip_cidr="10.0.0.0/8").trusted_proxies, ())
        config = Config(trusted_proxies=(PRIVATE,))
        self.assertEqual(applied(config, use_forwarded_headers="false").trusted_proxies, ())

    def test_named(self) -> None:
        """Proxies in the ConfigMap go before those of the file."""
        config = Config(trusted_proxies=(PRIVATE,))
        data = {"use-forwarded-headers": "true", "proxy-real-ip-cidr": "192.0.2.7"}
        read = read_data(data, {})
        self.assertEqual(apply(config, read).trusted_proxies, (IPv4Network("192.0.2.7/32"),))
        self.assertFalse(trusts_everybody(config, read.values))

    def test_file(self) -> None:
        """Without addresses in the ConfigMap, those of the file are believed."""
        config = Config(trusted_proxies=(PRIVATE,))
        self.assertEqual(applied(config, use_forwarded_headers="true").trusted_proxies, (PRIVATE,))

    def test_everybody(self) -> None:
        """With addresses nowhere everybody is believed, which can be found out."""
        read = read_data({"use-forwarded-headers": "true"}, {})
        self.assertEqual(apply(Config(), read).trusted_proxies, EVERYBODY)
        self.assertTrue(trusts_everybody(Config(), read.values))

    def test_proxy_protocol(self) -> None:
        """Headers are believed from the proxies of the ConfigMap, or else of the file."""
        config = Config(trusted_proxies=(PRIVATE,))
        on = applied(config, use_proxy_protocol="true", use_forwarded_headers="false")
        self.assertEqual(on.nginx.proxy_protocol.is_on, True)
        self.assertEqual((on.proxy_protocol_peers, on.trusted_proxies), ((PRIVATE,), ()))
        named = applied(config, use_proxy_protocol="true", proxy_real_ip_cidr="192.0.2.7")
        self.assertEqual(named.proxy_protocol_peers, (IPv4Network("192.0.2.7/32"),))
        self.assertEqual(applied(use_proxy_protocol="true").proxy_protocol_peers, ())
        off = applied(use_proxy_protocol="false").nginx.proxy_protocol
        self.assertEqual((off.is_on, off.peers), (False, None))
        limits = applied(proxy_protocol_header_timeout="2s").limits
        self.assertEqual(limits.proxy_protocol_header_timeout, 2)

    def test_real_ip(self) -> None:
        """enable-real-ip alone believes the same proxies, about addresses and nothing else."""
        found = applied(enable_real_ip="true", proxy_real_ip_cidr="10.0.0.0/8")
        self.assertEqual(found.trusted_proxies, ())
        self.assertEqual(found.nginx.forwarded_for.address_proxies, (PRIVATE,))
        for others in ({"use_forwarded_headers": "true"}, {"use_proxy_protocol": "true"}):
            found = applied(None, enable_real_ip="true", **others)
            self.assertEqual(found.nginx.forwarded_for.address_proxies, ())

    def test_whose_fault(self) -> None:
        """The key by which everybody is believed is named."""
        for data, key in (
            ({"use-forwarded-headers": "true"}, "use-forwarded-headers"),
            (
                {"use-forwarded-headers": "true", "proxy-real-ip-cidr": "::/0"},
                "use-forwarded-headers",
            ),
            ({"enable-real-ip": "true"}, "enable-real-ip"),
            ({"enable-real-ip": "true", "proxy-real-ip-cidr": "10.0.0.1"}, ""),
            ({"enable-real-ip": "false"}, ""),
            ({}, ""),
        ):
            self.assertEqual(trusts_everybody(Config(), read_data(data, {}).values), key)
