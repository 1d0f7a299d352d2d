"""
What the process tells the service manager that started it: systemd, in units of Type=notify.

The protocol is that of sd_notify(3): datagrams with ``NAME=VALUE`` lines to the UNIX socket that
NOTIFY_SOCKET names. Without that variable nothing is told.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from time import CLOCK_MONOTONIC, clock_gettime_ns
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

BEAT: Final = 10.0
"""Seconds between two signs of life, unless a watchdog asks for more."""

PATIENCE: Final = 30.0
"""
Seconds after a sign of life that a start or a stop may take at least. Each one moves the limits of
the unit, so that a cluster that is away and a long drain have the time that they need, and a
process that hangs has not.
"""

Send = Callable[[bytes], None]


class ServiceManager(Service):
    """
    Says that the process has started, that it lives, reads its configuration and ends.

    It is a service, which lives as long as the process, and an observer (`Observer`), which begins
    when the proxy serves.

    :param reactor: an `IReactorTime`. Signs of life are sent in its turns, so that the watchdog
        restarts a process whose reactor hangs.
    :param environment: with NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, if a manager set them.
    :param send: sends a datagram, see `sender`; None if there is nobody to tell.
    """

    log = Logger()

    def __init__(self, reactor: Any, environment: Mapping[str, str], send: Send | None) -> None:
        self._reactor = reactor
        self._send = send
        self._beat = watchdog_beat(environment) or BEAT
        self._state = ""
        """The last lines about the state; empty while the process starts."""

        self._is_owed = False
        """Whether the manager has not got them, because its queue was full."""

        self._has_failed = False

    def __repr__(self) -> str:
        return f"<ServiceManager {self._state.splitlines()[:1] or 'starting'}>"

    @property
    def is_serving(self) -> bool:
        """Whether the manager was told that the process has started, and not that it ends."""
        return self._state not in ("", "STOPPING=1")

    def startService(self) -> None:
        """IService: begin to give signs of life."""
        super().startService()  # type: ignore[no-untyped-call]
        if self._send is not None:
            self._give_sign()

    def start(self) -> None:
        """Observer: the first Snapshot is published, and the listeners are open."""
        self._tell("READY=1")

    def begin_reload(self) -> None:
        """The configuration is going to be read, because somebody asked for it."""
        if self.is_serving:
            now = clock_gettime_ns(CLOCK_MONOTONIC) // 1000
            self._tell(f"RELOADING=1\nMONOTONIC_USEC={now}")

    def end_reload(self) -> None:
        """It was read, and is in force unless it has mistakes."""
        if self.is_serving:
            self._tell("READY=1")

    def stop(self) -> Deferred[None]:
        """Observer: `stopService` tells it earlier."""
        return succeed(None)

    def stopService(self) -> None:
        """IService: the process drains; signs of life go on up to its very end."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._tell("STOPPING=1")

    def _tell(self, state: str) -> None:
        self._state, self._is_owed = state, True
        self._transmit("")

    def _give_sign(self) -> None:
        extension = "" if self.is_serving else f"EXTEND_TIMEOUT_USEC={int(PATIENCE * 1e6)}\n"
        self._transmit(f"{extension}WATCHDOG=1")
        self._reactor.callLater(self._beat, self._give_sign)

    def _transmit(self, sign: str) -> None:
        """Send a sign of life, after the state if the manager does not know it yet."""
        if self._send is None:
            return
        message = f"{self._state}\n{sign}" if self._is_owed else sign
        try:
            self._send(message.strip().encode())
        except OSError as error:
            if not self._has_failed:
                self._has_failed = True
                self.log.warn("The service manager cannot be told: {error}", error=error)
        else:
            self._is_owed = self._has_failed = False


def watchdog_beat(environment: Mapping[str, str]) -> float | None:
    """
    :return: half of the time in seconds after which the watchdog takes this process for dead, as
        sd_watchdog_enabled(3) advises; None if there is no watchdog, or one for another process.
    """
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    limit = environment.get("WATCHDOG_USEC", "")
    # 0 and 2^64 - 1, which is systemd's infinity, are no limits.
    if not (limit.isascii() and limit.isdigit() and len(limit) < 20 and int(limit)):
        return None
    return int(limit) / 2e6


def sender(environment: Mapping[str, str]) -> Send | None:
    """
    :return: what sends a datagram to the socket of the service manager, without waiting, and
        raises OSError if it cannot; None if no manager wants to know.
    """
    name = environment.get("NOTIFY_SOCKET", "")
    if not name.startswith(("/", "@")):
        return None
    # @ stands for the NUL with which abstract names begin.
    address = f"\0{name[1:]}" if name.startswith("@") else name

    def send(message: bytes) -> None:
        # A socket for each, because privileges and descriptors may change in between.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as own:
            own.sendto(message, address)

    return send
