"""
Stream sockets in memory, and a reactor that serves them.

The transports of the proxy run on these unchanged, so producers, half-closed and
aborted connections behave in a test as they do in Twisted. The sockets are as
unforgiving as a network: buffers are finite, a socket that is closed with unread
input resets its peer, and a reset destroys data that the peer has not read yet
(RFC 9112 section 9.6).
"""

from __future__ import annotations

import socket

from twisted.internet.main import CONNECTION_LOST
from twisted.internet.posixbase import _DisconnectSelectableMixin
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import Logger

CAPACITY = 64 * 1024
"""The bytes that a connection holds in one direction."""

MAX_TURNS = 100_000
"""The number of turns after which the reactor must be in an endless loop."""


class MemorySocket:
    """One end of a connection; non-blocking."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.peer = self
        self.is_closed = False
        self.has_ended = False
        """Whether the peer will send no more."""

        self.is_reset = False
        self._arrived = bytearray()
        self._capacity = capacity
        self._resets_on_close = False

    @property
    def room(self) -> int:
        """Return how many bytes the peer can still send before something is read here."""
        return self._capacity - len(self._arrived)

    @property
    def is_readable(self) -> bool:
        return bool(self._arrived) or self.has_ended or self.is_reset

    @property
    def is_writable(self) -> bool:
        return self.is_reset or self.peer.is_closed or self.peer.room > 0

    def send(self, data: bytes | memoryview) -> int:
        if self.is_reset or self.is_closed:
            raise BrokenPipeError
        if self.peer.is_closed:
            self._reset()
            return len(data)
        taken = bytes(data[: self.peer.room])
        if not taken:
            raise BlockingIOError
        self.peer._arrived += taken
        return len(taken)

    def recv(self, size: int) -> bytes:
        if self.is_reset:
            raise ConnectionResetError
        if not self._arrived:
            if self.has_ended:
                return b""
            raise BlockingIOError
        data = bytes(self._arrived[:size])
        del self._arrived[:size]
        return data

    def recv_into(self, buffer: memoryview, size: int) -> int:
        data = self.recv(size)
        buffer[: len(data)] = data
        return len(data)

    def setsockopt(self, level: int, name: int, value: bytes | int) -> None:
        if (level, name) == (socket.SOL_SOCKET, socket.SO_LINGER):
            self._resets_on_close = True

    def shutdown(self, how: int) -> None:
        self.peer.has_ended = True

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            if self._arrived or self._resets_on_close:
                self.peer._reset()
            self.peer.has_ended = True

    def setblocking(self, flag: bool) -> None:
        """Do nothing: the socket never blocks."""

    def fileno(self) -> int:
        return -1 if self.is_closed else 0

    def _reset(self) -> None:
        self.is_reset = True
        self._arrived.clear()


def connected_sockets(capacity: int = CAPACITY) -> tuple[MemorySocket, MemorySocket]:
    """Make both ends of a new connection."""
    one, other = MemorySocket(capacity), MemorySocket(capacity)
    one.peer, other.peer = other, one
    return one, other


class MemoryNetwork(MemoryReactorClock, _DisconnectSelectableMixin):
    """A reactor that serves its sockets when `settle` is called."""

    log = Logger()

    def settle(self) -> None:
        """Serve every socket until nothing moves."""
        for _ in range(MAX_TURNS):
            self.advance(0)
            if not self._serve_readers() | self._serve_writers():
                return
        raise AssertionError("the sockets never come to rest")

    def _serve_readers(self) -> bool:
        ready = [t for t in self.readers if t.socket.is_readable]
        for transport in ready:
            if transport in self.readers:
                self._serve(transport, is_read=True)
        return bool(ready)

    def _serve_writers(self) -> bool:
        ready = [t for t in self.writers if t.socket.is_writable]
        for transport in ready:
            if transport in self.writers:
                self._serve(transport, is_read=False)
        return bool(ready)

    def _serve(self, transport: Connection, *, is_read: bool) -> None:
        # This follows `_PollLikeMixin._doReadOrWrite`.
        try:
            why = transport.doRead() if is_read else transport.doWrite()
        except Exception:
            self.log.failure("{transport} failed", transport=transport)
            why = CONNECTION_LOST
        if why:
            self._disconnectSelectable(transport, why, is_read)
