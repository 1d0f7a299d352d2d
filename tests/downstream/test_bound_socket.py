"""
Tests for `ingress.downstream.bound_socket`.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ingress.downstream.bound_socket import BoundSocket, ListenError, bind, describe
from ingress.listen_address import (
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

    def test_hosts(self) -> None:
        """A socket knows the addresses that it is bound to."""
        (bound,) = self.bind(TCPAddress(0, "127.0.0.1"))
        self.assertEqual(bound.hosts, ("127.0.0.1",))
        every = [host for one in self.bind(TCPAddress(0)) for host in one.hosts]
        self.assertLessEqual(set(every), {"0.0.0.0", "::"})
        self.assertEqual(len(every), len(set(every)))
        (path,) = self.bind(UNIXPath(Path(self.mktemp())))
        self.assertEqual(path.hosts, ())

    def test_both_families(self) -> None:
        """IPv4 and IPv6 have a socket each on the same port if no interface is named."""
        bound = self.bind(TCPAddress(0))
        if len(bound) == 1:
            raise SkipTest("this machine has one family only")
        self.assertEqual([one.socket.family for one in bound], [socket.AF_INET, socket.AF_INET6])
        self.assertEqual(bound[0].port, bound[1].port)
        self.assertEqual(bound[1].address, f"[::]:{bound[1].port}")

    def test_forbidden(self) -> None:
        """The error for a port that needs privileges says how to get them."""
        error = PermissionError(errno.EACCES, "Permission denied")
        reason = describe(error, TCPAddress(80))
        self.assertIn("Permission denied: ports below 1024 need root, the capability", reason)
        self.assertEqual(describe(error, UNIXPath(Path("/run/x"))), "Permission denied")

    def test_in_use(self) -> None:
        """A port on which another process listens is an error of one line."""
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


class TwinTests(BindTestCase):
    """Sockets of several workers for one address."""

    def setUp(self) -> None:
        (self.bound,) = self.bind(TCPAddress(0, "127.0.0.1"))
        assert self.bound.port is not None
        self.address = TCPAddress(self.bound.port, "127.0.0.1")

    def twin(self, bound: BoundSocket) -> BoundSocket:
        twin = bound.twin()
        self.addCleanup(twin.close)
        self.assertEqual(twin.address, bound.address)
        return twin

    def test_all_listen(self) -> None:
        """All twins can listen, and connections are spread over them."""
        twins = [self.twin(self.bound) for _ in range(2)]
        self.bound.claim()
        for twin in twins:
            twin.socket.listen(128)
        for _ in range(40):
            self.addCleanup(socket.create_connection(("127.0.0.1", self.bound.port)).close)
        counts = [count_waiting(twin.socket) for twin in twins]
        self.assertEqual(sum(counts), 40)
        self.assertGreater(min(counts), 0)

    def test_withdrawn(self) -> None:
        """One twin that is withdrawn, by any copy of it, gets no connections until it listens."""
        twins = [self.twin(self.bound) for _ in range(2)]
        self.bound.claim()
        for twin in twins:
            twin.socket.listen(128)
        copy = twins[0].socket.dup()
        self.addCleanup(copy.close)
        twins[0].withdraw()
        twins[0].withdraw()

        self.assertRaises(OSError, copy.accept)
        for _ in range(20):
            self.addCleanup(socket.create_connection(("127.0.0.1", self.bound.port)).close)
        self.assertEqual(count_waiting(twins[1].socket), 20)
        copy.listen(128)
        for _ in range(20):
            self.addCleanup(socket.create_connection(("127.0.0.1", self.bound.port)).close)
        self.assertGreater(count_waiting(twins[0].socket), 0)

    def test_shared_queue_stays(self) -> None:
        """A twin that shares its queue with others is not withdrawn from all of them."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (bound,) = bind(UNIXPath(folder / "s", 0o600, has_lock=False))
        self.addCleanup(bound.close)
        twins = [self.twin(bound) for _ in range(2)]
        for twin in twins:
            twin.socket.listen(1)
        twins[0].withdraw()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(bound.address)

    def test_claimed(self) -> None:
        """The claim fails if another process listens by then, or if its twins do."""
        (other,) = self.bind(self.address)
        self.twin(self.bound)
        twin = self.twin(other)
        other.claim()
        twin.socket.listen()
        self.assertRaises(OSError, self.bound.claim)

    def test_refused(self) -> None:
        """No other process can have the address once twins listen, not even for twins."""
        twin = self.twin(self.bound)
        self.bound.claim()
        twin.socket.listen()
        self.assertRaises(ListenError, bind, self.address)

    def test_unix(self) -> None:
        """Twins in the file system share one queue, and leave the path alone."""
        path = Path(self.mktemp())
        (bound,) = self.bind(UNIXPath(path))
        twin = self.twin(bound)
        bound.claim()
        twin.socket.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        twin.close()
        self.assertTrue(path.exists())

    def test_not_passed_on(self) -> None:
        """A socket that systemd has not passed on is refused with its name."""
        missing = InheritedSocket(-1, socket.AF_INET, "web")
        error = self.assertRaises(ListenError, self.bind, missing)
        self.assertIn("no socket of the name web", str(error))

    def test_inherited(self) -> None:
        """Twins of a socket of systemd's share its queue, and a claim leaves it as it is."""
        with socket.create_server(("127.0.0.1", 0)) as inherited:
            (bound,) = self.bind(InheritedSocket(inherited.fileno(), socket.AF_INET))
            twins = [self.twin(bound) for _ in range(2)]
            bound.claim()
            with socket.create_connection(inherited.getsockname()):
                self.assertEqual([count_waiting(twin.socket) for twin in twins], [1, 0])


def count_waiting(listening: socket.socket) -> int:
    """How many connections wait to be accepted; they are not any more."""
    count = 0
    while True:
        try:
            accepted, _ = listening.accept()
        except BlockingIOError:
            return count
        accepted.close()
        count += 1


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
        """A closed descriptor, or one that is no socket, is an error."""
        with open(os.devnull) as file:
            for descriptor in (file.fileno(), 1 << 20):
                self.assertRaises(ListenError, bind, InheritedSocket(descriptor, socket.AF_INET))
