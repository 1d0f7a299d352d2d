"""
What a request costs with two workers on two cores, of what it costs with one.

Usage: ``python -m benchmarks.worker_cost [--workers 2] [--rounds 9] [--seconds 5] [--twistd PATH]``

Two proxies run, one of a single process and one with workers. In each round first the one and then
the other gets small GETs, of the same number of connections for each process that serves. Each of
these has a core, a load generator (wrk) and an endpoint (nginx) of its own. The processor time is
that of all processes of a proxy, as the kernel accounts for it in nanoseconds, so that a busy
machine disturbs it little.

Load generators and endpoints have other cores than the proxy, if there are enough. If not, each
shares the core of its process, with one worker as with several: then what the load takes of the
caches is in both figures, and only what workers do to one another is in the ratio. The exit status
is 1 if its median is above the bound.
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

from benchmarks.comparison.load import wrk
from benchmarks.comparison.nginx import content_command
from benchmarks.comparison.peer import find_program, free_ports, listens
from benchmarks.comparison.process import PATIENCE, Process, wait_until
from benchmarks.comparison.site import HOST, SMALL
from tests.support.family import children
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import IngressProcess

MOST = 1.05
"""The bound of the ratio."""

CONNECTIONS = 64
"""Of each load generator."""

WARM_UP = 2.0
"""Seconds of load that are not measured."""


class Cost(NamedTuple):
    """Of one proxy in one round."""

    rate: float
    """Requests a second."""

    all: float
    """Microseconds of processor time for a request, of all its processes."""

    serving: float
    """The same without the processes that do not serve."""


def processor_time(pid: int) -> int:
    """:return: nanoseconds that a process has had so far."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


class Proxy:
    """
    A proxy, with a load generator for each of its processes that serve.

    :param cores: of the processes that serve.
    :param load_cores: of their load generators and endpoints.
    :param twistd: the program of an installation; None for the checkout.
    :param stack: ends what is started.
    """

    def __init__(
        self,
        folder: Path,
        cores: list[int],
        load_cores: list[int],
        twistd: str | None,
        stack: ExitStack,
    ) -> None:
        self._load_cores = load_cores
        self._process = process = IngressProcess(
            folder,
            limits={"keep-alive-requests": 1_000_000_000},
            access_log={"path": str(folder / "access.log")},
            workers=len(cores),
        )
        if twistd:
            process.use_installation(twistd)
            process.environment = {**os.environ, "PYTHONPATH": ""}
        ports = [start_endpoint(folder, core, stack) for core in load_cores]
        rule = ingress_manifest("web", HOST, {"/": "web"})
        process.write("all.yaml", *served_manifests("web", *ports), rule)
        stack.callback(process.stop)
        # What it starts inherits the cores.
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores)
        process.start()
        os.sched_setaffinity(0, before)
        workers = [worker for child in children(process.pid) for worker in children(child)]
        self._serving = workers or [process.pid]
        assert len(self._serving) == len(cores), self._serving
        for pid, core in zip(self._serving, cores, strict=True):
            os.sched_setaffinity(pid, {core})
        self.measure(WARM_UP)

    def measure(self, seconds: float) -> Cost:
        """
        Send as many requests as possible for so many seconds.

        :raises Failed: if one was not answered as it must be.
        """
        url = f"http://{HOST}:{self._process.port('http')}{SMALL}"
        every = {self._process.pid, *children(self._process.pid), *self._serving}
        before = {pid: processor_time(pid) for pid in every}
        with ThreadPoolExecutor(len(self._load_cores)) as pool:
            results = list(
                pool.map(lambda core: wrk(url, core, seconds, CONNECTIONS), self._load_cores)
            )
        took = {pid: (processor_time(pid) - before[pid]) / 1000 for pid in every}
        for result in results:
            assert not result.faults, result.faults
        requests = sum(result.requests for result in results)
        return Cost(
            sum(result.rate for result in results),
            sum(took.values()) / requests,
            sum(took[pid] for pid in self._serving) / requests,
        )


def start_endpoint(folder: Path, core: int, stack: ExitStack) -> int:
    """:return: the port of an endpoint that answers each request with a few bytes."""
    (port,) = free_ports(1)
    place = folder / f"endpoint-{core}-{port}"
    command = content_command(find_program("nginx"), port, place)
    process = Process(command, core, place / "output")
    stack.callback(process.stop)
    wait_until(lambda: listens(port), process, PATIENCE)
    return port


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
    ratios: dict[str, list[float]] = {"all processes": [], "those that serve": []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="worker-cost-")))
        one = Proxy(folder / "one", cores[:1], load_cores[:1], chosen.twistd, stack)
        several = Proxy(folder / "several", cores, load_cores, chosen.twistd, stack)
        for number in range(1, chosen.rounds + 1):
            # What drifts meanwhile is not always to the disadvantage of the same one.
            if number % 2:
                alone, together = one.measure(chosen.seconds), several.measure(chosen.seconds)
            else:
                together, alone = several.measure(chosen.seconds), one.measure(chosen.seconds)
            ratios["all processes"].append(together.all / alone.all)
            ratios["those that serve"].append(together.serving / alone.serving)
            print(
                f"{number}: one {alone.all:.1f} us a request ({alone.rate:,.0f} a second), "
                f"{chosen.workers} workers {together.all:.1f} us ({together.rate:,.0f}), "
                f"of which {together.serving:.1f} in workers",
                flush=True,
            )
    for name, values in ratios.items():
        print(f"Ratio of {name}: {spread(values)}")
    return int(statistics.median(ratios["all processes"]) > MOST)


if __name__ == "__main__":
    sys.exit(main())
