"""
What it costs to follow a large cluster: its start, its memory, and how soon a change is served.

Usage: ``python -m benchmarks.cluster_benchmark [--slices N] [--endpoints N] [--ingresses N]``

A process of its own has what `twistd ingress` has with a cluster: the real client over TLS, the
source, the controller and the data plane, on the real reactor. `cluster_api` is its API server.
Printed are

- the seconds from the start of the source until the first Snapshot is published,
- the memory of the whole process then, and the most that it had (resident; the interpreter
  with all modules has some 60 MiB of it),
- the milliseconds from the moment at which the API server sends the change of an
  EndpointSlice until the data plane picks the new endpoint, the median and the longest,
- the longest times for which the reactor was held up, by processor time: no request waits
  longer.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

TICK = 0.001
"""Seconds between two looks at the time."""

CHANGES = 50
PAUSE = 0.1
"""Seconds between two changes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--slices", type=int, default=5_000)
    parser.add_argument("--endpoints", type=int, default=4, help="of each slice")
    parser.add_argument("--ingresses", type=int, default=5_000)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sizes = (arguments.slices, arguments.endpoints, arguments.ingresses)
    if arguments.measure:
        measure(*sizes)
        return
    names = ("slices", "endpoints", "ingresses")
    options = [f"--{name}={size}" for name, size in zip(names, sizes, strict=True)]
    command = [sys.executable, "-m", __spec__.name, "--measure", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    print(done.stdout, end="")


def measure(slices: int, endpoints: int, ingresses: int) -> None:
    """In a process of its own."""
    from twisted.internet import reactor as _reactor
    from twisted.internet.defer import Deferred

    import ingress.tap  # (what a real process has imported, its reactor included)

    sys.setswitchinterval(ingress.tap.SWITCH_INTERVAL)
    reactor: Any = _reactor
    command = [sys.executable, "-m", "benchmarks.cluster_api"]
    api = subprocess.Popen(
        [*command, str(slices), str(endpoints), str(ingresses)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        proxy = Proxy(reactor, api)
        running = Deferred.fromCoroutine(proxy.run(slices))
        running.addErrback(lambda failure: failure.printTraceback())
        running.addBoth(lambda _: reactor.stop())
        reactor.run()
        print(f"{slices} EndpointSlices of {endpoints} endpoints, {ingresses} Ingresses")
        for line in proxy.report:
            print(line)
    finally:
        api.kill()
        api.wait()


class Proxy:
    """The control plane and the live state of a process that follows a cluster."""

    def __init__(self, reactor: Any, api: subprocess.Popen[str]) -> None:
        from ingress.config import Cluster, Config
        from ingress.controller import Controller
        from ingress.exchange.loop_marker import LoopMarker
        from ingress.kube.api.client import APIClient
        from ingress.kube.api.connection import Connections, endpoint_maker
        from ingress.kube.api.credentials import FixedCredentials, Identity
        from ingress.kube.api.server import Server
        from ingress.kube.cluster.reflector import Access
        from ingress.kube.cluster.source import ClusterSource
        from ingress.kube.ingress_status import IngressStatuses
        from ingress.kube.slices import Slices
        from ingress.kube.store import ObjectStore
        from ingress.memory import settle_objects
        from ingress.problem_log import ProblemLog
        from ingress.routing.build.reference import reference_rule
        from ingress.serving.local_plane import make_plane

        assert api.stdout is not None
        port, root_pem = json.loads(api.stdout.readline())
        self.report: list[str] = []
        self._reactor = reactor
        self._api = api
        self._published: list[float] = []
        server = Server("127.0.0.1", port, ca_pem=root_pem.encode())
        client = APIClient(
            reactor,
            server,
            FixedCredentials(Identity(b"Bearer x")),
            Connections(reactor, endpoint_maker(reactor, server)),
        )
        config = Config(cluster=Cluster(), path=Path("ingress.yaml"))
        random = Random(1)
        store = ObjectStore()
        access = Access(client, reactor, random, Slices(reactor, settle_objects))
        self._source = ClusterSource(access, store, config, reference_rule, IngressStatuses())
        log = ProblemLog(reactor)
        self._source.subscribe(lambda: log.report("source", self._source.problems))
        self._plane, _ = make_plane(reactor, LoopMarker())
        self._controller = Controller(store, config, self._publish, log, clock=reactor)

    def _publish(self, snapshot: Any) -> None:
        self._plane.publish(snapshot)
        self._published.append(time.monotonic())

    async def run(self, slices: int) -> None:
        from twisted.internet.task import LoopingCall, deferLater

        gaps: list[float] = []
        last = time.perf_counter(), time.process_time()

        def tick() -> None:
            nonlocal last
            now = time.perf_counter(), time.process_time()
            # Not the time in which another program has the processor.
            gaps.append(min(now[0] - last[0] - TICK, now[1] - last[1]))
            last = now

        ticking = LoopingCall(tick)
        ticking.clock = self._reactor
        ticking.start(TICK)
        began, used = time.monotonic(), time.process_time()
        await self._source.start()
        read = time.monotonic() - began
        self._controller.start()
        await self._controller.published
        self._note_start(time.monotonic() - began, read, time.process_time() - used)
        self._note_gaps("start", gaps)
        snapshot = self._plane.exchanges.snapshot
        assert snapshot is not None
        assert len(snapshot.upstreams) == len(snapshot.hosts)
        gaps.clear()
        took = []
        for _ in range(CHANGES):
            await deferLater(self._reactor, PAUSE)
            took.append(await self._change(Random(len(took)).randrange(slices)))
        self.report.append(
            f"a change: median {median(took) * 1000:.1f} ms, longest {max(took) * 1000:.1f} ms"
        )
        self._note_gaps("changes", gaps)
        ticking.stop()
        self._controller.stop()
        await self._source.stop()

    async def _change(self, number: int) -> float:
        """:return: seconds from the API server's event to the Snapshot that has it."""
        from twisted.internet.task import deferLater

        assert self._api.stdin is not None
        assert self._api.stdout is not None
        count = len(self._published)
        self._api.stdin.write(f"{number}\n")
        self._api.stdin.flush()
        while len(self._published) == count:
            await deferLater(self._reactor, TICK)
        return self._published[-1] - float(self._api.stdout.readline())

    def _note_start(self, seconds: float, read: float, used: float) -> None:
        status = Path("/proc/self/status").read_text()
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.report += [
            f"start: {seconds:.2f} s, of which reading {read:.2f} s; processor {used:.2f} s",
            f"memory: {int(resident.split()[1]) / 1024:.0f} MiB, at most {most:.0f} MiB",
        ]

    def _note_gaps(self, phase: str, gaps: list[float]) -> None:
        longest = ", ".join(f"{gap * 1000:.1f}" for gap in sorted(gaps)[-5:][::-1])
        self.report.append(f"longest times that the reactor was held up ({phase}): {longest} ms")


if __name__ == "__main__":
    main()
