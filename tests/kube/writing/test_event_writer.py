"""
Tests for `ingress.kube.writing.event_writer`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.objects import Ingress, ObjectName
from ingress.kube.writing.event import event_path
from ingress.kube.writing.event_writer import BURST_OF_ONE, REFRESH_PERIOD, EventWriter
from ingress.problem import Problem
from ingress.problem_log import ProblemLog
from tests.support.answering_api import AnsweringAPI
from tests.support.log_lines import LogLines
from tests.support.objects import ingress
from tests.support.scripted_api import Asked, ScriptedAPI
from tests.support.turn_clock import TurnClock

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
EVENTS = event_path("default")


def problem(message: str, name: str = "web") -> Problem:
    return Problem(message, "Ingress", "default", name, "spec.tls[0]")


def item(name: str = "web", *, uid: str = "u", age: timedelta = timedelta(days=1)) -> Ingress:
    made = ingress("a.example", {"/": "web:80"}, name=name)
    metadata = msgspec.structs.replace(made.metadata, uid=uid, creation_timestamp=NOW - age)
    return msgspec.structs.replace(made, metadata=metadata)


class WriterTestCase(SynchronousTestCase):
    """A writer whose requests the test answers."""

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.api = ScriptedAPI()
        self.lines = LogLines(self, "ingress.kube.writing.event_writer.EventWriter")
        self.problems = ProblemLog(self.clock)
        self.store: dict[ObjectName, Ingress] = {}
        self.leads = True
        self.writer = self.replica()

    def replica(self) -> EventWriter:
        return EventWriter(
            self.api,
            self.problems,
            self.store.get,
            "pod-1",
            lambda: self.leads,
            clock=self.clock,
            random=Random(1),
            now=lambda: NOW + timedelta(seconds=self.clock.seconds()),
        )

    def turn(self, seconds: float = 0.0) -> None:
        self.clock.advance(seconds)
        for _ in range(3):
            self.clock.advance(0)

    def serve(self, *items: Ingress) -> None:
        """These are all that there are, and all are served."""
        self.store.clear()
        self.store.update({each.key: each for each in items})
        self.writer.serve(dict(self.store))
        self.turn()

    def report(self, *messages: str, name: str = "web") -> None:
        """These are the Problems now."""
        self.problems.report("build", {name: tuple(problem(each, name) for each in messages)})
        self.turn()

    def created(self) -> Asked:
        """The one Event that is being created."""
        return self.api.take("POST", EVENTS)

    def counted(self, event: dict[str, Any]) -> Asked:
        """The request that counts an Event that was created before."""
        return self.api.take("PATCH", event_path("default", event["metadata"]["name"]))

    def answer(self, asked: Asked, body: object = None) -> dict[str, Any]:
        """:return: the body of the request."""
        asked.answer(body)
        self.turn()
        sent: dict[str, Any] = asked.body
        return sent

    def assertQuiet(self) -> None:
        self.turn()
        self.assertEqual(self.api.asked, [])


class ProblemTests(WriterTestCase):
    """A Problem of an Ingress becomes an Event of it."""

    def setUp(self) -> None:
        super().setUp()
        self.serve(item())
        self.writer.start()

    def test_appears(self) -> None:
        """A Problem that appears is an Event at once."""
        self.report("bad")
        body = self.answer(self.created())
        self.assertEqual(body["note"], "spec.tls[0]: bad")
        self.assertEqual(body["type"], "Warning")
        self.assertEqual(body["regarding"]["uid"], "u")
        self.assertEqual(body["reportingInstance"], "pod-1")
        self.assertEqual(body["eventTime"], "2026-01-31T12:00:00.000000Z")
        self.assertQuiet()

    def test_comes_back(self) -> None:
        """One that comes back is counted, and not said in a new one."""
        self.report("bad")
        event = self.answer(self.created())
        for count in (2, 3):
            self.report()
            self.assertQuiet()
            self.report("bad")
            asked = self.counted(event)
            self.assertEqual(asked.content_type, "application/merge-patch+json")
            self.assertEqual(self.answer(asked)["series"]["count"], count)

    def test_gone_meanwhile(self) -> None:
        """One that is gone before it could be said is not said."""
        self.report("bad")
        self.created().refuse(500)
        self.turn()
        self.report()
        self.turn(10)
        self.assertQuiet()

    def test_lasts(self) -> None:
        """One that lasts is said again before the server forgets its Event."""
        self.report("bad")
        event = self.answer(self.created())
        for count in (2, 3):
            self.turn(REFRESH_PERIOD)
            self.assertEqual(self.answer(self.counted(event))["series"]["count"], count)

    def test_forgotten(self) -> None:
        """One that the server has forgotten is said anew."""
        self.report("bad")
        event = self.answer(self.created())
        self.report()
        self.report("bad")
        self.counted(event).refuse(404, "NotFound")
        self.assertEqual(self.answer(self.created())["metadata"], event["metadata"])
        self.report()
        self.report("bad")
        self.assertEqual(self.answer(self.counted(event))["series"]["count"], 2)

    def test_others(self) -> None:
        """Problems of other objects, and of Ingresses that are gone, are not said."""
        self.report("bad", name="gone")
        self.problems.report("files", {"x": (Problem("bad", "Secret", "default", "web"),)})
        self.assertQuiet()

    def test_recreated(self) -> None:
        """An Ingress that was deleted and created anew has its own Events."""
        self.report("bad")
        first = self.answer(self.created())
        self.serve(item(uid="v"))
        bodies = [self.answer(asked) for asked in tuple(self.api.asked)]
        (second,) = (each for each in bodies if each["type"] == "Warning")
        self.assertEqual(second["regarding"]["uid"], "v")
        self.assertNotEqual(second["metadata"]["name"], first["metadata"]["name"])

    def test_bound_of_one(self) -> None:
        """One Ingress cannot fill the log: the rest of it comes later, those of others do not wait."""
        self.serve(item(), item("api"))
        self.api.asked.clear()
        self.report(*(f"number {number}" for number in range(BURST_OF_ONE + 10)))
        said = 0
        while self.api.asked:
            self.answer(self.api.asked.pop())
            said += 1
        self.assertEqual(said, BURST_OF_ONE)
        self.problems.report("other", {"api": (problem("bad", "api"),)})
        self.turn()
        self.answer(self.created())


class TakeOverTests(WriterTestCase):
    """The next leader goes on where the last one ended."""

    def setUp(self) -> None:
        super().setUp()
        self.serve(item())
        self.report("bad")
        self.assertQuiet()
        self.writer.start()
        self.turn()
        self.event = self.created()
        self.event.refuse(409, "AlreadyExists")
        self.turn()

    def test_series(self) -> None:
        """An Event that was counted before counts on."""
        asked = self.counted(self.event.body)
        self.assertEqual([*asked.body["series"]], ["lastObservedTime"])
        self.answer(asked, {"series": {"count": 7}})
        self.report()
        self.report("bad")
        self.assertEqual(self.answer(self.counted(self.event.body))["series"]["count"], 8)

    def test_no_series(self) -> None:
        """An Event without a count is counted as the second, whatever the server answers."""
        for answer in (None, {"series": {"count": 0}}, {}):
            asked = self.counted(self.event.body)
            if answer is None:
                asked.refuse(422, "Invalid")
            else:
                asked.answer(answer)
            second = self.counted(self.event.body)
            self.assertEqual(self.answer(second)["series"]["count"], 2)
            self.writer.stop()
            self.writer.start()
            self.turn()
            self.created().refuse(409, "AlreadyExists")
            self.turn()

    def test_refused(self) -> None:
        """Another refusal is logged."""
        self.counted(self.event.body).refuse(500, "InternalError")
        self.turn()
        self.assertIn("Writing Events in namespace default fails", self.lines.take()[0])
        self.turn(2)
        self.created().refuse(409, "AlreadyExists")
        self.answer(self.counted(self.event.body), {"series": {"count": 2}})
        self.assertEqual(self.lines.take(), ["Writing Events in namespace default works again"])


class ServedTests(WriterTestCase):
    """Served is written when an Ingress is first served."""

    def said(self) -> list[str]:
        """The Ingresses that were said to be served since the last call."""
        names = []
        while self.api.asked:
            body = self.answer(self.api.asked.pop(0))
            self.assertEqual(body["reason"], "Served")
            names.append(body["regarding"]["name"])
        return names

    def test_new(self) -> None:
        """One that comes to be served is, once; those that were served before are not."""
        self.serve(item("old"))
        self.writer.start()
        self.assertEqual(self.said(), [])
        self.serve(item("old"), item("new"))
        self.assertEqual(self.said(), ["new"])
        self.serve(item("old"))
        self.serve(item("old"), item("new"))
        self.assertEqual(self.said(), [])

    def test_changed(self) -> None:
        """A change of a served Ingress is not reported as Served."""
        self.writer.start()
        self.serve(item())
        self.serve(msgspec.structs.replace(item()))
        self.assertEqual(self.said(), [])

    def test_young(self) -> None:
        """A new leader says it of young ones; what was said already stays as it is."""
        for begins_with_lease in (True, False):
            if begins_with_lease:
                self.writer.start()
            self.serve(item("old"), item("young", age=timedelta(minutes=5)))
            if not begins_with_lease:
                self.writer.start()
                self.turn()
            self.created().refuse(409, "AlreadyExists")
            self.assertQuiet()
            self.writer.stop()
            self.writer = self.replica()

    def test_not_again(self) -> None:
        """A leader after another one says it of those alone that the other one may have missed."""
        young = [item(f"n{number}", age=timedelta(minutes=number)) for number in range(10)]
        self.serve(*young)
        self.writer.start(NOW - timedelta(minutes=2))
        self.turn()
        self.assertEqual(self.said(), ["n0", "n1", "n2"])

    def test_gone_meanwhile(self) -> None:
        """One that is not served any more when it could be said is not said."""
        self.writer.start()
        self.serve()
        self.leads = False
        self.serve(item())
        self.leads = True
        self.serve()
        self.assertEqual(self.said(), [])


class StopTests(WriterTestCase):
    """A replica that does not lead writes nothing."""

    def test_follower(self) -> None:
        """A follower writes nothing, and reports the Problems that last once it leads."""
        self.serve(item())
        self.report("bad", "worse")
        self.report("worse")
        self.assertQuiet()
        self.writer.start()
        self.writer.start()
        self.turn()
        self.assertEqual(self.created().body["note"], "spec.tls[0]: worse")

    def test_stop(self) -> None:
        """Requests under way are cancelled, and no call is left."""
        self.serve(item())
        self.writer.start()
        self.report("bad")
        self.assertEqual(len(self.api.asked), 1)
        self.writer.stop()
        self.writer.stop()
        self.report("worse")
        self.assertQuiet()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_late(self) -> None:
        """A replica that has lost the Lease, and was not yet told to stop, writes nothing."""
        self.serve(item())
        self.writer.start()
        self.leads = False
        self.report("bad")
        self.assertQuiet()

    def test_server_gone(self) -> None:
        """A server that is gone for long costs an Ingress nothing of its share."""
        self.serve(item())
        self.writer.start()
        self.report("bad")
        for _ in range(2 * BURST_OF_ONE):
            self.created().refuse(503)
            while not self.api.asked:
                self.turn(1)
        self.answer(self.created())


class WaitTests(WriterTestCase):
    """News among 5,000 Ingresses, each with a Problem that lasts, for a new leader."""

    def setUp(self) -> None:
        super().setUp()
        self.api = self.answering = AnsweringAPI(self.clock, EVENTS)
        self.writer = self.replica()
        self.items = [item(f"w{number}") for number in range(5000)]
        self.problems.report(
            "build", {each.key: (problem("lasts", each.key[1]),) for each in self.items}
        )
        self.problems.flush()
        self.serve(*self.items)
        self.writer.start(NOW)

    def test_news(self) -> None:
        """A new Warning and a new Ingress wait for a second at most, and not for what lasts."""
        self.turn(1)
        self.problems.report("other", {"x": (problem("bad", "w4999"),)})
        self.turn()
        self.serve(*self.items, item("new"))
        self.assertEqual(self.answering.waits("w4999", "new"), [1, 1])
        self.assertEqual(self.answering.waits("w0"), [495])

    def test_all(self) -> None:
        """5,000 new Warnings at once take minutes; a new Ingress does not wait for them."""
        self.turn(1)
        grouped = {each.key: (problem("bad", each.key[1]),) for each in self.items}
        self.problems.report("other", grouped)
        self.problems.flush()
        self.serve(*self.items, item("new"))
        self.assertEqual(self.answering.waits("new"), [1])
        self.assertEqual(self.answering.waits("w4999"), [198])
