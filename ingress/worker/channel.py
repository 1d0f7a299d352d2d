"""
One end of the socket between the control plane and a worker.

A message is made when the one before it has been sent. The sources bound what waits,
however long the other end reads nothing.
"""

from __future__ import annotations

import json
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IPullProducer
from twisted.internet.protocol import Factory
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from ingress.worker.message import Kind, Message, Receive, Source

MAX_MESSAGE = 1 << 30
"""Bytes of a message; only our own processes write here."""

_LENGTH = struct.Struct("!I")
"""The prefix that `Int32StringReceiver` writes before each message."""


class Channel(Int32StringReceiver):
    """
    :param receive: takes each received message.
    :param lost: called when the other end is gone.
    :param sources: of the messages to send; earlier sources take precedence.
    """

    MAX_LENGTH = MAX_MESSAGE

    def __init__(
        self, receive: Receive, lost: Callable[[], None], sources: Sequence[Source]
    ) -> None:
        self._receive = receive
        self._lost = lost
        self._sources = tuple(sources)
        self.transport: Any = None
        self._is_idle = False
        self._is_open = False
        self._flushed: Callable[[], None] | None = None

    def __repr__(self) -> str:
        return f"<Channel: {'open' if self._is_open else 'closed'}>"

    def wake(self) -> None:
        """Send, after a source got something to send."""
        if self._is_open and self._is_idle:
            self._send_next()

    def flush(self, flushed: Callable[[], None]) -> None:
        """
        Send everything that the sources have now.

        :param flushed: called once everything is sent.
        """
        self._flushed = flushed
        if self._is_idle or not self._is_open:
            self._is_idle = False
            self._send_next()

    def close(self) -> None:
        """Stop sending, and close this end."""
        if self._is_open:
            self._is_open = False
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def connectionMade(self) -> None:
        """IProtocol."""
        self._is_open = True
        self.transport.registerProducer(_Pull(self._send_next), False)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """IProtocol."""
        self._is_open = False
        self._lost()

    def stringReceived(self, string: bytes) -> None:
        """Int32StringReceiver."""
        self._receive(Kind(string[0]), string[1:])

    def _send_next(self) -> None:
        message = self._next() if self._is_open else None
        self._is_idle = message is None
        if message is not None:
            kind, content = message
            self.sendString(bytes((kind,)) + content)  # type: ignore[no-untyped-call]
        elif self._flushed is not None:
            flushed, self._flushed = self._flushed, None
            flushed()

    def _next(self) -> Message | None:
        for source in self._sources:
            message = source.take()
            if message is not None:
                return message
        return None


@implementer(IPullProducer)
class _Pull:
    """Calls a function when everything written has been sent."""

    def __init__(self, send_next: Callable[[], None]) -> None:
        self._send_next = send_next

    def resumeProducing(self) -> None:
        """IPullProducer."""
        self._send_next()

    def stopProducing(self) -> None:
        """IPullProducer: the other end is gone; `Channel.connectionLost` follows."""


class Queue:
    """A `Source` of single, infrequent messages."""

    def __init__(self) -> None:
        self._waiting: deque[Message] = deque()

    def put(self, kind: Kind, value: Any = None) -> None:
        """
        Append a message.

        :param value: becomes JSON; None becomes an empty message.
        """
        self.put_content(kind, b"" if value is None else json.dumps(value).encode())

    def put_content(self, kind: Kind, content: bytes) -> None:
        """Append a message with this content."""
        self._waiting.append((kind, content))

    def take(self) -> Message | None:
        """Source."""
        return self._waiting.popleft() if self._waiting else None


def adopt(reactor: Any, end: socket.socket, channel: Channel) -> None:
    """
    Open a channel on one end of a pair of sockets.

    :param end: is copied; the caller closes it.
    """
    factory = Factory.forProtocol(lambda: channel)
    factory.noisy = False
    end.setblocking(False)
    reactor.adoptStreamConnection(end.fileno(), socket.AF_UNIX, factory)


def send_now(end: socket.socket, source: Source) -> None:
    """Send what a source has without a reactor, as far as the other end reads it."""
    end.setblocking(False)
    with suppress(OSError):
        while (message := source.take()) is not None:
            content = bytes((message[0],)) + message[1]
            end.sendall(_LENGTH.pack(len(content)) + content)
