"""
The process of a worker: the data plane alone, which the control plane commands.
"""

from __future__ import annotations

import json
import pickle
import random
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.downstream.bound_socket import ListenError
from ingress.downstream.listeners import Listeners
from ingress.memory import LARGE_WORK, SlowRelease, settle_objects
from ingress.routing.snapshot import Snapshot
from ingress.serving import Serving
from ingress.worker.channel import Channel, Queue, adopt, send_now
from ingress.worker.fresh_reactor import replace_reactor
from ingress.worker.log_relay import LogRelay, take_over_log
from ingress.worker.message import Kind, Message
from ingress.worker.replica import Replica

REPORT_INTERVAL: Final = 1.0
"""Seconds between two reports."""

FLUSH_PATIENCE: Final = 2.0
"""Seconds that a worker waits at its end for its last messages to be sent."""


class Collector(Protocol):
    """The counts of a worker, which the control plane adds up."""

    def take(self) -> object | None:
        """
        :return: what was counted since the last take, or a part of it, to be pickled;
            None once after the last part.
        """


class NothingCounted:
    """A `Collector` without counts."""

    def take(self) -> None:
        """Collector."""


class WorkerServing(Serving, Protocol):
    """The data plane of a worker."""

    @property
    def connections(self) -> int:
        """The number of open client connections."""

    def listen_again(self) -> None:
        """Listen again where the control plane has stopped it (`Listeners.withdraw`)."""


@dataclass(frozen=True, slots=True)
class DataSide:
    """The parts of a worker."""

    serving: WorkerServing
    collector: Collector = field(default_factory=NothingCounted)
    read_state: Callable[[], object] = lambda: None
    """Reads the state of the worker for the control plane, to be pickled."""

    answer: Callable[[Any], object] = lambda question: None
    """Answers a question of somebody who looks, in some milliseconds; both are pickled."""


MakeDataSide = Callable[[Any, Listeners], DataSide]
"""Makes a DataSide from a reactor and the listeners to accept on."""


class Reports:
    """The reports of a worker, once a second and on request (`Source`)."""

    def __init__(self, data_side: DataSide) -> None:
        self._data_side = data_side
        self._is_due = False
        self._are_counts_due = False
        self._is_asked = False
        self._questions: deque[bytes] = deque()

    def begin(self) -> None:
        """Begin a report; the rest of an unfinished one becomes part of it."""
        self._is_due = self._are_counts_due = True

    def ask(self) -> None:
        """Send all counts, and the state."""
        self._are_counts_due = self._is_asked = True

    def put(self, question: bytes) -> None:
        """:param question: is answered when its turn comes."""
        self._questions.append(question)

    def take(self) -> Message | None:
        """Source."""
        if self._is_due:
            self._is_due = False
            return Kind.WELL, json.dumps(self._data_side.serving.connections).encode()
        if self._are_counts_due:
            counted = self._data_side.collector.take()
            if counted is not None:
                return Kind.COUNTS, pickle.dumps(counted, pickle.HIGHEST_PROTOCOL)
            self._are_counts_due = False
        if self._is_asked:
            self._is_asked = False
            state = self._data_side.read_state()
            return Kind.STATE, pickle.dumps(state, pickle.HIGHEST_PROTOCOL)
        if self._questions:
            # Only the control plane can write to the socket that the question came over.
            question = pickle.loads(self._questions.popleft())  # noqa: S301
            answer = self._data_side.answer(question)
            return Kind.ANSWER, pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)
        return None


