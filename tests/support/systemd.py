"""
A stand-in for systemd, as far as units of ours need it: sockets, notifications, the watchdog.

It does what systemd.service(5), sd_notify(3), sd_listen_fds(3) and sd_watchdog_enabled(3) say. What
it takes of confinement is in `tests.support.confined`; folders and namespaces are not played.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.confined import Confinement, allowed_calls
from tests.support.process import CHECKOUT, IngressProcess, wait_until


class Unit:
    """A unit file: the values of each setting, in order."""

    def __init__(self, file: Path) -> None:
        self._settings: list[tuple[str, str]] = []
        for line in file.read_text().splitlines():
            name, separator, value = line.partition("=")
            if separator and not line.startswith(("#", ";")):
                self._settings.append((name, value))

    def all(self, name: str) -> list[str]:
        """:return: the values of a setting that lists."""
        return [value for each, value in self._settings if each == name]

    def value(self, name: str) -> str:
        """:return: the value of a setting that is there once."""
        (value,) = self.all(name)
        return value


class Systemd:
    """
    Runs a service with its sockets, which it keeps open when the process ends.

    :param folder: for its own socket.
    :param watchdog: seconds; in place of those of the unit, which take too long for a test.
    """

    def __init__(
        self, folder: Path, service: Unit, sockets: Sequence[Unit], watchdog: float
    ) -> None:
        self.service = service
        self._watchdog = watchdog
        self.names = [unit.value("FileDescriptorName") for unit in sockets]
        self._sockets = [_listen() for _ in sockets]
        self._path = folder / "notify"
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(self._path))
        self._path.chmod(0o777)
        self._notify.setblocking(False)
        self.told: list[dict[str, str]] = []
        """What the process has told, a mapping for each datagram."""

    def stop(self) -> None:
        """Close all sockets; for `addCleanup`."""
        for each in (*self._sockets, self._notify):
            each.close()
        self._path.unlink()

    def port(self, name: str) -> int:
        """The port of a socket, on ::1."""
        number: int = self._sockets[self.names.index(name)].getsockname()[1]
        return number

    def start(self, process: IngressProcess) -> None:
        """Execute ExecStart with the program of the checkout, and the configuration of a process."""
        _, *arguments = shlex.split(self.service.value("ExecStart"))
        assert arguments[-2:] == ["--config", "/etc/txingress/ingress.yaml"], arguments
        confinement = Confinement(
            [each.fileno() for each in self._sockets],
            allowed_calls(self.service.all("SystemCallFilter")),
            self.service.value("RestrictAddressFamilies").split(),
        )
        process.command = (*confinement.command, sys.executable, "-m", "ingress")
        process.inherited = tuple(confinement.descriptors)
        process.environment = self._environment()
        process.spawn(*arguments[:-1], str(process.config))

    def _environment(self) -> dict[str, str]:
        own = " ".join(self.service.all("Environment")).split()
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(CHECKOUT),
            **dict(pair.split("=", 1) for pair in own),
            "NOTIFY_SOCKET": str(self._path),
            "WATCHDOG_USEC": str(int(self._watchdog * 1e6)),
            "LISTEN_FDS": str(len(self._sockets)),
            "LISTEN_FDNAMES": ":".join(self.names),
        }

    def reload(self, process: IngressProcess) -> None:
        """Execute ExecReload."""
        command = self.service.value("ExecReload").replace("$MAINPID", str(process.pid))
        subprocess.run(command.split(), check=True)

    # What the process tells.

    def _hear(self) -> dict[str, str] | None:
        """:return: the next message, if one has come."""
        try:
            message = self._notify.recv(4096).decode()
        except BlockingIOError:
            return None
        self.told.append(dict(line.split("=", 1) for line in message.splitlines()))
        return self.told[-1]

    def wait_for(self, name: str) -> dict[str, str]:
        """:return: the next message with a variable of this name; earlier ones are passed over."""
        while True:
            told = wait_until(self._hear, f"{name}=")
            if told is not None and name in told:
                return told

    def is_silent(self) -> bool:
        """Whether no sign of life comes in the time of the watchdog, as when systemd looks."""
        while self._hear() is not None:
            pass
        self._notify.settimeout(self._watchdog)
        try:
            while b"WATCHDOG=1" not in self._notify.recv(4096):
                pass
        except TimeoutError:
            return True
        finally:
            self._notify.setblocking(False)
        return False

    def kill(self, process: IngressProcess) -> int:
        """What the watchdog does; return the exit status."""
        process.signal(signal.SIGABRT)
        return process.wait()


def _listen() -> socket.socket:
    """
    Open what ``ListenStream=[::]:80`` with ``BindIPv6Only=both`` is, on a free port of loopback.
    """
    listening = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    listening.bind(("::1", 0))
    listening.listen()
    return listening
