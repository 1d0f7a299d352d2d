"""
A connection without a socket: what is written to it is kept, and nothing comes by itself.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.protocol import connectionDone

from ingress.transports.stream import StreamProtocol, StreamTransport


class MemoryTransport(StreamTransport):
    """
    One end of such a connection, made by `connect`.

    :ivar written: what the protocol has written.
    :param negotiated: what ALPN has agreed on; None for a connection in the clear.
    :ivar protocol: the protocol, which may give its place to another one; None after the end.
    :ivar unsent: bytes that wait to be sent: none, because all that is written is taken.
    """

    protocol: StreamProtocol | None

    def __init__(self, negotiated: bytes | None = None) -> None:
        self.unsent = 0
        self.written = bytearray()
        self.negotiated_protocol = negotiated
        self.protocol = None

    def __repr__(self) -> str:
        return f"<MemoryTransport of {self.protocol}, {len(self.written)} bytes written>"

    def connect(self, protocol: StreamProtocol) -> None:
        """Become the transport of a protocol."""
        self.protocol = protocol
        protocol.makeConnection(self)

    def has_input(self) -> bool:
        """:return: False: the protocol has been given all that there is."""
        return False

    def write(self, data: bytes) -> None:
        """ITransport."""
        self.written += data

    def loseConnection(self) -> None:
        """ITransport."""
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.connectionLost(connectionDone)

    def abortConnection(self) -> None:
        """ITCPTransport."""
        self.loseConnection()

    def loseWriteConnection(self) -> None:
        """IHalfCloseableDescriptor: nobody reads."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """ITCPTransport: there are no segments."""

    def getPeer(self) -> IPv4Address:
        """ITransport."""
        return IPv4Address("TCP", "", 0)

    getHost = getPeer

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """IConsumer: it is never asked to pause."""

    def unregisterProducer(self) -> None:
        """IConsumer."""

    def pauseProducing(self) -> None:
        """IPushProducer: nothing comes by itself."""

    def resumeProducing(self) -> None:
        """IPushProducer."""
