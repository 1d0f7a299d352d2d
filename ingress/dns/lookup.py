"""
One name to its addresses, as the system would resolve it: but without blocking, and with the TTL.
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
Seconds. Zero would mean a question for each request; and a day, that nobody notices for a
day that the name has moved.
"""

HOSTS_TTL: Final = 60.0
"""Seconds for what the hosts file says."""

NEGATIVE_TTL: Final = 5.0
"""Seconds for which there is no address where the answer does not say."""

MAX_ALIASES: Final = 8
"""CNAMEs one after the other."""

MAX_ADDRESSES: Final = 64
"""Of one name; more are left out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The addresses of a name."""

    addresses: tuple[str, ...]
    """Of one family, sorted, each once; never empty."""

    ttl: float
    """Seconds after which to ask again, between `MIN_TTL` and `MAX_TTL`."""


class Asker(Protocol):
    """A `DNSClient`."""

    async def ask(self, name: str, record_type: int) -> dns.Message:
        """One question."""


class Lookup:
    """
    :param current: gives what the system says about names.
    :param make_client: of what that says.
    :param can_reach: whether there is a way to an address at all.
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
        :param name: in lower case; with a dot at its end it is complete.
        :raises NoAddress: if there is no such name, or it has no address.
        :raises LookupFailed: if nobody can tell.
        """
        config = await self._current()
        listed = config.hosts.addresses.get(name.removesuffix("."))
        if listed:
            return Answer(self._chosen(listed), HOSTS_TTL)
        client = self._make_client(config.resolv_conf)
        last = NoAddress("there is no such name", NEGATIVE_TTL)
        for candidate in config.resolv_conf.candidates(name):
            try:
                return await self._resolve(client, candidate)
            except NoAddress as error:
                last = error
        raise last

    async def _resolve(self, client: Asker, name: str) -> Answer:
        """Of a name that is complete."""
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
                "there is no such name"
                if not any(each.exists for each in found)
                else "it has none",
                min(max(MIN_TTL, min(each.ttl for each in found)), MAX_TTL),
            )
        ttl = min(each.ttl for each in found if each.addresses)
        return Answer(self._chosen(addresses), _bounded(ttl))

    def _chosen(self, addresses: Sequence[str]) -> tuple[str, ...]:
        """
        Those of one family: each host that is behind a name is to get its share once.

        IPv4 if there is a way, else IPv6 if there is one.
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
    """What one question came to."""

    addresses: tuple[str, ...]
    ttl: float
    exists: bool
    """Whether there is such a name, with whatever records."""


async def resolve_type(client: Asker, name: str, record_type: int) -> Records:
    """
    The addresses of one type, CNAMEs followed.

    :raises LookupFailed: if nobody can tell.
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
        # The server knew what the name stands for, but not that one's address.
        current = chain.end
    raise LookupFailed(f"more than {MAX_ALIASES} CNAMEs lead on from it")


class _Chain:
    """The answers to one question, from the name that was asked for to where CNAMEs lead."""

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
    :return: in lower case; a name that is none of a host is none that anybody asks for.
    """
    return str(name.name.decode("ascii", "replace")).lower().removesuffix(".")


def _address(payload: Any) -> str:
    if isinstance(payload, dns.Record_A):
        return str(payload.dottedQuad())
    return inet_ntop(AF_INET6, payload.address)


def _negative_ttl(authority: Iterable[Any]) -> float:
    """For how long there is none (RFC 2308 section 5)."""
    for record in authority:
        if record.type == dns.SOA:
            return float(min(record.ttl, record.payload.minimum))
    return NEGATIVE_TTL


def client_maker(
    reactor: Any, random: Random, port: int = PORT
) -> Callable[[ResolvConf], DNSClient]:
    """
    :param random: for what nobody must guess.
    :param port: of the name servers.
    :return: a function that makes the client that a configuration asks for.
    """

    def make(conf: ResolvConf) -> DNSClient:
        servers = [(server, port) for server in conf.nameservers]
        return DNSClient(reactor, servers, conf.timeout, conf.attempts, random)

    return make
