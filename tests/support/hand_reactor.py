"""
A reactor that a test drives by hand, for transports on real sockets.

It provides only what `IReactorFDSet` and `IReactorTime` promise, so that code that
works with it works with every reactor that watches descriptors.
"""

from __future__ import annotations

import select
import socket
import struct
import time
import weakref
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableDescriptor, IReactorFDSet
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

PATIENCE = 60.0
"""Seconds for the kernel to carry data from one end to the other."""


@implementer(IReactorFDSet)
class HandReactor(Clock):
    """
    :ivar readers: the objects that wait for their sockets to become readable.
    :ivar writers: the objects that wait for their sockets to become writable.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()

    def addReader(self, reader: Any) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.discard(reader)

    def addWriter(self, writer: Any) -> None:
        self.writers.add(writer)

    def removeWriter(self, writer: Any) -> None:
        self.writers.discard(writer)

    def removeAll(self) -> list[Any]:
        everything = list(self.readers | self.writers)
        self.readers.clear()
        self.writers.clear()
        return everything

    def getReaders(self) -> list[Any]:
        return list(self.readers)

    def getWriters(self) -> list[Any]:
        return list(self.writers)

    def turn(self, times: int = 1) -> None:
        """Let ready objects read, then write, and run the calls that are due."""
        for _ in range(times):
            readable, _, _ = select.select(list(self.readers), [], [], 0)
            for each in readable:
                if each in self.readers:
                    self._call(each, each.doRead, is_read=True)
            _, writable, _ = select.select([], list(self.writers), [], 0)
            for each in writable:
                if each in self.writers:
                    self._call(each, each.doWrite, is_read=False)
            self.advance(0)

    def turn_until(self, condition: Callable[[], object], *peers: socket.socket) -> None:
        """
        Turn until a condition holds.

        :param peers: the test's own ends, to wait for as well.
        :raises AssertionError: if the condition does not hold within `PATIENCE`.
        """
        end = time.monotonic() + PATIENCE
        while not condition():
            self.turn()
            if condition():
                return
            assert time.monotonic() < end, "it does not happen"
            select.select([*peers, *self.readers], list(self.writers), [], PATIENCE)

    def _call(self, transport: Any, method: Any, is_read: bool) -> None:
        """Treat the end of a connection as `twisted.internet.posixbase` does."""
        why = method()
        if why is None:
            return
        self.removeReader(transport)
        if (
            is_read
            and isinstance(why, ConnectionDone)
            and IHalfCloseableDescriptor.providedBy(transport)
        ):
            transport.readConnectionLost(Failure(why))
        else:
            self.removeWriter(transport)
            transport.connectionLost(Failure(why))


class Trace:
    """Is as the address of a peer what only its transport refers to."""


def trace(transport: Any) -> weakref.ref[Any]:
    """Return what is dead once a transport is freed; compiled ones allow no weak reference."""
    transport.peer = Trace()
    return weakref.ref(transport.peer)


def tcp_pair(buffer_size: int | None = None) -> tuple[socket.socket, socket.socket]:
    """
    Make both ends of a TCP connection on loopback.

    :param buffer_size: the size of both ends' kernel buffers, in bytes; the system's if None.
    """
    with socket.socket() as listening:
        if buffer_size is not None:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_size)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_size)
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        near = socket.socket()
        if buffer_size is not None:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_size)
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_size)
        near.connect(listening.getsockname())
        far, _ = listening.accept()
    for one in near, far:
        # As a port has it: else a small segment may wait for the peer's acknowledgement.
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


def reset(sock: socket.socket) -> None:
    """Close it so that its peer sees a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
