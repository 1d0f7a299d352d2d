"""
An Upstream and its endpoints: what routes lead to, and what policies choose from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class UpstreamKey(NamedTuple):
    """A Service port as a backend names it; live state outlives Snapshots under this key."""

    namespace: str
    service: str
    port: str
    """The port's name or number, as the Ingress has it."""

    def __str__(self) -> str:
        """The name that ingress-nginx gives an upstream, which log parsers know."""
        return f"{self.namespace}-{self.service}-{self.port}"


class Endpoint(NamedTuple):
    """
    One address and port that serves a Service.

    The host may be a name where the configuration has one (``source.endpoints``).
    """

    host: str
    port: int
    name: str = ""
    """The name by which it was found (ExternalName), which its certificate may have to have."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Upstream:
    """A Service port as a set of endpoints."""

    key: UpstreamKey

    endpoints: tuple[Endpoint, ...] = ()
    """For new sessions, sorted: the ready ones, or with none ready the serving ones."""

    lingering: tuple[Endpoint, ...] = ()
    """Serving and terminating ones beside ready ones: for sessions that are on them."""

    is_unresolved: bool = False
    """Whether there is none because a name has no address."""
