"""
The configuration as the program has it: frozen types, each with its default.

`ingress.config.file` reads them; nothing here knows what the file looks like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
class StatusAddresses:
    """
    What ``status.loadBalancer`` of an Ingress says; nothing is written where neither
    of these is given.
    """

    service: tuple[str, str] | None = None
    """``(namespace, name)`` of the Service in front of us, whose addresses are ours."""

    addresses: tuple[str, ...] = ()
    """IP addresses and host names, in place of those of a Service."""

    nodes: Literal["external", "internal"] | None = None
    """
    The addresses of the nodes that the endpoints of `service` run on, in place of its
    own; without `service`, of the node that this process runs on. Where a node has no
    external one, its internal one.
    """

    clear_on_shutdown: bool = False
    """Whether the last replica takes the addresses away when it ends."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Kubernetes objects out of the API server of a cluster."""

    kubeconfig: Path | None = None
    """None in a cluster, where the service account of the pod serves."""

    context: str | None = None
    """Of the kubeconfig; None for its current one."""

    namespaces: tuple[str, ...] = ()
    """Whose objects are read; empty for all."""

    status: StatusAddresses = StatusAddresses()
    lease: tuple[str, str] = ("", "txingress-leader")
    """``(namespace, name)`` of the Lease of the leader; an empty namespace is our own."""

    events: bool = True
    """Whether Problems become Events of the objects that they are about."""


@dataclass(frozen=True, slots=True)
class AccessLog:
    """A line for each exchange."""

    path: Path | None = None
    """None for standard output."""

    format: Literal["nginx", "nginx-exact", "json"] = "nginx"
    """What a line is like (`ingress.telemetry.log_line`)."""


@dataclass(frozen=True, slots=True)
class TLS:
    secrets: Path | None = None
    """Folder of NAMESPACE/NAME/tls.crt and tls.key; it may be missing."""

    default: tuple[str, str] | None = None
    """``(namespace, name)`` of the Secret that serves where none matches."""


@dataclass(frozen=True, slots=True)
class IngressClassFilter:
    """Which Ingresses are ours (docs/compatibility.md, section 1, "Class")."""

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
class Limits:
    """
    What bounds a client, an endpoint and the memory that both may cost; times in seconds, sizes
    in bytes. Those that annotations set as well are the defaults of their Ingresses.
    """

    tls_handshake_timeout: float = 10.0
    head_timeout: float = 60.0
    """For a request's head, from its first byte on; at first from the connection's begin."""

    body_timeout: float = 60.0
    """Between two reads of a request's body."""

    keep_alive_timeout: float = 75.0
    keep_alive_requests: int = 1000
    """After so many the connection is closed."""

    send_timeout: float = 60.0
    """For a client that reads nothing."""

    linger_timeout: float = 5.0
    """For what a client still sends after it was refused (RFC 9112 section 9.6)."""

    head_size: int = 64 * 1024
    head_fields: int = 256
    target_size: int = 32 * 1024
    body_size: int | None = 1024 * 1024
    """None for no limit."""

    connections: int = 16384
    connections_per_client: int | None = None
    """None for no limit."""

    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    """For an endpoint that sends nothing."""

    upstream_send_timeout: float = 60.0
    """For an endpoint that reads nothing."""

    idle_upstream_connections: int = 320
    """Kept for each endpoint."""

    idle_upstream_timeout: float = 60.0
    retry_budget: float = 0.2
    """Share of the requests in flight that may be retries; some may be always."""


FieldNameSetting = Literal["plain", "underscores", "any"]
"""
Which names of a request's fields reach endpoints: letters, digits and ``-``; also ``_``; every
token.
"""


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration; every field has the default that ``etc/ingress.yaml`` documents."""

    path: Path | None = None
    """The file that it was read from; relative paths are resolved against its folder."""

    listen: Listen = Listen()
    public_ports: PublicPorts = PublicPorts()
    source: FilesSource = field(default_factory=FilesSource)
    """Of no paths where objects come from a cluster."""

    cluster: Cluster | None = None
    """None where objects come from files."""

    tls: TLS = TLS()
    ingress_class: IngressClassFilter = IngressClassFilter()
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    field_names: FieldNameSetting = "plain"

    ssl_redirect: bool = True
    hsts: HSTS | None = HSTS()
    """None where no answer carries the field."""

    limits: Limits = Limits()
    snippets: Literal["refuse", "ignore"] = "refuse"
    shutdown_grace: float = 30.0
    """In seconds."""

    access_log: AccessLog | None = AccessLog()
    """None where there is none."""

    workers: int = 1
    """Processes that share the listeners."""


_NEEDING_RESTART = {
    "listen": ("listen",),
    "source": ("source", "cluster"),
    "workers": ("workers",),
}
"""Keys of the file, and the fields that they make."""


def changed_needing_restart(old: Config, new: Config) -> tuple[str, ...]:
    """The keys that differ and do not apply to a process that runs."""
    return tuple(
        key
        for key, fields in _NEEDING_RESTART.items()
        if any(getattr(old, name) != getattr(new, name) for name in fields)
    )


def with_restart_fields(config: Config, running: Config) -> Config:
    """`config` with all that needs a restart as it is in the one that runs."""
    fields = (name for names in _NEEDING_RESTART.values() for name in names)
    return replace(config, **{name: getattr(running, name) for name in fields})
