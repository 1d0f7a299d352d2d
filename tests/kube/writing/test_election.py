"""
Tests for `ingress.kube.writing.election`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.client import APIClient
from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.kube.writing.election import RELEASE_TRIES, REQUEST_TIMEOUT, Elector
from ingress.kube.writing.lease import JITTER, LEASE_DURATION, RENEW_DEADLINE, RETRY_PERIOD
from tests.support.lease_server import Journey, LeaseServer, SlowLeaseAPI
from tests.support.log_lines import LogLines
from tests.support.recorded import exchange, exchanges
from tests.support.scripted_api import ScriptedAPI

LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
LEASE = f"{LEASES}/leader"
LONGEST_RETRY = RETRY_PERIOD * (1 + JITTER)


def lease(holder: str, *, version: int = 1, renewed: str = "then") -> dict[str, Any]:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": LEASE_DURATION, "renewTime": renewed}
    metadata = {"name": "leader", "resourceVersion": str(version), "labels": {"of": "somebody"}}
    return {"kind": "Lease", "metadata": metadata, "spec": spec}


class ElectorTestCase(SynchronousTestCase):
    """An elector, ``a``, whose requests the test answers."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.api = ScriptedAPI()
        self.lines = LogLines(self, "ingress.kube.writing.election.Elector")
        self.told: list[str] = []
        self.elector = self.candidate("a", self.api)

    def candidate(self, identity: str, api: APIClient) -> Elector:
        elector = Elector(
            api,
            ("default", "leader"),
            identity,
            clock=self.clock,
            random=Random(1),
            now=self.now,
            monotonic=self.clock.seconds,
        )
        elector.started = lambda: self.told.append("started")
        elector.stopped = lambda: self.told.append("stopped")
        return elector

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.clock.seconds())

    def lead(self) -> None:
        """Let it take a Lease that was free."""
        self.elector.start()
        self.api.take("GET", LEASE).answer(lease(""))
        self.api.take("PUT", LEASE).answer()
        self.assertTrue(self.elector.is_leader)


class TakingTests(ElectorTestCase):
    """A candidate takes a Lease that is free, and waits for one that is not."""

    def test_create(self) -> None:
        """A missing Lease is created, and its creator leads."""
        self.elector.start()
        self.api.take("GET", LEASE).refuse(404, "NotFound")
        self.assertFalse(self.elector.is_leader)
        created = self.api.take("POST", LEASES)
        self.assertEqual(created.body["metadata"], {"namespace": "default", "name": "leader"})
        self.assertEqual(created.body["spec"]["renewTime"], "2026-01-01T00:00:00.000000Z")
        created.answer()
        self.assertTrue(self.elector.is_leader)
        self.assertEqual(self.elector.holder, "a")
        self.assertEqual(self.told, ["started"])

    def test_recorded(self) -> None:
        """The answers of a real server are understood: no Lease yet, created, renewed."""
        self.elector.start()
        self.api.take("GET", LEASE).refuse(404, "NotFound")
        self.api.take("POST", LEASES).answered.callback(exchange("lease", "create lease").answer)
        self.clock.advance(RETRY_PERIOD)
        renewal = self.api.take("PUT", LEASE)
        self.assertEqual(renewal.body["metadata"]["resourceVersion"], "521")
        renewal.answered.callback(exchange("lease", "renew lease").answer)
        self.assertTrue(self.elector.is_leader)

    def test_free(self) -> None:
        """A Lease without a holder is taken, in the version that was read."""
        self.elector.start()
        self.api.take("GET", LEASE).answer(lease("", version=7))
        taken = self.api.take("PUT", LEASE)
        self.assertEqual(taken.body["metadata"], lease("", version=7)["metadata"])
        self.assertEqual(taken.body["spec"]["holderIdentity"], "a")
        taken.answer()
        self.assertTrue(self.elector.is_leader)

    def test_led_before(self) -> None:
        """It is known until when another one led, if any did."""
        self.elector.start()
        self.api.take("GET", LEASE).answer(lease("", renewed="2026-01-01T00:00:07.000000Z"))
        self.api.take("PUT", LEASE).answer()
        self.assertEqual(self.elector.led_before, datetime(2026, 1, 1, 0, 0, 7, tzinfo=UTC))
        self.clock.advance(RETRY_PERIOD)
        self.api.take("PUT", LEASE).answer()
        self.assertEqual(self.elector.led_before, datetime(2026, 1, 1, 0, 0, 7, tzinfo=UTC))

    def test_none_led_before(self) -> None:
        """A first leader has no predecessor."""
        self.elector.start()
        self.api.take("GET", LEASE).refuse(404, "NotFound")
        self.api.take("POST", LEASES).answer()
        self.assertIsNone(self.elector.led_before)

    def test_lost_race(self) -> None:
        """A candidate that was too late follows, and logs no failure."""
        self.elector.start()
        self.api.take("GET", LEASE).answer(lease(""))
        self.api.take("PUT", LEASE).refuse(409, "Conflict")
        self.assertFalse(self.elector.is_leader)
        self.clock.advance(LONGEST_RETRY)
        self.api.take("GET", LEASE).answer(lease("b"))
        self.assertEqual(self.lines.take(), ["The leader is b"])
        self.assertEqual(self.elector.holder, "b")
        self.assertEqual(self.told, [])

    def test_waits(self) -> None:
        """Another one's Lease is watched, and taken when it has not changed for too long."""
        self.elector.start()
        for renewal in range(20):
            self.api.take("GET", LEASE).answer(lease("b", version=renewal, renewed=f"{renewal}"))
            self.clock.advance(LONGEST_RETRY)
        silent_since = self.clock.seconds()
        while self.api.asked[0].method == "GET":
            self.api.take("GET", LEASE).answer(lease("b", version=99, renewed="19"))
            if not self.api.asked:
                self.clock.advance(LONGEST_RETRY)
        silent_for = self.clock.seconds() - silent_since
        self.assertGreaterEqual(silent_for, LEASE_DURATION - LONGEST_RETRY)
        self.assertLess(silent_for, LEASE_DURATION + LONGEST_RETRY)
        self.api.take("PUT", LEASE).answer()
        self.assertTrue(self.elector.is_leader)

    def test_jitter(self) -> None:
        """Candidates do not ask all at once."""
        self.elector.start()
        self.api.take("GET", LEASE).answer(lease("b"))
        (call,) = self.clock.getDelayedCalls()
        self.assertGreater(call.getTime(), RETRY_PERIOD)
        self.assertLess(call.getTime(), LONGEST_RETRY)

    def test_ours_already(self) -> None:
        """A renewal without an answer may have succeeded; then the next one leads on."""
        self.elector.start()
        self.api.take("GET", LEASE).answer(lease(""))
        self.clock.advance(REQUEST_TIMEOUT)
        self.assertFalse(self.elector.is_leader)
        self.clock.advance(LONGEST_RETRY)
        self.api.take("GET", LEASE).answer(lease("a"))
        self.api.take("PUT", LEASE).answer()
        self.assertTrue(self.elector.is_leader)


