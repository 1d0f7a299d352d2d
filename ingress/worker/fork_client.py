"""
The control plane's end of the socket to the fork server.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from ingress.downstream.listeners import Listeners
from ingress.worker.channel import Channel, adopt
from ingress.worker.fork_server import (
    ORDER,
    REPORT,
    Order,
    Report,
    RunWorker,
    WorkerEvent,
    launch,
)
from ingress.worker.link import SHARE_SILENCE


@implementer(IReadDescriptor)
class ForkClient:
    """
    :param control: the socket that `launch` returned.
    :param report: takes the reports of the fork server.
    :param lost: called when the fork server is gone unexpectedly.
    :param pid: of the fork server, which is a child of this process.
    """

    def __init__(
        self,
        reactor: Any,
        control: socket.socket,
        report: Callable[[Report], None],
        lost: Callable[[], None],
        pid: int | None = None,
    ) -> None:
        control.setblocking(False)
        self._reactor = reactor
        self._control = control
        self._report = report
        self._lost = lost
        self._received = b""
        self._pinged: float | None = None
        """When the open question was asked; None if there is none."""

        self._is_ping_sent = False
        self._is_open = True
        self._pid = pid

    def __repr__(self) -> str:
        return f"<ForkClient {'open' if self._is_open else 'closed'}>"

    def start(self) -> None:
        """Start to receive reports."""
        self._reactor.addReader(self)

    def fork(self, number: int, channel: Channel) -> bool:
        """
        Order a worker; a report follows, even if this process lacks descriptors.

        :param channel: is connected to the worker.
        :return: False if the fork server is gone.
        """
        if not self._is_open:
            return False
        try:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                # Before the order: every worker must have a working channel.
                adopt(self._reactor, ours, channel)
                self._send(Order.FORK, number, [theirs.fileno()])
        except ConnectionError:
            channel.close()
            return False
        except OSError as error:
            channel.close()
            report = Report(WorkerEvent.CANNOT_FORK, number, 0, error.errno or 0)
            self._reactor.callLater(0, self._report, report)
        return True

    def kill(self, pid: int) -> None:
        """
        Kill a worker; a report follows if the fork server is there.

        :param pid: of a worker whose end was not reported. Its process id cannot belong
            to another process.
        """
        try:
            self._send(Order.KILL, pid)
        except OSError:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @property
    def silence(self) -> float:
        """Seconds that the fork server owes an answer."""
        return 0.0 if self._pinged is None else float(self._reactor.seconds()) - self._pinged

    def ping(self) -> None:
        """Ask whether the fork server is alive, unless a question is open."""
        if self._pinged is None:
            self._pinged = self._reactor.seconds()
            self._is_ping_sent = False
        if not self._is_ping_sent:
            # A fork server that reads nothing may have filled the socket.
            with suppress(OSError):
                self._send(Order.PING, 0)
                self._is_ping_sent = True

    def excuse(self) -> None:
        """Restart the count of `silence`: this process did not read reports for a while."""
        if self._pinged is not None:
            self._pinged = self._reactor.seconds()

    def close_listeners(self) -> None:
        """Have the fork server close its listeners: it forks no more workers."""
        with suppress(OSError):
            self._send(Order.CLOSE, 0)

    def close(self) -> None:
        """End the fork server; workers go on."""
        if self._is_open:
            self._is_open = False
            if self.silence > SHARE_SILENCE and self._pid is not None:
                # It would keep the listeners open until somebody continues it.
                with suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)
            self._reactor.removeReader(self)
            self._control.close()

    def _send(self, order: Order, number: int, descriptors: Sequence[int] = ()) -> None:
        """:raises OSError: a ConnectionError if the fork server is gone."""
        if not self._is_open:
            raise ConnectionAbortedError
        # A few bytes, which a socket takes entirely or not at all.
        socket.send_fds(self._control, [ORDER.pack(order, number)], list(descriptors))

    def fileno(self) -> int:
        """IReadDescriptor."""
        return self._control.fileno()

    def logPrefix(self) -> str:
        """ILoggingContext."""
        return "ForkClient"

    def doRead(self) -> None:
        """IReadDescriptor."""
        try:
            received = self._control.recv(REPORT.size * 64)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return
            received = b""
        if not received:
            self.connectionLost(None)
            return
        self._received += received
        while len(self._received) >= REPORT.size:
            record, self._received = self._received[: REPORT.size], self._received[REPORT.size :]
            report = Report.unpack(record)
            if report.event == WorkerEvent.ALIVE:
                self._pinged = None
            else:
                self._report(report)

    def connectionLost(self, reason: Failure | None) -> None:
        """IReadDescriptor."""
        if self._is_open:
            self.close()
            self._lost()


def launch_forks(
    reactor: Any,
    listeners: Sequence[Listeners],
    run_worker: RunWorker,
    report: Callable[[Report], None],
    lost: Callable[[], None],
    *,
    kept: Sequence[int] = (),
) -> ForkClient:
    """
    Fork the fork server (`fork_server.launch`).

    :param listeners: those of each worker, by its number less one.
    :param kept: descriptors that every worker keeps.
    """
    control, pid = launch(listeners, run_worker, kept)
    return ForkClient(reactor, control, report, lost, pid)
