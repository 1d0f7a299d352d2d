"""
Tests for `ingress.kube.writing.status`.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.refusals import PASSING_REFUSAL
from ingress.kube.ingress_status import Addresses, IngressRecord, IngressStatuses, KnownStatus
from ingress.kube.objects import ObjectName
from ingress.kube.writing.addresses import listed_addresses
from ingress.kube.writing.status import (
    BURST,
    CONFLICTS,
    REWRITE_DELAY,
    StatusWriter,
    addresses_to_write,
)
from ingress.kube.writing.write_queue import AT_ONCE
from tests.support.answering_api import AnsweringAPI
from tests.support.log_lines import LogLines
from tests.support.recorded import exchange
from tests.support.scripted_api import ScriptedAPI
from tests.support.turn_clock import TurnClock

OURS = listed_addresses(["192.0.2.1", "a.example"])
THEIRS = listed_addresses(["192.0.2.9"])
US = "txingress ingress/leader"


def path(name: str, namespace: str = "default") -> str:
    return f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/{name}"


LIST = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"


class DecisionTests(SynchronousTestCase):
    """The addresses to write follow from the known ones, and from whether the Ingress is served."""

    def decide(
        self, known: Addresses, manager: str = "", *, ours: Addresses = OURS, served: bool = True
    ) -> Addresses | None:
        return addresses_to_write(
            KnownStatus(known, manager, "1"), ours, is_served=served, manager=US
        )

    def test_served(self) -> None:
        """A served Ingress gets our addresses, whatever it has, and from whomever."""
        for known, manager in (((), ""), (THEIRS, "other"), (OURS[:1], US)):
            self.assertEqual(self.decide(known, manager), OURS)

    def test_same(self) -> None:
        """One that has them is left alone, in whatever order they are."""
        for known in (OURS, OURS[::-1]):
            self.assertIsNone(self.decide(known, "other"))

    def test_unknown(self) -> None:
        """While our addresses are not known, none are removed."""
        for known in ((), THEIRS, OURS):
            self.assertIsNone(self.decide(known, US, ours=()))

    def test_not_served(self) -> None:
        """One that is not served loses what we wrote, also if our addresses are others now."""
        for known in (OURS, THEIRS):
            self.assertEqual(self.decide(known, US, served=False), ())
            self.assertEqual(self.decide(known, US, ours=(), served=False), ())

    def test_of_others(self) -> None:
        """Addresses of other writers stay, even if they equal ours."""
        for known in (OURS, THEIRS, ()):
            self.assertIsNone(self.decide(known, "other", served=False))
        self.assertIsNone(self.decide((), US, served=False))

    def test_writer_unknown(self) -> None:
        """If the writer is not known, addresses equal to ours count as ours."""
        self.assertEqual(self.decide(OURS, served=False), ())
        self.assertIsNone(self.decide(THEIRS, served=False))
        self.assertIsNone(self.decide(THEIRS, ours=(), served=False))


class StatusTestCase(SynchronousTestCase):
    """A writer whose requests the test answers."""

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.api = ScriptedAPI()
        self.lines = LogLines(self, "ingress.kube.writing.status.StatusWriter")
        self.statuses = IngressStatuses()
        self.addresses = OURS
        self.leads = True
        self.versions = 0
        self.writer = self.make_writer()

    def make_writer(self) -> StatusWriter:
        return StatusWriter(
            self.api,
            self.statuses,
            lambda: self.addresses,
            US,
            lambda: self.leads,
            clock=self.clock,
            random=Random(1),
        )

    def record(self, name: str, addresses: Addresses = (), manager: str = "") -> dict[str, Any]:
        """An Ingress as the API has it, of a new version."""
        self.versions += 1
        entries = [{"manager": manager, "subresource": "status"}] if manager else []
        namespace, _, short = name.rpartition("/")
        return {
            "metadata": {
                "name": short,
                "namespace": namespace or "default",
                "resourceVersion": str(self.versions),
                "managedFields": entries,
            },
            "status": {"loadBalancer": {"ingress": msgspec.to_builtins(addresses)}},
        }

    def see(self, name: str, addresses: Addresses = (), manager: str = "") -> None:
        """A watch brings an Ingress."""
        self.statuses.put(msgspec.convert(self.record(name, addresses, manager), IngressRecord))
        self.turn()

    def serve(self, *names: str) -> None:
        self.writer.serve({self.key(name): None for name in names})
        self.turn()

    def key(self, name: str) -> ObjectName:
        namespace, _, short = name.rpartition("/")
        return (namespace or "default", short)

    def turn(self, seconds: float = 0.0) -> None:
        self.clock.advance(seconds)
        self.clock.advance(0)

    def lead(self, *served: str) -> None:
        """The writer runs, and knows what is served."""
        self.writer.start()
        self.serve(*served)


class WriteTests(StatusTestCase):
    """Each Ingress that is served has our addresses, and no other has."""

    def test_new(self) -> None:
        """A new one gets them: a merge patch of the status, of the version that was seen."""
        self.lead("a")
        self.see("a")
        asked = self.api.take("PATCH", path("a") + "/status")
        self.assertEqual(asked.content_type, "application/merge-patch+json")
        self.assertEqual(asked.query, {"fieldManager": US})
        ingress = [{"hostname": "a.example"}, {"ip": "192.0.2.1"}]
        body = {
            "metadata": {"resourceVersion": "1"},
            "status": {"loadBalancer": {"ingress": ingress}},
        }
        self.assertEqual(asked.body, body)
        asked.answer()
        self.see("a", OURS, US)
        self.assertEqual(self.api.asked, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_recorded(self) -> None:
        """The answer of a real server to such a patch needs no further write."""
        recorded = exchange("ingress-writes", "patch ingress status (merge patch)")
        self.lead("rec")
        self.addresses = listed_addresses(["192.0.2.10"])
        self.statuses.put(msgspec.json.decode(recorded.answer, type=IngressRecord))
        self.turn()
        asked = self.api.take("PATCH", recorded.path)
        self.assertEqual(
            {*asked.body["status"]["loadBalancer"]}, {*recorded.sent["status"]["loadBalancer"]}
        )
        self.assertEqual(asked.body["metadata"], {"resourceVersion": "461"})

    def test_others(self) -> None:
        """One that is not served, by us, is not touched."""
        self.lead("a")
        self.see("b", THEIRS, "other")
        self.see("c")
        self.assertEqual(self.api.asked, [])

    def test_served_later(self) -> None:
        """One that comes to be served gets them then."""
        self.lead()
        self.see("a")
        self.assertEqual(self.api.asked, [])
        self.serve("a")
        self.api.take("PATCH", path("a") + "/status").answer()

    def test_not_served_any_more(self) -> None:
        """One that is served no more loses them."""
        self.see("a", OURS, US)
        self.see("b", OURS, US)
        self.lead("a", "b")
        self.assertEqual(self.api.asked, [])
        self.serve("b")
        asked = self.api.take("PATCH", path("a") + "/status")
        self.assertEqual(asked.body["status"], {"loadBalancer": {"ingress": None}})
        asked.answer()
        self.assertEqual(self.api.asked, [])

    def test_left_behind(self) -> None:
        """Addresses that an earlier leader wrote are removed if the Ingress is not served."""
        self.see("a", THEIRS, US)
        self.lead()
        self.api.take("PATCH", path("a") + "/status")

    def test_nothing_known(self) -> None:
        """Before it is known what is served, nothing is written."""
        self.see("a", OURS, US)
        self.see("b")
        self.writer.start()
        self.turn()
        self.assertEqual(self.api.asked, [])
        self.serve("a", "b")
        self.assertEqual(self.api.lines, [f"PATCH {path('b')}/status"])

    def test_addresses_change(self) -> None:
        """Other addresses are written at once, however short ago the last ones were."""
        self.lead("a")
        self.see("a")
        self.api.take("PATCH", path("a") + "/status").answer()
        self.see("a", OURS, US)
        self.addresses = THEIRS
        self.writer.look_at_all()
        self.turn()
        asked = self.api.take("PATCH", path("a") + "/status")
        self.assertEqual(asked.body["status"]["loadBalancer"]["ingress"], [{"ip": "192.0.2.9"}])

    def test_somebody_else_writes(self) -> None:
        """Two that write to the same Ingress do not drive each other."""
        self.lead("a")
        self.see("a")
        self.api.take("PATCH", path("a") + "/status").answer()
        for _ in range(3):
            self.see("a", OURS, US)
            self.see("a", THEIRS, "other")
            self.turn(REWRITE_DELAY - 1)
            self.assertEqual(self.api.asked, [])
            self.turn(1)
            self.api.take("PATCH", path("a") + "/status").answer()

    def test_many(self) -> None:
        """Thousands are written in turns, a few at once."""
        names = [f"i{number}" for number in range(BURST)]
        for name in names:
            self.see(name)
        self.lead(*names)
        written = 0
        while self.api.asked:
            self.assertLessEqual(len(self.api.asked), AT_ONCE)
            self.api.asked[0].answer({})
            written += 1
            self.turn()
        self.assertEqual(written, BURST)


class LeaderTests(StatusTestCase):
    """The leader alone writes."""

    def test_follower(self) -> None:
        """A replica that does not lead writes nothing."""
        self.see("a")
        self.serve("a")
        self.see("a", THEIRS)
        self.assertEqual((self.api.asked, self.clock.getDelayedCalls()), ([], []))
        self.writer.start()
        self.turn()
        self.assertEqual(self.api.lines, [f"PATCH {path('a')}/status"])

    def test_stop(self) -> None:
        """A replica that stops leading cancels its requests, and sends no others."""
        self.see("a")
        self.see("b")
        self.lead("a", "b")
        self.assertEqual(len(self.api.asked), 2)
        self.writer.stop()
        self.writer.stop()
        self.see("a", THEIRS)
        self.assertEqual((self.api.asked, self.clock.getDelayedCalls()), ([], []))
        self.writer.start()
        self.writer.start()
        self.turn()
        self.assertEqual(len(self.api.asked), 2)

    def test_too_late(self) -> None:
        """A replica that has lost the Lease, and was not yet told to stop, writes nothing."""
        self.lead("a")
        self.leads = False
        self.see("a")
        self.assertEqual(self.api.asked, [])


class FailureTests(StatusTestCase):
    """Failed writes are tried again."""

    def setUp(self) -> None:
        super().setUp()
        self.lead("a", "b", "shop/c")
        self.see("a")

    def test_conflict(self) -> None:
        """An Ingress that has changed is read again, and written as it is then."""
        self.api.take("PATCH", path("a") + "/status").refuse(409, "Conflict")
        asked = self.api.take("GET", LIST)
        self.assertEqual(asked.query, {"fieldSelector": "metadata.name=a"})
        asked.answer({"items": [self.record("a", THEIRS)]})
        asked = self.api.take("PATCH", path("a") + "/status")
        self.assertEqual(asked.body["metadata"], {"resourceVersion": str(self.versions)})
        asked.answer()
        self.turn()
        self.assertEqual((self.api.asked, self.lines.take()), ([], []))

    def test_conflict_settled(self) -> None:
        """A status that is right by then is not written."""
        self.api.take("PATCH", path("a") + "/status").refuse(409, "Conflict")
        self.api.take("GET", LIST).answer({"items": [self.record("a", OURS)]})
        self.turn()
        self.assertEqual(self.api.asked, [])

    def test_conflicts(self) -> None:
        """One that changes all the time is left for later."""
        for _ in range(CONFLICTS):
            self.api.take("PATCH", path("a") + "/status").refuse(409, "Conflict")
            self.api.take("GET", LIST).answer({"items": [self.record("a")]})
        self.api.take("PATCH", path("a") + "/status").refuse(409, "Conflict")
        self.assertEqual(self.api.asked, [])
        self.turn(2)
        self.api.take("PATCH", path("a") + "/status").answer()

    def test_gone(self) -> None:
        """One that is gone needs nothing."""
        self.api.take("PATCH", path("a") + "/status").refuse(404, "NotFound")
        self.see("b")
        self.api.take("PATCH", path("b") + "/status").refuse(409, "Conflict")
        self.api.take("GET", LIST).answer({"items": []})
        self.turn()
        self.statuses.lost(("default", "a"))
        self.assertEqual((self.api.asked, self.clock.getDelayedCalls()), ([], []))
        self.assertEqual(self.lines.take(), [])

    def forbid(self, name: str) -> None:
        """Neither patch nor update are allowed."""
        self.api.take("PATCH", path(name) + "/status").refuse(403, "Forbidden")
        self.api.take("GET", path(name)).answer(self.record(name))
        self.api.take("PUT", path(name) + "/status").refuse(403, "Forbidden")

    def test_update(self) -> None:
        """With the rights of ingress-nginx, which may not patch, statuses are written whole."""
        self.api.take("PATCH", path("a") + "/status").refuse(403, "Forbidden")
        self.api.take("GET", path("a")).answer({**self.record("a"), "spec": {"rules": []}})
        asked = self.api.take("PUT", path("a") + "/status")
        self.assertEqual(
            tuple(asked.body["status"]["loadBalancer"]["ingress"]), msgspec.to_builtins(OURS)
        )
        self.assertEqual((asked.body["spec"], asked.query), ({"rules": []}, {"fieldManager": US}))
        asked.answer()
        self.turn()
        self.see("b")
        self.api.take("GET", path("b")).answer(self.record("b"))
        self.api.take("PUT", path("b") + "/status").refuse(409, "Conflict")
        self.api.take("GET", LIST).answer({"items": [self.record("b", OURS)]})
        self.turn()
        self.assertEqual((self.api.asked, self.lines.take()), ([], []))

    def test_update_taken_away(self) -> None:
        """If that is not allowed any more, a patch is tried again."""
        self.api.take("PATCH", path("a") + "/status").refuse(403, "Forbidden")
        self.api.take("GET", path("a")).answer(self.record("a"))
        self.api.take("PUT", path("a") + "/status").answer()
        self.see("b")
        self.api.take("GET", path("b")).refuse(403, "Forbidden")
        self.api.take("PATCH", path("b") + "/status").answer()
        self.turn()
        self.assertEqual((self.api.asked, self.lines.take()), ([], []))

    def test_forbidden(self) -> None:
        """A missing right is one line for a namespace, and keeps no other namespace."""
        self.forbid("a")
        self.see("b")
        self.forbid("b")
        self.turn(PASSING_REFUSAL)
        self.assertEqual(self.lines.take(), [])
        self.forbid("a")
        self.forbid("b")
        (line,) = self.lines.take()
        self.assertIn("Writing the status of Ingresses in namespace default fails", line)
        self.see("shop/c")
        self.api.take("PATCH", path("c", "shop") + "/status").answer()
        self.turn(3)
        self.api.take("PATCH", path("a") + "/status").answer()
        self.assertEqual(self.lines.take(), [])
        self.forbid("b")
        self.see("b", OURS)
        self.turn(5)
        self.assertIn("works again", self.lines.take()[0])

    def test_hangs(self) -> None:
        """A server that answers nothing is asked again."""
        self.turn(10)
        self.turn(2)
        self.assertEqual(self.api.lines, [f"PATCH {path('a')}/status"])

    def test_busy(self) -> None:
        """One that is busy is left in peace for as long as it says."""
        asked = self.api.take("PATCH", path("a") + "/status")
        asked.refuse(429, "TooManyRequests", retry_after=7)
        self.see("b")
        self.turn(6.9)
        self.assertEqual(self.api.asked, [])
        self.turn(0.2)
        self.assertEqual(len(self.api.asked), 2)

    def test_nonsense(self) -> None:
        """An answer that is no Ingress is no answer."""
        self.api.take("PATCH", path("a") + "/status").refuse(409, "Conflict")
        self.api.take("GET", LIST).answer({"items": [{}]})
        self.assertIn("the answer cannot be read as IngressRecord", self.lines.take()[0])


class ClearTests(StatusTestCase):
    """At the very end our addresses are taken away."""

    def test_clear(self) -> None:
        """Our addresses are removed from all Ingresses, and the end is reported."""
        self.see("a", OURS, US)
        self.see("b", OURS, "other")
        self.see("c", THEIRS, US)
        self.lead("a", "b", "c")
        self.api.take("PATCH", path("c") + "/status").answer()
        self.see("c", OURS, US)
        cleared = self.writer.clear()
        self.turn()
        for name in "ac":
            self.assertNoResult(cleared)
            asked = self.api.take("PATCH", path(name) + "/status")
            self.assertEqual(asked.body["status"], {"loadBalancer": {"ingress": None}})
            asked.answer()
            self.turn()
        self.successResultOf(cleared)
        self.assertEqual(self.api.asked, [])

    def test_stop(self) -> None:
        """Stopping does not wait for addresses to be removed."""
        self.see("a", OURS, US)
        self.lead("a")
        cleared = self.writer.clear()
        self.turn()
        self.writer.stop()
        self.successResultOf(cleared)


class WaitTests(StatusTestCase):
    """The address of a new Ingress beside 5,000 others whose addresses change."""

    def setUp(self) -> None:
        super().setUp()
        self.api = self.answering = AnsweringAPI(self.clock, LIST)
        self.writer = self.make_writer()
        self.names = [f"i{number}" for number in range(5000)]
        for name in self.names:
            self.statuses.put(msgspec.convert(self.record(name, THEIRS, US), IngressRecord))

    def test_first(self) -> None:
        """A first address does not wait for 5,000 others that change."""
        self.lead(*self.names)
        self.turn(5)
        self.statuses.put(msgspec.convert(self.record("new"), IngressRecord))
        self.serve(*self.names, "new")
        self.assertEqual(self.answering.waits("new"), [1])
        self.assertEqual(self.answering.waits("i4999"), [96])
