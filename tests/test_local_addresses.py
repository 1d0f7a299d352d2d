"""Tests of `ingress.local_addresses`."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.local_addresses import (
    READ_PERIOD,
    LocalAddresses,
    own_addresses,
    parse_addresses,
    read_local_addresses,
)
from ingress.own_addresses import NO_ADDRESSES

ONE = b"\xc0\0\2\1"
TWO = b"\xc0\0\2\2"
LOOPBACK = b"\x7f\0\0\1"
LINK_LOCAL = b"\xfe\x80".ljust(16, b"\1")


class ReadTests(SynchronousTestCase):
    def test_loopback(self) -> None:
        """The loopback address is among those that the kernel has, each in 4 or 16 bytes."""
        found = read_local_addresses()
        self.assertIn(LOOPBACK, found)
        self.assertLessEqual({len(address) for address in found}, {4, 16})

    def test_refused(self) -> None:
        """Where the kernel is not to be asked, the addresses of default routes are what is known."""

        def refuse() -> list[bytes]:
            raise OSError

        self.assertLessEqual(read_local_addresses(refuse), read_local_addresses())


class ParseTests(SynchronousTestCase):
    """The kernel's answers, as rtnetlink(7) describes them."""

    def test_addresses(self) -> None:
        """An address is the local one, or the only one; other messages do not count."""
        data = (
            message(20, 1, (1, LOOPBACK), (2, LOOPBACK), (3, b"lo\0"))
            + message(20, 2, (3, b"tun0\0"), (1, TWO), (2, ONE))
            + message(20, 3, (1, LINK_LOCAL))
            + message(16, 4, (1, TWO))
            + message(20, 5, (3, b"x"))
        )
        self.assertEqual(parse_addresses(data), ([LOOPBACK, ONE, LINK_LOCAL], False))

    def test_end(self) -> None:
        """What comes after the last message does not count."""
        data = message(20, 1, (1, ONE)) + message(3, 0) + message(20, 1, (1, TWO))
        self.assertEqual(parse_addresses(data), ([ONE], True))

    def test_services(self) -> None:
        """Addresses of an interface that only Services have do not count."""
        data = message(20, 7, (1, ONE)) + message(20, 8, (1, TWO))
        self.assertEqual(parse_addresses(data, skipped=7), ([TWO], False))

    def test_broken(self) -> None:
        """A refusal and a message without length are errors; a broken attribute is left out."""
        self.assertRaises(OSError, parse_addresses, message(2, 0))
        self.assertRaises(OSError, parse_addresses, bytes(16))
        whole = message(20, 1, (1, ONE))
        self.assertEqual(parse_addresses(whole[:-8] + bytes(8)), ([], False))
        self.assertEqual(parse_addresses(whole[:10]), ([], False))


def message(kind: int, index: int, *attributes: tuple[int, bytes]) -> bytes:
    """Make a message of rtnetlink about an address of the interface `index`."""
    body = struct.pack("=BBBBI", 2, 8, 0, 0, index)
    for name, value in attributes:
        body += struct.pack("=HH", 4 + len(value), name) + value + bytes(-len(value) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body


class OwnAddressesTests(SynchronousTestCase):
    def test_environment(self) -> None:
        """The addresses of the pod are ours, whatever the kernel says."""
        environment = {"POD_IP": "192.0.2.1", "POD_IPS": "192.0.2.1, fd00::1,", "POD_IPs": "x"}
        own = own_addresses([("0.0.0.0", 80), ("::", 80)], environment)
        for host in ("192.0.2.1", "fd00::1", "127.0.0.1"):
            self.assertTrue(own.claim(host, 80), host)
        self.assertEqual(len(own.local), 2)
        self.assertEqual(own_addresses([], {}), NO_ADDRESSES)


class LocalAddressesTests(SynchronousTestCase):
    """Reading again, with a clock and an answer that the test has in hand."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.found = {ONE}
        self.changes: list[frozenset[bytes]] = []
        self.failure: Exception | None = None

    def read(self) -> frozenset[bytes]:
        if self.failure is not None:
            raise self.failure
        return frozenset(self.found)

    def make(
        self,
        run: Callable[..., Deferred[Any]] = execute,
        *,
        is_from_cluster: bool = False,
        pod: str = "",
    ) -> LocalAddresses:
        own = own_addresses([("0.0.0.0", 80)], {"POD_IP": pod})
        local = LocalAddresses(
            own, self.clock, run, is_from_cluster=is_from_cluster, read=self.read
        )
        local.changed = lambda: self.changes.append(local.current.local)
        local.startService()
        return local

    def test_changes(self) -> None:
        """A change is passed on within a period, and nothing else is."""
        local = self.make()
        self.assertEqual(local.current.local, {ONE})
        self.clock.advance(READ_PERIOD)
        self.assertEqual(self.changes, [])
        self.found = {ONE, TWO}
        self.clock.advance(READ_PERIOD)
        self.assertEqual(self.changes, [{ONE, TWO}])
        self.found = {TWO}
        self.clock.advance(READ_PERIOD)
        self.assertEqual(self.changes[1:], [{TWO}])
        local.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_known(self) -> None:
        """The addresses of the environment stay, whatever is read."""
        local = self.make(pod="192.0.2.2")
        self.assertEqual(local.current.local, {ONE, TWO})

    def test_link_local(self) -> None:
        """Link-local addresses count where endpoints may be link-local: not in a cluster."""
        self.found = {ONE, LINK_LOCAL}
        self.assertEqual(self.make().current.local, {ONE, LINK_LOCAL})
        self.assertEqual(self.make(is_from_cluster=True).current.local, {ONE})

    def test_failure(self) -> None:
        """A failure is logged, keeps what is known, and is not the end."""
        local = self.make()
        self.failure = OSError("no more sockets")
        self.clock.advance(READ_PERIOD)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual((local.current.local, self.changes), ({ONE}, []))
        self.failure, self.found = None, {TWO}
        self.clock.advance(READ_PERIOD)
        self.assertEqual(self.changes, [{TWO}])

    def test_stopped(self) -> None:
        """What a thread reads after the end changes nothing."""
        reading: Deferred[Any] = Deferred()
        local = self.make(lambda function: reading)
        self.clock.advance(READ_PERIOD)
        local.stopService()
        reading.callback(frozenset({TWO}))
        self.assertEqual((local.current.local, self.changes), ({ONE}, []))

    def test_repr(self) -> None:
        """It says how many there are."""
        self.assertEqual(repr(self.make()), "<LocalAddresses: 1>")
