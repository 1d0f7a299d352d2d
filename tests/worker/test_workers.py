"""
Tests for `ingress.worker.workers`, `ingress.worker.slot` and `ingress.worker.link`.
"""

from __future__ import annotations

import errno
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import Logger, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.downstream.bound_socket import ListenError
from ingress.downstream.listeners import Listeners
from ingress.routing.snapshot import Snapshot, VirtualHost
from ingress.worker.channel import Channel
from ingress.worker.fork_server import Report, WorkerEvent
from ingress.worker.link import SHARE_SILENCE, SILENCE
from ingress.worker.log_relay import LogRelay
from ingress.worker.message import Kind, Message
from ingress.worker.replica import Replica
from ingress.worker.slot import MAX_PAUSE, STABLE
from ingress.worker.workers import OVERTIME, PATIENCE, Workers, WorkersCallbacks
from tests.support.recording_listener import RecordingListener, listeners_of

KILLED = -9


class HandWorker:
    """A worker's process as it looks from outside; a test is what is inside."""

    def __init__(self, number: int, pid: int, channel: Channel) -> None:
        self.number = number
        self.pid = pid
        self.channel = channel
        self.heard: list[Message] = []
        self.replica = Replica()
        self.hosts: set[bytes] = set()
        self._transport = StringTransport()
        channel.makeConnection(self._transport)

    def listen(self) -> list[Kind]:
        """Hear all that it is told; return what kinds of messages that were this time."""
        producer: Any = self._transport.producer
        size = -1
        while producer is not None and len(self._transport.value()) != size:
            size = len(self._transport.value())
            producer.resumeProducing()
        heard: list[Message] = []
        other = Channel(lambda kind, content: heard.append((kind, content)), lambda: None, ())
        other.makeConnection(StringTransport())
        other.dataReceived(self._transport.value())
        self._transport.clear()
        self.heard += heard
        for kind, content in heard:
            if kind == Kind.PIECES:
                self.replica.take(content)
            elif kind == Kind.PUBLISH:
                self.hosts = set(self.replica.finish()[0].hosts)
                self.say(Kind.PUBLISHED, content)
        return [kind for kind, _ in heard]

    def say(self, kind: Kind, content: bytes = b"") -> None:
        message = bytes((kind,)) + content
        self.channel.dataReceived(len(message).to_bytes(4, "big") + message)

    def close(self) -> None:
        """Its end of the channel is closed, as at its end."""
        self.channel.connectionLost(Failure(ConnectionDone()))


@dataclass
class HandForks:
    """A fork server that does what a test says."""

    events: list[str]
    report: Callable[[Report], None]
    lost: Callable[[], None]
    workers: list[HandWorker] = field(default_factory=list)
    is_alive: bool = True
    silence: float = 0.0

    def ping(self) -> None:
        """Not recorded: it comes every second."""

    def excuse(self) -> None:
        self.silence = 0.0

    def start(self) -> None:
        self.events.append("fork server starts")

    def fork(self, number: int, channel: Channel) -> bool:
        if self.is_alive:
            self.workers.append(HandWorker(number, 100 + len(self.workers), channel))
            self.events.append(f"fork {number}")
        return self.is_alive

    def kill(self, pid: int) -> None:
        self.events.append(f"kill {pid}")

    def close_listeners(self) -> None:
        self.events.append("fork server closes listeners")

    def close(self) -> None:
        self.events.append("fork server ends")


class HandListener(RecordingListener):
    """A listener for the addresses of workers."""

    def claim(self) -> None:
        if self.fault is not None:
            raise self.fault
        self.events.append(f"{self.name} is claimed")

    def log_addresses(self) -> None:
        self.events.append(f"{self.name} is told")


@dataclass
class HandTwins:
    """The listeners of one worker, held by the control plane."""

    number: int
    events: list[str]

    def withdraw(self) -> None:
        self.events.append(f"withdraw {self.number}")

    def stop(self) -> None:
        self.events.append(f"close {self.number}")


def snapshot(*names: str) -> Snapshot:
    return Snapshot(Config(), hosts={name.encode(): VirtualHost(name) for name in names})