class WorkerProcess:
    """
    Obeys the control plane; drains if that is gone.

    :param reactor: of this process; stopped at the end.
    :param relay: takes the log of this process.
    """

    log = Logger()

    def __init__(self, reactor: Any, data_side: DataSide, relay: LogRelay) -> None:
        self._reactor = reactor
        self._serving = data_side.serving
        self._reports = Reports(data_side)
        self._news = Queue()
        self._replica = Replica()
        self._release = SlowRelease(reactor)
        self._snapshot: Snapshot | None = None
        self._spent = 0.0
        self._may_accept = False
        self._is_accepting = False
        self._is_ending = False
        self._timer: IDelayedCall | None = None
        self.status = 0
        """The exit status of the process."""

        self.channel = Channel(self._receive, self._lost, (self._news, relay, self._reports))
        relay.wake = self.channel.wake

    def __repr__(self) -> str:
        state = "ending" if self._is_ending else "accepting" if self._is_accepting else "waiting"
        return f"<WorkerProcess {state}: {self._serving.connections} connections>"

    def start(self) -> None:
        """Start, after the reactor runs and the channel is open."""
        self._serving.prepare()
        self._report()

    def _report(self) -> None:
        self._timer = self._reactor.callLater(REPORT_INTERVAL, self._report)
        self._reports.begin()
        self.channel.wake()

    def _tell(self, kind: Kind, value: object = None) -> None:
        self._news.put(kind, value)
        self.channel.wake()

    def _receive(self, kind: Kind, content: bytes) -> None:
        try:
            self._obey(kind, content)
        except Exception:
            # The reactor would close the channel, which the log goes through.
            self.log.failure("The worker failed to obey the command {kind}", kind=kind.name)
            self.status = 1
            self._drain(0)

    def _obey(self, kind: Kind, content: bytes) -> None:
        if kind == Kind.PIECES:
            self._take_pieces(content)
        elif kind == Kind.PUBLISH:
            self._publish(json.loads(content))
        elif kind == Kind.ACCEPT:
            self._may_accept = True
            self._accept()
        elif kind == Kind.LISTEN:
            self._listen_again()
        elif kind == Kind.DRAIN:
            self._drain(json.loads(content))
        elif kind == Kind.CUT:
            self._serving.cut()
        elif kind == Kind.REOPEN:
            self._serving.reopen()
        elif kind == Kind.ASK:
            self._reports.ask()
            self.channel.wake()
        elif kind == Kind.QUESTION:
            self._reports.put(content)
            self.channel.wake()

    # What is served.

    def _take_pieces(self, content: bytes) -> None:
        started = self._reactor.seconds()
        self._replica.take(content)
        self._spent += self._reactor.seconds() - started
        if self._spent >= LARGE_WORK:
            settle_objects()
        # Requests get their turn before the next message.
        self.channel.pauseProducing()  # type: ignore[no-untyped-call]
        self._reactor.callLater(0, self.channel.resumeProducing)

    def _publish(self, generation: int) -> None:
        is_large, self._spent = self._spent >= LARGE_WORK, 0.0
        is_first = self._snapshot is None
        self._snapshot, replaced = self._replica.finish()
        self._serving.publish(self._snapshot)
        if is_large:
            self._release.hold(replaced)
        if is_large or is_first:
            settle_objects()
        self._tell(Kind.PUBLISHED, generation)
        self._accept()

    def _accept(self) -> None:
        is_due = self._may_accept and self._snapshot is not None
        if is_due and not self._is_accepting and not self._is_ending:
            self._is_accepting = True
            accepting = self._serving.accept()
            accepting.addCallbacks(lambda _: self._tell(Kind.ACCEPTING), self._cannot_accept)

    def _listen_again(self) -> None:
        """A worker that does not accept yet listens by itself when it does."""
        if self._is_accepting and not self._is_ending:
            self._serving.listen_again()
            self._tell(Kind.ACCEPTING)

    def _cannot_accept(self, failure: Failure) -> None:
        self.status = 1
        if isinstance(failure.value, ListenError):
            self._tell(Kind.CANNOT_LISTEN, str(failure.value))
        else:
            self.log.failure("The worker cannot accept", failure)
        self._drain(0)

    # The end.

    def _lost(self) -> None:
        """Drain: the control plane is gone, and its successor has workers of its own."""
        grace = self._snapshot.config.shutdown_grace if self._snapshot is not None else 0
        self._drain(grace)

    def _drain(self, grace: float) -> None:
        if not self._is_ending:
            self._is_ending = True
            drained = maybeDeferred(self._serving.drain, grace)
            drained.addErrback(self._cannot_drain)
            drained.addCallback(self._drained)

    def _cannot_drain(self, failure: Failure) -> None:
        self.status = 1
        self.log.failure("The worker failed to drain", failure)

    def _drained(self, _: None) -> None:
        self._release.stop()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._reactor.callLater(FLUSH_PATIENCE, self._stop)
        self._reports.begin()
        self._news.put(Kind.DRAINED)
        self.channel.flush(self._stop)

    def _stop(self) -> None:
        if self._timer is not None:
            if self._timer.active():
                self._timer.cancel()
            self._timer = None
            self.channel.close()
            self._reactor.stop()


def run_worker(
    make_data_side: MakeDataSide, number: int, channel: socket.socket, listeners: Listeners
) -> int:
    """
    Run a worker in the process that was forked for it.

    :param channel: to the control plane.
    :return: the exit status.
    """
    relay = LogRelay()
    take_over_log(relay)
    # Each worker must draw other random numbers.
    random.seed()
    try:
        reactor = replace_reactor()
        worker = WorkerProcess(reactor, make_data_side(reactor, listeners), relay)
        reactor.callWhenRunning(_begin, reactor, worker, channel)
        reactor.run(installSignalHandlers=False)
    except BaseException:
        relay.log.failure("Worker {number} cannot go on", number=number)
        send_now(channel, relay)
        return 1
    return worker.status


def _begin(reactor: Any, worker: WorkerProcess, channel: socket.socket) -> None:
    adopt(reactor, channel, worker.channel)
    worker.start()
