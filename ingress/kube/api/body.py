"""
Bodies of requests, and of responses within a bounded size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from ingress.kube.api.errors import AnswerTooLarge


@implementer(IBodyProducer)
class BytesProducer:
    """A body in memory, which is written at once."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Write all of it (`IBodyProducer`)."""
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """It is written already (`IPushProducer`)."""

    def resumeProducing(self) -> None:
        """It is written already (`IPushProducer`)."""

    def stopProducing(self) -> None:
        """It is written already (`IProducer`)."""


def make_body_producer(body: bytes) -> BytesProducer:
    """Make a body producer for treq."""
    return BytesProducer(body)


class Collector:
    """
    Collects a body.

    :param limit: its largest size in bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def __repr__(self) -> str:
        return f"<Collector: {self._size} bytes>"

    def add(self, data: bytes) -> None:
        """Add a part. :raises AnswerTooLarge: if the body exceeds the limit."""
        self._size += len(data)
        if self._size > self._limit:
            raise AnswerTooLarge(f"an answer of more than {self._limit} bytes")
        self._parts.append(data)

    def whole(self) -> bytes:
        """The body so far."""
        return b"".join(self._parts)


async def receive_body(response: Any, receive: Callable[[bytes], None]) -> None:
    """
    Pass on each part of a body. Cancelling closes the connection.

    :param response: an `IResponse`.
    :param receive: an exception of it ends the connection, and is raised here.
    :return: when the whole body has arrived, with a visible end.
    :raises Exception: Twisted's reason if it has not.
    """
    receiver = _Receiver(receive)
    response.deliverBody(receiver)
    await receiver.ended


class _Receiver(Protocol):
    def __init__(self, receive: Callable[[bytes], None]) -> None:
        self.ended: Deferred[None] = Deferred(self._cancel)
        self._receive = receive
        self._has_ended = False

    def dataReceived(self, data: bytes) -> None:
        """Some of the body (`IProtocol`)."""
        if self._has_ended:
            return
        try:
            self._receive(data)
        except Exception:
            self._has_ended = True
            self._close()
            self.ended.errback(Failure())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The body has ended, complete or not (`IProtocol`)."""
        if self._has_ended:
            return
        self._has_ended = True
        if reason.check(ResponseDone):
            self.ended.callback(None)
        else:
            self.ended.errback(reason)

    def _cancel(self, _: Deferred[None]) -> None:
        self._has_ended = True
        self._close()

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()
