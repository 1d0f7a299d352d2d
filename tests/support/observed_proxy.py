"""
An observable proxy made of values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ingress.config import Config
from ingress.endpoint import Endpoint
from ingress.policy.limiter import LimitLevels
from ingress.problem import Problem
from ingress.problem_log import Found
from ingress.published_change import PublishedChange
from ingress.routing.build import Built
from ingress.telemetry.endpoint_state import EndpointState
from ingress.telemetry.exchange_rows import ExchangeQuestion, Exchanges
from ingress.telemetry.observed_proxy import ObservedProxy
from ingress.telemetry.totals import Totals
from ingress.telemetry.vitals import Connections, Vitals
from tests.support.objects import FILES, NOW


@dataclass
class HandPublished:
    """The results that a controller has published (`Published`)."""

    built: Built | None = None
    generation: int = 0
    published_at: datetime | None = None
    failures: int = 0
    builds: int = 0
    build_seconds: float = 0.0

    def publish(self, built: Built, *, before: float = 0.0) -> None:
        """:param before: how many seconds ago it was published."""
        self.built = built
        self.generation += 1
        self.published_at = NOW - timedelta(seconds=before)


@dataclass
class HandConfigured:
    """A configuration that is applied or not (`Configured`)."""

    current: Config = FILES
    has_mistakes: bool = False


@dataclass
class HandReports:
    """The reports of processes (`Reports`)."""

    processes: list[Vitals] = field(default_factory=lambda: [Vitals(Connections(1, 2, 3), 1000)])
    states: dict[Endpoint, EndpointState] = field(default_factory=dict)
    refreshed: int = 0
    last: list[Exchanges] = field(default_factory=list)
    questions: list[ExchangeQuestion] = field(default_factory=list)

    levels: LimitLevels | None = None

    def limit_levels(self) -> LimitLevels | None:
        return self.levels

    async def gather(self) -> None:
        self.refreshed += 1

    async def exchanges(self, question: ExchangeQuestion) -> list[Exchanges]:
        self.questions.append(question)
        return self.last

    async def refresh(self) -> None:
        self.refreshed += 1

    def vitals(self) -> list[Vitals]:
        return self.processes

    def endpoints(self) -> dict[Endpoint, EndpointState]:
        return self.states


@dataclass
class HandProxy:
    """Everything that metrics and pages read; tests may change it."""

    published: HandPublished = field(default_factory=HandPublished)
    configured: HandConfigured = field(default_factory=HandConfigured)
    problems: list[Problem] = field(default_factory=list)
    totals: Totals = field(default_factory=Totals)
    reports: HandReports = field(default_factory=HandReports)
    api_ages: dict[str, float] = field(default_factory=dict)
    api_relists: dict[str, float] = field(default_factory=dict)
    api_watch_failures: dict[str, float] = field(default_factory=dict)
    leases: dict[str, float] = field(default_factory=dict)
    ingress_checks: list[tuple[tuple[str, str], int]] = field(default_factory=list)
    found: dict[Problem, Found] = field(default_factory=dict)
    changes: list[PublishedChange] = field(default_factory=list)

    @property
    def proxy(self) -> ObservedProxy:
        return ObservedProxy(
            version="1.2.3",
            published=self.published,
            configured=self.configured,
            problems=self.problems,
            totals=self.totals,
            reports=self.reports,
            now=lambda: NOW,
            api_ages=lambda: self.api_ages,
            api_relists=lambda: self.api_relists,
            api_watch_failures=lambda: self.api_watch_failures,
            leases=lambda: self.leases,
            ingress_checks=self.ingress_checks,
            lost_workers=lambda: 2,
            found=self.found.get,
            changes=self.changes,
            pod="ingress-1",
            namespace="ingress",
        )
