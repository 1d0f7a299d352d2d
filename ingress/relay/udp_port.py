"""
The socket of a UDP service, to which clients send and from which they get replies.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import Any, ClassVar, Final

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ingress.port_service import PortKey
from ingress.relay.resources import RelayResources
from ingress.relay.udp_session import BUFFER, DATAGRAMS_PER_EVENT, Ancillary
from ingress.relay.udp_sessions import UNSENT, UDPSessions

IP_PKTINFO: Final = 8
IPV6_RECVPKTINFO: Final = 49
IPV6_PKTINFO: Final = 50
"""Options of Linux that Python 3.11 does not name (ip(7), ipv6(7))."""

_INFO: Final = struct.Struct("=I4s4s")
"""in_pktinfo: index of the interface, our address, destination of the header."""

_ROOM: Final = socket.CMSG_SPACE(20)
"""Bytes of in6_pktinfo, the larger one."""

_IS_LINUX: Final = sys.platform == "linux"


@implementer(IReadDescriptor)
class UDPPort:
    """
    Receives the datagrams of clients, and sends replies from the address that they were sent to.

    :param sock: bound and non-blocking; closed by `stop`.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        reactor: Any,
        sock: socket.socket,
        key: PortKey,
        resources: RelayResources,
        sessions: UDPSessions,
    ) -> None:
        self.key = key
        self._reactor = reactor
        self._socket = sock
        self._resources = resources
        self._sessions = sessions
        self._is_for_all = not any(_packed(sock))
        """Whether replies would have another source if nothing were said."""

        if _IS_LINUX and self._is_for_all:
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)

    def __repr__(self) -> str:
        return f"<UDPPort {self.key}>"

    def start(self) -> None:
        """Receive."""
        self._reactor.addReader(self)

    def pause(self) -> None:
        """Receive nothing any more; replies are still sent."""
        self._reactor.removeReader(self)

    def stop(self) -> None:
        """Close the socket."""
        self._reactor.removeReader(self)
        self._socket.close()

    def send_to(self, data: memoryview, address: Any, ancillary: Ancillary) -> None:
        """ReplySocket."""
        try:
            self._socket.sendmsg([data], ancillary, 0, address)
        except OSError:
            self._resources.udp[UNSENT] += 1

    def doRead(self) -> None:
        """IReadDescriptor: pass on datagrams."""
        service = self._resources.service(self.key)
        for _ in range(DATAGRAMS_PER_EVENT):
            try:
                size, ancillary, _, address = self._socket.recvmsg_into([BUFFER], _ROOM)
            except BlockingIOError:
                return
            except OSError:
                continue  # An error of an earlier reply.
            if service is None:
                continue
            local = _local(ancillary) if ancillary else ()
            self._sessions.received(self, service.upstream, address, local, BUFFER[:size])

    def fileno(self) -> int:
        """IReadDescriptor."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """ILoggingContext."""
        return "UDPPort"

    def connectionLost(self, reason: Failure) -> None:
        """IReadDescriptor: a fault of ours, which must not close the port for ever."""
        self.log.error("{port} could not be read, and is read again", port=self)
        self._reactor.callLater(1.0, self._read_again)

    def _read_again(self) -> None:
        if self._socket.fileno() >= 0:
            self._reactor.addReader(self)


def _packed(sock: socket.socket) -> bytes:
    return socket.inet_pton(sock.family, sock.getsockname()[0])


def _local(ancillary: list[tuple[int, int, bytes]]) -> Ancillary:
    """
    :param ancillary: of a datagram from a client.
    :return: that of its replies, so that they come from the address it was sent to.
    """
    level, kind, data = ancillary[0]
    if level == socket.IPPROTO_IP and kind == IP_PKTINFO and len(data) == _INFO.size:
        _, own, _ = _INFO.unpack(data)
        return ((level, kind, _INFO.pack(0, own, bytes(4))),)
    if level == socket.IPPROTO_IPV6 and kind == IPV6_PKTINFO:
        return ((level, kind, data),)
    return ()
