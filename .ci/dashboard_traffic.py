"""
The dashboard of what clients see: requests by host and route, endpoints, limits, HTTP/2.
"""

from dashboards import OURS, TRAFFIC, Dashboard, Panel, Row

NGINX = "nginx_ingress_controller"
RATE = "[$__rate_interval]"

ALARM = (("green", None), ("yellow", 0.01), ("red", 0.05))
"""Colours of a share of failures."""


def requests(by: str = "", further: str = "", metric: str = "requests") -> str:
    """The rate of a metric of requests, in total or by labels."""
    labels = f" by ({by})" if by else ""
    return f"sum{labels} (rate({NGINX}_{metric}{{{TRAFFIC}{further}}}{RATE}))"


def quantile(share: float, metric: str, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {requests(labels, metric=f'{metric}_bucket')})"


def errors(by: str = "") -> str:
    """The share of requests with 5xx; 0 where there are none."""
    failed = requests(by, ', status=~"5.."')
    return f"({failed} or {requests(by)} * 0) / {requests(by)}"


def rate(metric: str, by: str = "", further: str = "") -> str:
    """The rate of one of our own counters."""
    labels = f" by ({by})" if by else ""
    return f"sum{labels} (rate(txingress_{metric}{{{OURS}{further}}}{RATE}))"


def top(expression: str) -> str:
    """The series with the highest values: there may be thousands of hosts."""
    return f"topk(20, {expression})"


ROUTE = "host, path, ingress"


def of_busiest(expression: str) -> str:
    """Of the hundred routes with most requests."""
    return f"{expression} and on ({ROUTE}) topk(100, {requests(ROUTE)})"


OVERVIEW = Row(
    "Overview",
    (
        Panel("Requests", [(requests(), "")], "reqps", "stat", 4),
        Panel(
            "Failed",
            [(errors(), "")],
            "percentunit",
            "stat",
            4,
            text="The share of responses with a status of 500 and above.",
            thresholds=ALARM,
        ),
        Panel("Median", [(quantile(0.5, "request_duration_seconds"), "")], "s", "stat", 4),
        Panel("99 %", [(quantile(0.99, "request_duration_seconds"), "")], "s", "stat", 4),
        Panel("Sent", [(requests(metric="response_size_sum"), "")], "Bps", "stat", 4),
        Panel("Received", [(requests(metric="request_size_sum"), "")], "Bps", "stat", 4),
    ),
)

HOSTS = Row(
    "Hosts (the first twenty)",
    (
        Panel("Requests by host", [(top(requests("host")), "{{host}}")], "reqps", is_stacked=True),
        Panel("Failed by host", [(top(errors("host")), "{{host}}")], "percentunit"),
        Panel(
            "Requests by status",
            [(requests("status"), "{{status}}")],
            "reqps",
            is_stacked=True,
        ),
        Panel(
            "Time of requests",
            [
                (quantile(share, "request_duration_seconds"), f"{share * 100:g} %")
                for share in (0.5, 0.9, 0.99)
            ],
            "s",
            text="From the first byte of a request to the last one of its response.",
        ),
        Panel(
            "99 % by host",
            [(top(quantile(0.99, "request_duration_seconds", "host")), "{{host}}")],
            "s",
        ),
        Panel(
            "Bytes by host",
            [
                (top(requests("host", metric="response_size_sum")), "{{host}} sent"),
                (top(requests("host", metric="request_size_sum")), "{{host}} received"),
            ],
            "Bps",
        ),
    ),
)

ROUTES = Row(
    "Routes",
    (
        Panel(
            "Routes",
            [
                (of_busiest(requests(ROUTE)), ""),
                (of_busiest(errors(ROUTE)), ""),
                (of_busiest(quantile(0.5, "request_duration_seconds", ROUTE)), ""),
                (of_busiest(quantile(0.99, "request_duration_seconds", ROUTE)), ""),
                (of_busiest(requests(ROUTE, metric="response_size_sum")), ""),
            ],
            "short",
            "table",
            24,
            text="The hundred with most requests.",
            columns={
                "Value #A": "Requests/s",
                "Value #B": "Failed (share)",
                "Value #C": "Median (s)",
                "Value #D": "99 % (s)",
                "Value #E": "Sent (bytes/s)",
            },
        ),
        Panel(
            "Requests by route",
            [(top(requests("host, path")), "{{host}}{{path}}")],
            "reqps",
            width=12,
            text="The twenty with most requests.",
        ),
        Panel("Requests by method", [(requests("method"), "{{method}}")], "reqps", width=12),
    ),
)

