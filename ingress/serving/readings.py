"""
Reads counters and states from the data plane of one process.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

from ingress.endpoint import Endpoint, UpstreamKey
from ingress.serving.data_plane import DataPlane
from ingress.telemetry.counts import Counters
from ingress.telemetry.endpoint_state import EndpointState
from ingress.telemetry.vitals import Connections, Usage, Vitals, own_vitals

_NO_USAGE: Final = Usage()


def read_counters(plane: DataPlane, usage: Usage = _NO_USAGE) -> Counters:
    """
    :param usage: of a worker; none for the process that adds up.
    :return: the counts since the start.
    """
    admission = plane.clients.admission
    counters = Counters(
        accepted=admission.accepted,
        refused=admission.refused,
        dropped_fields=plane.exchanges.field_names.dropped,
        policy_failures=Counter(plane.exchanges.policy_faults.failures),
        slow_policy_calls=Counter(plane.exchanges.policy_faults.slow_calls),
        ejections=plane.calls.balancer.health.ejections,
        mirror_copies=Counter(plane.exchanges.mirrors.results),
        spans=Counter(plane.spans),
        cpu_seconds=usage.cpu_seconds,
        read_bytes=usage.read_bytes,
        written_bytes=usage.written_bytes,
    )
    requests = plane.exchanges.shares.refused
    counters.beyond_share = Counter({"connections": admission.beyond_share, **requests})
    counters.limited = Counter(plane.exchanges.policy_states.limiter.refused)
    counters.gave_way = admission.gave_way
    counters.http2_glitches = plane.clients.glitches + plane.calls.registry.glitches
    recorder = plane.recorder
    if recorder is not None:
        counters.retries = recorder.retries
        counters.dropped_lines = recorder.access_log.dropped
        counters.outcomes = Counter({"ok": recorder.ok, **recorder.not_ok})
    return counters


def read_vitals(plane: DataPlane) -> Vitals:
    """The vitals of this process."""
    activities = plane.clients.connections.activities()
    return own_vitals(Connections(**activities))


def read_endpoints(plane: DataPlane) -> dict[Endpoint, EndpointState]:
    """The states of endpoints that have requests in flight or are ejected."""
    in_flight = Counter[Endpoint]()
    for endpoint, count in plane.calls.registry.in_flight():
        in_flight[endpoint] += count
    ejected_for = defaultdict[Endpoint, set[UpstreamKey]](set)
    for upstream, endpoint, _ in plane.calls.balancer.health.ejected:
        ejected_for[endpoint].add(upstream)
    return {
        endpoint: EndpointState(in_flight[endpoint], frozenset(ejected_for[endpoint]))
        for endpoint in ejected_for.keys() | in_flight.keys()
    }
