"""
All keys of ingress-nginx's ConfigMap, by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ingress.config_map.access_keys import ACCESS_KEYS
from ingress.config_map.key import Key
from ingress.config_map.server_keys import SERVER_KEYS
from ingress.config_map.telemetry_keys import TELEMETRY_KEYS
from ingress.config_map.traffic_keys import TRAFFIC_KEYS

KEYS: Final[Mapping[str, Key]] = MappingProxyType(
    {key.name: key for key in (*ACCESS_KEYS, *TRAFFIC_KEYS, *SERVER_KEYS, *TELEMETRY_KEYS)}
)
"""The keys of version 1.15."""

_FORMER: Final = """
    datadog-collector-host datadog-collector-port datadog-environment
    datadog-operation-name-override datadog-priority-sampling datadog-sample-rate
    datadog-service-name dynamic-configuration enable-dynamic-tls-records enable-influxdb
    enable-opentracing enable-vts-status global-rate-limit-memcached-connect-timeout
    global-rate-limit-memcached-host global-rate-limit-memcached-max-idle-timeout
    global-rate-limit-memcached-pool-size global-rate-limit-memcached-port
    global-rate-limit-status-code jaeger-baggage-header jaeger-collector-host
    jaeger-collector-port jaeger-debug-header jaeger-endpoint jaeger-propagation-format
    jaeger-sampler-host jaeger-sampler-param jaeger-sampler-port jaeger-sampler-type
    jaeger-service-name jaeger-trace-baggage-header-prefix jaeger-trace-context-header-name
    opentracing-location-operation-name opentracing-operation-name
    opentracing-trust-incoming-span vts-default-filter-key vts-status-zone-size
    zipkin-collector-host zipkin-collector-port zipkin-sample-rate zipkin-service-name
"""

FORMER_KEYS: Final = frozenset(_FORMER.split())
"""Keys that earlier versions had and 1.15 ignores."""
