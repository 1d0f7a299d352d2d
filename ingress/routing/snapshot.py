"""
Everything that routing needs, frozen, published by one assignment.

Live state (connections, requests in flight, the balancer's positions) is kept
outside: it is keyed by `UpstreamKey` or `Endpoint` and outlives Snapshots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from ingress.client_session import ClientTrust
from ingress.config import Config
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.field_edits import NO_EDITS, FieldEdits, ResponseEdits
from ingress.found_before import SnapshotMark
from ingress.frozen_value import reduced
from ingress.policy.live_state import RuleIdentity
from ingress.port_service import PortKey, PortService
from ingress.routing.passthrough import Passthrough
from ingress.routing.pattern_index import PatternIndex
from ingress.routing.resource import ReverseProxyResource
from ingress.routing.route import Route
from ingress.upstream_check import UpstreamCheck


class CertificateIdentity(NamedTuple):
    """The data that identify a certificate for people."""

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

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """A host with its tree of rules, or with an ordered list of them."""

    only: Route | None = field(init=False, repr=False, compare=False)
    """The Route of every path, if the host has a rule for all of them and no other."""

    name: str
    """The name in lower case; ``*.example.com`` for a wildcard; empty if rules name no host."""

    root: ReverseProxyResource = ReverseProxyResource()

    default: Route | None = None
    """The default backend of an Ingress that has rules for this host."""

    patterns: tuple[Route, ...] = ()
    """
    In place of the tree, where rules ask for regular expressions: each Route has a `pattern`,
    and the first that matches wins.
    """

    has_conditions: bool = False
    """Whether a Route in the tree has conditions."""

    client_trust: ClientTrust | None = None
    """Whose certificates handshakes for this host ask for; None if they ask for none."""

    passthrough: Passthrough | None = None
    """What becomes of connections over TLS for this host, if TLS does not end here."""

    is_plain: bool = field(init=False, repr=False, compare=False)
    """Whether the tree and the path alone decide, as on almost all hosts."""

    index: PatternIndex | None = field(init=False, repr=False, compare=False)
    """The index of `patterns`, if there are any."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_plain", not self.patterns and not self.has_conditions)
        root = self.root
        is_alone = self.is_plain and not root.children and not root.partials
        object.__setattr__(self, "only", root.prefix if is_alone else None)
        index = PatternIndex(self.patterns, self.default) if self.patterns else None
        object.__setattr__(self, "index", index)

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)

    def candidates(self, path: bytes) -> Iterator[Route]:
        """:return: every Route whose path matches, in the order in which they are tried."""
        return (
            iter(self.root.candidates(path)) if self.index is None else self.index.candidates(path)
        )

    def route(self, path: bytes) -> Route | None:
        """Find the Route for a canonical path and a request that meets no condition."""
        plain = (route for route in self.candidates(path) if not route.conditions)
        return next(plain, self.default)

    def path_routes(self) -> Iterator[Route]:
        """Yield every Route but the default backend."""
        yield from self.patterns
        yield from self.root.routes()

    def routes(self) -> Iterator[Route]:
        """Yield every Route that a request may get here."""
        yield from self.path_routes()
        if self.default is not None:
            yield self.default


def hsts_edits(config: Config) -> FieldEdits:
    """:return: the changes to every response over https (RFC 6797)."""
    if config.hsts is None:
        return NO_EDITS
    return FieldEdits(replace=((b"Strict-Transport-Security", config.hsts.field_value),))


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

    default_route: Route | None = None
    """For requests that no rule matches: the default backend of the configuration."""

    upstreams: Mapping[UpstreamKey, Upstream] = field(default_factory=dict)

    ports: Mapping[PortKey, PortService] = field(default_factory=dict)
    """The TCP and UDP services: ports whose bytes are not understood."""

    health_checks: Mapping[UpstreamKey, UpstreamCheck] = field(default_factory=dict)
    """How the endpoints of some Upstreams are checked."""

    certificates: Mapping[str, ServerCertificate] = field(default_factory=dict)
    """By the name of a tls entry in lower case, wildcards as ``*.example.com``."""

    default_certificate: ServerCertificate | None = None
    """The configured certificate; None if the self-signed one is used."""

    generation: int = field(default=0, compare=False)
    """How many Snapshots have been published, with this one; 0 for one that never was."""

    response_edits: ResponseEdits = field(init=False, repr=False, compare=False)
    """Changes to every response of a route that has none of its own: HSTS, over https."""

    mark: SnapshotMark = field(default_factory=SnapshotMark, init=False, repr=False, compare=False)
    """Stands for the Snapshot where it must not be kept in memory."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "response_edits", ResponseEdits(https=hsts_edits(self.config)))

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)

    def virtual_hosts(self) -> list[VirtualHost]:
        """:return: all of them; the one for hosts that no rule names comes last."""
        found = [*self.hosts.values(), *self.wildcard_hosts.values()]
        if self.any_host is not None:
            found.append(self.any_host)
        return found

    def host_named(self, name: str) -> VirtualHost | None:
        """
        :param name: as a VirtualHost has it: ``*.example.com`` for a wildcard, or empty.
        :return: the VirtualHost of exactly that name.
        """
        host = name.encode("utf-8", "replace")
        if not host:
            return self.any_host
        if host.startswith(b"*."):
            return self.wildcard_hosts.get(host[2:])
        return self.hosts.get(host)

    def has_rule(self, rule: RuleIdentity) -> bool:
        """Whether a rule is served here."""
        found = self.host_named(rule.host)
        return found is not None and any(route.identity == rule for route in found.routes())

    def client_trusts(self) -> Iterator[tuple[str, ClientTrust]]:
        """Yield the names of the hosts whose clients are asked for certificates, and of whom."""
        for host in self.virtual_hosts():
            if host.client_trust is not None:
                yield host.name, host.client_trust

    def endpoints(self) -> set[Endpoint]:
        """Return the endpoints of all Upstreams, lingering ones included."""
        found: set[Endpoint] = set()
        for upstream in self.upstreams.values():
            found.update(upstream.endpoints, upstream.lingering)
        return found
