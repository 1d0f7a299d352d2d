"""Tests of `ingress.local_addresses`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.local_addresses import (
    READ_PERIOD,
    LocalAddresses,
    own_addresses,
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
