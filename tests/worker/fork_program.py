"""
What `test_fork_server` looks at: each check runs in a process that has no threads.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ingress.config import Listen
from ingress.downstream.listeners import Listeners, bind_listeners
from ingress.worker.fork_server import (
    IGNORED_SIGNALS,
    ORDER,
    REPORT,
    Order,
    Report,
    RunWorker,
    WorkerEvent,
    launch,
)
from tests.support.process import LOOPBACK


class Control:
    """The control plane, without a reactor."""

    def __init__(self, run_worker: RunWorker) -> None:
        self.listeners = bind_listeners(Listen(http=(LOOPBACK,), https=(), admin=()), Path())
        twins = self.listeners.twins(2)
        self.end, self.pid = launch(twins, run_worker)
        self.end.settimeout(20)
        for each in twins:
            each.stop()

    def order(self, order: Order, number: int = 0, end: socket.socket | None = None) -> None:
        descriptors = [] if end is None else [end.fileno()]
        socket.send_fds(self.end, [ORDER.pack(order, number)], descriptors)

    def fork(self, number: int) -> tuple[int, socket.socket]:
        """:return: the worker's process id, and our end of its socket."""
        ours, theirs = socket.socketpair()
        self.order(Order.FORK, number, theirs)
        theirs.close()
        ours.settimeout(20)
        event, found, pid, status = self.hear()
        assert (event, found, status) == (WorkerEvent.FORKED, number, 0)
        return pid, ours

    def hear(self) -> Report:
        return Report.unpack(self.end.recv(REPORT.size, socket.MSG_WAITALL))


def life() -> None:
    def run(number: int, end: socket.socket, listeners: Listeners) -> int:
        end.sendall(f"{number} {len(listeners.http.addresses)}".encode())
        return int(end.recv(10))

    control = Control(run)
    for number, status in ((1, 0), (2, 7)):
        pid, end = control.fork(number)
        assert end.recv(10) == f"{number} 1".encode()
        end.sendall(b"%d" % status)
        assert control.hear() == (WorkerEvent.ENDED, number, pid, status)


def wait(number: int, end: socket.socket, listeners: Listeners) -> int:
    """A worker that does nothing until it is told to."""
    end.sendall(b".")
    end.recv(1)
    return 0


def kill() -> None:
    control = Control(wait)
    pid, _end = control.fork(1)
    control.order(Order.KILL, pid)
    assert control.hear() == (WorkerEvent.ENDED, 1, pid, -signal.SIGKILL)
    bystander = os.fork()
    if not bystander:
        time.sleep(60)
        os._exit(0)
    # Process ids come again: one that is not a worker's is nobody's business.
    control.order(Order.KILL, bystander)
    pid, end = control.fork(1)
    assert end.recv(1) == b"."
    assert os.waitpid(bystander, os.WNOHANG) == (0, 0)
    os.kill(bystander, signal.SIGKILL)


def ping() -> None:
    control = Control(wait)
    for _ in range(2):
        control.order(Order.PING)
        assert control.hear() == (WorkerEvent.ALIVE, 0, 0, 0)


def fault() -> None:
    def run(number: int, end: socket.socket, listeners: Listeners) -> int:
        # What is printed is not the test's to look at.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        raise ZeroDivisionError

    control = Control(run)
    pid, _ = control.fork(1)
    assert control.hear() == (WorkerEvent.ENDED, 1, pid, 1)
    pid, _ = control.fork(2)
    assert control.hear() == (WorkerEvent.ENDED, 2, pid, 1)


def same_listener() -> None:
    def run(number: int, end: socket.socket, listeners: Listeners) -> int:
        (descriptor,) = listeners.descriptors()
        listening = socket.socket(fileno=descriptor)
        listening.listen()
        end.sendall(b".")
        if end.recv(1) == b"a":
            listening.setblocking(True)
            accepted, _ = listening.accept()
            accepted.sendall(b"hello")
            accepted.close()
        return 0

    control = Control(run)
    port = control.listeners.http.port
    control.listeners.http.claim()
    pid, end = control.fork(1)
    assert end.recv(1) == b"."
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        control.order(Order.KILL, pid)
        assert control.hear().status == -signal.SIGKILL
        with socket.create_connection(("127.0.0.1", port), 20):
            pid, end = control.fork(1)
            assert end.recv(1) == b"."
            end.sendall(b"a")
            assert client.recv(10) == b"hello"


