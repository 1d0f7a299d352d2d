"""
What a request costs with two workers on two cores, beside two proxies of one process each.

Usage: ``python -m benchmarks.worker_cost [--workers 2] [--rounds 9] [--seconds 5]
[--twistd PATH]``

In each round small GETs go to a proxy with workers (*together*), then to as many proxies of one
process each at once (*apart*), and to one of these alone, in changing order. Each process that
serves has a core of its own, and as many connections, from load generators (wrk) and to endpoints
(nginx) on all cores of these: so to wake a process of another core costs the same in each way. The
processor time is that of all processes, as the kernel accounts for it in nanoseconds.

- *Together, of apart*: what workers cost beside processes that have nothing to do with each other.
- *Apart, of alone*: what the machine makes of two busy cores, whatever runs on them. Cores of a
  virtual machine may be halves of one; and other work goes to the core that is left alone.
- *Together, of alone*: both.

Load generators and endpoints have other cores than the proxy, if there are enough. If not, they
share the cores of its processes. The exit status is 1 if the median of the first ratio is above the
bound.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks.comparison.load import LoadResult, wrk
from benchmarks.comparison.nginx import content_command
from benchmarks.comparison.peer import find_program, free_ports, listens
from benchmarks.comparison.process import PATIENCE, Process, wait_until
from benchmarks.comparison.site import HOST, SMALL
from tests.support.family import children
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import IngressProcess
from tests.support.process import wait_until as wait_for

MOST = 1.05
"""The bound of the ratio."""

CONNECTIONS = 64
"""Of each process that serves."""

WARM_UP = 2.0
"""Seconds of load that are not measured."""


class Cost(NamedTuple):
    """Of one way to serve, in one round."""

    rate: float
    """Requests a second."""

    time: float
    """Microseconds of processor time for a request."""


def processor_time(pid: int) -> int:
    """:return: nanoseconds that a process has had so far."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


class Proxy:
    """
    A proxy.

    :param cores: of the processes that serve.
    :param ports: of its endpoints.
    :param twistd: the program of an installation; None for the checkout.
    :param stack: ends what is started.
    """

    def __init__(
        self,
        folder: Path,
        cores: list[int],
        ports: list[int],
        twistd: str | None,
        stack: ExitStack,
    ) -> None:
        self.processes = len(cores)
        process = IngressProcess(
            folder,
            limits={"keep-alive-requests": 1_000_000_000},
            access_log={"path": str(folder / "access.log")},
            workers=len(cores),
        )
        if twistd:
            process.use_installation(twistd)
            process.environment = {**os.environ, "PYTHONPATH": ""}
        rule = ingress_manifest("web", HOST, {"/": "web"})
        process.write("all.yaml", *served_manifests("web", *ports), rule)
        stack.callback(process.stop)
        # What it starts inherits the cores.
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores)
        process.start()
        os.sched_setaffinity(0, before)

        def workers() -> list[int]:
            return [worker for child in children(process.pid) for worker in children(child)]

        if len(cores) > 1:
            wait_for(lambda: len(workers()) == len(cores), "workers")
        serving = workers()
        self.url = f"http://{HOST}:{process.port('http')}{SMALL}"
        self._pids = {process.pid, *children(process.pid), *serving}
        for pid, core in zip(serving or [process.pid], cores, strict=True):
            os.sched_setaffinity(pid, {core})

    def processor_time(self) -> int:
        """:return: nanoseconds that all its processes have had so far."""
        return sum(map(processor_time, self._pids))


def measure(proxies: list[Proxy], load_cores: list[int], seconds: float) -> Cost:
    """
    Send as many requests as possible to all of these at once, for so many seconds.

    :raises Failed: if wrk fails.
    """
    urls = [proxy.url for proxy in proxies for _ in range(proxy.processes)]
    loads = [(url, core) for url in urls for core in load_cores]
    connections = CONNECTIONS // len(load_cores)

    def load(target: tuple[str, int]) -> LoadResult:
        return wrk(*target, seconds, connections)

    before = sum(proxy.processor_time() for proxy in proxies)
    with ThreadPoolExecutor(len(loads)) as pool:
        results = list(pool.map(load, loads))
    took = sum(proxy.processor_time() for proxy in proxies) - before
    for result in results:
        assert not result.faults, result.faults
    requests = sum(result.requests for result in results)
    return Cost(sum(result.rate for result in results), took / 1000 / requests)


def start_endpoint(folder: Path, core: int, stack: ExitStack) -> int:
    """:return: the port of an endpoint that answers each request with a few bytes."""
    (port,) = free_ports(1)
    place = folder / f"endpoint-{core}-{port}"
    command = content_command(find_program("nginx"), port, place)
    process = Process(command, core, place / "output")
    stack.callback(process.stop)
    wait_until(lambda: listens(port), process, PATIENCE)
    return port


def ratio(costs: list[float], others: list[float]) -> list[float]:
    """:return: of each round."""
    return [cost / other for cost, other in zip(costs, others, strict=True)]


def spread(values: list[float]) -> str:
    """:return: the median, and the first and the last."""
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker_cost")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--twistd", help="the program of an installation, which is compiled")
    chosen = parser.parse_args()
    all_cores = sorted(os.sched_getaffinity(0))
    cores = all_cores[: chosen.workers]
    if len(cores) < chosen.workers:
        parser.error(f"{chosen.workers} workers need as many cores")
    others = all_cores[chosen.workers :]
    load_cores = others[: chosen.workers] if len(others) >= chosen.workers else cores
    where = "the same cores" if load_cores is cores else "other cores"
    print(f"{chosen.workers} workers on as many cores, the load on {where}")
    costs: dict[str, list[float]] = {"together": [], "apart": [], "alone": []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="worker-cost-")))

        ports = [start_endpoint(folder, core, stack) for core in load_cores]
        single = [
            Proxy(folder / f"single-{core}", [core], ports, chosen.twistd, stack) for core in cores
        ]
        together = Proxy(folder / "workers", cores, ports, chosen.twistd, stack)
        ways = {"together": [together], "apart": single, "alone": single[:1]}
        for proxies in ways.values():
            measure(proxies, load_cores, WARM_UP)
        for number in range(chosen.rounds):
            # What drifts meanwhile is not always to the disadvantage of the same one.
            names = list(ways) if number % 2 else list(reversed(ways))
            found = {name: measure(ways[name], load_cores, chosen.seconds) for name in names}
            for name in ways:
                costs[name].append(found[name].time)
            texts = [
                f"{name} {found[name].time:.1f} us a request ({found[name].rate:,.0f} a second)"
                for name in ways
            ]
            print(f"{number + 1}: {', '.join(texts)}", flush=True)
    ratios = ratio(costs["together"], costs["apart"])
    print(f"Together, of apart: {spread(ratios)}")
    print(f"Apart, of alone: {spread(ratio(costs['apart'], costs['alone']))}")
    print(f"Together, of alone: {spread(ratio(costs['together'], costs['alone']))}")
    return int(statistics.median(ratios) > MOST)


if __name__ == "__main__":
    sys.exit(main())
