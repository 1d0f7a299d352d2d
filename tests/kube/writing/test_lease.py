"""
Tests for `ingress.kube.writing.lease`.
"""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.writing.lease import (
    LEASE_DURATION,
    Lease,
    LeaseSpec,
    Step,
    held_spec,
    lease_body,
    lease_path,
    new_metadata,
    next_step,
    released_spec,
)
from tests.support.recorded import exchange

T1 = "2026-11-23T01:00:00.000000Z"
T2 = "2026-11-23T01:00:05.000000Z"


def held_by(holder: str | None, *, duration: int | None = LEASE_DURATION) -> Lease:
    return Lease(
        metadata={"name": "leader"},
        spec=LeaseSpec(holder_identity=holder, lease_duration_seconds=duration),
    )


class StepTests(SynchronousTestCase):
    """The next step follows from the Lease, and from how long it has not changed."""

    def test_missing(self) -> None:
        """A Lease that is not there is created."""
        self.assertIs(next_step("a", None, 0), Step.CREATE)

    def test_ours(self) -> None:
        """Our own is renewed, however old it is."""
        for unchanged_for in (0, 2 * LEASE_DURATION):
            self.assertIs(next_step("a", held_by("a"), unchanged_for), Step.RENEW)

    def test_free(self) -> None:
        """A Lease without a holder is taken at once."""
        for holder in ("", None):
            self.assertIs(next_step("a", held_by(holder, duration=1), 0), Step.TAKE)

    def test_of_another(self) -> None:
        """Another one's is left alone until we have not seen it change for its duration."""
        for duration in (LEASE_DURATION, 60):
            lease = held_by("b", duration=duration)
            self.assertIs(next_step("a", lease, 0), Step.WAIT)
            self.assertIs(next_step("a", lease, duration - 0.001), Step.WAIT)
            self.assertIs(next_step("a", lease, duration), Step.TAKE)

    def test_without_duration(self) -> None:
        """A Lease without a duration has ours."""
        self.assertIs(next_step("a", held_by("b", duration=None), LEASE_DURATION - 1), Step.WAIT)
        self.assertIs(next_step("a", held_by("b", duration=None), LEASE_DURATION), Step.TAKE)


class SpecTests(SynchronousTestCase):
    """The written fields are those of client-go."""

    def test_created(self) -> None:
        """A new Lease has had no transition."""
        expected = LeaseSpec(
            holder_identity="a",
            lease_duration_seconds=15,
            acquire_time=T1,
            renew_time=T1,
            lease_transitions=0,
        )
        self.assertEqual(held_spec("a", None, T1), expected)

    def test_renewed(self) -> None:
        """A renewal changes the time of it alone."""
        before = held_spec("a", None, T1)
        expected = msgspec.structs.replace(before, renew_time=T2)
        self.assertEqual(held_spec("a", before, T2), expected)

    def test_taken(self) -> None:
        """Taking a Lease from another holder, or one without a holder, is a transition."""
        before = held_spec("b", None, T1)
        for held in (before, msgspec.structs.replace(before, holder_identity="")):
            taken = held_spec("a", held, T2)
            self.assertEqual((taken.acquire_time, taken.lease_transitions), (T2, 1))
        self.assertEqual(held_spec("a", LeaseSpec(), T2).lease_transitions, 1)

    def test_released(self) -> None:
        """A Lease that is released has no holder, and runs out within a second."""
        taken = held_spec("a", held_spec("b", None, T1), T1)
        expected = LeaseSpec(
            holder_identity="",
            lease_duration_seconds=1,
            acquire_time=T2,
            renew_time=T2,
            lease_transitions=1,
        )
        self.assertEqual(released_spec(taken, T2), expected)
        self.assertEqual(msgspec.to_builtins(expected)["holderIdentity"], "")


class RecordedTests(SynchronousTestCase):
    """Requests are those that a real API server took, and its answers are understood."""

    def test_create(self) -> None:
        """A Lease is created with this request."""
        recorded = exchange("lease", "create lease")
        body = lease_body(new_metadata(("default", "rec-leader")), held_spec("a", None, T1))
        self.assertEqual(body, recorded.sent)
        self.assertEqual(lease_path("default"), recorded.path)
        lease = msgspec.json.decode(recorded.answer, type=Lease)
        self.assertEqual(lease.spec, held_spec("a", None, T1))

    def test_renew(self) -> None:
        """It is renewed with all that the server knew of it."""
        created = exchange("lease", "create lease").answer
        lease = msgspec.json.decode(created, type=Lease)
        recorded = exchange("lease", "renew lease")
        body = lease_body(lease.metadata, held_spec("a", lease.spec, T2))
        self.assertEqual(body, recorded.sent)
        self.assertEqual(lease_path("default", "rec-leader"), recorded.path)
