"""
The metrics of the processes that serve, added up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ingress.telemetry.controller_families import OWN_PREFIX
from ingress.telemetry.counts import Counters
from ingress.telemetry.exposition import Family, by_label, counter, gauge, label_text, line
from ingress.telemetry.http2_families import http2_families
from ingress.telemetry.observed_proxy import ObservedProxy
from ingress.telemetry.relay_families import relay_families
from ingress.telemetry.traffic_families import PREFIX
from ingress.telemetry.vitals import Connections, Vitals, own_usage

_NGINX = f"{PREFIX}_nginx_process"


def process_families(proxy: ObservedProxy, constants: Mapping[str, str]) -> Iterator[Family]:
    """
    :param constants: the labels of the controller that ingress-nginx's metrics have.
    """
    vitals = list(proxy.reports.vitals())
    yield from _connections(proxy.totals.counters, vitals, constants)
    yield from _usage(proxy, vitals, label_text(constants))
    yield from http2_families(proxy.totals.counters, vitals)
    yield from relay_families(proxy.totals.counters, vitals)
    yield from _own(proxy)


def _connections(
    counters: Counters, vitals: list[Vitals], constants: Mapping[str, str]
) -> Iterator[Family]:
    columns = zip(*(each.connections for each in vitals), strict=True)
    connections = Connections(*map(sum, columns))
    now = {"active": sum(connections), **connections._asdict()}
    family = Family(f"{_NGINX}_connections", "gauge", "Client connections that are open")
    yield by_label(family, "state", now, constants)
    total = {"accepted": counters.accepted, "handled": counters.accepted - counters.refused}
    family = Family(
        f"{_NGINX}_connections_total",
        "counter",
        "Client connections accepted, and those of them that were not refused",
    )
    yield by_label(family, "state", total, constants)


def _usage(proxy: ObservedProxy, vitals: list[Vitals], labels: str) -> Iterator[Family]:
    totals, own = proxy.totals, own_usage()
    counters = totals.counters
    yield counter(f"{_NGINX}_requests_total", "Client requests", totals.traffic.requests, labels)
    yield gauge(f"{_NGINX}_num_procs", "Processes of this proxy", len(vitals), labels)
    yield counter(
        f"{_NGINX}_cpu_seconds_total",
        "Processor time of all processes of this proxy",
        counters.cpu_seconds + own.cpu_seconds,
        labels,
    )
    yield gauge(
        f"{_NGINX}_resident_memory_bytes",
        "Resident memory of all processes; shared pages count for each of them",
        sum(each.memory for each in vitals),
        labels,
    )
    yield gauge(
        f"{_NGINX}_virtual_memory_bytes",
        "Virtual memory of all processes",
        sum(each.virtual_memory for each in vitals),
        labels,
    )
    yield counter(
        f"{_NGINX}_read_bytes_total",
        "Bytes that all processes have read from storage",
        counters.read_bytes + own.read_bytes,
        labels,
    )
    yield counter(
        f"{_NGINX}_write_bytes_total",
        "Bytes that all processes have written to storage",
        counters.written_bytes + own.written_bytes,
        labels,
    )
    yield gauge(
        f"{_NGINX}_oldest_start_time_seconds",
        "When the oldest process started, in seconds since 1970",
        int(min((each.started_at for each in vitals), default=0)),
        labels,
    )


def _own(proxy: ObservedProxy) -> Iterator[Family]:
    counters = proxy.totals.counters
    yield from _requests(counters)
    yield from _refusals(counters)
    yield from _policies(counters)
    yield _limited(counters)
    yield from _further_requests(counters)
    yield from _endpoints(proxy)
    yield from _losses(proxy)


def _requests(counters: Counters) -> Iterator[Family]:
    family = Family(
        f"{OWN_PREFIX}_exchanges_total",
        "counter",
        "Requests by outcome, as in the access log",
    )
    yield by_label(family, "outcome", counters.outcomes)
    yield counter(
        f"{OWN_PREFIX}_dropped_fields_total",
        "Fields of requests that no endpoint got, because of the characters in their names",
        counters.dropped_fields,
    )


def _refusals(counters: Counters) -> Iterator[Family]:
    """Yield families of clients that got no connection, or not all that they wanted."""
    family = Family(
        f"{OWN_PREFIX}_share_refusals_total",
        "counter",
        "Connections and requests refused beyond the share of a client or route",
    )
    yield by_label(family, "share", counters.beyond_share)
    yield counter(
        f"{OWN_PREFIX}_connections_given_up_total",
        "Client connections that were closed to make room for those of other clients",
        counters.gave_way,
    )
    family = Family(
        f"{OWN_PREFIX}_refused_openings_total",
        "counter",
        "Client connections that were closed because they did not begin as they must",
    )
    yield by_label(family, "reason", counters.refused_openings)


def _further_requests(counters: Counters) -> Iterator[Family]:
    """Yield families of what is sent beside the requests of clients."""
    family = Family(
        f"{OWN_PREFIX}_mirror_copies_total",
        "counter",
        "Copies of requests (mirror-target) that are over, by what became of them",
    )
    yield by_label(family, "result", counters.mirror_copies)
    family = Family(
        f"{OWN_PREFIX}_spans_total", "counter", "Spans (OpenTelemetry), by what became of them"
    )
    yield by_label(family, "result", counters.spans)


def _endpoints(proxy: ObservedProxy) -> Iterator[Family]:
    counters = proxy.totals.counters
    yield counter(
        f"{OWN_PREFIX}_retries_total",
        "Requests that were sent to another endpoint after one had failed",
        counters.retries,
    )
    yield counter(
        f"{OWN_PREFIX}_endpoint_ejections_total",
        "Ejections of endpoints that kept failing",
        counters.ejections,
    )
    yield gauge(
        f"{OWN_PREFIX}_unhealthy_endpoints",
        "Endpoints that fail their health checks, for each Service port",
        len(proxy.unhealthy()),
    )
    family = Family(
        f"{OWN_PREFIX}_health_checks_total", "counter", "Health checks, by their results"
    )
    yield by_label(family, "result", {"failure": 0, "success": 0, **proxy.health_check_results})


def _losses(proxy: ObservedProxy) -> Iterator[Family]:
    """Yield families of what is missing elsewhere: lines, series, workers."""
    totals = proxy.totals
    counters = totals.counters
    yield counter(
        f"{OWN_PREFIX}_access_log_dropped_lines_total",
        "Lines of the access log that were lost",
        counters.dropped_lines,
    )
    family = Family(
        f"{OWN_PREFIX}_folded_requests_total",
        "counter",
        "Requests counted without their exact status, method or histograms (limits.metric-lines)",
    )
    yield by_label(family, "missing", totals.traffic.folded)
    yield counter(
        f"{OWN_PREFIX}_unlabelled_requests_total",
        "Requests that are in no series, because there were too many",
        totals.traffic.overflow,
    )
    yield counter(
        f"{OWN_PREFIX}_workers_lost_total",
        "Worker processes that ended unexpectedly",
        proxy.lost_workers(),
    )


def _limited(counters: Counters) -> Family:
    name = f"{OWN_PREFIX}_limit_refusals_total"
    lines = [
        line(name, label_text(labels.as_text), counters.limited[labels])
        for labels in sorted(counters.limited)
    ]
    return Family(
        name,
        "counter",
        "Requests beyond a limit of their client",
        lines,
        ("namespace", "ingress", "limit", "dry_run"),
    )


def _policies(counters: Counters) -> Iterator[Family]:
    """Yield families whose labels are names of the configuration, or of our own policies."""
    family = Family(
        f"{OWN_PREFIX}_policy_failures_total",
        "counter",
        "Requests that got 500 because a policy failed",
    )
    yield by_label(family, "policy", counters.policy_failures)
    family = Family(
        f"{OWN_PREFIX}_policy_slow_calls_total",
        "counter",
        "Calls of a policy that held the process for more than 20 ms",
    )
    yield by_label(family, "policy", counters.slow_policy_calls)
