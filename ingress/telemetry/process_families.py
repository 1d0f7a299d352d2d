"""
What the processes that serve tell in metrics, all of them together.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from ingress.telemetry.controller_families import OWN_PREFIX
from ingress.telemetry.counts import Counters
from ingress.telemetry.exposition import Family, by_label, counter, gauge, label_text
from ingress.telemetry.traffic_families import PREFIX
from ingress.telemetry.vitals import Connections, Vitals
from ingress.telemetry.watched import Watched

_NGINX = f"{PREFIX}_nginx_process"


def process_families(watched: Watched, constants: Mapping[str, str]) -> Iterator[Family]:
    """
    :param constants: the labels of the controller, for those of ingress-nginx.
    """
    vitals = list(watched.reports.vitals())
    yield from _connections(watched.totals.counters, vitals, constants)
    yield from _usage(watched, vitals, label_text(constants))
    yield from _own(watched)


def _connections(
    counters: Counters, vitals: list[Vitals], constants: Mapping[str, str]
) -> Iterator[Family]:
    columns = zip(*(each.connections for each in vitals), strict=True)
    connections = Connections(*map(sum, columns))
    now = {"active": sum(connections), **connections._asdict()}
    family = Family(f"{_NGINX}_connections", "gauge", "Connections of clients now")
    yield by_label(family, "state", now, constants)
    total = {"accepted": counters.accepted, "handled": counters.accepted - counters.refused}
    family = Family(
        f"{_NGINX}_connections_total",
        "counter",
        "Connections of clients that were accepted, and those of them that were not closed at once",
    )
    yield by_label(family, "state", total, constants)


def _usage(watched: Watched, vitals: list[Vitals], labels: str) -> Iterator[Family]:
    totals = watched.totals
    yield counter(
        f"{_NGINX}_requests_total", "Requests of clients", totals.traffic.requests, labels
    )
    yield gauge(f"{_NGINX}_num_procs", "Processes of this proxy", len(vitals), labels)
    yield counter(
        f"{_NGINX}_cpu_seconds_total",
        "Processor time of all of them",
        totals.counters.cpu_seconds + time.process_time(),
        labels,
    )
    yield gauge(
        f"{_NGINX}_resident_memory_bytes",
        "Memory that all of them have in use; what they share counts for each",
        sum(each.memory for each in vitals),
        labels,
    )


def _own(watched: Watched) -> Iterator[Family]:
    totals = watched.totals
    counters = totals.counters
    family = Family(
        f"{OWN_PREFIX}_exchanges_total",
        "counter",
        "Requests by how they ended: the outcome that refusals show and the access log has",
    )
    yield by_label(family, "outcome", counters.outcomes)
    yield counter(
        f"{OWN_PREFIX}_dropped_fields_total",
        "Fields of requests that no endpoint got, because of the characters in their names",
        counters.dropped_fields,
    )
    yield counter(
        f"{OWN_PREFIX}_retries_total",
        "Endpoints that were asked because another one had failed",
        counters.retries,
    )
    yield counter(
        f"{OWN_PREFIX}_endpoint_ejections_total",
        "How often an endpoint was left out because it had failed again and again",
        counters.ejections,
    )
    yield counter(
        f"{OWN_PREFIX}_access_log_dropped_lines_total",
        "Lines of the access log that nobody took in time",
        counters.dropped_lines,
    )
    yield counter(
        f"{OWN_PREFIX}_unlabelled_requests_total",
        "Requests that are in no series, because there were too many",
        totals.traffic.overflow,
    )
    yield counter(
        f"{OWN_PREFIX}_workers_lost_total",
        "Worker processes that ended without being asked to, and were replaced",
        watched.lost_workers(),
    )
