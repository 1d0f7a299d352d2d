"""
What differs between two Snapshots in the ports of TCP and UDP services.
"""

from __future__ import annotations

from collections.abc import Iterator

from ingress.port_service import PortService
from ingress.routing.snapshot import Snapshot


def port_changes(before: Snapshot, after: Snapshot) -> Iterator[tuple[str, str, bool]]:
    """
    Yield the port, what changes, and whether somebody may get in who could not before, which is
    so for each port that does not close: it opens, leads elsewhere, or believes other clients.
    """
    if before.ports is after.ports:
        return
    for key in sorted(before.ports.keys() | after.ports.keys()):
        old, new = before.ports.get(key), after.ports.get(key)
        was, becomes = _words(old), _words(new)
        if was != becomes:
            yield str(key), f"{was} -> {becomes}", new is not None


def _words(service: PortService | None) -> str:
    if service is None:
        return "closed"
    words = [service.upstream.full_name]
    if service.interface:
        words.append(f"on {service.interface}")
    for is_on, text in (
        (service.proxy_in, "PROXY protocol from clients"),
        (service.proxy_out, "PROXY protocol to endpoints"),
    ):
        if is_on:
            words.append(text)
    return ", ".join(words)
