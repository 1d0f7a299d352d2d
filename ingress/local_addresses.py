"""
The addresses of this machine, or of its network namespace, as they are now.

Addresses come and go (DHCP, a VPN, a virtual address of keepalived), and no system call waits for
them. They are read again now and then, in a thread.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.address import is_link_local, pack_plain_address
from ingress.dns.route import source_of
from ingress.own_addresses import OwnAddresses, pack_all

READ_PERIOD: Final = 10.0
"""Seconds between two reads, of some 100 µs each. Meanwhile the loop marker bounds loops."""

SERVICE_INTERFACE: Final = "kube-ipvs0"
"""
Where kube-proxy puts the addresses of all Services in its mode IPVS. They lead to the endpoints
of these Services, not to us, although they are local on the node.
"""

_HEADER: Final = struct.Struct("=IHHII")
"""nlmsghdr of netlink(7): length, type, flags, sequence, port."""

_ADDRESS: Final = struct.Struct("=BBBBI")
"""ifaddrmsg of rtnetlink(7): family, prefix length, flags, scope, index of the interface."""

_ATTRIBUTE: Final = struct.Struct("=HH")
"""rtattr: length and type."""

_GET_ADDRESSES: Final = 22
_NEW_ADDRESS: Final = 20
_ERROR: Final = 2
_DONE: Final = 3
_REQUEST_ALL: Final = 0x301
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2

_BUFFER: Final = 1 << 17

_ELSEWHERE: Final = ("192.0.2.1", "2001:db8::1")
"""Addresses of documentation, to which a default route leads."""

RunInThread = Callable[..., "Deferred[Any]"]


def own_addresses(
    listeners: Iterable[tuple[str, int]], environment: Mapping[str, str]
) -> OwnAddresses:
    """
    What does not change while the process runs.

    :param listeners: ``(host, port)`` of each; zeros for every address of a family.
    :param environment: POD_IP, and POD_IPS or POD_IPs separated by commas, are ours as well.
    """
    listed = ",".join(environment.get(name, "") for name in ("POD_IP", "POD_IPS", "POD_IPs"))
    packed = (pack_plain_address(text.strip()) for text in listed.split(","))
    local = frozenset(address for address in packed if address is not None)
    return OwnAddresses(pack_all(listeners), local)


def read_local_addresses(
    ask: Callable[[], Iterable[bytes]] | None = None,
) -> frozenset[bytes]:
    """
    Read the addresses of all interfaces. Where the kernel cannot be asked for them (it is not
    Linux), these are only the addresses from which other machines are reached.

    :param ask: asks the kernel; raises OSError or AttributeError if it cannot.
    """
    try:
        return frozenset((ask or _interface_addresses)())
    except (AttributeError, OSError):
        return frozenset(_source_addresses())


def _interface_addresses() -> Iterator[bytes]:
    """
    :raises AttributeError: without netlink.
    :raises OSError: if the kernel refuses.
    """
    try:
        skipped = socket.if_nametoindex(SERVICE_INTERFACE)
    except OSError:
        skipped = 0
    request = _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    size = _HEADER.size + len(request)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(1.0)
        kernel.sendto(_HEADER.pack(size, _GET_ADDRESSES, _REQUEST_ALL, 1, 0) + request, (0, 0))
        is_done = False
        while not is_done:
            found, is_done = parse_addresses(kernel.recv(_BUFFER), skipped)
            yield from found


def parse_addresses(data: bytes, skipped: int = 0) -> tuple[list[bytes], bool]:
    """
    Parse a part of the kernel's answer.

    :param skipped: the index of an interface whose addresses do not count.
    :return: the addresses in it, and whether it is the last part.
    :raises OSError: if the kernel refuses.
    """
    found: list[bytes] = []
    while len(data) >= _HEADER.size:
        size, kind, *_ = _HEADER.unpack_from(data)
        body = data[_HEADER.size : size]
        if kind == _DONE:
            return found, True
        if kind == _ERROR or size < _HEADER.size:
            raise OSError("the kernel does not list its addresses")
        if kind == _NEW_ADDRESS and _ADDRESS.unpack_from(body)[4] != skipped:
            found += _address_of(body)
        data = data[_aligned(size) :]
    return found, False


def _address_of(body: bytes) -> Iterator[bytes]:
    """Yield the address of a message; IFA_ADDRESS is that of the peer where there is a peer."""
    attributes: dict[int, bytes] = {}
    rest = body[_ADDRESS.size :]
    while len(rest) >= _ATTRIBUTE.size:
        size, kind = _ATTRIBUTE.unpack_from(rest)
        if size < _ATTRIBUTE.size:
            break
        attributes[kind] = rest[_ATTRIBUTE.size : size]
        rest = rest[_aligned(size) :]
    address = attributes.get(_IFA_LOCAL, attributes.get(_IFA_ADDRESS, b""))
    if len(address) in (4, 16):
        yield address


def _aligned(size: int) -> int:
    return (size + 3) & ~3


def _source_addresses() -> Iterator[bytes]:
    for source in map(source_of, _ELSEWHERE):
        packed = pack_plain_address(source) if source is not None else None
        if packed is not None:
            yield packed


class LocalAddresses(Service):
    """
    Keeps our own addresses up to date while it runs.

    :param own: what does not change: the listeners, and local addresses that are known besides.
    :param clock: for the time between two reads.
    :param run_in_thread: a machine may have thousands of addresses.
    :param is_from_cluster: whether endpoints come from a cluster. None of them is link-local
        there, and the link-local addresses of a node change with each of its pods.
    :ivar current: our own addresses; read once when this object is made.
    :ivar changed: called when `current` has changed.
    """

    log = Logger()

    def __init__(
        self,
        own: OwnAddresses,
        clock: IReactorTime,
        run_in_thread: RunInThread,
        *,
        is_from_cluster: bool,
        read: Callable[[], frozenset[bytes]] = read_local_addresses,
    ) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._known = own.local
        self._is_from_cluster = is_from_cluster
        self._read = read
        self._run_in_thread = run_in_thread
        self._loop = LoopingCall(self._look)
        self._loop.clock = clock
        self.current = self._with(own, read())

    def __repr__(self) -> str:
        return f"<LocalAddresses: {len(self.current.local)}>"

    def startService(self) -> None:
        """IService."""
        super().startService()  # type: ignore[no-untyped-call]
        self._loop.start(READ_PERIOD, now=False)

    def stopService(self) -> None:
        """IService."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._loop.stop()

    def _look(self) -> Deferred[None]:
        reading = self._run_in_thread(self._read)
        return reading.addCallbacks(self._take, self._failed)

    def _take(self, found: frozenset[bytes]) -> None:
        own = self._with(self.current, found)
        if self.running and own is not self.current:
            self.current = own
            self.changed()

    def _with(self, own: OwnAddresses, found: frozenset[bytes]) -> OwnAddresses:
        if self._is_from_cluster:
            found = frozenset(each for each in found if not is_link_local(each))
        return own.with_local(self._known | found)

    def _failed(self, failure: Failure) -> None:
        self.log.failure("The local addresses cannot be read; those known stay", failure)
