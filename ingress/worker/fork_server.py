"""
The process that workers are forked from: no reactor, no threads, nothing that a fork could break.

The control plane forks it before it has a reactor or threads itself. It holds what all
workers share: the listening sockets, the base TLS context with its ticket keys, and the
modules. A worker that replaces another one is like all others (docs/adr/0012-workers.md).

It obeys `Order` records, each with a number, and sends `Report` records. It ends when
the control plane's end of its socket is closed, however that happens.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from enum import IntEnum
from typing import NamedTuple, NoReturn

from ingress.downstream.listeners import Listeners

ORDER = struct.Struct("!BI")
"""`Order`, and a number."""

REPORT = struct.Struct("!BIIi")
"""`WorkerEvent`, number of a worker, its process id, and a status."""

IGNORED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""
Signals that are sent to a whole group of processes, by ^C or by a supervisor at the
end. The control plane acts on them and commands the others.
"""

RunWorker = Callable[[int, socket.socket, Listeners], int]
"""
The whole life of a worker. It takes the worker's number, its socket to the control plane
and its listeners, and returns the exit status.
"""


class Order(IntEnum):
    """An order of the control plane."""

    FORK = 1
    """Fork a worker. The number is that of the worker; its socket is attached."""

    KILL = 2
    """Kill a worker. The number is its process id; it may have ended."""

    CLOSE = 3
    """Close the listeners, so that no client waits in their queues: no more workers follow."""

    PING = 4
    """Report `ALIVE`."""


class WorkerEvent(IntEnum):
    """An event in the life of a worker."""

    FORKED = 1
    CANNOT_FORK = 2
    """The status is an errno."""

    ENDED = 3
    """The status is that of the process, below zero for the signal that killed it."""

    ALIVE = 4
    """The fork server itself is alive; the numbers are 0."""


class Report(NamedTuple):
    event: WorkerEvent
    number: int
    pid: int
    status: int

    def pack(self) -> bytes:
        return REPORT.pack(*self)

    @classmethod
    def unpack(cls, record: bytes) -> Report:
        event, number, pid, status = REPORT.unpack(record)
        return cls(WorkerEvent(event), number, pid, status)


class ForkServer:
    """
    The fork server.

    :param control: the socket to the control plane.
    :param listeners: those of each worker, by its number less one.
    :param kept: descriptors that every worker keeps.
    """

    def __init__(
        self,
        control: socket.socket,
        listeners: Sequence[Listeners],
        run_worker: RunWorker,
        kept: Sequence[int] = (),
    ) -> None:
        self._control = control
        self._kept = tuple(kept)
        self._listeners = tuple(listeners)
        self._run_worker = run_worker
        self._numbers: dict[int, int] = {}
        """The numbers of the living workers, by process id."""

        self._wake_up, self._woken = socket.socketpair()

    def __repr__(self) -> str:
        return f"<ForkServer of {len(self._numbers)} workers>"

    def run(self) -> None:
        """Obey until the control plane is gone."""
        self._woken.setblocking(False)
        self._wake_up.setblocking(False)
        for number in IGNORED_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(self._wake_up.fileno(), warn_on_full_buffer=False)
        # An ignored signal would not write to the wake-up descriptor.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        poll = select.poll()
        for each in (self._control, self._woken):
            poll.register(each, select.POLLIN)
        with suppress(ConnectionError):
            while self._obey(poll):
                pass

    def _obey(self, poll: select.poll) -> bool:
        for descriptor, _ in poll.poll():
            if descriptor == self._woken.fileno():
                with suppress(BlockingIOError):
                    self._woken.recv(1024)
                self._reap()
            elif not self._take_order():
                return False
        return True

    def _take_order(self) -> bool:
        """:return: False if no more orders can come."""
        record, descriptors, _, _ = socket.recv_fds(self._control, ORDER.size, 1)
        sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        if len(record) < ORDER.size:
            return False
        order, number = ORDER.unpack(record)
        if order == Order.FORK and not sockets:
            # The kernel drops a socket if no descriptor is free (recvmsg(2), MSG_CTRUNC).
            self._report(WorkerEvent.CANNOT_FORK, number, 0, errno.EMFILE)
        elif order == Order.FORK and self._listeners:
            self._fork(number, sockets[0])
        elif order == Order.KILL:
            # It is not reaped yet, so that no other process has this process id.
            if number in self._numbers:
                os.kill(number, signal.SIGKILL)
        elif order == Order.PING:
            self._report(WorkerEvent.ALIVE, 0, 0, 0)
        elif order == Order.CLOSE:
            for listeners in self._listeners:
                listeners.stop()
            self._listeners = ()
        for each in sockets:
            each.close()
        return True

    def _fork(self, number: int, channel: socket.socket) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            self._report(WorkerEvent.CANNOT_FORK, number, 0, error.errno or 0)
            return
        if pid == 0:
            run_and_exit(lambda: self._become_worker(number, channel))
        self._numbers[pid] = number
        self._report(WorkerEvent.FORKED, number, pid, 0)

    def _become_worker(self, number: int, channel: socket.socket) -> int:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        listeners = self._listeners[number - 1]
        leave_descriptors([channel.fileno(), *listeners.descriptors(), *self._kept])
        return self._run_worker(number, channel, listeners)

    def _reap(self) -> None:
        while self._numbers:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            number = self._numbers.pop(pid, 0)
            self._report(WorkerEvent.ENDED, number, pid, os.waitstatus_to_exitcode(status))

    def _report(self, event: WorkerEvent, number: int, pid: int, status: int) -> None:
        self._control.sendall(Report(event, number, pid, status).pack())


def launch(
    listeners: Sequence[Listeners], run_worker: RunWorker, kept: Sequence[int] = ()
) -> tuple[socket.socket, int]:
    """
    Fork the fork server, while this process has neither threads nor a running reactor.

    :param kept: descriptors that every worker keeps.
    :return: the socket that it obeys, and its process id.
    """
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        run_and_exit(lambda: _become_fork_server(theirs, listeners, run_worker, kept))
    theirs.close()
    return ours, pid


def _become_fork_server(
    control: socket.socket,
    listeners: Sequence[Listeners],
    run_worker: RunWorker,
    kept: Sequence[int],
) -> int:
    listening = [descriptor for each in listeners for descriptor in each.descriptors()]
    leave_descriptors([control.fileno(), *listening, *kept])
    ForkServer(control, listeners, run_worker, kept).run()
    return 0


def run_and_exit(function: Callable[[], int]) -> NoReturn:
    """
    Run a function and exit, without returning into the code of the parent process.

    :param function: returns the exit status.
    """
    status = 1
    try:
        status = function()
    except BaseException:
        if sys.__stderr__ is not None:
            traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(status)


def leave_descriptors(kept: Iterable[int]) -> None:
    """
    Close every inherited descriptor except these and the standard ones.

    Python objects still have the numbers and may close them later. So each descriptor
    becomes one of /dev/null, and its number is not used again.
    """
    kept = {0, 1, 2, *kept}
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in _open_descriptors():
        if descriptor not in kept and descriptor != null:
            with suppress(OSError):
                os.dup2(null, descriptor, inheritable=False)
    os.close(null)


def _open_descriptors() -> list[int]:
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    return [int(name) for name in os.listdir(folder)]