def closed_listeners() -> None:
    def run(number: int, end: socket.socket, listeners: Listeners) -> int:
        (descriptor,) = listeners.descriptors()
        socket.socket(fileno=descriptor).listen()
        end.sendall(b".")
        end.recv(1)
        return 0

    control = Control(run)
    port = control.listeners.http.port
    control.listeners.http.claim()
    _, end = control.fork(1)
    end.recv(1)
    socket.create_connection(("127.0.0.1", port), 20).close()
    control.order(Order.CLOSE)
    end.sendall(b".")
    assert control.hear().event == WorkerEvent.ENDED
    with suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 20)
        raise AssertionError
    ours, theirs = socket.socketpair()
    control.order(Order.FORK, 1, theirs)
    theirs.close()
    assert ours.recv(1) == b""


def signals() -> None:
    control = Control(wait)
    pid, end = control.fork(1)
    assert end.recv(1) == b"."
    for number in IGNORED_SIGNALS:
        os.kill(pid, number)
        os.kill(control.pid, number)
    end.sendall(b".")
    assert control.hear() == (WorkerEvent.ENDED, 1, pid, 0)


def orphans() -> None:
    def run(number: int, end: socket.socket, listeners: Listeners) -> int:
        end.sendall(b".")
        # The fork server's end must not keep it open, nor another worker.
        return 0 if end.recv(1) == b"" else 1

    control = Control(run)
    workers = [control.fork(number) for number in (1, 2)]
    for _, end in workers:
        assert end.recv(1) == b"."
        end.close()
    statuses = {control.hear().status for _ in workers}
    assert statuses == {0}
    control.end.close()
    assert os.waitpid(control.pid, 0) == (control.pid, 0)


def descriptors() -> None:
    def run(number: int, end: socket.socket, listeners: Listeners) -> int:
        sockets = {end.fileno(), *listeners.descriptors()}
        folder = Path("/proc/self/fd")
        for entry in list(folder.iterdir()):
            with suppress(FileNotFoundError):
                target = os.readlink(entry)
                is_ours = int(entry.name) <= 2 or int(entry.name) in sockets
                if not is_ours and not target.startswith(("/dev/null", "/proc/")):
                    end.sendall(f"{entry.name} is {target}\n".encode())
        return 0

    secret = open(__file__)  # noqa: SIM115
    control = Control(run)
    _, end = control.fork(1)
    assert control.hear().status == 0
    assert end.recv(1000) == b""
    secret.close()


def no_descriptors() -> None:
    control = Control(wait)
    # Once it has forked one it has all descriptors that it needs for itself.
    _, other = control.fork(2)
    assert other.recv(1) == b"."
    before = resource.prlimit(control.pid, resource.RLIMIT_NOFILE)
    # Three are what it has to have, and more of them than that are open.
    resource.prlimit(control.pid, resource.RLIMIT_NOFILE, (3, before[1]))
    ours, theirs = socket.socketpair()
    control.order(Order.FORK, 1, theirs)
    theirs.close()
    assert control.hear() == (WorkerEvent.CANNOT_FORK, 1, 0, errno.EMFILE)
    assert ours.recv(1) == b""
    resource.prlimit(control.pid, resource.RLIMIT_NOFILE, before)
    _, end = control.fork(1)
    assert end.recv(1) == b"."


CHECKS: tuple[Callable[[], None], ...] = (
    life,
    kill,
    ping,
    fault,
    same_listener,
    closed_listeners,
    signals,
    orphans,
    descriptors,
    no_descriptors,
)


def main() -> None:
    """Run each check in a process of its own, and tell how it ended."""
    for check in CHECKS:
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            signal.alarm(30)
            try:
                check()
                print(check.__name__, "good", flush=True)
            except BaseException:
                print(check.__name__, traceback.format_exc().replace("\n", " | "), flush=True)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
