"""
What the kernel knows of the way to an address, without sending anything there.
"""

from __future__ import annotations

import socket

from ingress.address import pack_address


def can_reach(address: str) -> bool:
    """Whether there is a route at all: a machine may have one of the two families only."""
    return _source(address) is not None


def is_own(address: str) -> bool:
    """Whether it is an address of this machine, or of its network namespace."""
    return _source(address) == address


def _source(address: str) -> str | None:
    """
    :param address: as `inet_ntop` writes it.
    :return: from which address of ours it would be reached; None if there is no way.
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
