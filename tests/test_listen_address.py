"""
Tests for `ingress.listen_address`.
"""

from __future__ import annotations

import socket
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.listen_address import (
    AddressRefused,
    InheritedSocket,
    ListenAddress,
    TCPAddress,
    UNIXPath,
    parse_listen_address,
)

FOLDER = Path("/etc/ingress")


def parse(description: str) -> ListenAddress:
    return parse_listen_address(description, FOLDER)


class ParseTests(SynchronousTestCase):
    """Descriptions of Twisted become addresses."""

    def test_port(self) -> None:
        """A port alone means every address of both families."""
        self.assertEqual(parse("tcp:8080"), TCPAddress(8080))

    def test_host_and_port(self) -> None:
        """HOST:PORT is an address of either family, every address, or a port alone."""
        self.assertEqual(parse("127.0.0.1:8080"), TCPAddress(8080, "127.0.0.1"))
        self.assertEqual(parse("[::1]:8080"), TCPAddress(8080, "::1"))
        for every in ("*:8080", ":8080", "8080"):
            self.assertEqual(parse(every), TCPAddress(8080))

    def test_home(self) -> None:
        """A path of a socket may begin with the home folder."""
        self.assertEqual(parse("unix:~/http"), UNIXPath(Path("~/http").expanduser()))

    def test_interface(self) -> None:
        """An interface is one address, with its colons escaped."""
        self.assertEqual(parse("tcp:80:interface=127.0.0.1"), TCPAddress(80, "127.0.0.1"))
        self.assertEqual(parse(r"tcp:80:interface=\:\:1"), TCPAddress(80, "::1"))

    def test_unix(self) -> None:
        """A path is relative to the configuration's folder, with the mode and lock asked for."""
        self.assertEqual(parse("unix:run/http"), UNIXPath(FOLDER / "run/http"))
        self.assertEqual(
            parse("unix:/run/http:mode=660:lockfile=0"), UNIXPath(Path("/run/http"), 0o660, False)
        )

    def test_refused(self) -> None:
        """What cannot be listened on is refused with what is accepted of its kind."""
        for description, accepted in [
            ("256.0.0.1:80", "HOST:PORT"),
            ("[127.0.0.1:80", "HOST:PORT"),
            ("::1:80", "in brackets"),
            ("127.0.0.1:65536", "65535"),
            ("localhost:80", "an IP address"),
            ("tcp:", "PORT"),
            ("tcp:http", "PORT"),
            ("tcp:65536", "65535"),
            ("tcp:-1", "65535"),
            ("tcp:80:interface=localhost", "ADDRESS"),
            ("tcp:80:interface=::1", r"\:"),
            ("tcp:80:interfce=127.0.0.1", "interface="),
            ("tcp:80:backlog=many", "PORT"),
            ("tcp:80\\", "PORT"),
            ("unix:", "PATH"),
            ("unix:/run/x:mode=999", "mode="),
            ("unix:/run/x:mode=-1", "mode="),
            ("systemd:domain=INET:index=0", "FileDescriptorName"),
            ("systemd:domain=INET", "FileDescriptorName"),
        ]:
            error = self.assertRaises(AddressRefused, parse, description)
            self.assertIn(accepted, str(error), description)

    def test_not_passed_on(self) -> None:
        """A socket that systemd has not passed on is an address all the same, for commands."""
        self.assertEqual(
            parse("systemd:domain=INET6:name=web"), InheritedSocket(-1, socket.AF_INET6, "web")
        )

    def test_kind(self) -> None:
        """A description of another kind is refused without being looked at further."""
        for description in ("ssl:443:privateKey=key.pem", "tcp6:80", "stdio:", "http", ""):
            error = self.assertRaises(AddressRefused, parse, description)
            for kind in ("tcp:", "unix:", "systemd:"):
                self.assertIn(kind, str(error))
