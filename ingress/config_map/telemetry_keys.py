"""
The keys of ingress-nginx's ConfigMap for logs, traces and filters.
"""

from __future__ import annotations

from typing import Final

from ingress.config_map import otlp_value as otlp
from ingress.config_map import value as accept
from ingress.config_map.key import no_effect, unsupported, works
from ingress.log_template import LogTemplate

_MODSECURITY: Final = "no request is filtered by ModSecurity"
_SYSLOG: Final = "logs go where the configuration and twistd say"


def _without_value(template: LogTemplate) -> str:
    names = template.without_value
    if not names:
        return ""
    listed = ", ".join(f"${name}" for name in names)
    return f"it applies, but {listed} {'has' if len(names) == 1 else 'have'} no value here"


_LOGS: Final = (
    works("disable-access-log", accept.boolean, "", "whether there is no access log", "false"),
    works(
        "disable-http-access-log",
        accept.boolean,
        "",
        "whether there are no lines of requests",
        "false",
    ),
    works(
        "disable-stream-access-log",
        accept.boolean,
        "",
        "whether there are no lines of connections that are forwarded as they are",
        "false",
    ),
    works(
        "log-format-upstream",
        accept.log_template,
        "",
        "the format of lines, with [variables](#log-formats)",
        remark=_without_value,
    ),
    works(
        "log-format-escape-json",
        accept.boolean,
        "",
        "whether values in lines are escaped for JSON",
        "false",
    ),
    works(
        "log-format-escape-none",
        accept.boolean,
        "",
        "whether values in lines are written as they are, but for control characters",
        "false",
    ),
    unsupported(
        "log-format-stream",
        "lines of TCP and UDP services have the format that access-log.format names",
        "[$remote_addr] [$time_local] $protocol $status $bytes_sent $bytes_received $session_time",
    ),
    unsupported(
        "access-log-path",
        "the access log goes where access-log of the configuration says",
        "/var/log/nginx/access.log",
    ),
    unsupported(
        "http-access-log-path", "the access log goes where access-log of the configuration says"
    ),
    unsupported(
        "stream-access-log-path", "the access log goes where access-log of the configuration says"
    ),
    no_effect("access-log-params", "lines are written at once"),
    works(
        "skip-access-log-urls",
        accept.value_map,
        "nginx.skipped_log_targets",
        "URLs without lines in the access log: targets, and regular expressions after `~` or `~*`",
    ),
    works(
        "enable-access-log-for-default-backend",
        accept.boolean,
        "",
        "whether requests that no rule matches have lines; they have without the key",
        "false",
    ),
    no_effect("enable-auth-access-log", "authentication requests have no lines", "false"),
    no_effect("error-log-path", _SYSLOG, "/var/log/nginx/error.log"),
    no_effect("error-log-level", "log.level of the configuration holds", "notice"),
    no_effect("enable-syslog", _SYSLOG, "false"),
    no_effect("syslog-host", _SYSLOG),
    no_effect("syslog-port", _SYSLOG, "514"),
    no_effect("nginx-status-ipv4-whitelist", "there is no such page", "127.0.0.1"),
    no_effect("nginx-status-ipv6-whitelist", "there is no such page", "::1"),
)

_TRACES: Final = (
    works(
        "enable-opentelemetry",
        accept.boolean,
        "otlp.for_all",
        "whether Ingresses without the annotation have spans",
        "false",
    ),
    no_effect(
        "opentelemetry-config",
        "the configuration and this ConfigMap say everything",
        "/etc/nginx/opentelemetry.toml",
        harmless=("/etc/ingress-controller/telemetry/opentelemetry.toml",),
    ),
    works(
        "opentelemetry-operation-name",
        otlp.span_name,
        "otlp.operation_name",
        "the name of the spans of requests, without variables",
    ),
    works(
        "opentelemetry-trust-incoming-span",
        accept.boolean,
        "otlp.trust_incoming_span",
        "whether the trace that a client names is continued",
        "true",
    ),
    works(
        "otlp-collector-host",
        otlp.collector_host,
        "",
        "the host whose port 4318 gets spans over HTTP, unless `otlp.endpoint` of the "
        "configuration names a place",
    ),
    unsupported(
        "otlp-collector-port",
        "spans go over HTTP, to port 4318 or where otlp.endpoint of the configuration says",
        "4317",
        harmless=("4318",),
    ),
    works(
        "otel-max-queuesize",
        accept.integer(1, 1 << 20),
        "otlp.queue",
        "the spans that wait at most in a process",
        "2048",
    ),
    works(
        "otel-schedule-delay-millis",
        otlp.milliseconds,
        "otlp.delay",
        "the time between two requests to the collector",
        "5000",
    ),
    works(
        "otel-max-export-batch-size",
        accept.integer(1, 1 << 16),
        "otlp.batch",
        "the spans of a request to the collector, at most",
        "512",
    ),
    works(
        "otel-service-name",
        otlp.span_name,
        "otlp.service_name",
        "the name of this service in spans",
        "nginx",
    ),
    works("otel-sampler", otlp.sampler, "otlp.sampler", "which traces are recorded", "AlwaysOn"),
    works(
        "otel-sampler-parent-based",
        accept.boolean,
        "otlp.parent_based",
        "whether the decision of a trace that is continued holds",
        "true",
    ),
    works(
        "otel-sampler-ratio",
        otlp.ratio,
        "otlp.ratio",
        "the share of traces that TraceIdRatioBased takes",
        "0.01",
    ),
)

_FILTERS: Final = (
    unsupported("enable-modsecurity", _MODSECURITY, "false"),
    unsupported("enable-owasp-modsecurity-crs", _MODSECURITY, "false"),
    unsupported("modsecurity-snippet", _MODSECURITY),
)

TELEMETRY_KEYS: Final = (*_LOGS, *_TRACES, *_FILTERS)
