"""
A Lease of ``coordination.k8s.io/v1``, and the steps of a candidate.

The algorithm, the times and the written fields are those of client-go
(``tools/leaderelection``), so replicas of both could share a Lease. Clocks of different
machines are never compared: a Lease has run out when *we* have not seen it change for long
enough by our own clock. That is safe as long as no clock runs more than 1.5 times as fast as
another one.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import msgspec

from ingress.kube.objects import KubeStruct, ObjectName

LEASE_DURATION: Final = 15
"""Seconds that a candidate waits for a Lease that does not change before it takes it."""

RENEW_DEADLINE: Final = 10.0
"""Seconds after which a leader that could not renew its Lease stops leading."""

RETRY_PERIOD: Final = 2.0
"""Seconds between two attempts to take or to renew it."""

JITTER: Final = 1.2
"""Share of `RETRY_PERIOD` that a candidate waits in addition, at random."""

API: Final = "coordination.k8s.io/v1"


class LeaseSpec(KubeStruct, frozen=True, kw_only=True, omit_defaults=True):
    """Times stay text: nothing is computed from the clock of another machine."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(KubeStruct, frozen=True, kw_only=True):
    """A Lease as the server has it."""

    metadata: dict[str, Any]
    """As received; sent back unchanged, with the version and the labels of others."""

    spec: LeaseSpec = LeaseSpec()

    @property
    def holder(self) -> str:
        """The identity of its holder; empty if it has none."""
        return self.spec.holder_identity or ""


class Step(Enum):
    """What a candidate does next."""

    CREATE = "create"
    """The Lease does not exist."""

    TAKE = "take"
    """It has no holder, or its holder has been silent for too long."""

    RENEW = "renew"
    """We hold it."""

    WAIT = "wait"
    """Another candidate holds it."""


def next_step(identity: str, lease: Lease | None, unchanged_for: float) -> Step:
    """
    :param identity: ours.
    :param lease: as last seen; None if it does not exist.
    :param unchanged_for: seconds since we first saw it in this state.
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
    :param before: None if the Lease is to be created.
    :param now: the time of day.
    :return: the spec that makes us its holder.
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
    """The spec of a Lease without a holder, which the next candidate takes at once."""
    return LeaseSpec(
        holder_identity="",
        lease_duration_seconds=1,
        acquire_time=now,
        renew_time=now,
        lease_transitions=before.lease_transitions or 0,
    )


def lease_body(metadata: dict[str, Any], spec: LeaseSpec) -> dict[str, object]:
    """The body of a request that creates or replaces a Lease."""
    return {
        "apiVersion": API,
        "kind": "Lease",
        "metadata": metadata,
        "spec": msgspec.to_builtins(spec),
    }


def lease_path(namespace: str, name: str = "") -> str:
    """The path of a Lease; without a name, that of all Leases of a namespace."""
    path = f"/apis/{API}/namespaces/{namespace}/leases"
    return f"{path}/{name}" if name else path


def new_metadata(name: ObjectName) -> dict[str, Any]:
    """The metadata of a new Lease."""
    return {"namespace": name[0], "name": name[1]}
