"""
Asks name servers one question: over UDP, and over TCP if the answer is too long.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError, ConnectionLost
from twisted.internet.interfaces import IReadDescriptor
from twisted.names import dns
from twisted.python.failure import Failure
from zope.interface import implementer

from ingress.dns.errors import LookupFailed

PORT: Final = 53

MAX_DATAGRAM: Final = 65535
"""Bytes; most servers send answers of more than 512 bytes over TCP."""

_CODES: Final = {
    dns.EFORMAT: "does not understand the question (FORMERR)",
    dns.ESERVER: "fails (SERVFAIL)",
    dns.ENOTIMP: "does not support the question (NOTIMP)",
    dns.EREFUSED: "refuses to answer (REFUSED)",
}


class DNSClient:
    """
    Asks several name servers in turn.

    :param reactor: for sockets and time.
    :param servers: IP addresses and ports, in the order of use.
    :param timeout: seconds for each of them.
    :param attempts: how often all of them are asked.
    :param random: makes the ids of questions; pass the system's, which cannot be guessed.
    """

    def __init__(
        self,
        reactor: Any,
        servers: Sequence[tuple[str, int]],
        timeout: float,
        attempts: int,
        random: Random,
    ) -> None:
        self._reactor = reactor
        self._random = random
        self._servers = tuple(servers)
        self._timeout = timeout
        self._attempts = attempts

    def __repr__(self) -> str:
        return f"<DNSClient of {', '.join(host for host, _ in self._servers)}>"

    async def ask(self, name: str, record_type: int) -> dns.Message:
        """
        :param name: a complete name, without a dot at its end.
        :return: the answer, also a negative one: its code is OK or ENAME.
        :raises LookupFailed: if no server gives either.
        """
        why = "no name server is configured"
        query = dns.Query(name.encode("ascii"), record_type, dns.IN)
        for _ in range(self._attempts):
            for server in self._servers:
                try:
                    message = await self._ask_one(server, query)
                except TimeoutError:
                    why = f"name server {server[0]} does not answer"
                except (ConnectError, ConnectionLost, OSError) as error:
                    why = f"name server {server[0]} cannot be reached: {error}"
                else:
                    if message.rCode in (dns.OK, dns.ENAME):
                        return message
                    said = _CODES.get(message.rCode, f"answers with code {message.rCode}")
                    why = f"name server {server[0]} {said}"
        raise LookupFailed(why)

    async def _ask_one(self, server: tuple[str, int], query: dns.Query) -> dns.Message:
        message = await self._ask_udp(server, query)
        return await self._ask_tcp(server, query) if message.trunc else message

    async def _ask_udp(self, server: tuple[str, int], query: dns.Query) -> dns.Message:
        question = _Question(self._reactor, query, self._random.getrandbits(16))
        try:
            question.send(server)
            question.answered.addTimeout(self._timeout, self._reactor)
            return await question.answered
        finally:
            question.close()

    async def _ask_tcp(self, server: tuple[str, int], query: dns.Query) -> dns.Message:
        make = TCP6ClientEndpoint if ":" in server[0] else TCP4ClientEndpoint
        endpoint = make(self._reactor, *server, timeout=self._timeout)
        protocol: Any = await connectProtocol(
            endpoint, dns.DNSProtocol(_Controller(), reactor=self._reactor)
        )
        try:
            message: dns.Message = await protocol.query([query], timeout=self._timeout)
            return message
        finally:
            protocol.transport.abortConnection()


class _Controller:
    """Ignores the events of twisted.names."""

    def connectionMade(self, protocol: object) -> None:
        """A TCP connection was opened."""

    def connectionLost(self, protocol: object) -> None:
        """A TCP connection was closed."""

    def messageReceived(
        self, message: dns.Message, protocol: object, address: object = None
    ) -> None:
        """An answer without a question has come."""


@implementer(IReadDescriptor)
class _Question:
    """
    One question over UDP, on a socket of its own, so that a forged answer has to guess its port
    beside the id. (Twisted's UDP ports log a line each, and hide ICMP errors.)

    :param reactor: an `IReactorFDSet`.
    :param identity: the id that the answer must have.
    """

    def __init__(self, reactor: Any, query: dns.Query, identity: int) -> None:
        self.answered: Deferred[dns.Message] = Deferred()
        self._reactor = reactor
        self._query = query
        self._message = dns.Message(id=identity, recDes=1)
        self._message.queries = [query]
        self._socket: socket.socket | None = None

    def __repr__(self) -> str:
        return f"<_Question {self._query}>"

    def send(self, server: tuple[str, int]) -> None:
        """Send the question. :raises OSError: if there is no route to the server."""
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        # The kernel then drops datagrams of other senders.
        self._socket.connect(server)
        self._socket.send(self._message.toStr())
        self._reactor.addReader(self)

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._reactor.removeReader(self)
            self._socket.close()

    # IReadDescriptor.

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        """The name in the log."""
        return "DNS"

    def doRead(self) -> None:
        """Read a datagram; anything but an answer to the question is ignored."""
        assert self._socket is not None
        try:
            datagram = self._socket.recv(MAX_DATAGRAM)
        except BlockingIOError:
            return
        except OSError:
            self._fail(Failure())
            return
        message = dns.Message()
        try:
            message.fromStr(datagram)
        except (EOFError, ValueError, struct.error):
            return
        is_ours = message.answer and message.id == self._message.id
        if is_ours and message.queries == [self._query] and not self.answered.called:
            self.answered.callback(message)

    def connectionLost(self, reason: Failure) -> None:
        """The kernel reports an error, such as an unreachable port."""
        assert self._socket is not None
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._fail(Failure(OSError(code, os.strerror(code)) if code else reason.value))

    def _fail(self, failure: Failure) -> None:
        if not self.answered.called:
            self.answered.errback(failure)