class RenewingTests(ElectorTestCase):
    """A leader renews its Lease, and leads no more when it cannot."""

    def test_renews(self) -> None:
        """It renews with a request each two seconds, and leads on."""
        self.lead()
        for _ in range(30):
            self.clock.advance(RETRY_PERIOD)
            self.api.take("PUT", LEASE).answer()
            self.assertTrue(self.elector.is_leader)
        self.assertEqual(self.told, ["started"])

    def test_hangs(self) -> None:
        """Without any answer leadership ends at the deadline, after two attempts."""
        self.lead()
        tried = []
        for _ in range(int(RENEW_DEADLINE * 10) - 1):
            self.clock.advance(0.1)
            self.assertTrue(self.elector.is_leader)
            tried += [id(each) for each in self.api.asked]
        self.assertGreaterEqual(len(set(tried)), 2)
        self.clock.advance(0.2)
        self.assertFalse(self.elector.is_leader)
        self.assertEqual(self.told, ["started", "stopped"])

    def test_late_timer(self) -> None:
        """A process that did not run for a while knows that its time is over before any timer says so."""
        self.lead()
        self.clock.rightNow += RENEW_DEADLINE
        self.assertFalse(self.elector.is_leader)

    def test_late_timers(self) -> None:
        """Whatever is run first then, what it led for has ended before it leads again."""
        self.lead()
        (deadline,) = (each for each in self.clock.getDelayedCalls() if each.getTime() > 5)
        deadline.delay(60)
        self.clock.advance(RENEW_DEADLINE)
        self.assertEqual(self.told, ["started", "stopped"])
        self.api.take("GET", LEASE).answer(lease("a"))
        self.api.take("PUT", LEASE).answer()
        self.assertEqual(self.told, ["started", "stopped", "started"])

    def test_deadline_counts_from_asking(self) -> None:
        """A renewal counts from the moment of the request."""
        self.lead()
        self.clock.advance(RETRY_PERIOD)
        renewal = self.api.take("PUT", LEASE)
        self.clock.advance(4)
        renewal.answer()
        self.clock.advance(RENEW_DEADLINE - 4 - 0.1)
        self.assertTrue(self.elector.is_leader)
        self.clock.advance(0.1)
        self.assertFalse(self.elector.is_leader)

    def test_refused_once(self) -> None:
        """After a failure it looks again, and goes on where the Lease is still its own."""
        self.lead()
        self.clock.advance(RETRY_PERIOD)
        self.api.take("PUT", LEASE).refuse(409, "Conflict")
        self.api.take("GET", LEASE).answer(lease("a", version=9))
        renewal = self.api.take("PUT", LEASE)
        self.assertEqual(renewal.body["metadata"]["resourceVersion"], "9")
        renewal.answer()
        self.assertTrue(self.elector.is_leader)
        self.assertEqual(self.told, ["started"])

    def test_taken_away(self) -> None:
        """If another candidate holds the Lease, leadership ends at once."""
        self.lead()
        self.clock.advance(RETRY_PERIOD)
        self.api.take("PUT", LEASE).refuse(409, "Conflict")
        self.api.take("GET", LEASE).answer(lease("b"))
        self.assertFalse(self.elector.is_leader)
        self.assertEqual(self.told, ["started", "stopped"])
        self.assertEqual(self.elector.holder, "b")

    def test_leads_again(self) -> None:
        """A leader that has lost the Lease is a candidate again."""
        self.lead()
        self.clock.advance(RENEW_DEADLINE)
        while not self.api.asked:
            self.clock.advance(0.5)
        self.api.take("GET", LEASE).answer(lease(""))
        self.api.take("PUT", LEASE).answer()
        self.assertEqual(self.told, ["started", "stopped", "started"])


