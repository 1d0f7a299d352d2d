"""
What it costs to count a request, and to take what was counted.

Usage: ``python -m benchmarks.count_cost``
"""

from __future__ import annotations

import pickle
import time
import timeit

from ingress.endpoint import UpstreamKey
from ingress.routing.route import Route
from ingress.telemetry.traffic import TAKEN_AT_ONCE, Traffic
from ingress.telemetry.traffic_totals import TrafficTotals

REQUESTS = 100_000
ROUNDS = 5
SAMPLE = (0.0123, 0.0112, 0.0111, None, 312, 1843)


def routes(count: int) -> list[Route]:
    """So many rules, of a host each."""
    return [
        Route(
            ("default", f"web-{number}"),
            UpstreamKey("default", "web", "80"),
            host=f"host-{number}.example",
        )
        for number in range(count)
    ]


def cost(count: int) -> tuple[float, float]:
    """Microseconds a request, and milliseconds that the longest call took."""
    traffic = Traffic()
    cycle = routes(count) * (REQUESTS // count)

    def run() -> None:
        for route in cycle:
            traffic.count(route, b"GET", 200, *SAMPLE)

    def run_nothing() -> None:
        for route in cycle:
            nothing(route, b"GET", 200, *SAMPLE)

    def nothing(*arguments: object) -> None:
        pass

    best = min(timeit.repeat(run, timer=time.process_time, number=1, repeat=ROUNDS))
    best -= min(timeit.repeat(run_nothing, timer=time.process_time, number=1, repeat=ROUNDS))
    longest = 0.0
    for route in cycle[:5000]:
        began = time.process_time()
        traffic.count(route, b"GET", 200, *SAMPLE)
        longest = max(longest, time.process_time() - began)
    return best / len(cycle) * 1e6, longest * 1e3


def transfer() -> tuple[float, float, float, int]:
    """Milliseconds to take, pickle and merge, and the size of the pickle, of one take."""
    traffic, totals = Traffic(), TrafficTotals()
    for route in routes(TAKEN_AT_ONCE) * 2:
        traffic.count(route, b"GET", 200, *SAMPLE)
    totals.merge(traffic.take())
    for route in routes(TAKEN_AT_ONCE):
        traffic.count(route, b"GET", 200, *SAMPLE)
    began = time.process_time()
    counts = traffic.take()
    taken = time.process_time()
    pickled = pickle.dumps(counts)
    dumped = time.process_time()
    totals.merge(pickle.loads(pickled))
    merged = time.process_time()
    steps = ((taken - began) * 1e3, (dumped - taken) * 1e3, (merged - dumped) * 1e3)
    return (*steps, len(pickled))


def main() -> None:
    """Print both."""
    print(f"{'rules':>6} {'µs a request':>13} {'longest, ms':>12}")
    for count in (1, 10, 100, 1000, 10_000):
        each, longest = cost(count)
        print(f"{count:6} {each:13.2f} {longest:12.2f}")
    print("take {:.2f} ms, pickle {:.2f} ms, merge {:.2f} ms, {} bytes".format(*transfer()))


if __name__ == "__main__":
    main()
