"""
The configuration as frozen types, each with its default.

`ingress.config_file` reads them; these types do not depend on the format of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Literal

from ingress.config.access_log import AccessLog as AccessLog
from ingress.config.compression import CompressionSettings
from ingress.config.explain import ExplainSettings
from ingress.config.limit_store import LimitStore as LimitStore
from ingress.config.limits import Limits as Limits
from ingress.config.nginx_settings import NginxSettings
from ingress.config.otlp import OtlpSettings as OtlpSettings
from ingress.config.ports import PortServices as PortServices
from ingress.error_pages import NO_PAGES, ErrorPages
from ingress.frozen import dataclass


class ListenerKind(StrEnum):
    """What a listener speaks to those who connect; the keys of ``listen``."""

    HTTP = "http"
    HTTPS = "https"
    ADMIN = "admin"

    @property
    def is_for_clients(self) -> bool:
        """Whether the data plane accepts on it, in each worker."""
        return self is not ListenerKind.ADMIN


@dataclass(frozen=True, slots=True)
class Listen:
    """
    Addresses as ``HOST:PORT`` or as Twisted endpoint strings; an empty tuple switches a
    listener off.
    """

    http: tuple[str, ...] = ("tcp:8080",)
    https: tuple[str, ...] = ("tcp:8443",)
    admin: tuple[str, ...] = ("tcp:10254:interface=127.0.0.1",)
    proxy_protocol: frozenset[ListenerKind] = frozenset()
    """The listeners on which connections begin with a header of the PROXY protocol."""

    @property
    def by_kind(self) -> Mapping[ListenerKind, tuple[str, ...]]:
        """The addresses of every kind, in the order in which they are bound."""
        return {
            ListenerKind.HTTP: self.http,
            ListenerKind.HTTPS: self.https,
            ListenerKind.ADMIN: self.admin,
        }


@dataclass(frozen=True, slots=True)
class PublicPorts:
    """The ports that clients see, for redirects and X-Forwarded-Port."""

    http: int = 80
    https: int = 443


LocalService = tuple[str, str, str]
"""``(namespace, service, port)``; an empty port means every port of the Service."""

LocalAddress = tuple[str, int]
"""``(host, port)``: an IP address without brackets, or a name."""


@dataclass(frozen=True, slots=True)
class FilesSource:
    """Kubernetes objects from files and folders."""

    paths: tuple[Path, ...] = ()
    endpoints: Mapping[LocalService, tuple[LocalAddress, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StatusAddresses:
    """
    What is written to ``status.loadBalancer`` of each Ingress; nothing if all of these are
    empty.
    """

    service: tuple[str, str] | None = None
    """``(namespace, name)`` of the Service in front of this proxy, whose addresses are written."""

    addresses: tuple[str, ...] = ()
    """IP addresses and host names to write instead of those of a Service."""

    nodes: Literal["external", "internal"] | None = None
    """
    Write the addresses of the nodes that run the endpoints of `service`, or without
    `service` of the node that runs this process. A node without an external address
    counts with its internal one.
    """

    clear_on_shutdown: bool = False
    """Whether the last replica removes the addresses when it ends."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Kubernetes objects from the API server of a cluster."""

    kubeconfig: Path | None = None
    """None for the service account of the pod."""

    context: str | None = None
    """A context of the kubeconfig; None for its current one."""

    namespaces: tuple[str, ...] = ()
    """The namespaces whose objects are read; empty for all."""

    status: StatusAddresses = StatusAddresses()
    lease: tuple[str, str] = ("", "txingress-leader")
    """``(namespace, name)`` of the Lease of the leader; an empty namespace is our own."""

    events: bool = True
    """Whether Problems are written as Events of their objects."""


@dataclass(frozen=True, slots=True)
class Admin:
    """Settings of the admin listener."""

    hosts: tuple[str, ...] = ()
    """Hosts that requests may be for, beside our own addresses and names."""

    clients: tuple[IPv4Network | IPv6Network, ...] = ()
    """Who gets more than probes and metrics, beside this machine."""

    health_path: str = ""
    """
    A path that answers as the probe of ingress-nginx does: 200 while the process serves, 500 before
    it does and while it ends; empty for none.
    """


