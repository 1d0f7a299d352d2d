"""
All metrics, as the admin listener serves them.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from ingress.telemetry.controller_families import configured_lines, controller_families
from ingress.telemetry.exposition import Family, pieces
from ingress.telemetry.observed_proxy import ObservedProxy
from ingress.telemetry.process_families import process_families
from ingress.telemetry.traffic_families import traffic_families

_OTHER_LINES = 500
"""More lines than there are beside those of rules, Ingresses and certificates."""


def make_registry() -> CollectorRegistry:
    """
    Collectors of ``prometheus_client`` for the process that answers: processor time,
    memory, descriptors, the garbage collector and the interpreter.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def metrics(proxy: ObservedProxy, registry: CollectorRegistry) -> Iterator[bytes]:
    """
    :return: the exposition in pieces, each of them the work of a millisecond or two.
        Values are read when their piece is made.
    """
    yield generate_latest(registry)
    built = proxy.published.built
    limit = proxy.configured.current.limits.metric_lines - _OTHER_LINES
    if built is not None:
        limit -= configured_lines(built)
    proxy.totals.traffic.apply(max(limit, 0))
    if built is not None:
        for _ in proxy.totals.traffic.retain(built.snapshot):
            yield b""
    yield from pieces(_families(proxy))


def _families(proxy: ObservedProxy) -> Iterator[Family]:
    constants = proxy.constants()
    yield from controller_families(proxy, constants)
    yield from process_families(proxy, constants)
    yield from traffic_families(proxy.totals.traffic, constants)
