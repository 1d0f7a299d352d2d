"""
The resources of the admin listener by name: how the value of each is made of what is served.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.internet.defer import DeferredLock

from ingress.admin.certificates import certificate_steps
from ingress.admin.changes import change_steps
from ingress.admin.endpoints import upstream_steps
from ingress.admin.exchanges import PARAMETERS as EXCHANGE_PARAMETERS
from ingress.admin.exchanges import Following, is_followed, wanted_of
from ingress.admin.explanation import PARAMETERS as EXPLAINED
from ingress.admin.explanation import (
    REPEATABLE,
    asked_of,
    explained,
    explanation_value,
    limit_rows,
)
from ingress.admin.overview import PARAMETERS as OVERVIEW_PARAMETERS
from ingress.admin.overview import Overview
from ingress.admin.page import PageError, Query
from ingress.admin.paging import PAGING
from ingress.admin.ports import port_steps
from ingress.admin.problems import PARAMETERS as PROBLEM_PARAMETERS
from ingress.admin.problems import problem_steps
from ingress.admin.rates import rate_steps
from ingress.admin.representation import Next, Resource, Value
from ingress.admin.routes import HostOrder, order_steps, route_steps
from ingress.admin.turns import Turns, in_slices
from ingress.explain.left_out import OF_READING
from ingress.live_config import RunInThread
from ingress.routing.build import Built
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot
from ingress.telemetry.endpoint_state import EndpointStates, with_unhealthy
from ingress.telemetry.exchange_rows import ExchangeQuestion, Wanted, together
from ingress.telemetry.observed_proxy import ObservedProxy


class _Reader:
    """
    Reads the values of the resources from a proxy.

    :param turns: those of long work.
    :param run_in_thread: for work that cannot be done in slices.
    """

    def __init__(self, proxy: ObservedProxy, turns: Turns, run_in_thread: RunInThread) -> None:
        self._proxy = proxy
        self._turns = turns
        self._run_in_thread = run_in_thread
        self._explaining = DeferredLock()
        """One explanation at a time takes a thread."""

        self._order: tuple[int, HostOrder] | None = None
        """That of the hosts, with the number of its Snapshot."""

    def _built(self) -> Built:
        built = self._proxy.published.built
        if built is None:
            raise PageError(503, "the first snapshot is not published yet")
        return built

    async def _states(self) -> EndpointStates:
        """The states of all endpoints at this moment."""
        await self._proxy.reports.refresh()
        return with_unhealthy(self._proxy.reports.endpoints(), self._proxy.unhealthy())

    async def routes(self, query: Query) -> Value:
        built = self._built()
        steps = route_steps(built, await self._order_of(built.snapshot), query)
        return await in_slices(self._turns, steps)

    async def _order_of(self, snapshot: Snapshot) -> HostOrder:
        """Order the hosts, once for each Snapshot."""
        generation = self._proxy.published.generation
        if self._order is None or self._order[0] != generation:
            self._order = generation, await in_slices(self._turns, order_steps(snapshot))
        return self._order[1]

    async def endpoints(self, query: Query) -> Value:
        built = self._built()
        return await in_slices(self._turns, upstream_steps(built, await self._states(), query))

    async def certificates(self, query: Query) -> Value:
        steps = certificate_steps(self._built().snapshot, self._proxy.now(), query)
        return await in_slices(self._turns, steps)

    async def ports(self, query: Query) -> Value:
        return await in_slices(self._turns, port_steps(self._built().snapshot, query))

    async def problems(self, query: Query) -> Value:
        steps = problem_steps(self._proxy.problems, self._proxy.found, query)
        return await in_slices(self._turns, steps)

    async def rates(self, query: Query) -> Value:
        return await in_slices(self._turns, rate_steps(self._proxy.totals.rates, query))

    async def changes(self, query: Query) -> Value:
        return await in_slices(self._turns, change_steps(self._proxy.changes, query))

    async def exchanges(self, query: Query) -> Value:
        wanted = wanted_of(query)
        parts = await self._proxy.reports.exchanges(ExchangeQuestion(wanted))
        return {"exchanges": together(parts, wanted.limit)}

    def follow_exchanges(self, query: Query) -> Next | None:
        return Following(self._proxy.reports, wanted_of(query)).next if is_followed(query) else None

    async def explanation(self, query: Query) -> Value:
        built, generation = self._built(), self._proxy.published.generation
        reading = tuple(each for each in self._proxy.problems if each.code in OF_READING)
        arguments = (explained, built, asked_of(query), self._proxy.found, reading)
        explanation = await self._explaining.run(self._run_in_thread, *arguments)
        states = await self._states()
        exchanges = await self._last_exchanges(explanation.route)
        return explanation_value(
            explanation,
            generation=generation,
            states=states,
            exchanges=exchanges,
            limits=limit_rows(
                explanation, self._proxy.reports.limit_levels(), self._turns.seconds()
            ),
        )

    async def _last_exchanges(self, route: Route | None) -> Sequence[Value]:
        """The last exchanges of a rule; of no rule those that no rule matched."""
        if route is None:
            return ()
        wanted = Wanted(rule=route.labels)
        parts = await self._proxy.reports.exchanges(ExchangeQuestion(wanted))
        return together(parts, wanted.limit)


def make_resources(
    proxy: ObservedProxy, turns: Turns, run_in_thread: RunInThread
) -> Mapping[str, Resource]:
    """
    :param turns: those of long work.
    :param run_in_thread: for work that cannot be done in slices.
    :return: the resources by name.
    """
    reader = _Reader(proxy, turns, run_in_thread)
    resources = {
        "exchanges": Resource(
            reader.exchanges, EXCHANGE_PARAMETERS, follow=reader.follow_exchanges
        ),
        "rates": Resource(reader.rates, PAGING),
        "changes": Resource(reader.changes, PAGING),
        "explain": Resource(reader.explanation, EXPLAINED, REPEATABLE),
        "routes": Resource(reader.routes, PAGING | {"host"}),
        "endpoints": Resource(reader.endpoints, PAGING | {"state"}),
        "certificates": Resource(reader.certificates, PAGING),
        "ports": Resource(reader.ports, PAGING),
        "problems": Resource(reader.problems, PROBLEM_PARAMETERS),
    }
    overview = Overview(proxy, resources, turns)
    return {"": Resource(overview.read, OVERVIEW_PARAMETERS), **resources}