class WorkersTestCase(SynchronousTestCase):
    """Two workers, whose processes are a test's."""

    def setUp(self) -> None:
        self.events: list[str] = []
        self.counted: list[object] = []
        self.clock = Clock()
        self.http, self.https = (HandListener(name, self.events) for name in ("http", "https"))
        self.workers = Workers(
            self.clock,
            listeners_of(self.http, self.https),
            [cast(Listeners, HandTwins(number, self.events)) for number in (1, 2)],
            self.launch,
            WorkersCallbacks(
                self.counted.append,
                lambda: self.events.append("failure"),
                lambda is_so: self.events.append("starving" if is_so else "starving no more"),
            ),
        )

    def launch(self, report: Callable[[Report], None], lost: Callable[[], None]) -> HandForks:
        self.forks = HandForks(self.events, report, lost)
        return self.forks

    def begin(self) -> None:
        """Both have been forked."""
        self.workers.launch()
        self.workers.prepare()
        for worker in self.forks.workers:
            self.forked(worker)
        self.addCleanup(self.stop_watching)

    def stop_watching(self) -> None:
        for call in self.clock.getDelayedCalls():
            call.cancel()

    def forked(self, worker: HandWorker) -> None:
        self.forks.report(Report(WorkerEvent.FORKED, worker.number, worker.pid, 0))

    def serve(self) -> None:
        """Both serve a Snapshot."""
        self.begin()
        self.workers.publish(snapshot("a"))
        accepted = self.workers.accept()
        for worker in self.forks.workers:
            worker.listen()
            worker.say(Kind.ACCEPTING)
        self.successResultOf(accepted)
        self.events.clear()

    def end(self, worker: HandWorker, status: int = KILLED) -> None:
        """A process ends."""
        worker.close()
        self.forks.report(Report(WorkerEvent.ENDED, worker.number, worker.pid, status))

    def pass_time(self, seconds: float, *, but_for: HandWorker | None = None) -> None:
        """All are well meanwhile, but for one."""
        for _ in range(int(seconds)):
            self.clock.advance(1)
            for worker in self.forks.workers:
                if worker is not but_for:
                    worker.say(Kind.WELL, b"5")

    def said(self, events: Any) -> list[str]:
        return [formatEvent(event) for event in events]


