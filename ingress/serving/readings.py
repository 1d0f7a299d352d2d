"""
Reads counters and states from the data plane of one process.
"""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from typing import Final

from ingress.endpoint import Endpoint, UpstreamKey
from ingress.http2.counts import code_name
from ingress.http2.fault import REFUSED_STREAM
from ingress.serving.data_plane import DataPlane
from ingress.telemetry.counts import Counters, HTTP2End
from ingress.telemetry.endpoint_state import EndpointState
from ingress.telemetry.exchange_rows import ExchangeQuestion, Exchanges, read_exchanges
from ingress.telemetry.relay_counts import combine_relays
from ingress.telemetry.vitals import (
    Connections,
    HTTP2Vitals,
    Relays,
    Usage,
    Vitals,
    own_vitals,
)

_NO_USAGE: Final = Usage()
_REFUSED: Final = code_name(REFUSED_STREAM)


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
    counters.udp = Counter(plane.relays.udp)
    counters.refused_openings = Counter(plane.clients.refused_openings)
    _read_http2(counters, plane)
    recorder = plane.recorder
    if recorder is not None:
        counters.retries = recorder.retries
        counters.dropped_lines = recorder.access_log.dropped
        counters.outcomes = Counter({"ok": recorder.ok, **recorder.not_ok})
        combine_relays(counters.relays, recorder.relays, 1)
    return counters


def _read_http2(counters: Counters, plane: DataPlane) -> None:
    clients, endpoints = plane.clients.http2, plane.calls.registry.http2
    counters.http2_glitches = clients.glitches + endpoints.glitches
    counters.http2_refused = Counter(
        client=clients.refused,
        endpoint=endpoints.refused + endpoints.resets_received[_REFUSED],
    )
    for side, counts in (("client", clients), ("endpoint", endpoints)):
        for direction, resets, goaways in (
            ("sent", counts.resets_sent, counts.goaways_sent),
            ("received", counts.resets_received, counts.goaways_received),
        ):
            for code, count in resets.items():
                counters.http2_resets[HTTP2End(side, direction, code)] = count
            for code, count in goaways.items():
                counters.http2_goaways[HTTP2End(side, direction, code)] = count


def read_last_exchanges(plane: DataPlane, question: ExchangeQuestion) -> Exchanges | None:
    """
    :return: the last exchanges of this process; None if nothing records them.
    """
    recorder, now = plane.recorder, plane.deadlines.now
    if recorder is None:
        return None
    offset = time.time() - now()
    return read_exchanges(
        recorder, question, process=os.getpid(), wall_time=lambda moment: moment + offset
    )


def read_vitals(plane: DataPlane, udp_sessions: int = 0) -> Vitals:
    """The vitals of this process."""
    activities = plane.clients.connections.activities()
    clients, endpoints = plane.clients.http2, plane.calls.registry.http2
    http2 = HTTP2Vitals(
        len(clients.connections),
        clients.stream_count,
        len(endpoints.connections),
        endpoints.stream_count,
    )
    relays = Relays(plane.relays.in_flight.total() - udp_sessions, udp_sessions)
    return own_vitals(Connections(**activities), http2)._replace(relays=relays)


def read_endpoints(plane: DataPlane) -> dict[Endpoint, EndpointState]:
    """
    The states of endpoints that have requests or relays in flight or connections in HTTP/2, or are
    ejected.
    """
    in_flight = Counter[Endpoint]()
    for endpoint, count in plane.calls.registry.in_flight():
        in_flight[endpoint] += count
    in_flight.update(plane.relays.in_flight)
    connections, streams = Counter[Endpoint](), Counter[Endpoint]()
    for endpoint, count in plane.calls.registry.http2_connections():
        connections[endpoint] += 1
        streams[endpoint] += count
    ejected_for = defaultdict[Endpoint, set[UpstreamKey]](set)
    for upstream, endpoint, _ in plane.calls.balancer.health.ejected:
        ejected_for[endpoint].add(upstream)
    return {
        endpoint: EndpointState(
            in_flight[endpoint],
            frozenset(ejected_for[endpoint]),
            http2_connections=connections[endpoint],
            http2_streams=streams[endpoint],
        )
        for endpoint in ejected_for.keys() | in_flight.keys() | connections.keys()
    }
