"""
The configuration as the program has it: frozen types, each with its default.

`ingress.config_file` reads them; nothing here knows what the file looks like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Listen:
    """Twisted endpoint strings; an empty tuple switches a listener off."""

    http: tuple[str, ...] = ("tcp:8080",)
    https: tuple[str, ...] = ("tcp:8443",)
    admin: tuple[str, ...] = ("tcp:10254:interface=127.0.0.1",)


@dataclass(frozen=True, slots=True)
class PublicPorts:
    """What clients see: in redirects and in X-Forwarded-Port."""

    http: int = 80
    https: int = 443


LocalService = tuple[str, str, str]
"""``(namespace, service, port)``; an empty port means every port of the Service."""

LocalAddress = tuple[str, int]
"""``(host, port)``: an IP address without brackets, or a name."""


@dataclass(frozen=True, slots=True)
class FilesSource:
    """Kubernetes objects out of files and folders."""

    paths: tuple[Path, ...] = ()
    endpoints: Mapping[LocalService, tuple[LocalAddress, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TLS:
    secrets: Path | None = None
    """Folder of NAMESPACE/NAME/tls.crt and tls.key; it may be missing."""

    default: tuple[str, str] | None = None
    """``(namespace, name)`` of the Secret that serves where none matches."""


@dataclass(frozen=True, slots=True)
class IngressClassFilter:
    """Which Ingresses are ours (COMPATIBILITY section 1, "Class")."""

    name: str = "twisted"
    controller: str = "txingress.dev/ingress"
    without_class: bool = False


@dataclass(frozen=True, slots=True)
class HSTS:
    """The Strict-Transport-Security field of every answer over https (RFC 6797)."""

    max_age: int = 31536000
    """In seconds."""

    include_subdomains: bool = True
    preload: bool = False

    @property
    def field_value(self) -> bytes:
        """As the Strict-Transport-Security field has it."""
        value = b"max-age=%d" % self.max_age
        if self.include_subdomains:
            value += b"; includeSubDomains"
        return value + b"; preload" if self.preload else value


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration; every field has the default that ``etc/ingress.yaml`` documents."""

    path: Path | None = None
    """The file that it was read from; relative paths are resolved against its folder."""

    listen: Listen = Listen()
    public_ports: PublicPorts = PublicPorts()
    source: FilesSource = field(default_factory=FilesSource)
    tls: TLS = TLS()
    ingress_class: IngressClassFilter = IngressClassFilter()
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    ssl_redirect: bool = True
    hsts: HSTS | None = HSTS()
    """None where no answer carries the field."""

    snippets: Literal["refuse", "ignore"] = "refuse"
    shutdown_grace: float = 30.0
    """In seconds."""

    workers: int = 1


def changed_needing_restart(old: Config, new: Config) -> tuple[str, ...]:
    """The keys that differ and do not apply to a process that runs."""
    return tuple(
        key for key in ("listen", "source", "workers") if getattr(old, key) != getattr(new, key)
    )
