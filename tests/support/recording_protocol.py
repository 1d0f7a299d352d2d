"""
Protocols that record the calls of a transport.
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
    :ivar chunks: the size of the data of each `dataReceived`.
    :ivar lost: the class of the reason of `connectionLost`; None before.
    :ivar calls: the calls that it received as a producer.
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
    """Continues when one side ends, and records in `calls` which side it was."""

    def readConnectionLost(self) -> None:
        self.calls.append("read lost")

    def writeConnectionLost(self) -> None:
        self.calls.append("write lost")


@implementer(IHandshakeListener)
class HandshakeRecordingProtocol(RecordingProtocol):
    """Records the end of the handshake in `calls`, too."""

    def handshakeCompleted(self) -> None:
        self.calls.append(f"handshake after {len(self.received)} bytes")
