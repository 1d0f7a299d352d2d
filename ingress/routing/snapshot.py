"""
Everything that routing needs, frozen, published by one assignment.

Live state (connections, requests in flight, the balancer's positions) is kept
outside: it is keyed by `UpstreamKey` or `Endpoint` and outlives Snapshots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from ingress.config import Config
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.routing.resource import ReverseProxyResource
from ingress.routing.route import Route


class CertificateIdentity(NamedTuple):
    """The data by which people identify a certificate."""

    secret: tuple[str, str] = ("", "")
    """``(namespace, name)`` of the Secret that has it; empty if there is none."""

    issuer: str = ""
    """The common name of its issuer."""

    issuer_organization: str = ""
    serial_number: str = ""
    """In decimal."""

    key_algorithm: str = ""
    """``RSA`` or ``ECDSA``."""

    fingerprint: str = ""
    """SHA-256 of the certificate itself in hexadecimal, as ``openssl x509`` shows it."""


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A certificate chain and its key, checked to belong together."""

    chain_pem: bytes
    key_pem: bytes = field(repr=False)
    names: tuple[str, ...]
    """Subject alternative DNS names in lower case, wildcards as ``*.example.com``."""

    not_before: datetime
    not_after: datetime
    fingerprint: str
    """SHA-256 over chain and key, in hexadecimal: equal content has an equal fingerprint."""

    identity: CertificateIdentity = CertificateIdentity()


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """A host and its tree of rules."""

    name: str
    """In lower case; ``*.example.com`` for a wildcard; empty if rules name no host."""

    root: ReverseProxyResource = ReverseProxyResource()

    default: Route | None = None
    """The default backend of an Ingress that has rules for this host."""

    def route(self, path: bytes) -> Route | None:
        """Find the Route for a canonical path."""
        return self.root.find(path) or self.default

    def routes(self) -> Iterator[Route]:
        """Yield every Route of this host."""
        yield from self.root.routes()
        if self.default is not None:
            yield self.default


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    All routes, endpoints and certificates of one moment.

    Host names are bytes in lower case, as in requests; certificate names are `str`, as
    in SNI.
    """

    config: Config

    hosts: Mapping[bytes, VirtualHost] = field(default_factory=dict)
    """By exact name."""

    wildcard_hosts: Mapping[bytes, VirtualHost] = field(default_factory=dict)
    """``*.example.com`` by ``example.com``."""

    any_host: VirtualHost | None = None
    """For hosts that no rule names: rules without host, and default backends without rules."""

    upstreams: Mapping[UpstreamKey, Upstream] = field(default_factory=dict)

    certificates: Mapping[str, ServerCertificate] = field(default_factory=dict)
    """By the name of a tls entry in lower case, wildcards as ``*.example.com``."""

    default_certificate: ServerCertificate | None = None
    """The configured certificate; None if the self-signed one is used."""

    def endpoints(self) -> set[Endpoint]:
        """Return the endpoints of all Upstreams, lingering ones included."""
        found: set[Endpoint] = set()
        for upstream in self.upstreams.values():
            found.update(upstream.endpoints, upstream.lingering)
        return found
