"""
Protocols that record what a transport tells them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer


@implementer(IPushProducer)
class RecordingProtocol(Protocol):
    """
    :ivar received: all data so far.
    :ivar chunks: how much each `dataReceived` brought.
    :ivar lost: the class of the reason that `connectionLost` had; None before.
    :ivar calls: what it was told as a producer.
    :ivar on_data: called with the protocol after each piece of data.
    """

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.chunks: list[int] = []
        self.lost: type[BaseException] | None = None
        self.calls: list[str] = []
        self.on_data: Callable[[RecordingProtocol], object] = lambda protocol: None

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.chunks.append(len(data))
        self.on_data(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        assert self.lost is None, "lost twice"
        self.lost = reason.type

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


@implementer(IHalfCloseableProtocol)
class HalfCloseableRecordingProtocol(RecordingProtocol):
    """The same, and it goes on when one side ends; `calls` says which."""

    def readConnectionLost(self) -> None:
        self.calls.append("read lost")

    def writeConnectionLost(self) -> None:
        self.calls.append("write lost")


@implementer(IHandshakeListener)
class HandshakeRecordingProtocol(RecordingProtocol):
    """The same, and `calls` says when the handshake was done."""

    def handshakeCompleted(self) -> None:
        self.calls.append(f"handshake after {len(self.received)} bytes")
