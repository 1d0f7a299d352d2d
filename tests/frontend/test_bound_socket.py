"""
Tests for `ingress.frontend.bound_socket`.
"""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ingress.frontend.bound_socket import BoundSocket, ListenError, bind
from ingress.frontend.listen_address import (
    InheritedSocket,
    ListenAddress,
    TCPAddress,
    UNIXPath,
)


class BindTestCase(SynchronousTestCase):
    """What the tests of all kinds need."""

    def bind(self, address: ListenAddress) -> list[BoundSocket]:
        bound = bind(address)
        for one in bound:
            self.addCleanup(one.close)
        return bound


class TCPTests(BindTestCase):
    """TCP addresses."""

    def test_one_address(self) -> None:
        """An interface is bound alone, and does not listen yet."""
        (bound,) = self.bind(TCPAddress(0, "127.0.0.1"))
        self.assertEqual(bound.address, f"127.0.0.1:{bound.port}")
        with socket.socket() as client:
            self.assertRaises(ConnectionRefusedError, client.connect, ("127.0.0.1", bound.port))

    def test_both_families(self) -> None:
        """Without interface, IPv4 and IPv6 have a socket each on the same port."""
        bound = self.bind(TCPAddress(0))
        if len(bound) == 1:
            raise SkipTest("this machine has one family only")
        self.assertEqual([one.socket.family for one in bound], [socket.AF_INET, socket.AF_INET6])
        self.assertEqual(bound[0].port, bound[1].port)
        self.assertEqual(bound[1].address, f"[::]:{bound[1].port}")

    def test_in_use(self) -> None:
        """A port on which somebody listens is an error of one line."""
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            address = TCPAddress(other.getsockname()[1], "127.0.0.1")
            error = self.assertRaises(ListenError, bind, address)
        self.assertEqual(str(error), "Address already in use")

    def test_not_ours(self) -> None:
        """An address of another machine is an error."""
        error = self.assertRaises(ListenError, bind, TCPAddress(0, "192.0.2.1"))
        self.assertEqual(str(error), "Cannot assign requested address")

    def test_overlap(self) -> None:
        """All addresses overlap with one of them on the same port, and with no other port."""
        every = self.bind(TCPAddress(0))[0]
        assert every.port is not None
        (one,) = self.bind(TCPAddress(every.port, "127.0.0.1"))
        (another,) = self.bind(TCPAddress(0, "127.0.0.1"))
        self.assertTrue(every.overlaps(one))
        self.assertTrue(one.overlaps(every))
        self.assertFalse(one.overlaps(another))


class UNIXTests(BindTestCase):
    """Sockets in the file system."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def test_mode(self) -> None:
        """The socket has the mode asked for, and is gone when it is closed."""
        (bound,) = self.bind(UNIXPath(self.path, 0o640))
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o640)
        self.assertEqual(bound.address, str(self.path))
        bound.close()
        self.assertFalse(self.path.exists())

    def test_in_use(self) -> None:
        """A socket that is in use stays, and is an error."""
        self.bind(UNIXPath(self.path))
        self.assertRaises(ListenError, bind, UNIXPath(self.path))
        self.assertTrue(self.path.exists())

    def test_stale(self) -> None:
        """A socket that a dead process left behind is replaced."""
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(self.path))
        left.close()
        (bound,) = self.bind(UNIXPath(self.path))
        self.assertEqual(bound.address, str(self.path))

    def test_no_lock(self) -> None:
        """Without a lock nobody can tell a stale socket, which is then in use."""
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(self.path))
        left.close()
        error = self.assertRaises(ListenError, bind, UNIXPath(self.path, has_lock=False))
        self.assertEqual(str(error), "Address already in use")

    def test_file(self) -> None:
        """A file that is no socket is not removed."""
        self.path.write_text("precious")
        self.assertRaises(ListenError, bind, UNIXPath(self.path))
        self.assertEqual(self.path.read_text(), "precious")

    def test_path(self) -> None:
        """A path that is too long, or in no folder, is an error."""
        for path in ("x" * 200, "none/socket"):
            self.assertRaises(ListenError, bind, UNIXPath(self.path / path))


class InheritedTests(BindTestCase):
    """Sockets that the process was started with."""

    def test_adopted(self) -> None:
        """The inherited socket itself stays open when ours is closed."""
        with socket.socket() as inherited:
            inherited.bind(("127.0.0.1", 0))
            (bound,) = self.bind(InheritedSocket(inherited.fileno(), socket.AF_INET))
            self.assertEqual(bound.port, inherited.getsockname()[1])
            bound.close()
            os.fstat(inherited.fileno())

    def test_other_family(self) -> None:
        """A socket of another family than said is an error."""
        with socket.socket(socket.AF_UNIX) as inherited:
            error = self.assertRaises(
                ListenError, bind, InheritedSocket(inherited.fileno(), socket.AF_INET)
            )
        self.assertIn("AF_UNIX", str(error))

    def test_no_socket(self) -> None:
        """A descriptor that is none, or no socket, is an error."""
        with open(os.devnull) as file:
            for descriptor in (file.fileno(), 1 << 20):
                self.assertRaises(ListenError, bind, InheritedSocket(descriptor, socket.AF_INET))
