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


@implementer(IReadDescriptor)
class ForkClient:
    """
    :param control: the socket that `launch` returned.
    :param report: takes the reports of the fork server.
    :param lost: called when the fork server is gone unexpectedly.
    """

    def __init__(
        self,
        reactor: Any,
        control: socket.socket,
        report: Callable[[Report], None],
        lost: Callable[[], None],
    ) -> None:
        control.setblocking(False)
        self._reactor = reactor
        self._control = control
        self._report = report
        self._lost = lost
        self._received = b""
        self._is_open = True

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

    def close_listeners(self) -> None:
        """Have the fork server close its listeners: it forks no more workers."""
        with suppress(OSError):
            self._send(Order.CLOSE, 0)

    def close(self) -> None:
        """End the fork server; workers go on."""
        if self._is_open:
            self._is_open = False
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
            self._report(Report.unpack(record))

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
) -> ForkClient:
    """
    Fork the fork server (`fork_server.launch`).

    :param listeners: those of each worker, by its number less one; this process
        closes them.
    """
    control, _ = launch(listeners, run_worker)
    for each in listeners:
        each.stop()
    return ForkClient(reactor, control, report, lost)
