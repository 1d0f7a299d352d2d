"""Tests of `ingress.own_addresses`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.own_addresses import NO_ADDRESSES, OwnAddresses, pack_all

LISTENER = "a listener of this proxy"
FRONT = "an address of the Service in front of this proxy"


def own(*listeners: tuple[str, int], local: tuple[str, ...] = ()) -> OwnAddresses:
    packed = frozenset(address for address, _ in pack_all((host, 0) for host in local))
    return OwnAddresses(pack_all(listeners), packed)


class ClaimTests(SynchronousTestCase):
    """Which endpoints are addresses of ours."""

    def check(self, addresses: OwnAddresses, port: int, claim: str, *hosts: str) -> None:
        for host in hosts:
            self.assertEqual(addresses.claim(host, port), claim, host)

    def test_one_address(self) -> None:
        """A listener on one address claims that address with its port, in every spelling."""
        listener = own(("192.0.2.5", 8080), local=("192.0.2.6",))
        spellings = ("192.0.2.5", "::ffff:192.0.2.5", "::FFFF:C000:0205", "192.000.2.005")
        self.check(listener, 8080, LISTENER, *spellings)
        self.check(listener, 8081, "", "192.0.2.5")
        self.check(listener, 8080, "", "192.0.2.6", "127.0.0.1", "::1", "a.example", "", "0.0.0.0")

    def test_every_address(self) -> None:
        """A wildcard listener claims all local addresses of its family."""
        four = own(("0.0.0.0", 80), local=("192.0.2.5", "fd00::5"))
        self.check(four, 80, LISTENER, "192.0.2.5", "127.0.0.1", "127.255.0.9", "0.0.0.0")
        self.check(four, 80, LISTENER, "::ffff:127.0.0.1", "localhost", "LOCALHOST")
        self.check(four, 80, "", "fd00::5", "::1", "::", "192.0.2.6")
        six = own(("::", 80), local=("192.0.2.5", "fd00::5", "fe80::5"))
        self.check(
            six, 80, LISTENER, "fd00::5", "FD00:0::5", "::1", "::", "fe80::5", "fe80::5%eth0"
        )
        self.check(six, 80, "", "192.0.2.5", "127.0.0.1", "fd00::6")

    def test_loopback(self) -> None:
        """A listener on the loopback address claims what a connection to it reaches."""
        loopback = own(("127.0.0.1", 80), ("::1", 81))
        self.check(loopback, 80, LISTENER, "127.0.0.1", "0.0.0.0", "localhost")
        self.check(loopback, 80, "", "127.0.0.2", "::1")
        self.check(loopback, 81, LISTENER, "::1", "::")

    def test_front(self) -> None:
        """The addresses in front of us are claimed with their ports, local or not."""
        front = NO_ADDRESSES.with_front(pack_all([("203.0.113.9", 443), ("lb.example", 443)]))
        self.check(front, 443, FRONT, "203.0.113.9")
        self.check(front, 443, "", "lb.example", "203.0.113.10")
        self.check(front, 80, "", "203.0.113.9")

    def test_nothing(self) -> None:
        """Without anything known, nothing is claimed."""
        self.check(NO_ADDRESSES, 0, "", "127.0.0.1", "0.0.0.0", "::")


class ChangeTests(SynchronousTestCase):
    def test_same(self) -> None:
        """Equal addresses make the same object, so that nothing is built again for them."""
        some = own(("0.0.0.0", 80), local=("192.0.2.5",))
        self.assertIs(some.with_local(frozenset({b"\xc0\0\2\5"})), some)
        self.assertIs(some.with_front(frozenset()), some)
        self.assertEqual(some.with_local(frozenset()).claim("192.0.2.5", 80), "")
        self.assertEqual(
            some.with_local(frozenset({b"\xc0\0\2\6"})).claim("192.0.2.6", 80), LISTENER
        )
