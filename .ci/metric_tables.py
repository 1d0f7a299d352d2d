"""
The lists of docs/metrics.md: names, types, labels and explanations are those of the families
that ``/metrics`` is made of; what code cannot tell stands here, and tests compare it with answers.
"""

from collections.abc import Iterable, Iterator, Mapping

from ingress.telemetry.controller_families import controller_families
from ingress.telemetry.exposition import Family
from ingress.telemetry.process_families import process_families
from ingress.telemetry.traffic_families import PREFIX, traffic_families
from tests.support.objects import built, ingress, served
from tests.support.observed_proxy import HandProxy

NOTES: Mapping[str, str] = {
    "nginx_ingress_controller_requests": "Requests that no rule matches have the host `_`",
    "nginx_ingress_controller_request_size": "The buckets are 10, 100, … 10⁷",
    "nginx_ingress_controller_response_size": (
        "ingress-nginx counts the head as well. The buckets are 10, 100, … 10⁷"
    ),
    "nginx_ingress_controller_check_success": (
        "In ingress-nginx these are checks of its admission webhook"
    ),
    "nginx_ingress_controller_success": "In ingress-nginx these are reloads",
    "nginx_ingress_controller_errors": "In ingress-nginx these are reloads that failed",
    "nginx_ingress_controller_orphan_ingress": "`type` is `no-service` or `no-endpoint`",
    "txingress_exchanges_total": (
        "`ok`, `no_route`, `no_endpoint` [and so on](observing.md#the-logs)"
    ),
    "txingress_foreign_ingresses": "As in `/snapshot` and in the log",
    "txingress_problems": "As in the log, by [code](findings/README.md)",
    "txingress_limit_refusals_total": (
        "`limit` is `rps`, `rpm`, `connections`, `client-requests` or `concurrency`; with "
        '`dry_run="true"` they were served'
    ),
    "txingress_refused_openings_total": (
        "By [reason](proxy-protocol.md#from-a-load-balancer-to-this-proxy): the header of the "
        "PROXY protocol, or a ClientHello that is late"
    ),
    "txingress_share_refusals_total": (
        "The keys are `limits.client-share` and `limits.route-share`"
    ),
    "txingress_http2_connections": "`side` is `client` or `endpoint`",
    "txingress_http2_streams": "`side` is `client` or `endpoint`",
    "txingress_http2_refused_streams_total": "The bound is `limits.http2-streams`",
    "txingress_http2_resets_total": (
        "`direction` is `sent` (by the proxy) or `received`; `code` is that of RFC 9113, or `other`"
    ),
    "txingress_http2_goaways_total": "With the same labels as resets",
    "txingress_http2_glitches_total": "[HTTP/2](http2.md) has the kinds, and the bounds",
    "txingress_folded_requests_total": "`missing` is `status`, `method` or `histograms`",
    "txingress_dropped_fields_total": "The key is `field-names`",
    "txingress_mirror_copies_total": (
        "`result` is `sent`, `failed`, `slow` (the mirror did not keep up), `busy` (too many were "
        "in flight), `cut` (the request ended before its body was whole)"
    ),
    "txingress_spans_total": (
        "`result` is `sent`, `failed` (the collector did not take them), `dropped` (the queue was "
        "full, or the process ended)"
    ),
    "txingress_relay_connections_total": "[TCP and UDP services](tcp-udp.md) has the outcomes",
    "txingress_relay_bytes_total": "Counted when the connection or session is over",
    "txingress_relay_duration_seconds_total": "Counted when they are over",
}
"""What is worth saying beside the explanation of a family, in Markdown."""

_FIRST = "once it has happened"
_REQUEST = "after the first request"
_CLUSTER = "in a cluster"
_CERTIFICATES = "where there are certificates"

