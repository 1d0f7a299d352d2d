"""
The header of the PROXY protocol that the endpoint of a relay gets first.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress

from ingress.proxy_protocol import Addresses, Version, addresses_of, make_header
from ingress.relay.relay import RelaySide


def proxy_header(origin: IAddress | None, wanted: Version | None, side: RelaySide) -> bytes:
    """
    Make the header, for `Relay.preface`.

    :param origin: the address of the client; None for that of its transport's peer.
    :param wanted: the version that the port asks for, if the Service of the endpoint asks for none;
        None for no header.
    :param side: the client's.
    :return: an empty text if nobody wants one.
    """
    endpoint = side.relay.record.endpoint
    if endpoint is not None and endpoint.proxy_protocol:
        wanted = Version(endpoint.proxy_protocol)
    return b"" if wanted is None else make_header(wanted, _addresses(origin, side))


def _addresses(origin: IAddress | None, side: RelaySide) -> Addresses | None:
    """:return: both ends of the client's connection; None if it has no address."""
    said = getattr(origin, "addresses", None)
    if isinstance(said, Addresses):
        return said
    client: Any = origin or side.transport.getPeer()
    host = getattr(client, "host", "")
    if not host:
        return None
    here: Any = side.transport.getHost()
    return addresses_of(host, client.port, here.host, here.port)
