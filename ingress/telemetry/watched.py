"""
What metrics are told of: the parts of the proxy, as far as they are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ingress.config import Config
from ingress.problem import Problem
from ingress.routing.build import Built
from ingress.telemetry.endpoint_state import EndpointStates
from ingress.telemetry.totals import Totals
from ingress.telemetry.vitals import Vitals


class Published(Protocol):
    """What is served (`ingress.controller.Controller`)."""

    @property
    def built(self) -> Built | None:
        """None before there is anything."""

    @property
    def generation(self) -> int:
        """How many Snapshots have been published."""

    @property
    def published_at(self) -> datetime | None:
        """When the last one was."""

    @property
    def failures(self) -> int:
        """Builds that came to nothing."""


class Configured(Protocol):
    """The configuration in force (`ingress.live_config.LiveConfig`)."""

    @property
    def current(self) -> Config: ...

    @property
    def has_mistakes(self) -> bool:
        """Whether the file, as it was read last, could not be applied."""


class Reports(Protocol):
    """What the processes that serve tell of themselves."""

    async def refresh(self) -> None:
        """Bring the `Totals` up to date, if that needs to be asked for."""

    def vitals(self) -> Iterable[Vitals]:
        """Of each process, the one that answers included."""

    def endpoints(self) -> EndpointStates:
        """Of all processes together."""


def _nothing() -> Mapping[str, float]:
    return {}


@dataclass(frozen=True, slots=True)
class Watched:
    """
    All of them.

    What only some proxies have is a mapping to a number, asked for each time.
    """

    version: str
    """Of this program."""

    published: Published
    configured: Configured
    problems: Iterable[Problem]
    """Those of now."""

    totals: Totals
    reports: Reports
    now: Callable[[], datetime]
    api_ages: Callable[[], Mapping[str, float]] = _nothing
    """By kind of object, the seconds since what is known of it was last up to date."""

    api_relists: Callable[[], Mapping[str, float]] = _nothing
    """By kind of object, how often all were listed anew because changes were missed."""

    api_watch_failures: Callable[[], Mapping[str, float]] = _nothing
    """By kind of object, how often a watch ended otherwise than in order."""

    leases: Callable[[], Mapping[str, float]] = _nothing
    """By name of a Lease, 1 where we hold it and 0 where we do not."""

    lost_workers: Callable[[], int] = int
    """Processes that ended without being asked to."""

    pod: str = ""
    """Our own name in a cluster, and our namespace."""

    namespace: str = ""

    def constants(self) -> dict[str, str]:
        """The labels that are on all that ingress-nginx labels with them."""
        return {
            "controller_class": self.configured.current.ingress_class.controller,
            "controller_namespace": self.namespace,
            "controller_pod": self.pod,
        }
