"""
Addresses to listen on: ``HOST:PORT`` and Twisted's endpoint strings, read without listening.

Twisted's own parser reads the endpoint strings, so that escapes and defaults are those of
every other Twisted server. Its reactor is a stand-in that notes the address.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from pathlib import Path
from typing import Any, cast

from ingress.errors import IngressError
from ingress.frozen import dataclass

HOST_AND_PORT = "HOST:PORT with an IP address, an IPv6 address in brackets and * for every address"

ACCEPTED = {
    "tcp": r"tcp:PORT or tcp:PORT:interface=ADDRESS, with a port from 0 to 65535"
    r" and every colon of an address as \:",
    "unix": "unix:PATH, unix:PATH:mode=660 or unix:PATH:lockfile=0",
    "systemd": "systemd:domain=INET:name=NAME or systemd:domain=INET6:name=NAME, where NAME is the"
    " FileDescriptorName of a socket that systemd passes on",
}
"""The accepted endpoint strings, by kind."""

_HOST_AND_PORT = re.compile(r"(?:(\*|[0-9.]+|\[[^\[\]]+\])?:)?([0-9]{1,5})")
"""``HOST:PORT``, ``:PORT`` or ``PORT``."""


_NAMED = re.compile(r"systemd:domain=(INET6?|UNIX):name=([^:=\\]+)")


class AddressRefused(IngressError):
    """A description is not an address to listen on; the message says what is accepted."""


@dataclass(frozen=True, slots=True)
class TCPAddress:
    """A port, on one address or on all."""

    port: int
    interface: str = ""
    """An IP address; empty for all addresses of both families."""


@dataclass(frozen=True, slots=True)
class UNIXPath:
    """A socket in the file system."""

    path: Path
    mode: int = 0o666
    has_lock: bool = True
    """Whether a lock beside the socket tells a stale one from one in use."""


@dataclass(frozen=True, slots=True)
class InheritedSocket:
    """
    A listening socket that the process was started with.

    :ivar descriptor: negative if there is none of this name, which only matters to who listens:
        commands read configurations as well.
    """

    descriptor: int
    family: int
    name: str = ""


ListenAddress = TCPAddress | UNIXPath | InheritedSocket


def parse_listen_address(description: str, folder: Path) -> ListenAddress:
    """
    Read an address to listen on.

    :param description: ``HOST:PORT``, or an endpoint string of Twisted: ``tcp:``, ``unix:`` or
        ``systemd:``. Its ``backlog`` is not used, see `ingress.downstream.listeners`.
    :param folder: the base of relative paths of ``unix:``.
    :raises AddressRefused: for any other description.
    """
    short = _HOST_AND_PORT.fullmatch(description)
    if short is not None:
        return _tcp_address((short[1] or "*").strip("[]"), int(short[2]))
    kind = description.partition(":")[0]
    if kind not in ACCEPTED:
        raise AddressRefused("; ".join((HOST_AND_PORT, *ACCEPTED.values())))
    # Takes long to import, and most descriptions do not need it.
    from twisted.internet.endpoints import AdoptedStreamServerEndpoint, serverFromString

    recorder = _Recorder(folder)
    try:
        endpoint = serverFromString(cast(Any, recorder), description)
    except Exception:
        named = _NAMED.fullmatch(description)
        if named is not None:
            return InheritedSocket(-1, getattr(socket, f"AF_{named[1]}"), named[2])
        # Twisted hands the arguments on unchecked: nearly anything may be raised.
        raise AddressRefused(ACCEPTED[kind]) from None
    if isinstance(endpoint, AdoptedStreamServerEndpoint):
        return InheritedSocket(endpoint.fileno, endpoint.addressFamily)
    endpoint.listen(cast(Any, None)).addErrback(lambda failure: failure.trap(AddressRefused))
    if recorder.address is None:
        raise AddressRefused(ACCEPTED[kind])
    return recorder.address


def _tcp_address(host: str, port: int) -> TCPAddress:
    if port > 65535 or (host != "*" and not is_ip_address(host)):
        raise AddressRefused(f"{HOST_AND_PORT}; the port is from 0 to 65535")
    return TCPAddress(port, "" if host == "*" else host)


class _Recorder:
    """Stands in for the reactor: `IReactorTCP` and `IReactorUNIX` as far as endpoints ask."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.address: ListenAddress | None = None

    def listenTCP(self, port: int, factory: object, backlog: int, interface: str) -> None:
        """:raises AddressRefused: for no port, or no address."""
        if not 0 <= port <= 65535 or (interface and not is_ip_address(interface)):
            raise AddressRefused
        self.address = TCPAddress(port, interface)

    def listenUNIX(
        self, address: str, factory: object, backlog: int, mode: int, wantPID: bool
    ) -> None:
        """:raises AddressRefused: for no path, or no mode."""
        if not address or "\0" in address or not 0 <= mode <= 0o777:
            raise AddressRefused
        self.address = UNIXPath(self._folder / expand_home(address), mode, wantPID)


def expand_home(path: str) -> Path:
    """The path, with ``~`` at its start replaced by the home folder if that is known."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def is_ip_address(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address, the latter with or without its zone."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def family_of(interface: str) -> socket.AddressFamily:
    """The address family of an IP address."""
    return socket.AF_INET6 if ":" in interface else socket.AF_INET
