"""
How long the reactor is held up while objects load and change: no request waits longer.

Usage: ``python -m benchmarks.pause_benchmark [--hosts N] [--runs N] [--shape SHAPE]``

For each shape that manifests come in, a process of its own has a real reactor with a
timer of a millisecond, the source, the controller and the data plane as in production,
and N Ingresses with a host each, their Services and EndpointSlices on disk:

- *documents*: one YAML file of many documents,
- *list*: one YAML file with one List, as ``kubectl get -o yaml`` writes it,
- *json*: the same in JSON,
- *folder*: a file for each host.

A gap is how much later than due the timer fires, but no more than the processor time
that the process took meanwhile, threads included: what else goes on on the machine is
left out. The longest of each phase are printed, of the best of several runs.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from random import Random
from typing import Any

import yaml

SHAPES = ("documents", "list", "json", "folder")
TICK = 0.001
"""Seconds between two looks at the time."""

QUIET = 0.7
"""Seconds without a new Snapshot after which a phase is over."""

MAX_PHASE = 120.0

Item = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--shape", choices=SHAPES, action="append")
    parser.add_argument("--measure", choices=SHAPES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.hosts)
        return
    count, runs = arguments.hosts, arguments.runs
    print(f"{count} Ingresses, Services and EndpointSlices; best of {runs} runs, gaps in ms")
    for shape in arguments.shape or SHAPES:
        report(shape, [run(shape, count) for _ in range(runs)])
    print(f"a read of chunks of a byte: {min(read_chunks() for _ in range(runs)) * 1000:.1f} ms")
    total, longest = min(resolve_endpoints(2 * count) for _ in range(runs))
    print(f"{2 * count} endpoints of a Service: {total * 1000:.1f} ms", end=", ")
    print(f"longest step {longest * 1000:.1f} ms")


def run(shape: str, count: int) -> dict[str, list[float]]:
    """Measure in a process of its own: seconds and longest gaps, by phase."""
    command = [sys.executable, "-m", __spec__.name, "--measure", shape, "--hosts", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return result


def report(shape: str, runs: list[dict[str, list[float]]]) -> None:
    for phase in runs[0]:
        seconds, *gaps = min((each[phase] for each in runs), key=itemgetter(1))
        longest = ", ".join(f"{gap * 1000:.1f}" for gap in gaps)
        print(f"{shape:<10} {phase:<24} {seconds:6.2f} s  longest: {longest}", flush=True)


# What is measured.


def measure(shape: str, count: int) -> None:
    """Print what `run` reads."""
    from ingress.transports.reactor import install_reactor

    install_reactor()
    from twisted.internet import reactor as _reactor
    from twisted.internet.defer import Deferred

    reactor: Any = _reactor
    with tempfile.TemporaryDirectory() as folder:
        site = Site(reactor, Path(folder))
        running = Deferred.fromCoroutine(site.run(shape, count))
        running.addErrback(lambda failure: failure.printTraceback())
        running.addBoth(lambda _: reactor.stop())
        reactor.run()
        print(json.dumps(site.gaps))


class Site:
    """The control plane of a process, with a clock that tells when it holds up the reactor."""

    def __init__(self, reactor: Any, folder: Path) -> None:
        from ingress.config import Config, FilesSource
        from ingress.controller import Controller
        from ingress.kube.files import FilesSource as Files
        from ingress.kube.store import ObjectStore
        from ingress.problem_log import ProblemLog
        from ingress.tap import SWITCH_INTERVAL

        self.gaps: dict[str, list[float]] = {}
        self._reactor = reactor
        self._folder = folder
        self._published = 0.0
        self._snapshot: Any = None
        config = Config(
            path=folder / "ingress.yaml", source=FilesSource(paths=(folder / "served",))
        )
        self.config = config
        sys.setswitchinterval(SWITCH_INTERVAL)
        store = ObjectStore()
        self._source = Files(reactor, store, config.source.paths)
        log = ProblemLog(reactor, self._source.locate)
        self._source.subscribe(lambda: log.report("files", self._source.problems, is_located=True))
        self._controller = Controller(store, config, self._publish, log, clock=reactor)

    def _publish(self, snapshot: Any) -> None:
        self._snapshot = snapshot
        self._published = time.perf_counter()

    async def run(self, shape: str, count: int) -> None:
        """Go through all phases."""
        changed = Random(1).randrange(count)
        served, other = self._folder / "served", self._folder / "other"
        write_manifests(served, shape, count)
        write_manifests(other, shape, count, changed)
        gc.collect()

        async def load() -> None:
            await self._source.start()
            self._controller.start()

        def change_one() -> None:
            name = f"h{changed}.yaml" if shape == "folder" else next(other.iterdir()).name
            (other / name).replace(served / name)

        def change_configuration() -> None:
            self._controller.reconfigure(replace(self.config, ssl_redirect=False))

        def remove_all() -> None:
            subprocess.Popen(["find", str(served), "-type", "f", "-delete"])

        await self._phase("load", load)
        await self._phase("change of one", change_one)
        await self._phase("change of configuration", change_configuration)
        await self._phase("all removed", remove_all)
        self._controller.stop()
        await self._source.stop()

    async def _phase(self, name: str, act: Callable[[], Awaitable[None] | None]) -> None:
        from twisted.internet.task import LoopingCall, deferLater

        gaps: list[float] = []
        last = time.perf_counter(), time.process_time()

        def tick() -> None:
            nonlocal last
            now = time.perf_counter(), time.process_time()
            # Not the time in which another program has the processor.
            gaps.append(min(now[0] - last[0] - TICK, now[1] - last[1]))
            last = now

        began = self._published = last[0]
        ticking = LoopingCall(tick)
        ticking.clock = self._reactor
        ticking.start(TICK)
        before = self._snapshot
        begun = act()
        if begun is not None:
            await begun
        while before is self._snapshot or time.perf_counter() - self._published < QUIET:
            assert time.perf_counter() - began < MAX_PHASE, f"{name}: no Snapshot is published"
            await deferLater(self._reactor, QUIET / 10)
        ticking.stop()
        self.gaps[name] = [self._published - began, *sorted(gaps)[-5:][::-1]]


def read_chunks() -> float:
    """Seconds of processor time for the decoder of a body, in one read of the transport."""
    from ingress.errors import RequestError
    from ingress.http1.body import ChunkedBody

    data = b"1\r\nx\r\n" * (65536 // 6)
    began = time.process_time()
    ChunkedBody(RequestError).feed(data)
    return time.process_time() - began


def resolve_endpoints(count: int) -> tuple[float, float]:
    """Seconds of processor time for all of them, and of the longest step."""
    from benchmarks.build_benchmark import CONFIG, make_service
    from ingress.endpoint import UpstreamKey
    from ingress.kube.objects import EndpointPort, EndpointSlice, Metadata, SliceEndpoint
    from ingress.memory import settle_objects
    from ingress.routing.build.upstream import ServiceObjects, resolve_upstream

    slices = tuple(
        EndpointSlice(
            metadata=Metadata(name=f"s-{start}"),
            address_type="IPv4",
            endpoints=tuple(
                SliceEndpoint(addresses=(f"10.0.{n >> 8}.{n & 255}",))
                for n in range(start, start + 1000)
            ),
            ports=(EndpointPort(port=8080),),
        )
        for start in range(0, count, 1000)
    )
    objects = ServiceObjects(make_service("s"), slices, None)
    steps = resolve_upstream(UpstreamKey("default", "s", "80"), objects, CONFIG.source)
    settle_objects()
    took = []
    last = time.process_time()
    for _ in steps:
        now = time.process_time()
        took.append(now - last)
        last = now
    took.append(time.process_time() - last)
    return sum(took), max(took)


# What is on disk.


def make_host(number: int, port: int = 80) -> Iterator[Item]:
    name = f"s{number}"
    backend = {"service": {"name": name, "port": {"number": 80}}}
    paths = [{"path": path, "pathType": "Prefix", "backend": backend} for path in ("/", "/api")]
    rules = [{"host": f"h{number}.example.com", "http": {"paths": paths}}]
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": {"rules": rules}}
    ports = [{"port": port, "targetPort": 8080}]
    service = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": ports}}
    labels = {"kubernetes.io/service-name": name}
    address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address]}],
        "ports": [{"port": 8080}],
    }
    yield {"metadata": {"name": name}, **ingress}
    yield {"metadata": {"name": name}, **service}
    yield {"metadata": {"name": name, "labels": labels}, **endpoints}


def write_manifests(folder: Path, shape: str, count: int, changed: int = -1) -> None:
    """:param changed: the host whose Service has another port."""
    folder.mkdir()
    hosts = (make_host(each, 81 if each == changed else 80) for each in range(count))
    if shape == "folder":
        for number, items in enumerate(hosts):
            (folder / f"h{number}.yaml").write_text(dump_all(items))
        return
    every = [item for host in hosts for item in host]
    whole = {"apiVersion": "v1", "kind": "List", "items": every}
    if shape == "documents":
        (folder / "all.yaml").write_text(dump_all(every))
    elif shape == "list":
        (folder / "all.yaml").write_text(dump_all([whole]))
    else:
        (folder / "all.json").write_text(json.dumps(whole, indent=4))


def dump_all(items: Iterable[Item]) -> str:
    return str(yaml.dump_all(items, Dumper=PlainDumper, sort_keys=False, explicit_start=True))


class PlainDumper(yaml.CSafeDumper):
    """Writes each value out, as Kubernetes does."""

    def ignore_aliases(self, data: object) -> bool:
        return True


if __name__ == "__main__":
    main()
