"""
Tests for `ingress.worker.process`.
"""

from __future__ import annotations

import gc
import json
import pickle
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.downstream.bound_socket import ListenError
from ingress.routing.snapshot import Snapshot, VirtualHost
from ingress.worker.channel import Channel, Queue
from ingress.worker.difference import Difference
from ingress.worker.log_relay import LogRelay
from ingress.worker.message import Kind, Message
from ingress.worker.process import FLUSH_PATIENCE, REPORT_INTERVAL, DataSide, WorkerProcess
from tests.support.hand_serving import HandServing
from tests.support.turn_clock import TurnClock


class Tally:
    """Counts are what a test puts here."""

    def __init__(self) -> None:
        self.counted: list[str] = []

    def take(self) -> str | None:
        return self.counted.pop(0) if self.counted else None


class StoppableReactor(TurnClock):
    """Knows whether it was stopped."""

    stops = 0

    def stop(self) -> None:
        self.stops += 1


def snapshot(*names: str, **config: Any) -> Snapshot:
    hosts = {name.encode(): VirtualHost(name) for name in names}
    return Snapshot(Config(**config), hosts=hosts)


class WorkerProcessTests(SynchronousTestCase):
    """What a worker does on the word of the control plane."""

    def setUp(self) -> None:
        self.addCleanup(gc.unfreeze)
        self.events: list[str] = []
        self.reactor = StoppableReactor()
        self.serving = HandServing(self.events)
        self.tally = Tally()
        self.relay = LogRelay()
        data_side = DataSide(self.serving, self.tally, lambda: "fine", "answer to {}".format)
        self.worker = WorkerProcess(self.reactor, data_side, self.relay)
        self.transport = StringTransport()
        self.told: Snapshot | None = None
        self.worker.channel.makeConnection(self.transport)
        self.worker.start()

    # The control plane.

    def heard(self) -> list[Message]:
        """All that the control plane got since the last time."""
        producer: Any = self.transport.producer
        size = -1
        while producer is not None and len(self.transport.value()) != size:
            size = len(self.transport.value())
            producer.resumeProducing()
        found: list[Message] = []
        channel = Channel(lambda kind, content: found.append((kind, content)), lambda: None, ())
        channel.makeConnection(StringTransport())
        channel.dataReceived(self.transport.value())
        self.transport.clear()
        return found

    def kinds(self) -> list[Kind]:
        """Of what it got, but for that it is well."""
        return [kind for kind, _ in self.heard() if kind != Kind.WELL]

    def say(self, *messages: Message) -> None:
        """The control plane sends these."""
        queue = Queue()
        queue._waiting.extend(messages)
        transport = StringTransport()
        channel = Channel(lambda kind, content: None, lambda: None, (queue,))
        channel.makeConnection(transport)
        for _ in messages:
            transport.producer.resumeProducing()  # type: ignore[union-attr]
        self.worker.channel.dataReceived(transport.value())

    def publish(self, new: Snapshot, generation: int = 1) -> None:
        difference, index = Difference(self.told, new), 0
        while (content := difference.message(index)) is not None:
            self.say((Kind.PIECES, content))
            self.reactor.advance(0)
            index += 1
        self.say((Kind.PUBLISH, json.dumps(generation).encode()))
        self.told = new

    def lose(self) -> None:
        self.worker.channel.connectionLost(Failure(ConnectionDone()))

    # What it serves.

    def test_published(self) -> None:
        """A Snapshot is served when it is whole, and that is told."""
        self.publish(snapshot("a", "b"), 7)
        self.assertEqual(self.events, ["serving prepares", "serving has 2 hosts"])
        self.assertIn((Kind.PUBLISHED, b"7"), self.heard())
        self.publish(snapshot("a"), 8)
        self.assertEqual(self.events[2:], ["serving has 1 hosts"])

    def test_one_message_at_a_time(self) -> None:
        """Between two messages of a Snapshot others have their turn."""
        new = snapshot(*map(str, range(2000)))
        difference = Difference(None, new)
        contents = [difference.message(index) for index in range(3)]
        self.say(*((Kind.PIECES, content or b"") for content in contents))
        for _ in contents:
            self.assertEqual(self.transport.producerState, "paused")
            self.reactor.advance(0)
        self.assertEqual(self.transport.producerState, "producing")

    def test_accept(self) -> None:
        """It accepts when it may and has a Snapshot, whichever is first, and once."""
        for order in ("snapshot first", "leave first"):
            self.setUp()
            steps = [lambda: self.publish(snapshot("a")), lambda: self.say((Kind.ACCEPT, b""))]
            for step in steps if order == "snapshot first" else reversed(steps):
                self.assertNotIn("serving accepts", self.events)
                step()
            self.assertEqual(self.events.count("serving accepts"), 1)
            self.assertIn(Kind.ACCEPTING, self.kinds())
            self.publish(snapshot("b"))
            self.assertEqual(self.events.count("serving accepts"), 1)

    def test_cannot_listen(self) -> None:
        """An address that somebody else has is told, and it ends with a failure."""
        self.serving.accepted = Deferred()
        self.publish(snapshot("a"))
        self.say((Kind.ACCEPT, b""))
        self.serving.accepted.errback(ListenError("taken"))
        self.assertIn((Kind.CANNOT_LISTEN, b'"taken"'), self.heard())
        self.assertEqual((self.reactor.stops, self.worker.status), (1, 1))

    def test_listen_again(self) -> None:
        """One that accepts listens again when it is told to, and answers that it accepts."""
        self.publish(snapshot("a"))
        self.say((Kind.LISTEN, b""))
        self.assertNotIn("serving listens again", self.events)
        self.say((Kind.ACCEPT, b""))
        self.kinds()
        self.say((Kind.LISTEN, b""))
        self.assertEqual(self.events[-1], "serving listens again")
        self.assertEqual(self.kinds(), [Kind.ACCEPTING])
        self.serving.drained = Deferred()
        self.say((Kind.DRAIN, b"1"), (Kind.LISTEN, b""))
        self.assertEqual(self.events.count("serving listens again"), 1)

    def test_commands(self) -> None:
        """What the control plane wants is done."""
        self.say((Kind.REOPEN, b""), (Kind.CUT, b""))
        self.assertEqual(self.events[1:], ["serving reopens", "cut"])

    # What it tells.

    def test_well(self) -> None:
        """Once a second it tells that it is well, with the connections that it has."""
        self.serving.connections = 3
        self.heard()
        for _ in range(3):
            self.assertEqual(self.heard(), [])
            self.reactor.advance(REPORT_INTERVAL)
            self.assertEqual(self.heard(), [(Kind.WELL, b"3")])

    def test_asked(self) -> None:
        """Asked, it tells at once all that was counted, and then how it fares."""
        self.heard()
        self.tally.counted = ["one", "two"]
        self.say((Kind.ASK, b""))
        self.assertEqual(
            [(kind, pickle.loads(content)) for kind, content in self.heard()],
            [(Kind.COUNTS, "one"), (Kind.COUNTS, "two"), (Kind.STATE, "fine")],
        )

    def test_question(self) -> None:
        """A question is answered, after what was asked before."""
        self.heard()
        for question in ("one", "two"):
            self.say((Kind.QUESTION, pickle.dumps(question)))
        self.assertEqual(
            [(kind, pickle.loads(content)) for kind, content in self.heard()],
            [(Kind.ANSWER, "answer to one"), (Kind.ANSWER, "answer to two")],
        )

    def test_counts(self) -> None:
        """All that was counted is told with it."""
        self.heard()
        self.tally.counted = ["one", "two"]
        self.reactor.advance(REPORT_INTERVAL)
        counted = [pickle.loads(content) for kind, content in self.heard() if kind == Kind.COUNTS]
        self.assertEqual(counted, ["one", "two"])

    def test_counts_wait(self) -> None:
        """Where nobody takes anything, nothing is taken from who counts."""
        self.heard()
        self.reactor.advance(REPORT_INTERVAL)
        self.tally.counted = ["one"]
        for _ in range(5):
            self.reactor.advance(REPORT_INTERVAL)
        self.assertEqual(self.tally.counted, ["one"])
        self.assertLess(len(self.transport.value()), 100)

    def test_log(self) -> None:
        """What is logged is told."""
        self.heard()
        self.relay({"log_format": "text"})
        self.assertEqual(self.kinds(), [Kind.LOG])

    # How it ends.

    def test_drain(self) -> None:
        """It ends when its last exchange is over, with what it counted last."""
        self.serving.drained = Deferred()
        self.heard()
        self.say((Kind.DRAIN, b"7.0"))
        self.assertEqual(self.events[-1], "serving drains for 7.0")
        self.assertEqual(self.reactor.stops, 0)
        self.tally.counted = ["last"]
        self.serving.drained.callback(None)
        self.assertEqual(self.kinds(), [Kind.DRAINED, Kind.COUNTS])
        self.assertEqual((self.reactor.stops, self.worker.status), (1, 0))
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_never_after(self) -> None:
        """One that ends does not begin to accept."""
        self.serving.drained = Deferred()
        self.say((Kind.DRAIN, b"7.0"))
        self.publish(snapshot("a"))
        self.say((Kind.ACCEPT, b""))
        self.assertNotIn("serving accepts", self.events)

    def test_nobody_takes_it(self) -> None:
        """It does not wait for long for a control plane that takes nothing."""
        self.say((Kind.DRAIN, b"7.0"))
        self.assertEqual(self.reactor.stops, 0)
        self.reactor.advance(FLUSH_PATIENCE)
        self.assertEqual(self.reactor.stops, 1)

    def test_fault(self) -> None:
        """What goes wrong at the end is logged, and it ends all the same."""
        self.serving.drained = Deferred()
        self.say((Kind.DRAIN, b"7.0"))
        self.serving.drained.errback(ZeroDivisionError())
        self.heard()
        self.assertEqual((self.reactor.stops, self.worker.status), (1, 1))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_cannot_obey(self) -> None:
        """What cannot be done is logged while the channel is there, and the worker ends."""
        self.heard()
        self.say((Kind.PIECES, b"nonsense"))
        self.assertEqual(len(self.flushLoggedErrors(Exception)), 1)
        self.assertEqual(self.events[-1], "serving drains for 0")
        self.assertEqual(self.worker.status, 1)
        self.assertFalse(self.transport.disconnecting)

    def test_orphan(self) -> None:
        """Without the control plane it drains, with the grace that it knows, and ends."""
        self.serving.drained = Deferred()
        self.publish(snapshot("a", shutdown_grace=3.0))
        self.lose()
        self.assertEqual(self.events[-1], "serving drains for 3.0")
        self.serving.drained.callback(None)
        self.assertEqual(self.reactor.stops, 1)

    def test_orphan_while_draining(self) -> None:
        """One that drains already goes on doing so."""
        self.serving.drained = Deferred()
        self.say((Kind.DRAIN, b"7.0"))
        self.lose()
        self.assertEqual(self.reactor.stops, 0)
        self.serving.drained.callback(None)
        self.assertEqual(self.reactor.stops, 1)
