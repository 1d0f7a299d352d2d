"""
What becomes of the connections for a host whose TLS does not end at the proxy.
"""

from __future__ import annotations

from ingress.address_ranges import AddressRanges
from ingress.endpoint import UpstreamKey
from ingress.frozen import dataclass
from ingress.policy.client_limits import ClientLimits
from ingress.policy.source_ranges import SourceRanges


@dataclass(frozen=True, slots=True)
class Passthrough:
    """The endpoints that get the connections for one host, and who may have one."""

    ingress: tuple[str, str]
    """``(namespace, name)`` of the Ingress that decides."""

    host: str
    """As its VirtualHost has it."""

    upstream: UpstreamKey | None
    """The Service port of the path ``/``; None if all connections are closed."""

    closed: str = ""
    """Why they are, in words that go on after "closed: "."""

    ranges: SourceRanges | None = None
    """Who may connect; None for everybody."""

    blocked: AddressRanges = AddressRanges()
    """Who may not, on any host: ``block-cidrs`` of the ConfigMap."""

    limits: ClientLimits | None = None
    """How many connections a client may have; None for any number."""

    def refusal(self, address: bytes) -> str:
        """
        :param address: of the client, as `Client` has it.
        :return: why its connections are closed, as a sentence; empty if they are not, unless it has
            too many.
        """
        if self.closed:
            return f"The host is closed: {self.closed}."
        ranges = self.ranges
        is_denied = self.blocked.has(address)
        if ranges is not None:
            is_denied = is_denied or (ranges.denied is not None and ranges.denied.has(address))
            is_denied = is_denied or (
                ranges.allowed is not None and not ranges.allowed.has(address)
            )
        return "The address of the client may not use this host." if is_denied else ""

    def shown(self) -> dict[str, object]:
        """:return: what it is as JSON has it."""
        told: dict[str, object] = {
            "ingress": "/".join(self.ingress),
            "upstream": None if self.upstream is None else self.upstream.full_name,
            "closed": self.closed or None,
        }
        if self.ranges is not None:
            told.update(self.ranges.shown())
        if self.limits is not None:
            told["connections"] = self.limits.connections
        return told
