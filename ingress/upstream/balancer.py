"""
Which endpoint of an Upstream serves next.

Candidates are the endpoints that were not tried for this request and are not
ejected (`ingress.upstream.health`). A hash narrows them to those that its key
prefers; then one of three algorithms takes one. Each is a function of its
arguments; the balancer keeps what they need from one request to the next.

Weights have no place here: endpoints of one Upstream are alike. A canary is an
Upstream of its own, and weight decides between the two before either is asked
for an endpoint, where the exchange finds the Upstream of its Route.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from random import Random
from typing import Final

from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.message import Request
from ingress.policy.backend_tls import BackendTLS
from ingress.policy.load_balance import Algorithm, LoadBalance
from ingress.routing.snapshot import Snapshot
from ingress.upstream.health import Health
from ingress.upstream.registry import EndpointRegistry

Cost = Callable[[Endpoint], float]
"""What it would cost to ask an endpoint; less is better."""

_ROUND_ROBIN: Final = Algorithm.ROUND_ROBIN
_LEAST_REQUEST: Final = Algorithm.LEAST_REQUEST


def next_in_turn(
    endpoints: Sequence[Endpoint], candidates: Container[Endpoint], turn: int
) -> int | None:
    """
    Round robin.

    Counted over all endpoints, because those that follow one that is left out would
    else have its share as well as their own.

    :param turn: the index of the endpoint whose turn it is.
    :return: the index of the first candidate from there on; None where there is none.
    """
    count = len(endpoints)
    for offset in range(count):
        index = (turn + offset) % count
        if endpoints[index] in candidates:
            return index
    return None


def better_of_two(candidates: Sequence[Endpoint], cost: Cost, random: Random) -> Endpoint:
    """
    The power of two choices: of two taken at random, the one that costs less.

    Nearly as good as the best of all, and proxies that know nothing of each other
    do not all come to the same one at once.

    :param candidates: at least one.
    """
    count = len(candidates)
    if count == 1:
        return candidates[0]
    first = int(random.random() * count)
    second = int(random.random() * (count - 1))
    if second >= first:
        second += 1
    one, other = candidates[first], candidates[second]
    return one if cost(one) <= cost(other) else other


class Balancer:
    """
    :param registry: knows the load of each endpoint.
    :param now: the clock that loads and ejections are on, in seconds.
    :param random: for choices, and for the length of ejections.
    """

    def __init__(
        self, registry: EndpointRegistry, now: Callable[[], float], random: Random
    ) -> None:
        self.health = Health(now, random)
        self._registry = registry
        self._now = now
        self._random = random
        self._turns: dict[UpstreamKey, int] = {}

    def __repr__(self) -> str:
        return f"<Balancer of {len(self._turns)} upstreams, {self.health}>"

    def pick(
        self,
        upstream: Upstream,
        load_balance: LoadBalance,
        request: Request,
        client_address: bytes,
        tried: Sequence[Endpoint] = (),
        tls: BackendTLS | None = None,
    ) -> Endpoint | None:
        """
        :param client_address: of the client that is believed; empty if unknown.
        :param tried: endpoints that failed this request already; none of them is taken.
        :param tls: how the Route speaks to endpoints, on which their health depends.
        :return: None where no endpoint is left to try.
        """
        candidates: Sequence[Endpoint] = upstream.endpoints
        algorithm = load_balance.algorithm
        if tried or (self.health.failing and self.health.concerns(candidates)):
            candidates = self.candidates(upstream, tried, tls)
        elif algorithm is _ROUND_ROBIN and load_balance.hash_key is None and candidates:
            # What nearly all ask for, most of the time.
            key, turns = upstream.key, self._turns
            turn = turns.get(key, 0)
            if turn >= len(candidates):
                turn = 0
            turns[key] = turn + 1
            return candidates[turn]
        if not candidates:
            return None
        if load_balance.hash_key is not None:
            candidates = load_balance.among(candidates, request, client_address)
            if algorithm is _ROUND_ROBIN and len(candidates) <= load_balance.subset_size:
                # The turns of an Upstream, shared by subsets, would leave some out for ever.
                return candidates[int(self._random.random() * len(candidates))]
        if algorithm is _ROUND_ROBIN:
            return self._next_in_turn(upstream, candidates)
        load = self._registry.load
        if algorithm is _LEAST_REQUEST:
            return better_of_two(candidates, lambda one: load(one, tls).in_flight, self._random)
        now = self._now()
        return better_of_two(candidates, lambda one: load(one, tls).cost(now), self._random)

    def candidates(
        self, upstream: Upstream, tried: Sequence[Endpoint], tls: BackendTLS | None
    ) -> list[Endpoint]:
        """
        The endpoints that may serve.

        Never more than half of them are left out for their health: where more have
        failed, it is more likely that something else is wrong, and the rest could not
        bear the load of all. An endpoint that is left out is still better than none.
        """
        endpoints = upstream.endpoints
        untried = [endpoint for endpoint in endpoints if endpoint not in tried]
        if not self._obeys_ejections(upstream, tls):
            return untried
        may_serve = self.health.may_serve
        return [
            endpoint for endpoint in untried if may_serve((upstream.key, endpoint, tls))
        ] or untried

    def may_serve(self, upstream: Upstream, endpoint: Endpoint, tls: BackendTLS | None) -> bool:
        """Whether a session may stay on its endpoint for this request."""
        if self.health.may_serve((upstream.key, endpoint, tls)):
            return True
        return not self._obeys_ejections(upstream, tls)

    def _obeys_ejections(self, upstream: Upstream, tls: BackendTLS | None) -> bool:
        endpoints, is_ejected = upstream.endpoints, self.health.is_ejected
        count = sum(is_ejected((upstream.key, endpoint, tls)) for endpoint in endpoints)
        return count * 2 <= len(endpoints)

    def _next_in_turn(self, upstream: Upstream, candidates: Sequence[Endpoint]) -> Endpoint | None:
        endpoints = upstream.endpoints
        turn = self._turns.get(upstream.key, 0)
        index = next_in_turn(endpoints, candidates, turn)
        if index is None:
            return None
        self._turns[upstream.key] = index + 1
        return endpoints[index]

    def published(self, snapshot: Snapshot) -> None:
        """Forget Upstreams and endpoints that are gone."""
        for key in [key for key in self._turns if key not in snapshot.upstreams]:
            del self._turns[key]
        self.health.published(snapshot)