class ServingTests(WorkersTestCase):
    """What goes well."""

    def test_start(self) -> None:
        """The fork server comes first; who is forked is told of each Snapshot."""
        self.begin()
        self.assertEqual(self.events, ["fork server starts", "fork 1", "fork 2"])
        self.workers.publish(snapshot("a"))
        for worker in self.forks.workers:
            worker.listen()
            self.assertEqual(worker.hosts, {b"a"})
        self.workers.publish(snapshot("b", "c"))
        for worker in self.forks.workers:
            worker.listen()
            self.assertEqual(worker.hosts, {b"b", b"c"})
        self.assertEqual(self.workers.generation, 2)

    def test_generation(self) -> None:
        """The generation is that of the slowest."""
        self.begin()
        self.workers.publish(snapshot("a"))
        first, second = self.forks.workers
        first.listen()
        self.assertEqual(self.workers.generation, 0)
        second.listen()
        self.assertEqual(self.workers.generation, 1)

    def test_accept(self) -> None:
        """Addresses are claimed before a worker listens; all accept when both do."""
        self.begin()
        self.assertEqual(list(self.workers.notes()), [])
        self.workers.publish(snapshot("a"))
        first, second = self.forks.workers
        self.assertNotIn(Kind.ACCEPT, first.listen())
        accepted = self.workers.accept()
        self.assertEqual(self.events[3:], ["http is claimed", "https is claimed"])
        self.assertEqual((first.listen(), second.listen()[-1]), ([Kind.ACCEPT], Kind.PUBLISH))
        first.say(Kind.ACCEPTING)
        self.assertNoResult(accepted)
        second.say(Kind.ACCEPTING)
        self.successResultOf(accepted)
        self.assertEqual(self.events[5:], ["http is told", "https is told"])

    def test_claim_refused(self) -> None:
        """An address on which somebody else was faster to listen is a failure to accept."""
        self.begin()
        self.https.fault = ListenError("taken")
        failure = self.failureResultOf(self.workers.accept(), ListenError)
        self.assertEqual(str(failure.value), "taken")
        self.assertNotIn(Kind.ACCEPT, self.forks.workers[0].listen())

    def test_cannot_listen(self) -> None:
        """And so is one that only a worker finds; later it is a line of the log."""
        self.begin()
        accepted = self.workers.accept()
        self.forks.workers[0].say(Kind.CANNOT_LISTEN, json.dumps("taken").encode())
        self.failureResultOf(accepted, ListenError)
        with capturedLogs() as events:
            self.forks.workers[1].say(Kind.CANNOT_LISTEN, json.dumps("taken, too").encode())
        self.assertEqual(self.said(events), ["taken, too"])

    def test_counts(self) -> None:
        """What workers count comes to whoever adds up."""
        self.serve()
        first, second = self.forks.workers
        first.say(Kind.COUNTS, pickle.dumps("one"))
        second.say(Kind.COUNTS, pickle.dumps("two"))
        self.assertEqual(self.counted, ["one", "two"])

    def test_ask(self) -> None:
        """How they fare is asked of all, and told when all have answered."""
        self.serve()
        asked = self.workers.ask()
        self.assertEqual(self.workers.states, [])
        for worker in self.forks.workers:
            self.assertNoResult(asked)
            self.assertEqual(worker.listen(), [Kind.ASK])
            worker.say(Kind.STATE, pickle.dumps(f"state of {worker.number}"))
        self.successResultOf(asked)
        self.assertEqual(self.workers.states, ["state of 1", "state of 2"])

    def test_no_answer(self) -> None:
        """One that does not answer, or is gone, is not waited for for long."""
        self.serve()
        asked = self.workers.ask()
        self.forks.workers[0].close()
        self.assertNoResult(asked)
        self.clock.advance(PATIENCE)
        self.successResultOf(asked)
        self.forks.workers[1].close()
        self.successResultOf(self.workers.ask())

    def test_question(self) -> None:
        """A question goes to all; the answers are those of the workers that give one in time."""
        self.serve()
        first = self.workers.question("how much?")
        for worker in self.forks.workers:
            self.assertEqual(worker.listen(), [Kind.QUESTION])
        second = self.workers.question("how many?")
        one, two = self.forks.workers
        one.say(Kind.ANSWER, pickle.dumps(1))
        one.say(Kind.ANSWER, pickle.dumps(11))
        self.clock.advance(PATIENCE)
        self.assertEqual(self.successResultOf(first), [1])
        self.assertEqual(self.successResultOf(second), [11])
        # What comes too late is the answer to nothing else.
        third = self.workers.question("how long?")
        for late in (2, 22, 222):
            two.say(Kind.ANSWER, pickle.dumps(late))
        one.close()
        self.assertEqual(self.successResultOf(third), [222])

    def test_log(self) -> None:
        """What a worker logs is logged here."""
        self.serve()
        relay = LogRelay()
        Logger(observer=relay).info("text")
        message = relay.take()
        assert message is not None
        with capturedLogs() as events:
            self.forks.workers[1].say(*message)
        self.assertEqual(self.said(events), ["text"])
        self.assertEqual(events[0]["worker"], 2)

    def test_reopen(self) -> None:
        """All open their files again."""
        self.serve()
        self.workers.reopen()
        for worker in self.forks.workers:
            self.assertEqual(worker.listen(), [Kind.REOPEN])


