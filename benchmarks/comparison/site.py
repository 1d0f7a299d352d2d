"""
What every proxy serves in a run of the benchmark.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support.certs import CertificateAuthority, Issued, rsa_key

HOST = "localhost"
"""The first host: wrk takes the name for SNI from its URL, so it has to resolve."""

SMALL, LARGE, UPLOAD = "/small", "/large", "/upload"

STS = "max-age=31536000; includeSubDomains"
"""What answers over TLS say in Strict-Transport-Security, as ours do by default."""


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
        hosts, kind = SITES[name]
        authority = CertificateAuthority()
        folder = self.folder / "certificates" / name
        key = rsa_key() if kind == "rsa" else None
        default = Pair.written(authority.issue(HOST, key=key), folder / "default")
        names = (HOST, *(f"host-{number}.example" for number in range(1, hosts)))
        return Site(name, names, default, (), self.content_port, self.sink_port)


SITES = {"one": (1, "ecdsa"), "rsa": (1, "rsa"), "many": (10_000, "ecdsa")}
"""How many hosts, and what kind of key."""
