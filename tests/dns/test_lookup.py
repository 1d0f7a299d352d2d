"""
Tests for `ingress.dns.lookup`, with a name server out of values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.names import dns
from twisted.trial.unittest import SynchronousTestCase

from ingress.dns.errors import LookupFailed, NoAddress
from ingress.dns.lookup import (
    HOSTS_TTL,
    MAX_ADDRESSES,
    MAX_TTL,
    MIN_TTL,
    NEGATIVE_TTL,
    Answer,
    Lookup,
)
from ingress.dns.resolv_conf import Hosts, ResolvConf
from ingress.dns.system_files import SystemConfig

TYPES = {"A": dns.A, "AAAA": dns.AAAA, "CNAME": dns.CNAME}
Question = tuple[str, int]


def record(line: str) -> dns.RRHeader:
    """:param line: ``NAME TTL TYPE VALUE``."""
    name, ttl, kind, value = line.split()
    payload: Any
    if kind == "A":
        payload = dns.Record_A(value)
    elif kind == "AAAA":
        payload = dns.Record_AAAA(value)
    else:
        payload = dns.Record_CNAME(value)
    return dns.RRHeader(name, TYPES[kind], ttl=int(ttl), payload=payload)


@dataclass
class Zone:
    """
    A name server that knows some records, each by the question that it answers.

    :ivar answers: lines by ``NAME TYPE``; an error in their place is raised.
    :ivar minimum: that of the SOA; None for none.
    """

    answers: dict[str, list[str] | Exception] = field(default_factory=dict)
    minimum: int | None = None
    asked: list[str] = field(default_factory=list)

    async def ask(self, name: str, record_type: int) -> dns.Message:
        question = f"{name} {'A' if record_type == dns.A else 'AAAA'}"
        self.asked.append(question)
        found = self.answers.get(question)
        if isinstance(found, Exception):
            raise found
        message = dns.Message(rCode=dns.OK)
        message.answers = [record(line) for line in found or ()]
        is_known = any(each.partition(" ")[0] == name for each in self.answers)
        if found is None and not is_known:
            message.rCode = dns.ENAME
        if self.minimum is not None and not message.answers:
            soa = dns.Record_SOA(minimum=self.minimum)
            message.authority = [dns.RRHeader("example", dns.SOA, ttl=3600, payload=soa)]
        return message


class LookupTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.zone = Zone()
        self.conf = ResolvConf()
        self.hosts: dict[str, tuple[str, ...]] = {}
        self.unreachable: set[str] = set()

    def look_up(self, name: str) -> Deferred[Answer]:
        config = SystemConfig(self.conf, Hosts(self.hosts))
        lookup = Lookup(
            lambda: succeed(config),
            lambda conf: self.zone,
            lambda address: address not in self.unreachable,
        )
        return Deferred.fromCoroutine(lookup(name))

    def answer(self, name: str = "a.example") -> Answer:
        return self.successResultOf(self.look_up(name))

    def no_address(self, name: str = "a.example") -> NoAddress:
        error = self.failureResultOf(self.look_up(name), NoAddress).value
        assert isinstance(error, NoAddress)
        return error


class AnswerTests(LookupTestCase):
    """Addresses."""

    def test_sorted(self) -> None:
        """They are sorted, each once, so that their order on the wire changes nothing."""
        lines = [f"a.example 60 A {each}" for each in ("10.0.0.2", "10.0.0.1", "10.0.0.2")]
        self.zone.answers["a.example A"] = lines
        self.assertEqual(self.answer(), Answer(("10.0.0.1", "10.0.0.2"), 60.0))

    def test_ipv6(self) -> None:
        """A name may have addresses of IPv6 only."""
        self.zone.answers["a.example AAAA"] = ["a.example 60 AAAA fd00::1"]
        self.assertEqual(self.answer().addresses, ("fd00::1",))

    def both(self) -> None:
        self.zone.answers["a.example A"] = ["a.example 60 A 10.0.0.1"]
        self.zone.answers["a.example AAAA"] = ["a.example 30 AAAA fd00::1"]

    def test_both(self) -> None:
        """Of both families, IPv4 serves."""
        self.both()
        self.assertEqual(self.answer(), Answer(("10.0.0.1",), 30.0))

    def test_no_route(self) -> None:
        """IPv4 is not chosen without a route to it, unless there is no route at all."""
        self.both()
        self.unreachable = {"10.0.0.1"}
        self.assertEqual(self.answer().addresses, ("fd00::1",))
        self.unreachable.add("fd00::1")
        self.assertEqual(self.answer().addresses, ("10.0.0.1",))

    def test_ttl(self) -> None:
        """The TTL has a floor and a cap."""
        for ttl, expected in ((0, MIN_TTL), (86400, MAX_TTL), (77, 77.0)):
            self.zone.answers["a.example A"] = [f"a.example {ttl} A 10.0.0.1"]
            self.assertEqual(self.answer().ttl, expected)

    def test_many(self) -> None:
        """Of very many addresses some serve, and always the same."""
        lines = [f"a.example 9 A 10.0.{n}.1" for n in range(200)]
        self.zone.answers["a.example A"] = lines
        self.assertEqual(len(self.answer().addresses), MAX_ADDRESSES)

    def test_one_family_fails(self) -> None:
        """Name servers without AAAA records do no harm to names with an A record."""
        self.both()
        self.zone.answers["a.example AAAA"] = LookupFailed("SERVFAIL")
        self.assertEqual(self.answer().addresses, ("10.0.0.1",))

    def test_hosts(self) -> None:
        """The hosts file wins, and no server is asked."""
        self.hosts["a.example"] = ("::1", "127.0.0.1")
        self.assertEqual(self.answer("a.example."), Answer(("127.0.0.1",), HOSTS_TTL))
        self.assertEqual(self.zone.asked, [])


class AliasTests(LookupTestCase):
    """CNAMEs."""

    def test_followed(self) -> None:
        """They are followed within the answer; the shortest TTL counts."""
        self.zone.answers["a.example A"] = [
            "a.example 20 CNAME B.example",
            "b.example 10 CNAME c.example",
            "C.example 300 A 10.0.0.1",
            "other.example 1 A 10.0.0.9",
        ]
        self.assertEqual(self.answer(), Answer(("10.0.0.1",), 10.0))

    def test_asked_for(self) -> None:
        """The target of a CNAME is asked for if the answer lacks its address."""
        self.zone.answers["a.example A"] = ["a.example 20 CNAME b.example"]
        self.zone.answers["b.example A"] = ["b.example 30 A 10.0.0.1"]
        self.assertEqual(self.answer(), Answer(("10.0.0.1",), 20.0))

    def test_nowhere(self) -> None:
        """One that leads to no name leads to no address."""
        for kind in ("A", "AAAA"):
            self.zone.answers[f"a.example {kind}"] = ["a.example 20 CNAME b.example"]
        self.assertIn("the name does not exist", str(self.no_address()))

    def test_endless(self) -> None:
        """Those that lead in a circle, or on for ever, are given up."""
        for kind in ("A", "AAAA"):
            self.zone.answers[f"a.example {kind}"] = ["a.example 20 CNAME b.example"]
            self.zone.answers[f"b.example {kind}"] = ["b.example 20 CNAME a.example"]
        self.failureResultOf(self.look_up("a.example"), LookupFailed)
        self.zone.answers["x.example A"] = [
            "x.example 20 CNAME y.example",
            "y.example 20 CNAME x.example",
        ]
        self.assertLess(len(self.zone.asked), 30)
        self.look_up("x.example").addErrback(lambda failure: failure.trap(NoAddress, LookupFailed))
        self.assertLess(len(self.zone.asked), 60)


class NegativeTests(LookupTestCase):
    """No address."""

    def test_no_name(self) -> None:
        """There is no such name."""
        error = self.no_address()
        self.assertEqual((str(error), error.ttl), ("the name does not exist", NEGATIVE_TTL))

    def test_nothing(self) -> None:
        """There is the name, but no address; the SOA says for how long."""
        self.zone.answers["a.example A"] = []
        self.zone.minimum = 17
        error = self.no_address()
        self.assertEqual((str(error), error.ttl), ("the name exists without one", 17.0))

    def test_impossible(self) -> None:
        """Impossible names are not asked for."""
        self.no_address("a..b")
        self.assertEqual(self.zone.asked, [])

    def test_failure(self) -> None:
        """If no server answers, the lookup fails."""
        self.zone.answers["a.example A"] = LookupFailed("SERVFAIL")
        self.failureResultOf(self.look_up("a.example"), LookupFailed)


class SearchTests(LookupTestCase):
    """Names that are not complete."""

    def setUp(self) -> None:
        super().setUp()
        self.conf = ResolvConf(search=("x.example", "example"), ndots=2)

    def test_order(self) -> None:
        """The first that has an address is the one that is meant."""
        self.zone.answers["a.example A"] = ["a.example 60 A 10.0.0.1"]
        self.zone.answers["a A"] = ["a 60 A 10.0.0.2"]
        self.assertEqual(self.answer("a").addresses, ("10.0.0.1",))
        self.assertNotIn("a A", self.zone.asked)

    def test_failure(self) -> None:
        """A candidate that no server answers for ends the search: it may be the one."""
        self.zone.answers["a.x.example A"] = LookupFailed("SERVFAIL")
        self.zone.answers["a.example A"] = ["a.example 60 A 10.0.0.1"]
        self.failureResultOf(self.look_up("a"), LookupFailed)