class FailureTests(ElectorTestCase):
    """A failing attempt is logged once, and repeated."""

    def test_told_once(self) -> None:
        """A missing right is one line, however often it is missed, and one when it is there."""
        self.elector.start()
        for _ in range(5):
            self.api.take("GET", LEASE).refuse(403, "Forbidden")
            self.clock.advance(LONGEST_RETRY)
        (line,) = self.lines.take()
        self.assertIn("default/leader fails, and is tried again: 403 Forbidden", line)
        self.api.take("GET", LEASE).answer(lease("b"))
        self.assertIn("works again", self.lines.take()[-1])

    def test_nonsense(self) -> None:
        """An answer that is no Lease is no answer."""
        for body in (b"<html>", b"[]", b'{"metadata": 7}'):
            self.elector.start()
            self.api.take("GET", LEASE).answered.callback(body)
            self.assertIn("the answer cannot be read as Lease", self.lines.take()[0])
            self.successResultOf(self.elector.stop())

    def test_failure_of_ours(self) -> None:
        """A bug does not end the election."""
        self.elector.started = lambda: 1 / 0  # type: ignore[assignment]
        self.lead()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.clock.advance(RETRY_PERIOD)
        self.api.take("PUT", LEASE).answer()
        self.assertTrue(self.elector.is_leader)


