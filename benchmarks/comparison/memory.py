"""
What an idle connection, a host and a certificate take of memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.comparison.idle import IdleConnections, resumes, visit
from benchmarks.comparison.load import wrk
from benchmarks.comparison.peer import Contender, Peer
from benchmarks.comparison.process import Failed
from benchmarks.comparison.rounds import tell
from benchmarks.comparison.site import SMALL, Site

CONNECTIONS = 2000

SETTLING = 2.0
"""Seconds for what a proxy does after the load."""


@dataclass
class Footprint:
    """
    KiB resident, of one peer; None for what could not be measured.

    :ivar faults: why it could not.
    :ivar per_host: of 10,000 that have one certificate together.
    :ivar per_own_certificate: what it takes more if each has its own.
    :ivar resumes: whether TLS sessions are resumed.
    """

    peer: str
    idle: float | None = None
    per_connection: float | None = None
    per_tls_connection: float | None = None
    per_host: float | None = None
    per_own_certificate: float | None = None
    resumes: bool | None = None
    faults: list[str] = field(default_factory=list)

    @property
    def per_host_with_certificate(self) -> float | None:
        """What may be compared: nginx has a context for TLS a host even if it shares one."""
        if self.per_host is None or self.per_own_certificate is None:
            return None
        return self.per_host + self.per_own_certificate


class Scales:
    """
    Measures each time with a process of its own, whose memory nothing else has stirred.

    :param sites: "one", "many", and "certificates", which has as many hosts as "many".
    """

    def __init__(self, sites: Mapping[str, Site], folder: Path, proxy: int, load: int) -> None:
        self._sites = sites
        self._folder = folder
        self._proxy = proxy
        self._load = load

    def weigh(self, peer: Peer) -> Footprint:
        footprint = Footprint(peer.name)
        for part in (self._connections, self._hosts):
            try:
                part(peer, footprint)
            except (Failed, OSError) as error:
                footprint.faults.append(str(error))
                tell(f"memory of {peer.name}: {error}")
        tell(f"memory  {footprint}")
        return footprint

    def _connections(self, peer: Peer, footprint: Footprint) -> None:
        for scheme in ("http", "https"):
            with self._contender(peer, "one") as contender:
                wrk(contender.url(scheme, SMALL), self._load, 1, 64)
                before = _settled(contender)
                port = contender.place.https if scheme == "https" else contender.place.http
                with IdleConnections(port, CONNECTIONS, tls=scheme == "https"):
                    each = (_settled(contender) - before) / CONNECTIONS
                if scheme == "http":
                    footprint.idle, footprint.per_connection = before, each
                else:
                    footprint.per_tls_connection = each
                    footprint.resumes = resumes(port)

    def _hosts(self, peer: Peer, footprint: Footprint) -> None:
        sizes = {}
        for name in ("one", "many", "certificates"):
            with self._contender(peer, name) as contender:
                # What has a certificate of its own may well be made when it is needed.
                visit(contender.place.https, [host for host, _ in self._sites[name].pairs])
                sizes[name] = _settled(contender)
        number = len(self._sites["many"].hosts)
        footprint.per_host = (sizes["many"] - sizes["one"]) / number
        footprint.per_own_certificate = (sizes["certificates"] - sizes["many"]) / number

    @contextmanager
    def _contender(self, peer: Peer, site: str) -> Iterator[Contender]:
        folder = self._folder / f"{site}-{peer.name}-{time.monotonic_ns()}"
        contender = Contender(peer, self._sites[site], folder, self._proxy)
        try:
            yield contender
        finally:
            contender.stop()


def _settled(contender: Contender) -> int:
    time.sleep(SETTLING)
    return contender.process.memory


def table(footprints: Sequence[Footprint]) -> list[str]:
    """Lines of Markdown."""
    head = (
        "",
        "idle, MiB",
        "KiB per idle connection",
        "over TLS",
        "per host of 10,000",
        "per certificate of 10,000",
        "together",
        "resumes sessions",
    )
    lines = ["### Memory", "", f"| {' | '.join(head)} |"]
    lines.append(f"| --- |{' ---: |' * (len(head) - 1)}")
    for each in footprints:
        idle = None if each.idle is None else each.idle / 1024
        figures = [idle, each.per_connection, each.per_tls_connection]
        figures += [each.per_host, each.per_own_certificate, each.per_host_with_certificate]
        cells = ["-" if figure is None else f"{figure:.1f}" for figure in figures]
        cells.append({None: "-", True: "yes", False: "no"}[each.resumes])
        lines.append(f"| {each.peer} | {' | '.join(cells)} |")
    return [*lines, ""]
