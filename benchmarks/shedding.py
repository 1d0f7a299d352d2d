"""
What becomes of requests for a Service that gets more than it can answer, with and without
``limits.concurrency: auto``.

Usage: ``python -m benchmarks.shedding [--clients 100] [--seconds 10]``

The Service works on 8 requests at once, for 40 ms each, and lets others queue: 200 a second. First
come 4 clients, which it serves in its usual time, then more than it can take, then 4 again. The
times are those of the requests that are served.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.overload import Load, QueueingEndpoint
from tests.support.process import IngressProcess

CAPACITY = 8
SECONDS = 0.04
FEW = 4


def lasting(seconds: float) -> Callable[[Load], bool]:
    end = monotonic() + seconds
    return lambda load: monotonic() >= end


def percentile(times: list[float], share: float) -> float:
    """:return: in milliseconds."""
    ordered = sorted(times)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measure(concurrency: str | None, clients: int, seconds: float) -> None:
    endpoint = QueueingEndpoint(CAPACITY, SECONDS)
    with tempfile.TemporaryDirectory(prefix="shedding-") as folder:
        process = IngressProcess(Path(folder), limits={"concurrency": concurrency})
        try:
            process.write(
                "all.yaml",
                ingress_manifest("web", "a.example", {"/": "web"}),
                *served_manifests("web", endpoint.port),
            )
            process.start()
            for name, count in (("before", FEW), ("overload", clients), ("after", FEW)):
                # What it has to learn is not measured.
                Load(process.port("http"), "a.example").run(count, lasting(seconds / 2))
                endpoint.forget()
                load = Load(process.port("http"), "a.example")
                load.run(count, lasting(seconds))
                served, refused = load.statuses.pop(200, 0), load.statuses.total()
                print(
                    f"| {concurrency or 'null'} | {name} ({count}) | {served / seconds:.0f} "
                    f"| {refused / seconds:.0f} | {percentile(load.times, 0.5):.0f} "
                    f"| {percentile(load.times, 0.99):.0f} | {endpoint.most} |",
                    flush=True,
                )
        finally:
            process.stop()
            endpoint.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shedding")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    print("| `concurrency` | clients | served/s | refused/s | p50, ms | p99, ms | most at once |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for concurrency in (None, "auto"):
        measure(concurrency, arguments.clients, arguments.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
