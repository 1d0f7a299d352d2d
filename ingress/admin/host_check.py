"""
Refuses requests that a browser sends to the admin listener for a foreign page.

A page can make its own name resolve to the loopback address (DNS rebinding): then its
scripts may read what the admin listener answers. The browser still sends the name of the
page as Host, and its origin as Origin.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from ingress.address import is_loopback, pack_address

Refusal = tuple[int, str]
"""A status, and a line that says why."""

_LOCALHOST = "localhost"
_AUTHORITY = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^:\[\]]*))(?::[0-9]*)?")


class HostCheck:
    """
    Knows the hosts that requests to the admin listener may be for.

    :param names: our own names, beside ``localhost``.
    :param listed: returns the hosts of the configuration.
    """

    def __init__(
        self, names: Iterable[str] = (), listed: Callable[[], Sequence[str]] = tuple
    ) -> None:
        self._names = frozenset(map(str.lower, (_LOCALHOST, *filter(None, names))))
        self._listed = listed

    def refusal(
        self, hosts: Sequence[bytes], origins: Sequence[bytes], own_address: str
    ) -> Refusal | None:
        """
        :param hosts: the Host fields of a request. None of them is no browser's request.
        :param origins: its Origin fields.
        :param own_address: the address that the client has connected to; empty for a
            UNIX socket, which no browser can reach.
        :return: None if the request may be answered.
        """
        if not own_address or not (hosts or origins):
            return None
        if len(hosts) != 1:
            return 400, "a request has one Host field"
        authority = hosts[0].decode("latin-1").strip().lower()
        host = _host_of(authority)
        if not self._is_own(host, own_address):
            return 421, (
                "this Host is neither an address nor a name of this listener; "
                "admin.hosts in the configuration can list it"
            )
        own_origins = {f"{scheme}://{authority}" for scheme in ("http", "https")}
        for origin in origins:
            if origin.decode("latin-1").lower() not in own_origins:
                return 403, "this Origin is foreign: pages of other sites get no answer"
        return None

    def _is_own(self, host: str, own_address: str) -> bool:
        if host in self._names:
            return True
        packed = pack_address(host)
        if packed is not None and (is_loopback(packed) or packed == pack_address(own_address)):
            return True
        return any(_matches(host, packed, listed.lower()) for listed in self._listed())


def _matches(host: str, packed: bytes | None, listed: str) -> bool:
    if packed is not None:
        return packed == pack_address(listed)
    if listed.startswith("*."):
        return host.endswith(listed[1:])
    return host == listed.removesuffix(".")


def _host_of(authority: str) -> str:
    """
    The host of ``HOST``, ``HOST:PORT`` or ``[ADDRESS]:PORT``, without a final dot; empty for
    anything else.
    """
    match = _AUTHORITY.fullmatch(authority)
    return "" if match is None else match[1] or match[2].removesuffix(".")
