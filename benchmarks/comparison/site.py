"""
What every proxy serves in a run of the benchmark.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from tests.support.certs import CertificateAuthority, Issued, rsa_key

HOST = "localhost"
"""The first host: wrk takes the name for SNI from its URL, so it has to resolve."""

SMALL, LARGE, UPLOAD = "/small", "/large", "/upload"

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


@dataclass(frozen=True)
class Site:
    """
    :ivar hosts: each of them has the same two paths.
    :ivar default: the certificate for whatever has none of its own.
    :ivar pairs: certificates of hosts that have their own.
    :ivar content_port: of 127.0.0.1, where everything is but uploads.
    :ivar sink_port: where uploads go.
    """

    name: str
    hosts: tuple[str, ...]
    default: Pair
    pairs: tuple[tuple[str, Pair], ...]
    content_port: int
    sink_port: int

    @property
    def routes(self) -> tuple[tuple[str, str, int], ...]:
        """Prefix of the path, name of the endpoint, its port; the longest first."""
        return ((UPLOAD, "sink", self.sink_port), ("/", "content", self.content_port))


@dataclass(frozen=True)
class Sites:
    """Makes sites, whose endpoints are the same, and their certificates, below a folder."""

    folder: Path
    content_port: int
    sink_port: int

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
        return Site(name, hosts, default, tuple(pairs), self.content_port, self.sink_port)


@dataclass(frozen=True)
class Plan:
    """
    :ivar own_certificates: whether each host has one; the key is the same, because making
        keys takes long, and nobody stores a key once for two certificates.
    """

    hosts: int = 1
    is_rsa: bool = False
    own_certificates: bool = False


SITES = {
    "one": Plan(),
    "rsa": Plan(is_rsa=True),
    "many": Plan(hosts=10_000),
    "certificates": Plan(hosts=10_000, own_certificates=True),
}
