"""
All metrics, as they are told to whoever asks.
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

from ingress.telemetry.controller_families import controller_families
from ingress.telemetry.exposition import Family, pieces
from ingress.telemetry.process_families import process_families
from ingress.telemetry.traffic_families import traffic_families
from ingress.telemetry.watched import Watched


def make_registry() -> CollectorRegistry:
    """
    What ``prometheus_client`` knows of the process that answers: processor time,
    memory, descriptors, the garbage collector and the interpreter.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def metrics(watched: Watched, registry: CollectorRegistry) -> Iterator[bytes]:
    """
    :return: the exposition in pieces, each of them the work of a millisecond or two.
        What changes meanwhile is told as it is when its turn comes.
    """
    yield generate_latest(registry)
    built = watched.published.built
    if built is not None:
        for _ in watched.totals.traffic.retain(built.snapshot):
            yield b""
    yield from pieces(_families(watched))


def _families(watched: Watched) -> Iterator[Family]:
    constants = watched.constants()
    yield from controller_families(watched, constants)
    yield from process_families(watched, constants)
    yield from traffic_families(watched.totals.traffic, constants)
