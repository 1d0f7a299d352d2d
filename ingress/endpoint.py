"""
An Upstream and its endpoints, to which routes lead and from which policies choose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ingress.found_before import UpstreamFindings
from ingress.frozen_value import reduced


class UpstreamKey(NamedTuple):
    """A Service port as a backend names it; live state outlives Snapshots under this key."""

    namespace: str
    """Empty for a host that an annotation names, which is no Service."""

    service: str
    """The name of the Service, or that host."""

    port: str
    """The port's name or number, as written in the Ingress."""

    is_by_service: bool = False
    """Whether the address of the Service itself is the only endpoint (``service-upstream``)."""

    is_udp: bool = False
    """Whether it is a port of UDP; all others are of TCP."""

    @property
    def protocol(self) -> str:
        """``TCP`` or ``UDP``, as a Service port has it."""
        return "UDP" if self.is_udp else "TCP"

    def __str__(self) -> str:
        """Return ingress-nginx's name of the upstream, which log parsers know."""
        if not self.namespace:
            return f"{self.service}:{self.port}"
        return f"{self.namespace}-{self.service}-{self.port}"

    @property
    def full_name(self) -> str:
        """A unique name; two Service ports may have the same name in the access log."""
        name = f"{self.namespace}/{self.service}:{self.port}"
        if self.is_udp:
            return f"{name} (UDP)"
        return f"{name} (service)" if self.is_by_service else name


class Endpoint(NamedTuple):
    """
    One address and port that serves a Service.

    The host may be a name if the configuration has one (``source.endpoints``).
    """

    host: str
    port: int
    name: str = ""
    """The name that it was found by (ExternalName), which its certificate may need to have."""

    proxy_protocol: str = ""
    """
    ``v1`` or ``v2`` if each connection begins with a header of the PROXY protocol, as its Service
    says. An address that another Service has as well, without a header, is another endpoint: no
    Service changes the connections of others.
    """

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Upstream:
    """A Service port as a set of endpoints."""

    key: UpstreamKey

    endpoints: tuple[Endpoint, ...] = ()
    """For new sessions, sorted: the ready endpoints, or the serving ones if none is ready."""

    lingering: tuple[Endpoint, ...] = ()
    """Serving and terminating endpoints beside ready ones, for sessions that are on them."""

    is_unresolved: bool = False
    """Whether there is no endpoint because a name has no address."""

    speaks_http2: bool = False
    """Whether the Service port says that its endpoints speak HTTP/2 in the clear."""

    speaks_tls: bool = False
    """Whether the Service port says that its endpoints speak HTTP/1.1 over TLS."""

    is_own: bool = False
    """Whether there is no endpoint because it is this proxy that the host leads to."""

    found: UpstreamFindings = field(
        default_factory=UpstreamFindings, init=False, repr=False, compare=False
    )
    """What does not have to be looked up again."""

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)
