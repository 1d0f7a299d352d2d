"""
What it costs to tell a worker of a Snapshot: in total, and what a request waits for at most.

Usage: ``python -m benchmarks.difference_benchmark [--hosts N] [--runs N]``

The objects are those of `benchmarks.build_benchmark`, each host with a certificate.
A worker's process takes one difference after the other over a socket, as it does in
earnest, and looks at the clock whenever its reactor has a turn for it. All figures
are processor time, which does not depend on who else uses the machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.epollreactor import EPollReactor

from benchmarks.build_benchmark import CONFIG, NOW, changes, make_objects
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.memory import settle_objects
from ingress.routing.build import build
from ingress.routing.snapshot import Snapshot
from ingress.worker.channel import adopt
from ingress.worker.feed import Publication, SnapshotFeed
from ingress.worker.log_relay import LogRelay
from ingress.worker.process import DataSide, WorkerProcess

TICK = 0.0005
ENDPOINTS = 20_000

Figures = tuple[float, float]
"""Seconds of the worker in total, and between two of its turns at most."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    snapshots = dict(make_snapshots(arguments.hosts))
    settle_objects()
    first = snapshots.pop("from nothing")
    totals: dict[str, list[tuple[float, Figures]]] = {}
    for _ in range(arguments.runs):
        worker = Worker()
        totals.setdefault("from nothing", []).append(worker.tell(first))
        for name, snapshot in snapshots.items():
            totals.setdefault(name, []).append(worker.tell(snapshot))
            worker.tell(first)
        worker.end()
    print(f"{arguments.hosts} hosts, milliseconds, medians of {arguments.runs} runs")
    print(f"{'':<40} {'made':>8} {'taken':>8} {'longest':>8}")
    for name, runs in totals.items():
        made = median(run[0] for run in runs)
        taken = median(run[1][0] for run in runs)
        longest = median(run[1][1] for run in runs)
        print(f"{name:<40} {made * 1e3:8.1f} {taken * 1e3:8.1f} {longest * 1e3:8.1f}")


def make_snapshots(hosts: int) -> Iterator[tuple[str, Snapshot]]:
    objects = make_objects(hosts, has_tls=True)
    built = build(objects, CONFIG, now=NOW)
    yield "from nothing", built.snapshot
    for name, changed in changes(objects, hosts):
        snapshot = build(changed, CONFIG, built, now=NOW).snapshot
        if snapshot is not built.snapshot:
            yield f"one change: {name}", snapshot
    key = UpstreamKey("default", "many", "80")
    every = tuple(Endpoint(f"10.1.{n >> 8}.{n & 255}", 80) for n in range(ENDPOINTS))
    upstreams = {**built.snapshot.upstreams, key: Upstream(key, every)}
    yield f"a Service of {ENDPOINTS} endpoints", replace(built.snapshot, upstreams=upstreams)
    yield "all gone", Snapshot(CONFIG)


class Worker:
    """A worker's process, seen from the control plane."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        self._figures, figures = multiprocessing.Pipe()
        context = multiprocessing.get_context("fork")
        self._process = context.Process(target=run_worker, args=(self._ours, theirs, figures))
        self._process.start()
        theirs.close()
        self._publication = Publication()
        self._feed = SnapshotFeed(self._publication)

    def tell(self, snapshot: Snapshot) -> tuple[float, Figures]:
        """:return: seconds that the messages took to make, and the worker's figures."""
        self._publication.publish(snapshot)
        made = 0.0
        while True:
            started = time.process_time()
            message = self._feed.take()
            made += time.process_time() - started
            if message is None:
                break
            content = bytes((message[0],)) + message[1]
            self._ours.sendall(len(content).to_bytes(4, "big") + content)
        figures: Figures = self._figures.recv()
        return made, figures

    def end(self) -> None:
        self._ours.close()
        self._process.join()


class Serving:
    """Serves nothing, and tells what it took to come so far."""

    connections = 0

    def __init__(self, reactor: Any, figures: Connection) -> None:
        self._reactor = reactor
        self._figures = figures
        self._begin()

    def _begin(self) -> None:
        self._first = self._last = time.process_time()
        self._longest = 0.0

    def tick(self) -> None:
        now = time.process_time()
        self._longest = max(self._longest, now - self._last)
        self._last = now
        self._reactor.callLater(TICK, self.tick)

    def publish(self, snapshot: Snapshot) -> None:
        self._reactor.callLater(TICK * 20, self._tell)

    def _tell(self) -> None:
        self._figures.send((time.process_time() - self._first, self._longest))
        self._begin()

    def launch(self) -> None: ...

    def prepare(self) -> None:
        self.tick()

    def accept(self) -> Deferred[None]:
        return succeed(None)

    def reopen(self) -> None: ...

    def drain(self, grace: float) -> Deferred[None]:
        return succeed(None)

    def cut(self) -> None: ...


def run_worker(others: socket.socket, end: socket.socket, figures: Connection) -> None:
    # It must see the end of the other one.
    others.close()
    reactor: Any = EPollReactor()
    worker = WorkerProcess(reactor, DataSide(Serving(reactor, figures)), LogRelay())
    reactor.callWhenRunning(adopt, reactor, end, worker.channel)
    reactor.callWhenRunning(worker.start)
    reactor.run(installSignalHandlers=False)


if __name__ == "__main__":
    main()
