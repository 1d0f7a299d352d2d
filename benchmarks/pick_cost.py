"""
What a pick costs by way of balancing, with all endpoints well and with one ejected.

Usage: ``python -m benchmarks.pick_cost``
"""

from __future__ import annotations

import time
import timeit
from functools import partial
from random import Random

from twisted.internet.task import Clock

from ingress.deadline import Deadlines
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.http1.request_head import parse_request_head
from ingress.policy.hash_key import parse_hash_key
from ingress.policy.load_balance import Algorithm, LoadBalance
from ingress.transports.connector import connect
from ingress.upstream.balancer import Balancer
from ingress.upstream.health import MAX_FAILURES
from ingress.upstream.registry import EndpointRegistry
from ingress.upstream.tls import tls_dialers

PICKS = 5000
ROUNDS = 9
HASH_KEY = parse_hash_key("$request_uri")
WAYS = {
    "round robin": LoadBalance(),
    "least request": LoadBalance(Algorithm.LEAST_REQUEST),
    "EWMA": LoadBalance(Algorithm.EWMA),
    "hash": LoadBalance(hash_key=HASH_KEY),
    "hash, subset of 3": LoadBalance(hash_key=HASH_KEY, subset_size=3),
}


def cost(way: LoadBalance, count: int, *, is_one_ejected: bool) -> float:
    """Microseconds a pick among `count` endpoints, the best of some rounds."""
    clock = Clock()
    registry = EndpointRegistry(partial(connect, None), tls_dialers(None), Deadlines(clock))
    # The ejection must not end during the measurement, the latencies must be looked at.
    balancer = Balancer(registry, clock.seconds if is_one_ejected else time.monotonic, Random(0))
    endpoints = tuple(Endpoint(f"10.0.0.{number}", 80) for number in range(count))
    for endpoint in endpoints:
        registry.pool(endpoint).load.measured(0.01, time.monotonic())
    if is_one_ejected:
        for _ in range(MAX_FAILURES):
            balancer.health.failed((endpoints[0], None), 0.0)
    upstream = Upstream(UpstreamKey("default", "web", "80"), endpoints)
    request, _ = parse_request_head(b"GET /path HTTP/1.1\r\nHost: a.example\r\n\r\n")

    def pick() -> None:
        balancer.pick(upstream, way, request, b"192.0.2.1")

    return min(timeit.repeat(pick, number=PICKS, repeat=ROUNDS)) / PICKS * 1e6


def main() -> None:
    """Print a table."""
    print(f"{'microseconds a pick':20} endpoints   all well  one ejected")
    for name, way in WAYS.items():
        for count in (3, 100):
            well = cost(way, count, is_one_ejected=False)
            ejected = cost(way, count, is_one_ejected=True)
            print(f"{name:20} {count:9} {well:10.2f} {ejected:12.2f}")


if __name__ == "__main__":
    main()
