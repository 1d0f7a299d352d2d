"""
A Lease of ``coordination.k8s.io/v1``, and what a candidate does with one.

The algorithm, the times and what is written are those of client-go
(``tools/leaderelection``), so that replicas of both could share a Lease. Nobody
compares clocks: whether a Lease has run out depends on how long *we* have not
seen it change, by our own clock. It is safe as long as no clock runs more than
half as fast again as another one.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import msgspec

from ingress.kube.objects import KubeStruct, ObjectName

LEASE_DURATION: Final = 15
"""Seconds that a candidate waits for a Lease that does not change before it takes it."""

RENEW_DEADLINE: Final = 10.0
"""Seconds after which a leader that could not renew its Lease is none any more."""

RETRY_PERIOD: Final = 2.0
"""Seconds between two attempts to take or to renew it."""

JITTER: Final = 1.2
"""Share of `RETRY_PERIOD` that a candidate may wait in addition, at random."""

API: Final = "coordination.k8s.io/v1"


class LeaseSpec(KubeStruct, frozen=True, kw_only=True, omit_defaults=True):
    """Times are texts here: nothing is ever computed from another one's clock."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(KubeStruct, frozen=True, kw_only=True):
    """A Lease as the server has it."""

    metadata: dict[str, Any]
    """As it came, and sent back as it is: its version, and labels that are not ours."""

    spec: LeaseSpec = LeaseSpec()

    @property
    def holder(self) -> str:
        """Who holds it; empty if nobody does."""
        return self.spec.holder_identity or ""


class Step(Enum):
    """What a candidate does next."""

    CREATE = "create"
    """There is no Lease."""

    TAKE = "take"
    """Nobody holds it, or whoever did is silent for too long."""

    RENEW = "renew"
    """It is our own."""

    WAIT = "wait"
    """It is another one's."""


def next_step(identity: str, lease: Lease | None, unchanged_for: float) -> Step:
    """
    :param identity: ours, which nobody else has.
    :param lease: as seen last; None if there is none.
    :param unchanged_for: seconds since we saw it like that for the first time.
    """
    if lease is None:
        return Step.CREATE
    if lease.holder == identity:
        return Step.RENEW
    duration = lease.spec.lease_duration_seconds
    if not lease.holder or unchanged_for >= (LEASE_DURATION if duration is None else duration):
        return Step.TAKE
    return Step.WAIT


def held_spec(identity: str, before: LeaseSpec | None, now: str) -> LeaseSpec:
    """
    :param before: None for a Lease that is to be created.
    :param now: the time of day.
    :return: the spec by which we hold the Lease.
    """
    acquired, transitions = now, 0
    if before is not None:
        transitions = before.lease_transitions or 0
        if before.holder_identity == identity:
            acquired = before.acquire_time or now
        else:
            transitions += 1
    return LeaseSpec(
        holder_identity=identity,
        lease_duration_seconds=LEASE_DURATION,
        acquire_time=acquired,
        renew_time=now,
        lease_transitions=transitions,
    )


def released_spec(before: LeaseSpec, now: str) -> LeaseSpec:
    """The spec by which nobody holds the Lease, so that the next one need not wait."""
    return LeaseSpec(
        holder_identity="",
        lease_duration_seconds=1,
        acquire_time=now,
        renew_time=now,
        lease_transitions=before.lease_transitions or 0,
    )


def lease_body(metadata: dict[str, Any], spec: LeaseSpec) -> dict[str, object]:
    """What is sent to create a Lease or to replace it."""
    return {
        "apiVersion": API,
        "kind": "Lease",
        "metadata": metadata,
        "spec": msgspec.to_builtins(spec),
    }


def lease_path(namespace: str, name: str = "") -> str:
    """The path of a Lease; without a name, of those of a namespace."""
    path = f"/apis/{API}/namespaces/{namespace}/leases"
    return f"{path}/{name}" if name else path


def new_metadata(name: ObjectName) -> dict[str, Any]:
    """The metadata of a Lease that is to be created."""
    return {"namespace": name[0], "name": name[1]}
