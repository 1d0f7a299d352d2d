"""
The choice of the endpoint of an Upstream that serves next.

Candidates are the endpoints that were not tried for this request and are not ejected
(`ingress.upstream.health`). A hash narrows them to those that its key prefers; then one of three
algorithms picks one. Each algorithm is a function of its arguments; the balancer keeps the state
that they need from one request to the next.

Weights have no place here, because the endpoints of one Upstream are alike. A canary is an
Upstream of its own: weights choose between Upstreams, before an endpoint is picked.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from random import Random
from typing import Final

from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.policy.backend_tls import BackendTLS
from ingress.policy.load_balance import Algorithm, LoadBalance
from ingress.policy.variables import RequestSource
from ingress.routing.snapshot import Snapshot
from ingress.upstream.health import Health
from ingress.upstream.registry import EndpointRegistry
from ingress.upstream.slow_start import SlowStart

Cost = Callable[[Endpoint], float]
"""Returns the cost of asking an endpoint; the lower one is better."""

_ROUND_ROBIN: Final = Algorithm.ROUND_ROBIN
_LEAST_REQUEST: Final = Algorithm.LEAST_REQUEST


class Turn:
    """
    Whose turn it is among the endpoints of an Upstream.

    :ivar balancer: whose turns these are.
    :ivar next: the index of the endpoint, which may be beyond the last one.
    """

    __slots__ = ("balancer", "next")

    def __init__(self, balancer: Balancer) -> None:
        self.balancer = balancer
        self.next = 0


def next_in_turn(
    endpoints: Sequence[Endpoint], candidates: Container[Endpoint], turn: int
) -> int | None:
    """
    Take turns (round robin).

    Turns count over all endpoints. Otherwise the neighbour of an endpoint that is left out would
    get its share as well as its own.

    :param endpoints: all endpoints of the Upstream, in order.
    :param candidates: those that may serve.
    :param turn: the index of the endpoint whose turn it is.
    :return: the index of the first candidate from there on; None if there is none.
    """
    count = len(endpoints)
    for offset in range(count):
        index = (turn + offset) % count
        if endpoints[index] in candidates:
            return index
    return None


def better_of_two(candidates: Sequence[Endpoint], cost: Cost, random: Random) -> Endpoint:
    """
    Take two candidates at random and return the one that costs less (the power of two choices).

    This is nearly as good as the best of all candidates, and proxies that do not know each other
    do not all choose the same one at once.

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
    Picks endpoints, and keeps the turns and the health of them.

    :param registry: has the load of each endpoint.
    :param now: the clock of loads and ejections, in seconds.
    :param random: randomness for choices and for the length of ejections.
    """

    def __init__(
        self, registry: EndpointRegistry, now: Callable[[], float], random: Random
    ) -> None:
        self.health = Health(now, random)
        self.slow_start = SlowStart(now, random)
        self._registry = registry
        self._now = now
        self._random = random
        self._turns: dict[UpstreamKey, Turn] = {}

    def __repr__(self) -> str:
        return f"<Balancer of {len(self._turns)} upstreams, {self.health}>"

    def take_turn(self, upstream: Upstream) -> Endpoint | None:
        """
        Pick an endpoint for the first try of a call for which nothing but turns decides.

        :return: None if more has to be looked at, as `pick` does.
        """
        endpoints = upstream.endpoints
        if not endpoints or self.slow_start.fresh or self.health.failing:
            return None
        turn = self._turn(upstream)
        index = turn.next
        if index >= len(endpoints):
            index = 0
        turn.next = index + 1
        return endpoints[index]

    def _turn(self, upstream: Upstream) -> Turn:
        turn = upstream.found.turn
        if isinstance(turn, Turn) and turn.balancer is self:
            return turn
        turn = self._turns.get(upstream.key)
        if turn is None:
            turn = self._turns[upstream.key] = Turn(self)
        upstream.found.turn = turn
        return turn

    def pick(
        self,
        upstream: Upstream,
        load_balance: LoadBalance,
        source: RequestSource,
        tried: Sequence[Endpoint] = (),
        tls: BackendTLS | None = None,
    ) -> Endpoint | None:
        """
        :param source: the request, on which a hash may depend.
        :param tried: endpoints that have failed this request; none of them is picked.
        :param tls: the Route's settings of TLS, on which health depends.
        :return: None if no endpoint is left to try.
        """
        endpoints = upstream.endpoints
        candidates: Sequence[Endpoint] = endpoints
        if self.slow_start.fresh and load_balance.slow_start:
            candidates = self.candidates(upstream, tried, tls)
            candidates = self.admitted(upstream, candidates, load_balance)
        elif tried or (self.health.failing and self.health.concerns(candidates)):
            candidates = self.candidates(upstream, tried, tls)
        elif (
            load_balance.algorithm is _ROUND_ROBIN and load_balance.hash_key is None and candidates
        ):
            return self._next_in_turn(upstream, endpoints)
        if not candidates:
            return None
        return self._pick_among(candidates, upstream, load_balance, source, tls)

    def _pick_among(
        self,
        candidates: Sequence[Endpoint],
        upstream: Upstream,
        load_balance: LoadBalance,
        source: RequestSource,
        tls: BackendTLS | None,
    ) -> Endpoint | None:
        algorithm = load_balance.algorithm
        if load_balance.hash_key is not None:
            candidates = load_balance.among(candidates, source)
            if algorithm is _ROUND_ROBIN and len(candidates) <= load_balance.subset_size:
                # Subsets that shared the turns of their Upstream could leave some out for ever.
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
        Return the endpoints that may serve.

        Never more than half of them are left out because they failed: if more have failed, the
        cause is probably somewhere else, and the rest could not bear the load of all. An ejected
        endpoint is still better than none.

        :param tried: endpoints that have failed this request; none of them is among the result.
        :param tls: the Route's settings of TLS, on which health depends.
        """
        endpoints = upstream.endpoints
        untried = [endpoint for endpoint in endpoints if endpoint not in tried]
        if not self._obeys_ejections(upstream, tls):
            return untried
        may_serve = self.health.may_serve
        return [
            endpoint for endpoint in untried if may_serve((upstream.key, endpoint, tls))
        ] or untried

    def admitted(
        self, upstream: Upstream, candidates: Sequence[Endpoint], load_balance: LoadBalance
    ) -> Sequence[Endpoint]:
        """
        :param candidates: endpoints that may serve.
        :return: those of them that take part in the choice for one request, or for a new session:
            an endpoint that has become ready a moment ago seldom does, if it starts slowly.
        """
        if not self.slow_start.fresh or not load_balance.slow_start:
            return candidates
        return self.slow_start.admitted(upstream.key, candidates, load_balance.slow_start)

    def may_serve(self, upstream: Upstream, endpoint: Endpoint, tls: BackendTLS | None) -> bool:
        """Return whether a session may stay on its endpoint for this request."""
        if self.health.may_serve((upstream.key, endpoint, tls)):
            return True
        return not self._obeys_ejections(upstream, tls)

    def _obeys_ejections(self, upstream: Upstream, tls: BackendTLS | None) -> bool:
        endpoints, is_ejected = upstream.endpoints, self.health.is_ejected
        count = sum(is_ejected((upstream.key, endpoint, tls)) for endpoint in endpoints)
        return count * 2 <= len(endpoints)

    def _next_in_turn(self, upstream: Upstream, candidates: Sequence[Endpoint]) -> Endpoint | None:
        endpoints = upstream.endpoints
        turn = self._turn(upstream)
        index = next_in_turn(endpoints, candidates, turn.next)
        if index is None:
            return None
        turn.next = index + 1
        return endpoints[index]

    def published(self, snapshot: Snapshot) -> None:
        """Forget Upstreams and endpoints that are gone."""
        for key in [key for key in self._turns if key not in snapshot.upstreams]:
            del self._turns[key]
        self.health.published(snapshot)
        self.slow_start.published(snapshot.upstreams)
