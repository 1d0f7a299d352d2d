"""
A name server on the loopback interface, over UDP and TCP on one port.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.names import common, dns, error
from twisted.names.server import DNSServerFactory

LOOPBACK = "127.0.0.1"


class _Records(common.ResolverBase):
    """The records by name and type; an error in place of records is the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[tuple[str, int], list[dns.RRHeader] | Exception] = {}
        self.asked: list[str] = []

    def _lookup(self, name: bytes, cls: int, type: int, timeout: object) -> Deferred[Any]:
        text = name.decode().lower()
        self.asked.append(text)
        found = self.known.get((text, type))
        if isinstance(found, Exception):
            return fail(found)
        if found is None and all(text != known for known, _ in self.known):
            return fail(error.DNSNameError())
        return succeed((found or [], [], []))


class _Factory(DNSServerFactory):
    noisy = False

    def gotResolverError(self, failure: Any, protocol: Any, message: Any, address: Any) -> None:
        """DNSServerFactory, which itself knows only two error codes."""
        codes = {error.DNSNameError: dns.ENAME, error.DNSQueryRefusedError: dns.EREFUSED}
        message.answer = 1
        message.rCode = codes.get(failure.type, dns.ESERVER)
        self.sendReply(protocol, message, address)


class _UDPProtocol(dns.DNSDatagramProtocol):
    noisy = False


class NameServer:
    """
    :ivar port: the port for UDP and TCP.
    :ivar is_silent: whether it does not answer over UDP.
    """

    def __init__(self, reactor: Any) -> None:
        self._records = _Records()
        self._factory = _Factory(clients=[self._records])
        self.is_silent = False
        self.port, self._ports = self._listen(reactor)

    def _listen(self, reactor: Any) -> tuple[int, list[Any]]:
        while True:
            protocol = _UDPProtocol(self, reactor=reactor)
            udp = reactor.listenUDP(0, protocol, interface=LOOPBACK)
            port = udp.getHost().port
            try:
                return port, [udp, reactor.listenTCP(port, self._factory, interface=LOOPBACK)]
            except CannotListenError:
                udp.stopListening()

    @property
    def asked(self) -> list[str]:
        """List the names in all queries, of any type."""
        return self._records.asked

    def put(self, name: str, *addresses: str, ttl: int = 60) -> None:
        """Set the IPv4 addresses of a name."""
        payloads = [dns.Record_A(address, ttl) for address in addresses]
        self._records.known[name, dns.A] = [
            dns.RRHeader(name, dns.A, ttl=ttl, payload=payload) for payload in payloads
        ]

    def fail(self, name: str, wrong: Exception) -> None:
        """Answer queries for a name with an error."""
        for record_type in (dns.A, dns.AAAA):
            self._records.known[name, record_type] = wrong

    def forget(self, name: str) -> None:
        """Remove a name."""
        for record_type in (dns.A, dns.AAAA):
            self._records.known.pop((name, record_type), None)

    def stop(self) -> Deferred[Any]:
        """Stop listening."""
        self._ports[1].stopListening()
        stopped: Deferred[Any] = self._ports[0].stopListening()
        return stopped

    # Called by twisted.names on the owner of the protocol.

    def messageReceived(self, message: Any, protocol: Any, address: Any = None) -> None:
        """Answer a query over UDP."""
        if not self.is_silent:
            self._factory.messageReceived(message, protocol, address)