class LossTests(WorkersTestCase):
    """What happens to workers."""

    def test_replaced(self) -> None:
        """One that is killed is replaced at once, and the log says what was lost."""
        self.serve()
        self.pass_time(35)
        self.events.clear()
        with capturedLogs() as events:
            self.end(self.forks.workers[0])
        self.assertEqual(self.events, ["fork 1"])
        self.assertEqual(
            self.said(events),
            [
                "Worker 1 (pid 100) was killed by SIGKILL after 35 s, with 5 connections open; "
                "it is replaced now"
            ],
        )
        self.assertEqual(self.workers.lost, 1)
        successor = self.forks.workers[2]
        self.forked(successor)
        # It gets everything, and may accept at once.
        kinds = successor.listen()
        self.assertEqual((kinds[0], kinds[-1]), (Kind.ACCEPT, Kind.PUBLISH))
        self.assertEqual(successor.hosts, {b"a"})

    def test_last_words(self) -> None:
        """What it said before its end is heard, whichever of both comes first."""
        self.serve()
        worker = self.forks.workers[0]
        self.forks.report(Report(WorkerEvent.ENDED, 1, worker.pid, KILLED))
        self.assertEqual(self.events, [])
        worker.say(Kind.COUNTS, pickle.dumps("last"))
        worker.close()
        self.assertEqual((self.counted, self.events), (["last"], ["fork 1"]))

    def test_crash_loop(self) -> None:
        """One that ends again and again has longer and longer pauses, and the others serve on."""
        self.serve()
        pauses: list[float] = []
        for _ in range(8):
            self.end(self.forks.workers[-1] if pauses else self.forks.workers[0], 1)
            count, began = len(self.forks.workers), self.clock.seconds()
            while not self.events or self.events[-1] != "fork 1":
                self.pass_time(1)
            self.events.clear()
            self.forked(self.forks.workers[-1])
            pauses.append(self.clock.seconds() - began)
            self.assertLessEqual(len(self.forks.workers), count + 1)
        self.assertEqual(pauses, [0, 1, 2, 4, 8, 16, MAX_PAUSE, MAX_PAUSE])

    def test_stable(self) -> None:
        """One that lived for long is replaced at once, whatever was before it."""
        self.serve()
        for _ in range(3):
            self.pass_time(STABLE)
            self.events.clear()
            self.end(
                self.forks.workers[-1] if len(self.forks.workers) > 2 else self.forks.workers[0]
            )
            self.assertEqual(self.events, ["fork 1"])
            self.forked(self.forks.workers[-1])

    def test_hanging(self) -> None:
        """One that says nothing for too long is killed, and so replaced."""
        self.serve()
        silent = self.forks.workers[1]
        self.pass_time(SILENCE, but_for=silent)
        self.assertEqual(self.events, ["withdraw 2"])
        self.events.clear()
        with capturedLogs() as events:
            self.pass_time(1, but_for=silent)
        self.assertEqual(self.events, ["kill 101"])
        self.assertEqual(
            self.said(events), ["Worker 2 (pid 101) has said nothing for 16 s: it is killed"]
        )
        self.end(silent)
        self.assertEqual(self.events[-1], "fork 2")

    def test_silent(self) -> None:
        """A worker that says nothing for seconds gets no new connections, until it speaks again."""
        self.serve()
        silent = self.forks.workers[1]
        self.pass_time(SHARE_SILENCE, but_for=silent)
        self.assertEqual((self.events, list(self.workers.notes())), ([], []))
        with capturedLogs() as events:
            self.pass_time(2, but_for=silent)
        self.assertEqual(self.events, ["withdraw 2"])
        self.assertEqual(
            self.said(events),
            ["Worker 2 has been silent for 4 s: it gets no new connections"],
        )
        self.assertEqual(
            list(self.workers.notes()),
            ["worker 2 of 2 is silent for 5 s: it gets no new connections"],
        )
        self.assertEqual(silent.listen(), [])
        self.pass_time(2)
        self.assertEqual(silent.listen(), [Kind.LISTEN])
        self.assertEqual(
            list(self.workers.notes()), ["worker 2 of 2 does not accept at the moment"]
        )
        silent.say(Kind.ACCEPTING)
        self.assertEqual(list(self.workers.notes()), [])
        self.pass_time(2)
        self.assertEqual((self.events, silent.listen()), (["withdraw 2"], []))

    def test_silent_again(self) -> None:
        """A worker that is stopped again loses its share again."""
        self.serve()
        silent = self.forks.workers[1]
        for count in (1, 2):
            self.pass_time(SHARE_SILENCE + 1, but_for=silent)
            self.assertEqual(self.events, ["withdraw 2"] * count)
            self.pass_time(2)
            silent.say(Kind.ACCEPTING)

    def test_all_silent(self) -> None:
        """When every worker is silent, the proxy is not ready."""
        self.serve()
        for _ in range(int(SHARE_SILENCE) + 1):
            self.clock.advance(1)
        self.assertEqual(self.events, ["withdraw 1", "withdraw 2", "starving"])
        self.pass_time(2)
        self.forks.workers[0].say(Kind.ACCEPTING)
        self.assertEqual(self.events[-1], "starving no more")

    def test_dead_and_not_reported(self) -> None:
        """A worker whose end a stopped fork server does not report loses its share as well."""
        self.serve()
        dead = self.forks.workers[1]
        dead.close()
        self.pass_time(SHARE_SILENCE + 1, but_for=dead)
        self.assertEqual(self.events, ["withdraw 2"])
        self.forks.report(Report(WorkerEvent.ENDED, 2, dead.pid, KILLED))
        successor = self.forks.workers[2]
        self.forked(successor)
        self.pass_time(2, but_for=dead)
        self.assertEqual(successor.listen()[0], Kind.ACCEPT)
        successor.say(Kind.ACCEPTING)
        self.assertEqual(list(self.workers.notes()), [])

    def test_empty_place(self) -> None:
        """Clients do not wait in the queue of a worker that is not replaced for seconds."""
        self.serve()
        self.end(self.forks.workers[0])
        for index in (2, 3, 4):
            self.end(self.forks.workers[index])
            self.pass_time(2 ** (index - 2), but_for=self.forks.workers[index])
        self.assertNotIn("withdraw 1", self.events)
        self.end(self.forks.workers[5])
        self.pass_time(SHARE_SILENCE + 1, but_for=self.forks.workers[5])
        self.assertEqual(self.events.count("withdraw 1"), 1)
        self.assertNotIn("withdraw 2", self.events)

    def test_not_before_accepting(self) -> None:
        """Before the first worker may accept there is no share to lose."""
        self.begin()
        self.events.clear()
        for _ in range(int(SHARE_SILENCE) + 1):
            self.clock.advance(1)
        self.assertEqual(self.events, [])

    def test_fork_server_silent(self) -> None:
        """A fork server that does not answer is a note, and a line of the log, once."""
        self.serve()
        self.forks.silence = SHARE_SILENCE + 1
        with capturedLogs() as events:
            self.pass_time(2)
        self.assertEqual(
            self.said(events),
            ["The fork server does not answer: workers that end are not replaced until it does"],
        )
        self.assertEqual(
            list(self.workers.notes()),
            ["the fork server does not answer: workers that end are not replaced"],
        )
        self.forks.silence = 0.0
        with capturedLogs() as events:
            self.pass_time(2)
        self.assertEqual(self.said(events), ["The fork server answers again"])
        self.assertEqual(list(self.workers.notes()), [])

    def test_we_were_away(self) -> None:
        """Where we did not listen ourselves, as when stopped, nobody was silent."""
        self.serve()
        self.forks.silence = 600
        self.clock.advance(600)
        self.pass_time(SILENCE - 1)
        self.assertEqual((self.events, list(self.workers.notes())), ([], []))

    def test_cannot_fork(self) -> None:
        """Where the system has no process left, it is tried again."""
        self.begin()
        self.events.clear()
        with capturedLogs() as events:
            self.forks.report(Report(WorkerEvent.CANNOT_FORK, 1, 0, errno.EAGAIN))
        self.assertEqual(
            self.said(events),
            [
                "Worker 1 cannot be forked: Resource temporarily unavailable; "
                "the next attempt is in 1 s"
            ],
        )
        self.assertEqual(self.workers.lost, 0)
        self.clock.advance(1)
        self.assertEqual(self.events, ["fork 1"])

    def test_never_forked(self) -> None:
        """Where no process can be forked for days, it is tried again all the same."""
        self.begin()
        for _ in range(1100):
            self.events.clear()
            self.forks.report(Report(WorkerEvent.CANNOT_FORK, 1, 0, errno.EAGAIN))
            self.clock.advance(MAX_PAUSE)
            self.assertIn("fork 1", self.events)

    def test_accept_despite(self) -> None:
        """One that ends again and again at the start keeps nobody waiting for the other."""
        self.begin()
        accepted = self.workers.accept()
        self.end(self.forks.workers[0], 1)
        self.assertNoResult(accepted)
        self.forks.workers[1].say(Kind.ACCEPTING)
        self.successResultOf(accepted)

    def test_nobody(self) -> None:
        """That nobody accepts any more is told, and that somebody does again."""
        self.serve()
        first, second = self.forks.workers
        self.end(first)
        self.assertNotIn("starving", self.events)
        self.assertEqual(
            list(self.workers.notes()), ["worker 1 of 2 does not accept at the moment"]
        )
        self.end(second)
        self.assertEqual(self.events.count("starving"), 1)
        self.forks.workers[2].say(Kind.ACCEPTING)
        self.assertEqual(self.events[-1], "starving no more")
        self.forks.workers[3].say(Kind.ACCEPTING)
        self.assertEqual(self.events[-1], "starving no more")

    def test_fork_server_gone(self) -> None:
        """Without the fork server those that are there serve on, and the last one's end is ours."""
        self.serve()
        self.forks.is_alive = False
        with capturedLogs() as events:
            self.forks.lost()
        self.assertEqual(
            self.said(events), ["The fork server is gone: workers that end cannot be replaced"]
        )
        with capturedLogs() as events:
            self.forks.workers[0].close()
        self.assertTrue(self.said(events)[0].endswith("it is not replaced"), events)
        self.assertEqual(self.events, [])
        self.assertEqual(
            list(self.workers.notes()),
            [
                "the fork server is gone: workers that end cannot be replaced",
                "worker 1 of 2 does not accept at the moment",
            ],
        )
        self.forks.workers[1].close()
        self.assertEqual(self.events, ["starving", "failure"])

    def test_all_gone_at_once(self) -> None:
        """The same where they are gone before that is known of the fork server."""
        self.serve()
        self.forks.is_alive = False
        for worker in self.forks.workers:
            worker.close()
        self.assertEqual(self.events, [])
        self.forks.lost()
        self.assertEqual(self.events, ["starving", "failure"])


