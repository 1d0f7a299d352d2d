"""
The value of the page at ``/``: a part of each resource, and the answer to a search.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from ingress.admin.controller_state import controller_state
from ingress.admin.map import MapQuery, map_steps
from ingress.admin.page import PageError, Query
from ingress.admin.rates import all_rates, rule_rates
from ingress.admin.representation import Resource, Value
from ingress.admin.snapshot_json import moment_text
from ingress.admin.turns import Turns, in_slices
from ingress.routing.build import Built
from ingress.routing.match import find_host
from ingress.telemetry.endpoint_state import EndpointStates, with_unhealthy
from ingress.telemetry.observed_proxy import ObservedProxy

PARAMETERS: Final = frozenset({"q", "offset"})

_PARTS: Final = {"problems": 5, "certificates": 6, "exchanges": 12, "changes": 6}
"""Rows of each resource that the page shows."""

_MOST: Final = 100_000_000

_URL: Final = re.compile(r"(?:(?P<scheme>https?)://)?(?P<host>[^/?#\s]+)(?P<rest>[/?#].*)?", re.I)
_NAME: Final = re.compile(
    r"(?:[\w-]+\.)+[\w-]+(?::\d+)?|localhost(?::\d+)?|\[[0-9a-f:.]+\](?::\d+)?", re.I
)


class Overview:
    """
    Reads what the page shows.

    :param resources: those of the other pages.
    :param turns: those of long work.
    """

    def __init__(
        self,
        proxy: ObservedProxy,
        resources: Mapping[str, Resource],
        turns: Turns,
    ) -> None:
        self._proxy = proxy
        self._resources = resources
        self._turns = turns

    async def read(self, query: Query) -> Value:
        """
        Read the value of the page.

        :param query: ``q`` is a URL to explain, or a part of what the map shall show.
        :raises PageError: if there is no Snapshot yet, or a number is wrong.
        """
        proxy = self._proxy
        built = proxy.published.built
        if built is None:
            raise PageError(503, "the first snapshot is not published yet")
        await proxy.reports.refresh()
        states = with_unhealthy(proxy.reports.endpoints(), proxy.unhealthy())
        q = query.text("q").strip()
        wanted = map_query(built, q, query.number("offset", 0, _MOST))
        value: dict[str, Any] = {
            "q": q,
            "now": moment_text(proxy.now()),
            "explanation": None,
            "refusal": None,
            "map": await in_slices(
                self._turns,
                map_steps(
                    built, states, partial(rule_rates, proxy.totals.rates), wanted, proxy.now()
                ),
            ),
            "endpoints": _endpoint_counts(built, states),
            "controller": controller_state(proxy, built),
        }
        if is_url(q):
            try:
                value["explanation"] = await self._part("explain", {"url": [q]})
            except PageError as error:
                value["refusal"] = str(error)
        for name, limit in _PARTS.items():
            value[name] = await self._part(name, {"limit": [str(limit)]})
        value["rates"] = all_rates(proxy.totals.rates)
        return value

    async def _part(self, name: str, query: dict[str, list[str]]) -> Value:
        if name not in self._resources:
            return {name: [], "total": 0}
        return await self._resources[name].read(Query(query))


def is_url(q: str) -> bool:
    """:return: whether this is a URL, perhaps without its scheme, and no part of a name."""
    found = _URL.fullmatch(q)
    if found is None or "*" in found["host"]:
        return False
    return found["scheme"] is not None or _NAME.fullmatch(found["host"]) is not None


def map_query(built: Built, q: str, offset: int) -> MapQuery:
    """:return: the host of a URL where there is one, and else what contains the text."""
    text = q.lower()
    found = _URL.fullmatch(q)
    if not is_url(q) or found is None:
        return MapQuery(text, None, offset)
    name = found["host"].lower().rpartition("@")[2]
    name = re.sub(r":\d+$", "", name)
    is_whole = found["scheme"] is not None or found["rest"] is not None
    host = find_host(built.snapshot, name.encode("utf-8", "replace"))
    if is_whole or (host is not None and host.name == name):
        return MapQuery("", host.name if host is not None else name, offset)
    return MapQuery(text, None, offset)


def _endpoint_counts(built: Built, states: EndpointStates) -> dict[str, int]:
    upstreams = built.snapshot.upstreams
    counts = {"all": sum(len(each.endpoints) for each in upstreams.values())}
    counts["ejected"] = sum(
        endpoint in upstreams[key].endpoints
        for endpoint, state in states.items()
        for key in state.ejected_for
        if key in upstreams
    )
    counts["failing"] = sum(
        endpoint in upstreams[key].endpoints
        for endpoint, state in states.items()
        for key in state.unhealthy_for - state.ejected_for
        if key in upstreams
    )
    return counts
