"""
What both sides of the data path are to their transports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import classImplements

if TYPE_CHECKING:
    from twisted.internet.tcp import Connection


class StreamProtocol:
    """
    What a protocol has of `twisted.internet.protocol.Protocol`, and answers to what needs none.

    Not a subclass of it, nor decorated with its interfaces: such a class would be none that is
    compiled (docs/adr/0021-compiled-modules.md).
    """

    transport: Connection
    _unsent = 0
    """What waited to be sent when `has_peer_read` was asked."""

    def has_peer_read(self) -> bool:
        """
        Whether the peer has taken some of what waits to be sent since this was asked last, and
        more waits: it is slow then, but at it.
        """
        before: int = self._unsent
        self._unsent = self.transport.unsent  # type: ignore[attr-defined]
        return 0 < self._unsent < before

    def makeConnection(self, transport: Any) -> None:
        """IProtocol."""
        self.transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        """IProtocol."""

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """IProtocol."""

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol: the peer sends no more."""

    def writeConnectionLost(self) -> None:
        """IHalfCloseableProtocol: what asked the transport for that knows it."""

    def pauseProducing(self) -> None:
        """IPushProducer: the transport's own buffer is full."""

    def resumeProducing(self) -> None:
        """IPushProducer: it is empty again."""

    def stopProducing(self) -> None:
        """IPushProducer: the connection is lost, which `connectionLost` handles."""


classImplements(StreamProtocol, IProtocol, IPushProducer, IHalfCloseableProtocol)