class StopTests(ElectorTestCase):
    """Stopping lets another replica lead."""

    def test_release(self) -> None:
        """A leader stops leading, and releases the Lease as it is then."""
        self.lead()
        stopped = self.elector.stop()
        self.assertEqual(self.told, ["started", "stopped"])
        self.assertFalse(self.elector.is_leader)
        self.api.take("GET", LEASE).answer(lease("a", version=5))
        released = self.api.take("PUT", LEASE)
        self.assertEqual(released.body["spec"]["holderIdentity"], "")
        self.assertEqual(released.body["spec"]["leaseDurationSeconds"], 1)
        self.assertEqual(released.body["metadata"]["resourceVersion"], "5")
        self.assertNoResult(stopped)
        released.answer()
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_not_ours(self) -> None:
        """A follower has nothing to release; what another one took meanwhile stays."""
        self.successResultOf(self.elector.stop())
        self.elector.start()
        self.api.take("GET", LEASE).answer(lease("b"))
        self.successResultOf(self.elector.stop())
        self.lead()
        stopped = self.elector.stop()
        self.api.take("GET", LEASE).answer(lease("b"))
        self.successResultOf(stopped)
        self.assertEqual(self.api.asked, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unanswered(self) -> None:
        """A renewal that was under way at the end is released as well."""
        self.elector.start()
        self.api.take("GET", LEASE).answer(lease(""))
        stopped = self.elector.stop()
        self.api.take("GET", LEASE).answer(lease("a"))
        self.api.take("PUT", LEASE).answer()
        self.successResultOf(stopped)

    def test_renewed_meanwhile(self) -> None:
        """A renewal that was under way may come first: the Lease is released all the same."""
        self.lead()
        stopped = self.elector.stop()
        self.api.take("GET", LEASE).answer(lease("a", version=5))
        self.api.take("PUT", LEASE).refuse(409, "Conflict")
        self.api.take("GET", LEASE).answer(lease("a", version=6))
        self.api.take("PUT", LEASE).answer()
        self.successResultOf(stopped)

    def test_always_meanwhile(self) -> None:
        """It is tried a few times only."""
        self.lead()
        stopped = self.elector.stop()
        for _ in range(RELEASE_TRIES):
            self.api.take("GET", LEASE).answer(lease("a"))
            self.api.take("PUT", LEASE).refuse(409, "Conflict")
        self.successResultOf(stopped)
        self.assertIn("could not be released", self.lines.take()[-1])

    def test_hangs(self) -> None:
        """A server that answers nothing delays the end for seconds only."""
        self.lead()
        stopped = self.elector.stop()
        self.clock.advance(REQUEST_TIMEOUT)
        self.successResultOf(stopped)
        self.assertIn("could not be released: no answer within 5 s", self.lines.take()[-1])

    def test_unreachable(self) -> None:
        """Nor does one that is gone."""
        self.lead()
        stopped = self.elector.stop()
        self.api.take("GET", LEASE).answered.errback(APIUnreachable("connection refused"))
        self.successResultOf(stopped)
        self.lines.take()


class ServerTests(SynchronousTestCase):
    """The server of the tests below answers as a real one did."""

    def test_recorded(self) -> None:
        """Each exchange that was recorded ends as it did then."""
        server = LeaseServer()
        for recorded in exchanges("lease").values():
            try:
                answer = msgspec.json.decode(server.handle(recorded.method, recorded.sent))
                self.assertLess(recorded.status, 300)
                expected = msgspec.json.decode(recorded.answer)
                self.assertEqual(answer["spec"], expected["spec"])
                for lease in (answer, expected):
                    self.assertIn("resourceVersion", lease["metadata"])
            except APIError as error:
                self.assertEqual(error.code, recorded.status)


class Replica:
    """
    A process with an elector, whose clock runs at a rate of its own.

    :ivar longest: seconds that a way through the network takes at most; None where nothing arrives.
    :ivar is_stalled: whether nothing of it runs at the moment.
    """

    def __init__(self, identity: str, world: World, rate: float, random: Random) -> None:
        self.clock = Clock()
        self.clock.rightNow = random.random() * 1000
        self.longest: float | None = 0.1
        self.is_stalled = False
        self._rate = rate
        self._random = random
        self.elector = Elector(
            SlowLeaseAPI(world.server, world.time, self._journey),
            ("default", "leader"),
            identity,
            clock=self.clock,
            random=random,
            # Its time of day is wrong by up to an hour, which must not matter.
            now=lambda: datetime.fromtimestamp(3600 * rate + world.time.seconds(), UTC),
            monotonic=self.clock.seconds,
        )
        self.elector.start()

    def _journey(self) -> Journey:
        longest = 1000.0 if self.longest is None else self.longest
        there, back = (self._random.random() * longest for _ in range(2))
        return Journey(there, back, is_lost=self.longest is None)

    def suffer(self) -> None:
        """Something becomes worse or better, every ten seconds or so."""
        if self._random.random() < 0.025:
            self.longest = self._random.choice((0.1, 3.0, 12.0, None))
        if self._random.random() < 0.025:
            self.is_stalled = self._random.random() < 0.3

    def recover(self) -> None:
        self.longest, self.is_stalled = 0.1, False

    def advance(self, seconds: float) -> None:
        if self.is_stalled:
            self.clock.rightNow += seconds * self._rate
        else:
            self.clock.advance(seconds * self._rate)


class World:
    """Two replicas, a server, and the time that the network goes by."""

    def __init__(self, random: Random, rates: tuple[float, float]) -> None:
        self.time = Clock()
        self.server = LeaseServer()
        self.replicas = [
            Replica(name, self, rate, random) for name, rate in zip("ab", rates, strict=True)
        ]

    def leaders(self) -> list[Replica]:
        return [each for each in self.replicas if each.elector.is_leader]

    def advance(self) -> None:
        """A quarter of a second passes."""
        self.time.advance(0.25)
        for replica in self.replicas:
            replica.advance(0.25)


class OneLeaderTests(SynchronousTestCase):
    """Whatever the network, the clocks and the processes do, one replica leads at most."""

    RATES = st.floats(min_value=0.85, max_value=1.15)

    @settings(max_examples=100, deadline=None)
    @given(st.integers(min_value=0), st.tuples(RATES, RATES))
    def test_never_two(self, seed: int, rates: tuple[float, float]) -> None:
        """Two never lead at once; and when all is well again, one does, until it stops."""
        world = World(Random(seed), rates)
        for _ in range(600):
            for replica in world.replicas:
                replica.suffer()
            world.advance()
            self.assertLess(len(world.leaders()), 2)
        for replica in world.replicas:
            replica.recover()
        for _ in range(240):
            world.advance()
            self.assertLess(len(world.leaders()), 2)
        (leader,) = world.leaders()
        leader.elector.stop()
        for _ in range(32):
            world.advance()
            self.assertNotIn(leader, world.leaders())
        self.assertEqual(len(world.leaders()), 1, "a Lease that was released is taken at once")
