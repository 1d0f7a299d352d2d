"""
Asks the kernel for the route to an address, without sending anything.
"""

from __future__ import annotations

import socket

from ingress.address import pack_address


def can_reach(address: str) -> bool:
    """Whether there is a route: a machine may have only one of the two families."""
    return source_of(address) is not None


def source_of(address: str) -> str | None:
    """
    :param address: as `inet_ntop` writes it.
    :return: our address from which it would be reached; None if there is no route.
    """
    if pack_address(address) is None:
        return None
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # To connect a UDP socket is to choose a route; nothing is sent.
            probe.connect((address, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None