WHEN: Mapping[str, str] = {
    f"{PREFIX}_requests": _REQUEST,
    f"{PREFIX}_request_duration_seconds": _REQUEST,
    f"{PREFIX}_response_duration_seconds": "after the first response of an endpoint",
    f"{PREFIX}_header_duration_seconds": "after the first response of an endpoint",
    f"{PREFIX}_connect_duration_seconds": "after the first connection to an endpoint",
    f"{PREFIX}_request_size": _REQUEST,
    f"{PREFIX}_response_size": _REQUEST,
    f"{PREFIX}_leader_election_status": f"{_CLUSTER}, with statuses",
    f"{PREFIX}_ssl_expire_time_seconds": _CERTIFICATES,
    f"{PREFIX}_ssl_certificate_info": _CERTIFICATES,
    f"{PREFIX}_orphan_ingress": "where Ingresses are served",
    f"{PREFIX}_check_success": "where Ingresses are served",
    "txingress_problems": "while there are any",
    "txingress_foreign_ingresses": "while there are any",
    "txingress_api_age_seconds": _CLUSTER,
    "txingress_api_relists_total": _CLUSTER,
    "txingress_api_watch_failures_total": _CLUSTER,
    "txingress_exchanges_total": _REQUEST,
    "txingress_share_refusals_total": _FIRST,
    "txingress_refused_openings_total": _FIRST,
    "txingress_policy_failures_total": _FIRST,
    "txingress_policy_slow_calls_total": _FIRST,
    "txingress_limit_refusals_total": _FIRST,
    "txingress_mirror_copies_total": _FIRST,
    "txingress_spans_total": _FIRST,
    "txingress_http2_resets_total": _FIRST,
    "txingress_http2_goaways_total": _FIRST,
    "txingress_http2_glitches_total": _FIRST,
    "txingress_relay_connections_total": _FIRST,
    "txingress_relay_bytes_total": _FIRST,
    "txingress_relay_duration_seconds_total": _FIRST,
    "txingress_udp_drops_total": _FIRST,
}
"""When a family is there that a process does not have from its beginning."""

MISSING: Mapping[str, str] = {
    "bytes_sent": f"deprecated there; `{PREFIX}_response_size`",
    "ingress_upstream_latency_seconds": f"deprecated there; `{PREFIX}_connect_duration_seconds`",
    "check_errors": "there is no admission webhook; `txingress_problems`",
    "admission_*": "there is no admission webhook",
}
"""Metrics of ingress-nginx that are not here, with what takes their place."""


def families() -> list[Family]:
    """Each family of ``/metrics`` that is ours, whether it has samples or not."""
    proxy = HandProxy()
    proxy.published.publish(built(ingress("a.example", {"/": "web:80"}), served("web")))
    observed = proxy.proxy
    constants = observed.constants()
    return [
        *traffic_families(observed.totals.traffic, constants),
        *controller_families(observed, constants),
        *process_families(observed, constants),
    ]


def labels_of(family: Family) -> list[str]:
    """Those that tell samples apart; the controller's are on all metrics of ingress-nginx."""
    return sorted(name for name in set(family.labels) if not name.startswith("controller_"))


def unit(name: str) -> str:
    """The unit of a metric, which its name has by Prometheus's conventions."""
    base = name.removesuffix("_total")
    if base.endswith(("_timestamp_seconds", "_time_seconds")):
        return "seconds since 1970"
    for suffix, symbol in (("_seconds", "seconds"), ("_bytes", "bytes"), ("_size", "bytes")):
        if base.endswith(suffix):
            return symbol
    return ""


def _rows(chosen: Iterable[Family]) -> Iterator[str]:
    for family in sorted(chosen):
        kind = ", ".join(filter(None, (family.kind, unit(family.name))))
        text = ". ".join(filter(None, (family.help, NOTES.get(family.name, ""))))
        labels = ", ".join(f"`{name}`" for name in labels_of(family))
        yield f"- `{family.name}` ({kind}): {text}."
        if labels:
            yield f"  Labels: {labels}."
        if family.name in WHEN:
            yield f"  It is there {WHEN[family.name]}."


def shared_metrics() -> Iterator[str]:
    """Make the list of those that have the names of ingress-nginx."""
    yield from _rows(each for each in families() if each.name.startswith(PREFIX))


def own_metrics() -> Iterator[str]:
    """Make the list of our own."""
    yield from _rows(each for each in families() if not each.name.startswith(PREFIX))


def missing_metrics() -> Iterator[str]:
    """Make the table of those of ingress-nginx that are not here."""
    yield "| metric of ingress-nginx | what takes its place |"
    yield "| --- | --- |"
    for name, text in MISSING.items():
        yield f"| `{PREFIX}_{name}` | {text} |"
