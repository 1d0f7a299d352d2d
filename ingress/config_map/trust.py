"""
Which peers are believed, and about what, by the keys of ingress-nginx's ConfigMap.

docs/trust.md has the whole of it: `Config.trusted_proxies` are believed about everything that
they forward, `ForwardedFor.address_proxies` about the address of the client alone, and
`ProxyProtocol.peers` may send headers of the PROXY protocol.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from ingress.config import Config
from ingress.config_map.reading import Values

_Networks = tuple[IPv4Network | IPv6Network, ...]

EVERYBODY: Final[_Networks] = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
"""The default of ``proxy-real-ip-cidr``: ingress-nginx believes every peer."""


def trust(config: Config, values: Values) -> Config:
    """:return: the configuration with those who are believed by the keys of the ConfigMap."""
    ranges = values.get("proxy-real-ip-cidr")
    nginx = config.nginx
    if isinstance(ranges, tuple):
        peers = replace(nginx.proxy_protocol, peers=ranges)
        nginx = replace(nginx, proxy_protocol=peers)
    elif values.get("use-proxy-protocol") is True:
        # Not what use-forwarded-headers makes of them.
        peers = replace(nginx.proxy_protocol, peers=config.trusted_proxies)
        nginx = replace(nginx, proxy_protocol=peers)
    named = replace(nginx.forwarded_for, address_proxies=_about_addresses(config, values))
    return replace(
        config,
        trusted_proxies=_about_all(config, values),
        nginx=replace(nginx, forwarded_for=named),
    )


def _about_all(config: Config, values: Values) -> _Networks:
    """Return the peers whose forwarded fields are believed (``use-forwarded-headers``)."""
    is_used = values.get("use-forwarded-headers")
    if is_used is None:
        return config.trusted_proxies
    return _proxies(config, values) if is_used else ()


def _about_addresses(config: Config, values: Values) -> _Networks:
    """Return the peers that are believed about the address of the client (``enable-real-ip``)."""
    others = ("use-forwarded-headers", "use-proxy-protocol")
    if not values.get("enable-real-ip") or any(values.get(key) for key in others):
        return ()
    return _proxies(config, values)


def _proxies(config: Config, values: Values) -> _Networks:
    """Return those of ``proxy-real-ip-cidr``, or else of the configuration, or else everybody."""
    ranges = values.get("proxy-real-ip-cidr")
    if ranges is None and config.trusted_proxies:
        return config.trusted_proxies
    return ranges if isinstance(ranges, tuple) else EVERYBODY


def trusts_everybody(config: Config, values: Values) -> str:
    """:return: the key by which every peer is believed; empty if that is not so."""
    trusted = trust(config, values)
    if values.get("use-forwarded-headers") and _is_everybody(trusted.trusted_proxies):
        return "use-forwarded-headers"
    if _is_everybody(trusted.nginx.forwarded_for.address_proxies):
        return "enable-real-ip"
    return ""


def _is_everybody(networks: _Networks) -> bool:
    return any(not network.prefixlen for network in networks)


def proxies_without_name(config: Config, values: Values) -> bool:
    """Whether headers of the PROXY protocol are expected, and nobody said from whom."""
    is_on = values.get("use-proxy-protocol") is True
    return is_on and not config.trusted_proxies and "proxy-real-ip-cidr" not in values
