"""
What it costs to tell metrics and the routing table, and for how long others wait meanwhile.

Usage: ``python -m benchmarks.scrape_cost``
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import cast

from prometheus_client import generate_latest
from prometheus_client.core import HistogramMetricFamily
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ingress.admin.shared_text import SharedText, Stream
from ingress.admin.snapshot_json import Published, snapshot_json
from ingress.admin.streaming import compressed
from ingress.config import Limits
from ingress.memory import settle_objects
from ingress.planned_call import PlannedCall
from ingress.routing.build import Built
from ingress.telemetry.counts import Counters, Counts
from ingress.telemetry.metrics import make_registry, metrics
from ingress.telemetry.traffic import Traffic
from tests.support.objects import NOW, built, ingress, served
from tests.support.observed_proxy import HandProxy

SAMPLE = (0.0123, 0.0112, 0.0111, 0.002, 312, 1843)


def build_hosts(count: int) -> Built:
    """So many hosts, with a rule each."""
    return built(
        *(
            ingress(f"host-{number}.example", {"/": "web:80"}, name=f"web-{number}")
            for number in range(count)
        ),
        served("web"),
    )


def watch(result: Built) -> HandProxy:
    """Each host has had a request."""
    hand = HandProxy()
    hand.published.publish(result)
    limits = Limits(metric_lines=1_000_000)
    hand.configured.current = replace(hand.configured.current, limits=limits)
    hand.totals.traffic.apply(limits.metric_lines)
    traffic = Traffic()
    for host in result.snapshot.hosts.values():
        traffic.count(host.route(b"/"), b"GET", 200, *SAMPLE)
    is_last = False
    while not is_last:
        counts = traffic.take()
        hand.totals.merge(Counts(Counters(), counts))
        is_last = counts.is_last
    return hand


class Turns:
    """A reactor whose time is the processor's, and which does one thing at a time."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._due: deque[PlannedCall] = deque()

    def seconds(self) -> float:
        return time.process_time()

    def callLater(self, delay: float, work: Callable[[], None]) -> PlannedCall:
        call = PlannedCall(work, ())
        if not delay:
            self._due.append(call)
        return call

    def run(self) -> None:
        """Until nothing is left to do at once."""
        while self._due:
            call = self._due.popleft()
            if call.active():
                began = time.process_time()
                call.call()
                self.longest = max(self.longest, time.process_time() - began)


class Asked:
    """A request for a page, whose client takes everything at once."""

    path = b"/"

    def __init__(self) -> None:
        self.size = 0
        self.lines = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)
        self.lines += data.count(b"\n")

    def notifyFinish(self) -> Deferred[None]:
        return Deferred()

    def registerProducer(self, producer: object, streaming: bool) -> None:
        pass

    def unregisterProducer(self) -> None:
        pass

    def finish(self) -> None:
        pass


def measure(name: str, pieces: Iterator[bytes], clients: int = 1) -> None:
    """Print what all of them take, and the longest turn; lines and bytes are those of a client."""
    turns, asked = Turns(), Asked()
    clock = cast(IReactorTime, turns)
    settle_objects()
    began = time.process_time()
    text = SharedText(pieces, clock, "/")
    for each in (asked, *(Asked() for _ in range(clients - 1))):
        Stream(each, text, clock).start()
    text.start()
    turns.run()
    spent, longest = (time.process_time() - began) * 1e3, turns.longest * 1e3
    print(f"{name:44} {asked.lines:9,} {asked.size / 1e6:8.1f} {spent:9.1f} {longest:12.2f}")


class OneFamily:
    """A collector for `generate_latest`."""

    def __init__(self, series: int) -> None:
        labels = [
            *("canary", "controller_class", "controller_namespace", "controller_pod", "host"),
            *("ingress", "method", "namespace", "path", "service", "status"),
        ]
        self._family = HistogramMetricFamily("durations", "Of requests", labels=labels)
        bounds = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10"]
        buckets = [(bound, 1.0) for bound in [*bounds, "+Inf"]]
        for number in range(series):
            values = [f"{label}-{number}" for label in labels]
            self._family.add_metric(values, buckets, 0.5)

    def collect(self) -> list[HistogramMetricFamily]:
        return [self._family]


def main() -> None:
    """Print a table."""
    print(f"{'':44} {'lines':>9} {'MB':>8} {'ms in all':>9} {'ms at once':>12}")
    for count in (250, 10_000):
        result = build_hosts(count)
        hand = watch(result)
        registry = make_registry()
        # Routes are compared with the Snapshot once, and not again while it stays.
        measure(f"metrics of {count} hosts, the first time", metrics(hand.proxy, registry))
        measure(f"metrics of {count} hosts", metrics(hand.proxy, registry))
        measure("the same compressed", compressed(metrics(hand.proxy, registry)))
        measure("the same for 200 clients", compressed(metrics(hand.proxy, registry)), 200)
        published = Published(result, 1, NOW, (), {})
        measure(f"routing table of {count} hosts", snapshot_json(published))
    measure("prometheus_client: a histogram of 500 series", _generated(OneFamily(500)))


def _generated(family: OneFamily) -> Iterator[bytes]:
    yield generate_latest(family)


if __name__ == "__main__":
    main()
