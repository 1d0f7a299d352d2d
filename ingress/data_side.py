"""
The data plane of the whole program: in this process, or in workers; with what reports about it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from ingress.admin.readiness import Readiness
from ingress.downstream.listeners import Listeners
from ingress.downstream.self_signed import make_self_signed
from ingress.downstream.tls import TLSContexts
from ingress.exchange.loop_marker import LoopMarker
from ingress.policy.limiter import SharedLimits
from ingress.serving import Serving
from ingress.serving.local_plane import make_plane
from ingress.serving.local_reports import LocalReports
from ingress.serving.local_serving import LocalServing
from ingress.serving.readings import (
    read_counters,
    read_endpoints,
    read_last_exchanges,
    read_vitals,
)
from ingress.telemetry.counts import Counters, CountsCollector
from ingress.telemetry.observed_proxy import Reports
from ingress.telemetry.totals import Totals
from ingress.telemetry.vitals import own_usage
from ingress.termination import Termination
from ingress.worker.fork_client import launch_forks
from ingress.worker.process import DataSide, run_worker
from ingress.worker.reports import WorkerReports, WorkerState
from ingress.worker.workers import Workers, WorkersCallbacks


class Given(NamedTuple):
    """What was made before the process became a daemon."""

    marker: LoopMarker
    listeners: Listeners
    twins: Sequence[Listeners]
    """The listeners of each worker; none if there are no workers."""


Served = tuple[Serving, Reports, Callable[[], int]]
"""What serves, its reports for the metrics, and the number of lost worker processes."""


def make_local_serving(reactor: Any, given: Given, totals: Totals, *_: object) -> Served:
    """The data plane in this process."""
    plane, recorder = make_plane(reactor, given.marker)
    contexts = TLSContexts(lambda: plane.exchanges.snapshot, make_self_signed(datetime.now(UTC)))
    serving = LocalServing(reactor, given.listeners, plane, contexts, [recorder])
    reports = LocalReports(reactor, plane, recorder.traffic, totals, serving.ports.sessions)
    return serving, reports, int


def make_workers(
    reactor: Any,
    given: Given,
    totals: Totals,
    termination: Termination,
    readiness: Readiness,
) -> Served:
    """The data plane in processes of its own."""
    twins = given.twins
    count = len(twins)
    # Workers share it: its keys seal the TLS sessions that any of them may resume.
    contexts = TLSContexts(lambda: None, make_self_signed(datetime.now(UTC)))
    limits = SharedLimits(count)
    make = partial(_make_data_side, contexts, given.marker, limits, count)
    launch = partial(
        launch_forks, reactor, twins, partial(run_worker, make), kept=[limits.descriptor]
    )
    callbacks = WorkersCallbacks(
        totals.merge, termination.fail, partial(readiness.set, "workers", "no worker accepts")
    )
    workers = Workers(reactor, given.listeners, twins, launch, callbacks)
    readiness.add_notes(workers.notes)
    return workers, WorkerReports(workers, limits), lambda: workers.lost


def _make_data_side(
    contexts: TLSContexts,
    marker: LoopMarker,
    limits: SharedLimits,
    count: int,
    reactor: Any,
    listeners: Listeners,
) -> DataSide:
    """The data plane of one of `count` workers, in its own process."""
    plane, recorder = make_plane(reactor, marker, limits.limiter())
    contexts.current_snapshot = lambda: plane.exchanges.snapshot
    serving = LocalServing(reactor, listeners, plane, contexts, [recorder], count)

    def count_all() -> Counters:
        return read_counters(plane, own_usage())

    def read_state() -> WorkerState:
        return WorkerState(read_vitals(plane, len(serving.ports.sessions)), read_endpoints(plane))

    return DataSide(
        serving,
        CountsCollector(recorder.traffic, count_all),
        read_state,
        partial(read_last_exchanges, plane),
    )
