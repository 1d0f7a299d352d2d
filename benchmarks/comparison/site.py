"""
What every proxy serves in a run of the benchmark.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from tests.support.certs import CertificateAuthority, Issued, rsa_key

HOST = "localhost"
"""The first host: wrk takes the name for SNI from its URL, so it has to resolve."""

SMALL, LARGE, UPLOAD = "/small", "/large", "/upload"

UNARY, STREAM = "/unary", "/stream"
"""Methods of gRPC: a message for a message, and `MESSAGES` of `MESSAGE_SIZE` bytes for one."""

MESSAGES, MESSAGE_SIZE = 1_000, 64

STS = "max-age=31536000; includeSubDomains"
"""What answers over TLS say in Strict-Transport-Security, as ours do by default."""

KEEP_ALIVE_REQUESTS = 1_000_000_000
"""Requests of one connection, which no run meets: h2load does not connect again."""


@dataclass(frozen=True)
class Pair:
    """The files of a certificate with its chain and of its key."""

    chain: Path
    key: Path

    @property
    def both(self) -> Path:
        """Chain and key in one file, as HAProxy wants them."""
        return self.chain.with_suffix(".pem")

    @classmethod
    def written(cls, issued: Issued, stem: Path) -> Pair:
        stem.parent.mkdir(parents=True, exist_ok=True)
        pair = cls(stem.with_suffix(".crt"), stem.with_suffix(".key"))
        pair.chain.write_bytes(issued.chain_pem)
        pair.key.write_bytes(issued.key_pem)
        pair.both.write_bytes(issued.chain_pem + issued.key_pem)
        return pair


class EndpointPorts(NamedTuple):
    """
    Of 127.0.0.1.

    :ivar content: everything but what follows.
    :ivar sink: uploads.
    :ivar unary: gRPC, in HTTP/2 with prior knowledge.
    :ivar stream: the same, a server's streams.
    """

    content: int
    sink: int
    unary: int
    stream: int


class SiteRoute(NamedTuple):
    """
    :ivar prefix: of the path.
    :ivar name: of the endpoint.
    """

    prefix: str
    name: str
    port: int
    is_grpc: bool = False


@dataclass(frozen=True)
class Site:
    """
    :ivar hosts: each of them has the same paths.
    :ivar default: the certificate for whatever has none of its own.
    :ivar pairs: certificates of hosts that have their own.
    :ivar has_grpc: whether each host has the methods of gRPC as well.
    """

    name: str
    hosts: tuple[str, ...]
    default: Pair
    pairs: tuple[tuple[str, Pair], ...]
    ports: EndpointPorts
    has_grpc: bool = False

    @property
    def routes(self) -> tuple[SiteRoute, ...]:
        """The longest prefix first."""
        ports = self.ports
        grpc = (
            SiteRoute(UNARY, "unary", ports.unary, is_grpc=True),
            SiteRoute(STREAM, "stream", ports.stream, is_grpc=True),
        )
        rest = (SiteRoute(UPLOAD, "sink", ports.sink), SiteRoute("/", "content", ports.content))
        return (*grpc, *rest) if self.has_grpc else rest


@dataclass(frozen=True)
class Sites:
    """Makes sites, whose endpoints are the same, and their certificates, below a folder."""

    folder: Path
    ports: EndpointPorts

    def make(self, name: str) -> Site:
        """By its name: a key of `SITES`."""
        plan = SITES[name]
        authority = CertificateAuthority()
        folder = self.folder / "certificates" / name
        key = rsa_key() if plan.is_rsa else generate_private_key(SECP256R1())
        default = Pair.written(authority.issue(HOST, key=key), folder / "default")
        hosts = (HOST, *(f"host-{number}.example" for number in range(1, plan.hosts)))
        pairs = []
        if plan.own_certificates:
            for number, host in enumerate(hosts):
                stem = folder / str(number // 100) / str(number)
                pairs.append((host, Pair.written(authority.issue(host, key=key), stem)))
        return Site(name, hosts, default, tuple(pairs), self.ports, plan.has_grpc)


@dataclass(frozen=True)
class Plan:
    """
    :ivar own_certificates: whether each host has one; the key is the same, because making
        keys takes long, and nobody stores a key once for two certificates.
    """

    hosts: int = 1
    is_rsa: bool = False
    own_certificates: bool = False
    has_grpc: bool = False


SITES = {
    "one": Plan(),
    "rsa": Plan(is_rsa=True),
    "grpc": Plan(has_grpc=True),
    "many": Plan(hosts=10_000),
    "certificates": Plan(hosts=10_000, own_certificates=True),
}
