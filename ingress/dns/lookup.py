"""
Resolves a name as the system would, but without blocking, and with the TTL.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from socket import AF_INET6, inet_ntop
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.names import dns

from ingress.address import IPV4_SIZE, pack_address
from ingress.dns.client import PORT, DNSClient
from ingress.dns.errors import LookupFailed, NoAddress
from ingress.dns.resolv_conf import ResolvConf
from ingress.dns.system_files import SystemConfig

MIN_TTL: Final = 1.0
MAX_TTL: Final = 300.0
"""
Seconds. A TTL of zero would cause a question for each request; with a TTL of a day, a changed
address would not be noticed for a day.
"""

HOSTS_TTL: Final = 60.0
"""The TTL of names in the hosts file, in seconds."""

NEGATIVE_TTL: Final = 5.0
"""The TTL of a negative answer that names none, in seconds."""

MAX_ALIASES: Final = 8
"""The longest chain of CNAMEs."""

MAX_ADDRESSES: Final = 64
"""Addresses of one name; more are left out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The addresses of a name."""

    addresses: tuple[str, ...]
    """Of one family, sorted, each once; never empty."""

    ttl: float
    """Seconds after which to resolve again, between `MIN_TTL` and `MAX_TTL`."""


class Asker(Protocol):
    """Asks a question, as a `DNSClient` does."""

    async def ask(self, name: str, record_type: int) -> dns.Message:
        """Ask one question."""


class Lookup:
    """
    Resolves names by the system's configuration.

    :param current: returns the system's configuration.
    :param make_client: makes a client of that configuration.
    :param can_reach: whether there is a route to an address.
    """

    def __init__(
        self,
        current: Callable[[], Awaitable[SystemConfig]],
        make_client: Callable[[ResolvConf], Asker],
        can_reach: Callable[[str], bool],
    ) -> None:
        self._current = current
        self._make_client = make_client
        self._can_reach = can_reach

    def __repr__(self) -> str:
        return f"<Lookup by {self._make_client}>"

    async def __call__(self, name: str) -> Answer:
        """
        :param name: in lower case; a dot at its end marks a complete name.
        :raises NoAddress: if the name does not exist, or has no address.
        :raises LookupFailed: if no name server answers.
        """
        config = await self._current()
        listed = config.hosts.addresses.get(name.removesuffix("."))
        if listed:
            return Answer(self._chosen(listed), HOSTS_TTL)
        client = self._make_client(config.resolv_conf)
        last = NoAddress("the name does not exist", NEGATIVE_TTL)
        for candidate in config.resolv_conf.candidates(name):
            try:
                return await self._resolve(client, candidate)
            except NoAddress as error:
                last = error
        raise last

    async def _resolve(self, client: Asker, name: str) -> Answer:
        """Resolve a complete name."""
        asking = [
            Deferred.fromCoroutine(resolve_type(client, name, record_type))
            for record_type in (dns.A, dns.AAAA)
        ]
        found: list[Records] = []
        failure: LookupFailed | None = None
        for each in asking:
            try:
                found.append(await each)
            except LookupFailed as error:
                failure = error
        addresses = [address for records in found for address in records.addresses]
        if not addresses:
            if failure is not None:
                raise failure
            raise NoAddress(
                "the name exists without one"
                if any(each.exists for each in found)
                else "the name does not exist",
                min(max(MIN_TTL, min(each.ttl for each in found)), MAX_TTL),
            )
        ttl = min(each.ttl for each in found if each.addresses)
        return Answer(self._chosen(addresses), _bounded(ttl))

    def _chosen(self, addresses: Sequence[str]) -> tuple[str, ...]:
        """
        Choose one family, so that each host behind the name gets one share.

        IPv4 if there is a route, else IPv6 if there is one.
        """
        families: tuple[list[str], list[str]] = ([], [])
        for address in addresses:
            packed = pack_address(address)
            assert packed is not None, address
            families[len(packed) != IPV4_SIZE].append(address)
        for family in families:
            if any(map(self._can_reach, family)):
                return _sorted(family)
        return _sorted(families[0] or families[1])


def _bounded(ttl: float) -> float:
    return min(max(MIN_TTL, ttl), MAX_TTL)


def _sorted(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(addresses))[:MAX_ADDRESSES])


@dataclass(frozen=True, slots=True)
class Records:
    """The result of one question."""

    addresses: tuple[str, ...]
    ttl: float
    exists: bool
    """Whether the name exists, with records of any type."""


async def resolve_type(client: Asker, name: str, record_type: int) -> Records:
    """
    Find the addresses of one type, and follow CNAMEs.

    :raises LookupFailed: if no name server answers.
    """
    ttl, current = MAX_TTL, name
    for _ in range(MAX_ALIASES):
        message = await client.ask(current, record_type)
        chain = _Chain(message.answers, current, record_type)
        ttl = min(ttl, chain.ttl)
        if chain.addresses:
            return Records(chain.addresses, ttl, exists=True)
        if message.rCode == dns.ENAME or chain.end == current:
            negative = _negative_ttl(message.authority)
            return Records((), min(ttl, negative), exists=message.rCode != dns.ENAME)
        # The server knew the CNAME, but not the address of its target.
        current = chain.end
    raise LookupFailed(f"the chain of CNAMEs is longer than {MAX_ALIASES}")


class _Chain:
    """The chain of CNAMEs in an answer, from the name that was asked for."""

    def __init__(self, answers: Iterable[Any], name: str, record_type: int) -> None:
        self.ttl = MAX_TTL
        self.end = name
        self.addresses: tuple[str, ...] = ()
        records: dict[str, list[Any]] = {}
        for record in answers:
            records.setdefault(_text(record.name), []).append(record)
        for _ in range(MAX_ALIASES + 1):
            here = records.get(self.end.lower(), [])
            found = [record for record in here if record.type == record_type]
            aliases = [record for record in here if record.type == dns.CNAME]
            self.ttl = min([self.ttl, *(float(record.ttl) for record in found or aliases)])
            if found:
                self.addresses = tuple(_address(record.payload) for record in found)
                return
            if not aliases:
                return
            self.end = _text(aliases[0].payload.name)


def _text(name: Any) -> str:
    """
    :return: the name in lower case; undecodable bytes make a name that matches no question.
    """
    return str(name.name.decode("ascii", "replace")).lower().removesuffix(".")


def _address(payload: Any) -> str:
    if isinstance(payload, dns.Record_A):
        return str(payload.dottedQuad())
    return inet_ntop(AF_INET6, payload.address)


def _negative_ttl(authority: Iterable[Any]) -> float:
    """The TTL of a negative answer (RFC 2308 section 5)."""
    for record in authority:
        if record.type == dns.SOA:
            return float(min(record.ttl, record.payload.minimum))
    return NEGATIVE_TTL


def client_maker(
    reactor: Any, random: Random, port: int = PORT
) -> Callable[[ResolvConf], DNSClient]:
    """
    :param random: for ids that must not be guessed.
    :param port: of the name servers.
    :return: a function that makes the client of a configuration.
    """

    def make(conf: ResolvConf) -> DNSClient:
        servers = [(server, port) for server in conf.nameservers]
        return DNSClient(reactor, servers, conf.timeout, conf.attempts, random)

    return make
