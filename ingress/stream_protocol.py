"""
The protocol that transports see on both sides of the data path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mypy_extensions import trait
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import classImplements

if TYPE_CHECKING:
    from twisted.internet.tcp import Connection


@trait
class StreamProtocol:
    """
    The part of `twisted.internet.protocol.Protocol` that both sides need, doing nothing.

    It is neither a subclass of Protocol nor decorated with its interfaces: mypyc could not
    compile such a class (docs/adr/0021-compiled-modules.md). It is a trait, because the base
    class of both sides is a seam.
    """

    transport: Connection
    _unsent: int
    """Bytes that waited to be sent when `has_peer_read` was last called."""

    def has_peer_read(self) -> bool:
        """
        Return whether the peer has taken some of the waiting output since the last call, and more
        is waiting. Such a peer is slow, but it reads.
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
        """IHalfCloseableProtocol: nothing to do, because we asked the transport for it."""

    def pauseProducing(self) -> None:
        """IPushProducer: the transport's buffer is full."""

    def resumeProducing(self) -> None:
        """IPushProducer: the transport's buffer is empty again."""

    def stopProducing(self) -> None:
        """IPushProducer: the connection is lost, which `connectionLost` handles."""


classImplements(StreamProtocol, IProtocol, IPushProducer, IHalfCloseableProtocol)