class DrainTests(WorkersTestCase):
    """How all end."""

    def test_drain(self) -> None:
        """No listener stays open anywhere, all drain, and it is over when the last one has ended."""
        self.serve()
        drained = self.workers.drain(7.0)
        closed = ["fork server closes listeners", "close 1", "close 2"]
        self.assertEqual(self.events, [*closed, "http stops", "https stops"])
        for worker in self.forks.workers:
            self.assertEqual(worker.listen(), [Kind.DRAIN])
            self.assertEqual(worker.heard[-1], (Kind.DRAIN, b"7.0"))
        first, second = self.forks.workers
        self.end(first, 0)
        self.assertNoResult(drained)
        self.end(second, 0)
        self.successResultOf(drained)
        self.assertEqual(self.events[5:], ["fork server ends"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.workers.lost, 0)

    def test_fork_server_silent(self) -> None:
        """A fork server that does not answer keeps no listener open."""
        self.serve()
        self.forks.silence = SHARE_SILENCE + 1
        self.pass_time(1)
        self.workers.drain(7.0)
        self.assertEqual(
            self.events[1:5], ["withdraw 1", "close 1", "withdraw 2", "close 2"], self.events
        )

    def test_late(self) -> None:
        """One that is not done when it should be is killed."""
        self.serve()
        drained = self.workers.drain(7.0)
        self.end(self.forks.workers[0], 0)
        self.events.clear()
        self.pass_time(7 + OVERTIME)
        self.assertEqual(self.events, ["kill 101"])
        self.end(self.forks.workers[1])
        self.successResultOf(drained)

    def test_nobody_tells(self) -> None:
        """Where nobody tells that one which was killed has ended it is not waited for."""
        self.serve()
        drained = self.workers.drain(7.0)
        hanging, gone = self.forks.workers
        gone.close()
        self.pass_time(7 + OVERTIME, but_for=gone)
        self.assertEqual(self.events[-2:], ["kill 100", "kill 101"])
        self.assertNoResult(drained)
        # Whoever asks again makes it no longer.
        self.clock.advance(OVERTIME - 1)
        self.workers.cut()
        with capturedLogs() as events:
            self.clock.advance(1)
        self.assertEqual(
            self.said(events),
            [
                f"Worker {number} (pid {pid}) was killed, but its end was not reported: "
                "it is left behind"
                for number, pid in ((1, 100), (2, 101))
            ],
        )
        self.successResultOf(drained)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.forks.lost()
        self.end(hanging)

    def test_pause(self) -> None:
        """Nobody takes a place that is empty, or comes to be so."""
        self.serve()
        self.end(self.forks.workers[0])
        self.end(self.forks.workers[2])
        drained = self.workers.drain(7.0)
        self.end(self.forks.workers[1])
        self.successResultOf(drained)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cut(self) -> None:
        """Who asks twice cuts short what all wait for."""
        self.serve()
        drained = self.workers.drain(600.0)
        self.workers.cut()
        for worker in self.forks.workers:
            self.assertEqual(worker.listen(), [Kind.DRAIN, Kind.CUT])
            self.end(worker, 0)
        self.successResultOf(drained)

    def test_cut_hanging(self) -> None:
        """One that hangs does not make whoever asks twice wait for the grace."""
        self.serve()
        drained = self.workers.drain(600.0)
        self.workers.cut()
        self.pass_time(OVERTIME)
        self.assertEqual(self.events[-2:], ["kill 100", "kill 101"])
        for worker in self.forks.workers:
            self.end(worker)
        self.successResultOf(drained)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_never_started(self) -> None:
        """What has not started ends at once."""
        self.successResultOf(self.workers.drain(7.0))
