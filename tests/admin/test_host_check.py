"""Tests of `ingress.admin.host_check`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.host_check import HostCheck

POD = "10.1.2.3"


class HostCheckTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.listed: list[str] = []
        self.check = HostCheck(["Ingress-7f9c", ""], lambda: self.listed)

    def status(self, *hosts: bytes, origins: tuple[bytes, ...] = (), own: str = POD) -> int:
        """The status of the refusal; 200 if there is none."""
        refusal = self.check.refusal(hosts, origins, own)
        return 200 if refusal is None else refusal[0]

    def test_own_addresses(self) -> None:
        """The address of the connection and every loopback address are ours, with any port."""
        for host in (
            b"10.1.2.3:10254",
            b"10.1.2.3",
            b"127.0.0.1:10254",
            b"127.9.9.9",
            b"[::1]:9000",
            b"[::ffff:127.0.0.1]",
        ):
            self.assertEqual(self.status(host), 200, host)
        self.assertEqual(self.status(b"[fd00::1]:10254", own="fd00:0::1"), 200)

    def test_own_names(self) -> None:
        """localhost and the names of this machine are ours, in any case and with a final dot."""
        for host in (b"localhost:8001", b"LOCALHOST", b"ingress-7f9c:10254", b"localhost."):
            self.assertEqual(self.status(host), 200, host)

    def test_rebound(self) -> None:
        """A name that only resolves to our address is foreign, and so are tricks around ours."""
        for host in (
            b"attacker.example:10254",
            b"attacker.example",
            b"localhost.attacker.example",
            b"127.0.0.1.attacker.example:10254",
            b"127.0.0.1@attacker.example",
            b"[attacker.example]",
            b"[::1]attacker.example",
            b"[::1",
            b"localhost:attacker.example",
            b"",
            b":10254",
            b"127.1",
            b"2130706433",
            b"0x7f000001",
            b"0.0.0.0:10254",
            b"\xff",
        ):
            self.assertEqual(self.status(host), 421, host)

    def test_other_addresses(self) -> None:
        """The address of somebody else is not ours."""
        for host in (b"10.1.2.4:10254", b"[fd00::2]", b"192.0.2.1"):
            self.assertEqual(self.status(host), 421, host)

    def test_listed(self) -> None:
        """The configuration lists names, addresses and domains, and is read each time."""
        self.listed += ["Metrics.Ingress.svc", "192.0.2.1", "fd00::2", "*.pod.example"]
        for host in (
            b"metrics.ingress.svc:10254",
            b"192.0.2.1",
            b"[fd00:0:0::2]:10254",
            b"a.b.pod.example",
        ):
            self.assertEqual(self.status(host), 200, host)
        for host in (b"pod.example", b"xpod.example", b"other.ingress.svc"):
            self.assertEqual(self.status(host), 421, host)

    def test_origin(self) -> None:
        """The origin must be that of the listener itself: another port is another origin."""
        host = b"localhost:10254"
        for origin in (b"http://localhost:10254", b"HTTPS://localhost:10254"):
            self.assertEqual(self.status(host, origins=(origin,)), 200, origin)
        for origin in (
            b"http://attacker.example",
            b"http://localhost:3000",
            b"http://localhost",
            b"null",
            b"",
            b"file://",
        ):
            self.assertEqual(self.status(host, origins=(origin,)), 403, origin)

    def test_two_fields(self) -> None:
        """Two Host fields are refused, and so is a foreign origin behind one of ours."""
        self.assertEqual(self.status(b"localhost", b"attacker.example"), 400)
        own = b"http://localhost"
        self.assertEqual(self.status(b"localhost", origins=(own, b"http://a.example")), 403)

    def test_no_host(self) -> None:
        """A probe in HTTP/1.0 without Host is answered: every browser sends one."""
        self.assertEqual(self.status(), 200)
        self.assertEqual(self.status(origins=(b"http://attacker.example",)), 400)

    def test_unix(self) -> None:
        """A client of a UNIX socket may send any Host: no browser gets there."""
        self.assertEqual(self.status(b"anything", own=""), 200)