ENDPOINTS = Row(
    "Endpoints",
    (
        Panel(
            "Time of endpoints",
            [
                (quantile(0.5, "connect_duration_seconds"), "connect, 50 %"),
                (quantile(0.99, "connect_duration_seconds"), "connect, 99 %"),
                (quantile(0.5, "header_duration_seconds"), "head, 50 %"),
                (quantile(0.99, "header_duration_seconds"), "head, 99 %"),
                (quantile(0.5, "response_duration_seconds"), "response, 50 %"),
                (quantile(0.99, "response_duration_seconds"), "response, 99 %"),
            ],
            "s",
            text="Until the connection, the head of the response, and its end.",
        ),
        Panel(
            "Attempts",
            [
                (requests(metric="response_duration_seconds_count"), "answered"),
                (rate("retries_total"), "tried again"),
                (rate("endpoint_ejections_total"), "ejections"),
            ],
            "ops",
            text="Requests that endpoints answered, those tried on another one, and endpoints that"
            " were left out for a while because they failed.",
        ),
        Panel(
            "Health",
            [
                (f"sum(txingress_unhealthy_endpoints{{{OURS}}})", "unhealthy endpoints"),
                (rate("health_checks_total", "result"), "checks a second: {{result}}"),
            ],
            text="Of Services whose Ingresses ask for health checks.",
        ),
    ),
)

REFUSALS = Row(
    "Limits and refusals",
    (
        Panel(
            "Outcomes that are no success",
            [(rate("exchanges_total", "outcome", ', outcome!="ok"'), "{{outcome}}")],
            "reqps",
            text="How requests ended that no endpoint answered (docs/observing.md has the words).",
        ),
        Panel(
            "Beyond a limit of a rule",
            [
                (
                    rate("limit_refusals_total", "ingress, limit, dry_run"),
                    "{{ingress}} {{limit}} (dry run: {{dry_run}})",
                )
            ],
            "reqps",
        ),
        Panel(
            "Beyond a share",
            [
                (rate("share_refusals_total", "share"), "{{share}}"),
                (rate("connections_given_up_total"), "connections closed for others"),
            ],
            "ops",
            text="Connections and requests refused while most connections were in use.",
        ),
        Panel(
            "Connections that do not begin as they must",
            [(rate("refused_openings_total", "reason"), "{{reason}}")],
            "ops",
            text="Without the header of the PROXY protocol, where listeners want one.",
        ),
    ),
)

HTTP2 = Row(
    "HTTP/2",
    (
        Panel(
            "Connections and requests",
            [
                (
                    f"sum by (side) (txingress_http2_connections{{{OURS}}})",
                    "connections, {{side}}",
                ),
                (f"sum by (side) (txingress_http2_streams{{{OURS}}})", "streams, {{side}}"),
            ],
        ),
        Panel(
            "Streams that were cut",
            [
                (
                    rate("http2_resets_total", "side, direction, code"),
                    "reset {{side}} {{direction}} {{code}}",
                ),
                (rate("http2_refused_streams_total", "side"), "refused, {{side}}"),
            ],
            "ops",
        ),
        Panel(
            "Connections that were ended, and what is odd",
            [
                (
                    rate("http2_goaways_total", "side, direction, code"),
                    "end {{side}} {{direction}} {{code}}",
                ),
                (rate("http2_glitches_total", "kind"), "{{kind}}"),
            ],
            "ops",
        ),
    ),
)

RELAYS = Row(
    "TCP and UDP services",
    (
        Panel(
            "Open",
            [(f"sum by (protocol) (txingress_relay_connections{{{OURS}}})", "{{protocol}}")],
            text="Connections of TCP services, and sessions of UDP services.",
            width=6,
        ),
        Panel(
            "Ended",
            [
                (
                    rate("relay_connections_total", "protocol, port, outcome"),
                    "{{protocol}} {{port}} {{outcome}}",
                ),
                (rate("udp_drops_total", "reason"), "datagrams dropped: {{reason}}"),
            ],
            "ops",
            width=6,
        ),
        Panel(
            "Bytes",
            [
                (
                    rate("relay_bytes_total", "protocol, port, direction"),
                    "{{protocol}} {{port}} {{direction}}",
                )
            ],
            "Bps",
            text="Of connections and sessions that are over.",
            width=6,
        ),
        Panel(
            "How long they lasted",
            [
                (
                    f"{rate('relay_duration_seconds_total', 'protocol, port')}"
                    f" / {rate('relay_connections_total', 'protocol, port')}",
                    "{{protocol}} {{port}}",
                )
            ],
            "s",
            text="The mean of connections and sessions that have ended.",
            width=6,
        ),
    ),
)

COPIES = Row(
    "Copies and traces",
    (
        Panel(
            "Copies of requests",
            [(rate("mirror_copies_total", "result"), "{{result}}")],
            "ops",
            width=12,
        ),
        Panel(
            "Spans",
            [(rate("spans_total", "result"), "{{result}}")],
            "ops",
            width=12,
        ),
    ),
)

DASHBOARD = Dashboard(
    "txingress-traffic",
    "txingress / Traffic",
    "Requests by host and route, endpoints, limits and HTTP/2.",
    (OVERVIEW, HOSTS, ROUTES, ENDPOINTS, REFUSALS, HTTP2, RELAYS, COPIES),
    {
        "host": f"label_values({NGINX}_requests{{{OURS}}}, host)",
        "ingress": f'label_values({NGINX}_requests{{{OURS}, host=~"$host"}}, ingress)',
    },
)
