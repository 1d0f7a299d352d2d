"""
A session of UDP: the datagrams between one address of a client and one endpoint.

Each session has a socket of its own that is connected to its endpoint: the kernel drops what comes
from anywhere else, and says when the endpoint does not listen.
"""

from __future__ import annotations

import errno
import socket
from typing import Any, Final, NamedTuple, Protocol

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from ingress.deadline import Deadlines
from ingress.endpoint import Endpoint
from ingress.port_service import PortKey
from ingress.telemetry.relay_outcome import RelayOutcome
from ingress.telemetry.relay_record import RelayRecord

LARGEST: Final = 65535
"""Bytes of the largest datagram."""

DATAGRAMS_PER_EVENT: Final = 32
"""Datagrams of one socket in one turn of the reactor: requests in flight wait for all of them."""

BUFFER: Final = memoryview(bytearray(LARGEST))
"""Holds the datagram that is being passed on."""

_UNSENT: Final = frozenset({errno.EAGAIN, errno.EMSGSIZE, errno.ENOBUFS, errno.ENOMEM, errno.EPERM})
"""
Why one datagram was not sent, for which no endpoint is to blame: a client may send what is too
large for its endpoint, because of the path or of another family.
"""

Ancillary = tuple[tuple[int, int, bytes], ...]
"""What tells the kernel which of our addresses a datagram is to come from; see sendmsg(2)."""


class ReplySocket(Protocol):
    """The socket of a port, to which clients send."""

    key: PortKey

    def send_to(self, data: memoryview, address: Any, ancillary: Ancillary) -> None:
        """Send a datagram, or drop it."""


class SessionKey(NamedTuple):
    """What tells sessions apart."""

    port: PortKey
    address: Any
    """The client's, as the socket has it."""

    local: Ancillary
    """Our address, to which the client has sent."""


class SessionOwner(Protocol):
    """The table of sessions."""

    def ended(self, session: UDPSession, outcome: RelayOutcome, detail: str) -> None: ...

    def refused(self, session: UDPSession) -> None: ...

    def replied(self, session: UDPSession) -> None: ...

    def dropped(self) -> None: ...


@implementer(IReadDescriptor)
class UDPSession:
    """
    :param reply_socket: the socket that the client has sent to.
    :param sock: connected to the endpoint.
    :param patience: seconds without a datagram after which the session ends.
    """

    __slots__ = (
        "_owner",
        "_reactor",
        "_reply_socket",
        "_socket",
        "_time",
        "deadline",
        "endpoint",
        "has_reply",
        "is_confirmed",
        "key",
        "patience",
        "record",
    )

    def __init__(
        self,
        owner: SessionOwner,
        reply_socket: ReplySocket,
        key: SessionKey,
        sock: socket.socket,
        record: RelayRecord,
        endpoint: Endpoint,
    ) -> None:
        self.key = key
        self.record = record
        self.endpoint = endpoint
        self.has_reply = False
        """Whether the endpoint has answered."""

        self.is_confirmed = False
        """Whether the client has sent something after a reply: it gets what is sent to it."""

        self.deadline = 0.0
        self.patience = 0.0
        self._owner = owner
        self._reply_socket = reply_socket
        self._socket = sock

    def __repr__(self) -> str:
        return f"<UDPSession of {self.record.client_address} to {self.endpoint}>"

    def start(self, reactor: Any, deadlines: Deadlines, patience: float) -> None:
        """Receive replies from now on."""
        self._reactor = reactor
        self._time = deadlines.time
        self.patience = patience
        self._moved()
        deadlines.watch(self)
        reactor.addReader(self)

    def stop(self, deadlines: Deadlines) -> None:
        """Receive nothing any more."""
        deadlines.forget(self)
        self._reactor.removeReader(self)
        self._socket.close()

    def from_client(self, data: memoryview) -> None:
        """Pass on a datagram of the client."""
        self._moved()
        try:
            self._socket.send(data)
        except OSError as error:
            self._failed(error)
            return
        self.record.received += len(data)

    def _failed(self, error: OSError) -> None:
        """A datagram was dropped, as networks do, or the endpoint does not listen."""
        if error.errno in _UNSENT:
            self._owner.dropped()
        else:
            self._owner.refused(self)

    def _moved(self) -> None:
        self.deadline = self._time.now + self.patience

    def deadline_passed(self) -> None:
        """Timed."""
        self._owner.ended(self, RelayOutcome.OK, "")

    # IReadDescriptor: the endpoint's side.

    def doRead(self) -> None:
        """IReadDescriptor: pass on replies."""
        for _ in range(DATAGRAMS_PER_EVENT):
            try:
                size = self._socket.recv_into(BUFFER)
            except BlockingIOError:
                return
            except OSError as error:
                self._failed(error)
                return
            self._moved()
            self.record.sent += size
            if not self.has_reply:
                self.has_reply = True
                self._owner.replied(self)
            self._reply_socket.send_to(BUFFER[:size], self.key.address, self.key.local)

    def fileno(self) -> int:
        """IReadDescriptor."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """ILoggingContext."""
        return "UDPSession"

    def connectionLost(self, reason: Failure) -> None:
        """
        IReadDescriptor: the reactor gives up the socket.

        It does so for an error of the network as well, which the next read tells.
        """
        if reason.check(ConnectionDone, ConnectionLost) is None:
            self._owner.ended(self, RelayOutcome.CUT, "The session was cut.")
            return
        self.doRead()
        if self._socket.fileno() >= 0:
            self._reactor.addReader(self)
