"""
The seam between transports and protocols: bases of both, which compiled code calls natively.

A class of Twisted cannot be a base of a compiled class (docs/adr/0021-compiled-modules.md). So
these have no bases, and say by `classImplements` which interfaces they have.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mypy_extensions import mypyc_attr, trait
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IProtocol,
    IPushProducer,
    ITransport,
)
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import classImplements


@mypyc_attr(allow_interpreted_subclasses=True)
class StreamTransport:
    """
    What a `StreamProtocol` may ask of its transport.

    :ivar protocol: gets what comes; it may be replaced by another one that is then connected.
        None before there is one, and after the end.
    :ivar unsent: how many written bytes the socket has not accepted yet.
    :ivar negotiated_protocol: what ALPN has agreed on; None without TLS, before the handshake,
        or where nothing was agreed on.
    """

    protocol: Any
    unsent: int
    negotiated_protocol: bytes | None

    def write(self, data: bytes) -> None:
        """ITransport."""
        raise NotImplementedError

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """ITransport."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """ITransport: close once everything written has been sent."""
        raise NotImplementedError

    def loseWriteConnection(self) -> None:
        """ITCPTransport: end our side once everything written has been sent."""
        raise NotImplementedError

    def abortConnection(self) -> None:
        """ITCPTransport: close at once, and forget what was written."""
        raise NotImplementedError

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """IConsumer."""
        raise NotImplementedError

    def unregisterProducer(self) -> None:
        """IConsumer."""
        raise NotImplementedError

    def pauseProducing(self) -> None:
        """IPushProducer: read no more for now."""
        raise NotImplementedError

    def resumeProducing(self) -> None:
        """IPushProducer: go on reading."""
        raise NotImplementedError

    def stopProducing(self) -> None:
        """IPushProducer."""
        self.loseConnection()

    def getPeer(self) -> Any:
        """ITransport: the address of the peer."""
        raise NotImplementedError

    def getHost(self) -> Any:
        """ITransport: our own address."""
        raise NotImplementedError

    def has_input(self) -> bool:
        """Return whether there is data, or an end, that the reactor has not reported yet."""
        raise NotImplementedError


classImplements(StreamTransport, ITransport, IConsumer, IPushProducer)


@mypyc_attr(allow_interpreted_subclasses=True)
class TransportOwner:
    """Whoever has made a transport, and wants to know what becomes of it."""

    def transport_ready(self, transport: Any) -> None:
        """
        There can be a protocol.

        :param transport: a `SocketTransport` without one, which `SocketTransport.start` gives it.
        """

    def transport_lost(self, transport: Any, reason: Failure) -> None:
        """
        It is closed; its protocol, if it has one, learns of it after this.

        :param transport: a `SocketTransport`.
        """


@trait
class StreamProtocol:
    """
    The part of `twisted.internet.protocol.Protocol` that most need, doing nothing.

    It is a trait, because a protocol may have another compiled class as its base.
    """

    transport: StreamTransport
    _unsent: int
    """Bytes that waited to be sent when `has_peer_read` was last called."""

    def has_peer_read(self) -> bool:
        """
        Return whether the peer has taken some of the waiting output since the last call, and more
        is waiting. Such a peer is slow, but it reads.
        """
        before: int = self._unsent
        self._unsent = self.transport.unsent
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
