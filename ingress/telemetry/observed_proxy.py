"""
The parts of the proxy that metrics and admin pages read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ingress.config import Config
from ingress.endpoint import Endpoint, UpstreamKey
from ingress.policy.limiter import LimitLevels
from ingress.problem import Problem
from ingress.problem_log import Found
from ingress.published_change import PublishedChange
from ingress.routing.build import Built
from ingress.telemetry.endpoint_state import EndpointStates
from ingress.telemetry.exchange_rows import ExchangeQuestion, Exchanges
from ingress.telemetry.totals import Totals
from ingress.telemetry.vitals import Vitals


class Published(Protocol):
    """The Snapshots (`ingress.controller.Controller`)."""

    @property
    def built(self) -> Built | None:
        """The latest build; None before the first one."""

    @property
    def generation(self) -> int:
        """The number of Snapshots published so far."""

    @property
    def published_at(self) -> datetime | None:
        """When the last one was published."""

    @property
    def failures(self) -> int:
        """Builds that failed."""

    @property
    def builds(self) -> int:
        """Builds that did not, whether they changed anything or not."""

    @property
    def build_seconds(self) -> float:
        """How long these took together."""


class Configured(Protocol):
    """The configuration in force (`ingress.live_config.LiveConfig`)."""

    @property
    def current(self) -> Config: ...

    @property
    def has_mistakes(self) -> bool:
        """Whether the file, as last read, could not be applied."""


class Reports(Protocol):
    """Reads the state of the processes that serve."""

    async def refresh(self) -> None:
        """Bring the `Totals` up to date."""

    async def gather(self) -> None:
        """Bring the `Totals` up to date as far as that costs next to nothing."""

    async def exchanges(self, question: ExchangeQuestion) -> Sequence[Exchanges]:
        """Read the last exchanges of each process that answers in time."""

    def limit_levels(self) -> LimitLevels | None:
        """How full the limits of clients are in all processes; None if nobody knows."""

    def vitals(self) -> Iterable[Vitals]:
        """Those of each process, including the one that answers."""

    def endpoints(self) -> EndpointStates:
        """Those of all processes together."""


def _nothing() -> Mapping[str, float]:
    return {}


@dataclass(frozen=True, slots=True)
class ObservedProxy:
    """
    One proxy, with all its processes.

    Values that only some proxies have are functions that return a mapping.
    """

    version: str
    """The version of this program."""

    published: Published
    configured: Configured
    problems: Iterable[Problem]
    """Problems at the moment."""

    totals: Totals
    reports: Reports
    now: Callable[[], datetime]
    api_ages: Callable[[], Mapping[str, float]] = _nothing
    """Seconds since the objects were last known to be up to date, by kind."""

    api_relists: Callable[[], Mapping[str, float]] = _nothing
    """Lists that were repeated because changes were missed, by kind of object."""

    api_watch_failures: Callable[[], Mapping[str, float]] = _nothing
    """Watches that failed, by kind of object."""

    leases: Callable[[], Mapping[str, float]] = _nothing
    """1 if this process holds the Lease, else 0, by name of the Lease."""

    ingress_checks: Iterable[tuple[tuple[str, str], int]] = ()
    """Versions without a Problem, by namespace and name of an Ingress."""

    unhealthy: Callable[[], Collection[tuple[UpstreamKey, Endpoint]]] = tuple
    """The endpoints that fail their health checks, each with its Upstream."""

    health_check_results: Mapping[str, int] = field(default_factory=dict)
    """How many health checks came to ``success`` and to ``failure``."""

    lost_workers: Callable[[], int] = int
    """The number of workers that ended unexpectedly."""

    found: Callable[[Problem], Found | None] = lambda problem: None
    """What is known of a present Problem beside what it says."""

    changes: Iterable[PublishedChange] = ()
    """What differed in the last Snapshots, the newest first."""

    pod: str = ""
    """The name of our Pod; its namespace is `namespace`."""

    namespace: str = ""

    def constants(self) -> dict[str, str]:
        """The labels that ingress-nginx puts on most of its metrics."""
        return {
            "controller_class": self.configured.current.ingress_class.controller,
            "controller_namespace": self.namespace,
            "controller_pod": self.pod,
        }