@dataclass(frozen=True, slots=True)
class ProcessLogSettings:
    """The log of the process, which has no line for requests."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warn", "error"] = "info"
    """The lowest level that is written."""


@dataclass(frozen=True, slots=True)
class TLS:
    secrets: Path | None = None
    """Folder of NAMESPACE/NAME/tls.crt and tls.key; it may be missing."""

    default: tuple[str, str] | None = None
    """``(namespace, name)`` of the Secret for hosts that no certificate covers."""


@dataclass(frozen=True, slots=True)
class IngressClassFilter:
    """Which Ingresses are served (docs/compatibility.md, section 1, "Class")."""

    name: str = "twisted"
    controller: str = "txingress.dev/ingress"
    without_class: bool = False
    by_name: bool = False
    """Whether the class called `name` is ours whatever controller it has."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """Who may have rules for a host."""

    ownership: Literal["shared", "namespace"] = "shared"
    """``namespace`` keeps a host to the namespace of the oldest Ingress that has rules for it."""


@dataclass(frozen=True, slots=True)
class HSTS:
    """The Strict-Transport-Security field of every answer over https (RFC 6797)."""

    max_age: int = 31536000
    """In seconds."""

    include_subdomains: bool = True
    preload: bool = False

    @property
    def field_value(self) -> bytes:
        """The value of the Strict-Transport-Security field."""
        value = b"max-age=%d" % self.max_age
        if self.include_subdomains:
            value += b"; includeSubDomains"
        return value + b"; preload" if self.preload else value


FieldNameSetting = Literal["plain", "underscores", "any"]
"""
Which names of a request's fields reach endpoints: letters, digits and ``-``; also ``_``; every
token.
"""


PathSetting = Literal["auto", "canonical", "as-written", "strict"]
"""How paths with dot segments or runs of slashes go upstream (`routing.path_handling`)."""


@dataclass(frozen=True, slots=True)
class ConfiguredPolicy:
    """A policy of one's own."""

    name: str
    """The name by which annotations choose it."""

    policy: Any
    """The policy itself (`ingress.policy.guard.GuardedPolicy`)."""

    is_for_all: bool = False
    """Whether every rule has it, chosen or not."""


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration; every field has the default that ``etc/ingress.yaml`` documents."""

    path: Path | None = None
    """The file that it was read from; relative paths are resolved against its folder."""

    listen: Listen = Listen()
    public_ports: PublicPorts = PublicPorts()
    port_services: PortServices = PortServices()
    source: FilesSource = field(default_factory=FilesSource)
    """Empty if objects come from a cluster."""

    cluster: Cluster | None = None
    """None if objects come from files."""

    installation: str | None = None
    """
    The name of this installation in the CDN-Loop field of what is forwarded; None to derive one
    from what its replicas have in common.
    """

    admin: Admin = Admin()
    tls: TLS = TLS()
    ingress_class: IngressClassFilter = IngressClassFilter()
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    field_names: FieldNameSetting = "plain"

    hosts: Hosts = Hosts()
    paths: PathSetting = "auto"
    config_map: tuple[str, str] | None = None
    """
    ``(namespace, name)`` of ingress-nginx's ConfigMap. Its values are in the configuration of each
    Snapshot, in place of those of the file; None to use the file alone.
    """

    default_backend: LocalService | None = None
    """
    ``(namespace, service, port)`` that gets the requests that no rule matches; an empty port is the
    first of the Service. None to answer them with 404.
    """

    error_pages: ErrorPages = NO_PAGES
    """The bodies of errors, in place of the proxy's own."""

    compression: CompressionSettings = CompressionSettings()
    nginx: NginxSettings = NginxSettings()
    """What the ConfigMap says beyond the other fields; never set by the file."""

    external_names: bool = True
    """Whether requests are sent to Services of the type ExternalName."""

    catch_all: bool = True
    """Whether Ingresses with a default backend are served."""

    ssl_passthrough: bool = True
    """Whether the annotation ``ssl-passthrough`` is carried out."""

    ssl_redirect: bool = True
    hsts: HSTS | None = HSTS()
    """None for answers without the field."""

    http2: bool = False
    """Whether endpoints over TLS (``backend-protocol: HTTPS``) are offered HTTP/2."""

    service_upstream: bool = False
    """Whether requests go to the addresses of Services in place of their endpoints."""

    auth_verify: bool = False
    """Whether the certificate of an authentication server must be one for its host."""

    mirror_verify: bool = False
    """The same for servers that get copies of requests."""

    policies: tuple[ConfiguredPolicy, ...] = ()
    """In the order in which they are asked."""

    limits: Limits = Limits()
    certificate_signers: tuple[str, ...] = ()
    """Who may be asked for the certificates of Ingresses, such as ``example.com/ingress``."""

    snippets: Literal["refuse", "ignore", "interpret"] = "refuse"
    shutdown_delay: float = 0.0
    """Seconds for which the process serves as before when it has been told to end."""

    shutdown_grace: float = 30.0
    """In seconds."""

    log: ProcessLogSettings = ProcessLogSettings()
    access_log: AccessLog | None = AccessLog()
    """None if the access log is off."""

    otlp: OtlpSettings = OtlpSettings()
    """Which requests have spans, and where these are sent."""

    explain: ExplainSettings = ExplainSettings()
    """Who may ask for explanations on the wire."""

    workers: int = 1
    """How many processes share the listeners."""

    def has_proxy_protocol(self, kind: ListenerKind) -> bool:
        """Whether the connections of a listener begin with a header of the PROXY protocol."""
        is_on = self.nginx.proxy_protocol.is_on
        return kind in self.listen.proxy_protocol if is_on is None else is_on

    @property
    def proxy_protocol_peers(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Who may send such headers."""
        peers = self.nginx.proxy_protocol.peers
        return self.trusted_proxies if peers is None else peers


def changed_needing_restart(old: Config, new: Config) -> tuple[str, ...]:
    """The keys that differ and need a restart of the process."""
    differs = {
        "listen": old.listen != new.listen,
        "source.files": old.source.paths != new.source.paths,
        "source.kubernetes": old.cluster != new.cluster,
        "installation": old.installation != new.installation,
        "workers": old.workers != new.workers,
    }
    return tuple(key for key, is_different in differs.items() if is_different)


def with_restart_fields(config: Config, running: Config) -> Config:
    """`config`, with the fields that need a restart taken from the running one."""
    is_same_kind = (config.cluster is None) == (running.cluster is None)
    return replace(
        config,
        listen=running.listen,
        source=replace(config.source, paths=running.source.paths)
        if is_same_kind
        else running.source,
        cluster=running.cluster,
        installation=running.installation,
        workers=running.workers,
    )
