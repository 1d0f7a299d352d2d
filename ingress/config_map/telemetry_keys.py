"""
The keys of ingress-nginx's ConfigMap for logs, traces and filters.
"""

from __future__ import annotations

from typing import Final

from ingress.config_map import value as accept
from ingress.config_map.key import no_effect, unsupported, works

_FORMAT: Final = "lines have the format that access-log of the configuration names"
_NO_SPANS: Final = "no spans are recorded"
_MODSECURITY: Final = "no request is filtered by ModSecurity"
_SYSLOG: Final = "logs go where the configuration and twistd say"

_LOGS: Final = (
    works("disable-access-log", accept.boolean, "", "whether there is no access log", "false"),
    unsupported("log-format-upstream", _FORMAT),
    unsupported("log-format-escape-json", _FORMAT, "false"),
    unsupported("log-format-escape-none", _FORMAT, "false"),
    no_effect("log-format-stream", "this proxy does not forward TCP and UDP ports"),
    unsupported(
        "access-log-path",
        "the access log goes where access-log of the configuration says",
        "/var/log/nginx/access.log",
    ),
    unsupported(
        "http-access-log-path", "the access log goes where access-log of the configuration says"
    ),
    no_effect("stream-access-log-path", "this proxy does not forward TCP and UDP ports"),
    no_effect("access-log-params", "lines are written at once"),
    works(
        "skip-access-log-urls",
        accept.value_map,
        "nginx.skipped_log_targets",
        "URLs without lines in the access log: targets, and regular expressions after `~` or `~*`",
    ),
    no_effect(
        "enable-access-log-for-default-backend",
        "requests that no rule matches are always logged",
        harmless=("true",),
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

_TRACES: Final = tuple(
    unsupported(name, _NO_SPANS, default)
    for name, default in (
        ("enable-opentelemetry", "false"),
        ("opentelemetry-config", "/etc/nginx/opentelemetry.toml"),
        ("opentelemetry-operation-name", ""),
        ("opentelemetry-trust-incoming-span", "true"),
        ("otlp-collector-host", ""),
        ("otlp-collector-port", "4317"),
        ("otel-service-name", "nginx"),
        ("otel-sampler", "AlwaysOn"),
        ("otel-sampler-ratio", "0.01"),
        ("otel-sampler-parent-based", "true"),
        ("otel-max-queuesize", "2048"),
        ("otel-schedule-delay-millis", "5000"),
        ("otel-max-export-batch-size", "512"),
    )
)

_FILTERS: Final = (
    unsupported("enable-modsecurity", _MODSECURITY, "false"),
    unsupported("enable-owasp-modsecurity-crs", _MODSECURITY, "false"),
    unsupported("modsecurity-snippet", _MODSECURITY),
)

TELEMETRY_KEYS: Final = (*_LOGS, *_TRACES, *_FILTERS)
