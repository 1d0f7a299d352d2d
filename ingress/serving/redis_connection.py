"""
A connection to a server that speaks the protocol of Redis, with commands in flight.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, Final, cast

import hiredis
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed, ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.config.limit_store import LimitStore

MOST_UNREAD: Final = 64 * 1024
"""
Bytes of a reply that is not whole. What is asked for has some hundred bytes at most: this leaves
room for long errors.
"""

_TOO_MUCH: Final = re.compile(rb"[*$%~>|=!][0-9]{5}")
"""
The head of a list or text of 10,000 and more: hiredis makes a list of the announced size at once.
"""

_HEAD_LENGTH: Final = 8
"""Bytes that may have come before of what `_TOO_MUCH` looks for."""

Part = bytes | str | int
"""A part of a command."""


class RedisConnection(Protocol):
    """
    Sends commands without waiting for the replies to earlier ones, which come in their order.

    :param store: has the credentials.
    :param is_over: called when the connection is lost.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(self, store: LimitStore, is_over: Callable[[], None]) -> None:
        self._store = store
        self._is_over = is_over
        self._reader = hiredis.Reader()
        self._waiting: deque[Deferred[Any]] = deque()
        self._last = b""
        """The last bytes that have come."""

        self.reply_count = 0
        """Replies so far."""

    def __repr__(self) -> str:
        return f"<RedisConnection to {self._store}, {len(self._waiting)} in flight>"

    @property
    def owed(self) -> int:
        """How many replies have yet to come, of which nobody may be waiting for any."""
        return len(self._waiting)

    def greet(self) -> Deferred[None]:
        """
        Say who we are, and choose the database.

        :return: fails with `hiredis.ReplyError` if the server refuses.
        """
        return Deferred.fromCoroutine(self._greet())

    async def _greet(self) -> None:
        store = self._store
        if store.password:
            user = (store.user,) if store.user else ()
            await self.send("AUTH", *user, store.password)
        if store.database:
            await self.send("SELECT", store.database)
        await self.send("PING")

    def send(self, *command: Part) -> Deferred[Any]:
        """
        :return: fires with the reply; fails with `hiredis.ReplyError` for an error of the server,
            and with an error of the connection if it is lost before.
        """
        reply: Deferred[Any] = Deferred(_ignore)
        if self.transport is None or not self.connected:
            reply.errback(ConnectionDone())
            return reply
        self._waiting.append(reply)
        self.transport.write(hiredis.pack_command(cast(Any, command)))
        return reply

    def abort(self) -> None:
        """Close the connection at once."""
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        last = self._last + data
        self._last = last[-_HEAD_LENGTH:]
        if _TOO_MUCH.search(last) or not self._read(data):
            self.log.warn("The store of limits sent what it was not asked for")
            self.abort()

    def _read(self, data: bytes) -> bool:
        """Take the replies that are whole; return whether the rest can be the next ones."""
        reader = self._reader
        reader.feed(data)
        try:
            while self._waiting and (reply := reader.gets()) is not False:
                self._take(reply)
        except hiredis.ProtocolError:
            return False
        return reader.len() <= MOST_UNREAD if self._waiting else not reader.has_data()

    def _take(self, reply: Any) -> None:
        self.reply_count += 1
        waiting = self._waiting.popleft()
        if waiting.called:
            return
        if isinstance(reply, hiredis.ReplyError):
            waiting.errback(reply)
        else:
            waiting.callback(reply)

    def connectionLost(self, reason: Failure = Failure(ConnectionClosed())) -> None:  # noqa: B008
        """IProtocol."""
        waiting, self._waiting = self._waiting, deque()
        for each in waiting:
            if not each.called:
                each.errback(reason)
        self._is_over()


def _ignore(deferred: Deferred[Any]) -> None:
    """A command cannot be taken back; its reply is read and dropped."""
