"""
What all calls of a process share.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ingress.deadline import Deadlines
from ingress.upstream.balancer import Balancer
from ingress.upstream.registry import EndpointRegistry
from ingress.upstream.retry_budget import RetryBudget


class CallResources:
    """
    The live state of calls, and the clocks and randomness that they use.

    :ivar registry: the connections to endpoints.
    :ivar deadlines: end what takes too long.
    :ivar random: randomness for sessions and balancing, which need not be secret.
    :ivar wall_clock: gives the seconds since the epoch, for cookies.
    :ivar process: the process id, which tells the sessions of two workers apart.
    :ivar balancer: picks endpoints, and knows which are ejected.
    :ivar retry_budget: bounds the retries in flight.
    """

    __slots__ = (
        "balancer",
        "deadlines",
        "process",
        "random",
        "registry",
        "retry_budget",
        "wall_clock",
    )

    def __init__(
        self,
        registry: EndpointRegistry,
        deadlines: Deadlines,
        random: Random,
        *,
        wall_clock: Callable[[], float],
        process: int,
    ) -> None:
        self.registry = registry
        self.deadlines = deadlines
        self.random = random
        self.wall_clock = wall_clock
        self.process = process
        self.balancer = Balancer(registry, deadlines.now, random)
        self.retry_budget = RetryBudget()

    def __repr__(self) -> str:
        return f"<CallResources {self.registry} {self.balancer}>"
