"""
Tests for `ingress.service_manager`.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ingress.service_manager import BEAT, PATIENCE, ServiceManager, sender, watchdog_beat

ALIVE = "WATCHDOG=1"
PENDING = f"EXTEND_TIMEOUT_USEC={int(PATIENCE * 1e6)}\n{ALIVE}"
"""The sign of life of a process that starts or stops."""


class ServiceManagerTests(SynchronousTestCase):
    """What is told, and when."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[str] = []
        self.fault: OSError | None = None
        self.manager = ServiceManager(self.clock, {}, self.send)

    def send(self, message: bytes) -> None:
        if self.fault is not None:
            raise self.fault
        self.told.append(message.decode())

    def news(self) -> list[str]:
        """What was told since the last call."""
        told, self.told = self.told, []
        return told

    def test_life(self) -> None:
        """Start, service and drain are told; the limits of start and drain move with each sign."""
        self.manager.startService()
        self.assertEqual(self.news(), [PENDING])
        self.clock.advance(BEAT)
        self.assertEqual(self.news(), [PENDING])
        self.manager.start()
        self.assertEqual(self.news(), ["READY=1"])
        self.clock.advance(BEAT)
        self.assertEqual(self.news(), [ALIVE])
        self.manager.stopService()
        self.assertEqual(self.news(), ["STOPPING=1"])
        self.clock.advance(BEAT)
        self.assertEqual(self.news(), [PENDING])
        self.assertLess(BEAT, PATIENCE / 2)

    def test_watchdog(self) -> None:
        """Signs come twice in the time of the watchdog."""
        self.manager = ServiceManager(self.clock, {"WATCHDOG_USEC": "3000000"}, self.send)
        self.manager.startService()
        self.manager.start()
        self.news()
        self.clock.pump([0.5] * 6)
        self.assertEqual(self.news(), [ALIVE, ALIVE])

    def test_reload(self) -> None:
        """A reload begins with the time of the clock that systemd compares, and ends."""
        self.manager.start()
        self.manager.begin_reload()
        self.manager.end_reload()
        ready, reloading, ended = self.news()
        self.assertEqual((ready, ended), ("READY=1", "READY=1"))
        self.assertRegex(reloading, r"\ARELOADING=1\nMONOTONIC_USEC=[0-9]+\Z")

    def test_reload_out_of_turn(self) -> None:
        """SIGHUP before the process serves, and while it drains, makes it neither ready nor not."""
        for prepare in (lambda: None, self.manager.stopService):
            prepare()
            self.news()
            self.manager.begin_reload()
            self.manager.end_reload()
            self.assertEqual(self.news(), [])

    def test_full_queue(self) -> None:
        """What could not be sent is sent with the next sign of life; the log has one line."""
        self.manager.startService()
        self.news()
        self.fault = BlockingIOError(11, "Resource temporarily unavailable")
        with capturedLogs() as logs:
            self.manager.start()
            self.clock.advance(BEAT)
        lines = [formatEvent(event) for event in logs]
        self.assertEqual(len(lines), 1)
        self.assertIn("cannot be told: [Errno 11]", lines[0])
        self.fault = None
        self.clock.pump([BEAT, BEAT])
        self.assertEqual(self.news(), [f"READY=1\n{ALIVE}", ALIVE])

    def test_nobody(self) -> None:
        """Without a manager there is no work at all."""
        manager = ServiceManager(self.clock, {}, None)
        manager.startService()
        manager.start()
        manager.begin_reload()
        manager.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class EnvironmentTests(SynchronousTestCase):
    """The variables that systemd sets."""

    def test_watchdog(self) -> None:
        """One of this process, in microseconds."""
        own = str(os.getpid())
        for environment, expected in (
            ({"WATCHDOG_USEC": "30000000"}, 15.0),
            ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": own}, 15.0),
            ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
            ({"WATCHDOG_USEC": "0"}, None),
            ({"WATCHDOG_USEC": "18446744073709551615"}, None),
            ({"WATCHDOG_USEC": "9" * 5000}, None),
            ({"WATCHDOG_USEC": "soon"}, None),
            ({"WATCHDOG_USEC": "²"}, None),
            ({}, None),
        ):
            self.assertEqual(watchdog_beat(environment), expected, environment)

    def test_no_socket(self) -> None:
        """Sockets of kinds that are no UNIX sockets, as of virtual machines, are left alone."""
        for environment in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}):
            self.assertIsNone(sender(environment), environment)


class SenderTests(SynchronousTestCase):
    """Real sockets."""

    def receive(self, bind: str, name: str) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(bind)
            self.sender(name)(b"READY=1")
            return manager.recv(4096, socket.MSG_DONTWAIT)

    def sender(self, name: str) -> Callable[[bytes], None]:
        send = sender({"NOTIFY_SOCKET": name})
        assert send is not None
        return send

    def test_path(self) -> None:
        """In the file system."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        path = str(folder / "notify")
        self.assertEqual(self.receive(path, path), b"READY=1")
        # The manager is gone, and the socket is still there; then it is not.
        for kind in (ConnectionRefusedError, FileNotFoundError):
            self.assertRaises(kind, self.sender(path), b"READY=1")
            Path(path).unlink(missing_ok=True)

    def test_abstract(self) -> None:
        """In the abstract namespace."""
        name = f"txingress-test-{os.getpid()}"
        self.assertEqual(self.receive(f"\0{name}", f"@{name}"), b"READY=1")

    def test_full(self) -> None:
        """A manager that reads nothing is not waited for."""
        name = f"txingress-full-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(f"\0{name}")
            send = self.sender(f"@{name}")

            def flood() -> None:
                for _ in range(100_000):
                    send(b"WATCHDOG=1")

            self.assertRaises(BlockingIOError, flood)
