"""
The kinds of load.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks.comparison.load import Outcome, wrk
from benchmarks.comparison.peer import Contender
from benchmarks.comparison.site import SMALL

CONNECTIONS = 64

Drive = Callable[[Contender, int, float], Outcome]
"""Load a contender from that core for so many seconds."""


@dataclass(frozen=True)
class Scenario:
    """
    :ivar site: a key of `SITES`.
    :ivar saturates: whether the proxy is what bounds the rate; else only the processor
        time per request says something.
    """

    name: str
    title: str
    drive: Drive
    site: str = "one"
    saturates: bool = True


def _keep_alive(scheme: str, contender: Contender, core: int, seconds: float) -> Outcome:
    return wrk(contender.url(scheme, SMALL), core, seconds, CONNECTIONS)


SCENARIOS = [
    Scenario("small", "Small GETs, 64 connections", partial(_keep_alive, "http")),
    Scenario("small-tls", "Small GETs over TLS, 64 connections", partial(_keep_alive, "https")),
]
