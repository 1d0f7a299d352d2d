"""
The dashboard of the process: what is served, problems, certificates, the API server, resources.
"""

from dashboard_traffic import NGINX, rate
from dashboards import OURS, Dashboard, Panel, Row

RATE = "[$__rate_interval]"

YES_OR_NO = (
    {
        "options": {
            "0": {"color": "red", "index": 1, "text": "no"},
            "1": {"color": "green", "index": 0, "text": "yes"},
        },
        "type": "value",
    },
)

EXPIRY = f'{NGINX}_ssl_expire_time_seconds{{{OURS}, host!="_"}}'
"""Of certificates, without the default one."""


def sums(metric: str, by: str = "") -> str:
    labels = f" by ({by})" if by else ""
    return f"sum{labels} ({metric}{{{OURS}}})"


def process_rate(metric: str, further: str = "") -> str:
    name = f"{NGINX}_nginx_process_{metric}"
    return f"sum by (instance) (rate({name}{{{OURS}{further}}}{RATE}))"


OVERVIEW = Row(
    "Overview",
    (
        Panel(
            "Replicas",
            [(f"count(txingress_snapshot_generation{{{OURS}}})", "")],
            "short",
            "stat",
            4,
        ),
        Panel(
            "Configuration applies",
            [(f"min({NGINX}_config_last_reload_successful{{{OURS}}})", "")],
            "short",
            "stat",
            4,
            mappings=YES_OR_NO,
        ),
        Panel(
            "A leader",
            [(f"max({NGINX}_leader_election_status{{{OURS}}})", "")],
            "short",
            "stat",
            4,
            text="Whether a replica holds the Lease and writes statuses and Events.",
            mappings=YES_OR_NO,
        ),
        Panel(
            "Problems",
            [(f"max(sum by (instance) (txingress_problems{{{OURS}}}))", "")],
            "short",
            "stat",
            4,
            thresholds=(("green", None), ("yellow", 1)),
        ),
        Panel(
            "Next certificate to expire",
            [
                (
                    f"min({EXPIRY}) - time()",
                    "",
                )
            ],
            "s",
            "stat",
            4,
            thresholds=(("red", None), ("yellow", 7 * 86400), ("green", 21 * 86400)),
        ),
        Panel(
            "Behind the API server",
            [(f"max(txingress_api_age_seconds{{{OURS}}})", "")],
            "s",
            "stat",
            4,
            text="How long ago what is known was last known to be up to date.",
            thresholds=(("green", None), ("yellow", 120), ("red", 600)),
        ),
    ),
)

SNAPSHOTS = Row(
    "What is served",
    (
        Panel(
            "Hosts and Service ports",
            [
                (f"max(txingress_snapshot_hosts{{{OURS}}})", "hosts"),
                (f"max(txingress_snapshot_upstreams{{{OURS}}})", "Service ports"),
                (
                    f"max(sum by (instance) (txingress_foreign_ingresses{{{OURS}}}))",
                    "Ingresses of others",
                ),
            ],
        ),
        Panel(
            "Builds",
            [
                (rate("builds_total"), "builds"),
                (f"sum(rate({NGINX}_success{{{OURS}}}{RATE}))", "published"),
                (f"sum(rate({NGINX}_errors{{{OURS}}}{RATE}))", "failed"),
            ],
            "ops",
        ),
        Panel(
            "Time of a build",
            [
                (
                    f"{rate('build_seconds_total', 'instance')}"
                    f" / ({rate('builds_total', 'instance')} > 0)",
                    "{{instance}}",
                )
            ],
            "s",
            text="The mean. While it takes long, changes are served later; requests do not wait.",
        ),
        Panel(
            "Age of what is served",
            [(f"txingress_snapshot_age_seconds{{{OURS}}}", "{{instance}}")],
            "s",
            text="Since the last change. Replicas of which one is much older have lost something.",
        ),
        Panel(
            "Problems by code",
            [(f"max by (code, kind) (txingress_problems{{{OURS}}})", "{{code}} {{kind}}")],
            text="docs/findings has a page for each code.",
        ),
        Panel(
            "Ingresses without endpoints",
            [
                (
                    f"max by (type) (sum by (instance, type) ({NGINX}_orphan_ingress{{{OURS}}}))",
                    "{{type}}",
                )
            ],
        ),
    ),
)

CERTIFICATES = Row(
    "Certificates",
    (
        Panel(
            "Certificates by expiry",
            [
                (
                    f"sort(min by (host, secret_name) ({EXPIRY}) - time())",
                    "",
                )
            ],
            "s",
            "table",
            24,
            columns={"Value": "Expires in"},
            thresholds=(("red", None), ("yellow", 7 * 86400), ("green", 21 * 86400)),
        ),
    ),
)

API = Row(
    "API server",
    (
        Panel(
            "Behind the API server",
            [(f"max by (kind) (txingress_api_age_seconds{{{OURS}}})", "{{kind}}")],
            "s",
        ),
        Panel(
            "Watches",
            [
                (rate("api_watch_failures_total", "kind"), "failed: {{kind}}"),
                (rate("api_relists_total", "kind"), "listed again: {{kind}}"),
            ],
            "ops",
        ),
        Panel(
            "Leader",
            [
                (
                    f"max by (instance) ({NGINX}_leader_election_status{{{OURS}}})",
                    "{{instance}}",
                )
            ],
            text="1 for the replica that writes. More than one for longer than a moment, or none,"
            " is a fault.",
        ),
    ),
)

PROCESSES = Row(
    "Processes",
    (
        Panel(
            "Processors",
            [
                (
                    process_rate("cpu_seconds_total"),
                    "{{instance}}",
                )
            ],
            text="One worker uses one processor at most.",
        ),
        Panel(
            "Memory",
            [(sums(f"{NGINX}_nginx_process_resident_memory_bytes", "instance"), "{{instance}}")],
            "bytes",
        ),
        Panel(
            "Processes",
            [
                (sums(f"{NGINX}_nginx_process_num_procs", "instance"), "{{instance}}"),
                (rate("workers_lost_total", "instance"), "lost a second: {{instance}}"),
            ],
        ),
        Panel(
            "Connections",
            [(sums(f"{NGINX}_nginx_process_connections", "state"), "{{state}}")],
            text="Of clients.",
        ),
        Panel(
            "New connections",
            [
                (
                    process_rate("connections_total", ', state="accepted"'),
                    "{{instance}}",
                )
            ],
            "ops",
        ),
        Panel(
            "Files",
            [(sums("process_open_fds", "instance"), "{{instance}}")],
            text="Descriptors of the process that reads and builds.",
        ),
        Panel(
            "Lost in the log and in metrics",
            [
                (rate("access_log_dropped_lines_total"), "lines of the access log"),
                (rate("folded_requests_total", "missing"), "requests counted without {{missing}}"),
                (rate("unlabelled_requests_total"), "requests counted without labels"),
                (rate("dropped_fields_total"), "fields of requests"),
            ],
            "ops",
            width=12,
        ),
        Panel(
            "Policies",
            [
                (rate("policy_failures_total", "policy"), "failed: {{policy}}"),
                (rate("policy_slow_calls_total", "policy"), "slow: {{policy}}"),
            ],
            "ops",
            width=12,
        ),
    ),
)

DASHBOARD = Dashboard(
    "txingress-controller",
    "txingress / Controller",
    "What is served, problems, certificates, the API server and the processes.",
    (OVERVIEW, SNAPSHOTS, CERTIFICATES, API, PROCESSES),
)
