"""
The rules of all hosts, one row each: for ``/routes``, and for ``txingress routes``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from ingress.admin.page import Query
from ingress.admin.paging import Window, filtered, page_steps
from ingress.admin.route_json import route_json, upstream_name
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot, VirtualHost
from ingress.steps import Steps

ANY_HOST: Final = "*"
"""What stands for the host of rules that name none."""

_NO_FEATURES: Final = frozenset(
    {"path", "pathType", "namespace", "ingress", "upstream", "proxy", "loadBalance"}
)


class Listed(NamedTuple):
    """A rule with its host."""

    host: VirtualHost
    route: Route

    @property
    def words(self) -> tuple[str, ...]:
        """What a filter by text looks at."""
        upstream = self.route.upstream
        return (
            self.host.name or ANY_HOST,
            self.route.path,
            "/".join(self.route.ingress),
            "" if upstream is None else upstream_name(upstream),
        )


def route_row(listed: Listed) -> dict[str, Any]:
    """:return: the row of a rule, as plain values."""
    host, route = listed
    shown = route_json(route)
    return {
        "host": host.name or ANY_HOST,
        "path": route.path,
        "type": "default" if route is host.default else route.path_type,
        "upstream": shown["upstream"],
        "ingress": "/".join(route.ingress),
        "features": [name for name in shown if name not in _NO_FEATURES],
    }


def all_routes(snapshot: Snapshot) -> Iterator[Listed]:
    """:return: every rule by the name of its host; those of all other hosts come last."""
    return _routes_of(snapshot.virtual_hosts())


def _routes_of(hosts: list[VirtualHost]) -> Iterator[Listed]:
    hosts.sort(key=lambda host: (not host.name, host.name))
    return (Listed(host, route) for host in hosts for route in host.routes())


def route_steps(snapshot: Snapshot, query: Query) -> Steps[dict[str, Any]]:
    """
    Make the page of rules that a query asks for.

    :param query: with `paging.PAGING`; ``host`` is that of rules, ``*`` for those that name none.
    :raises PageError: if a parameter is wrong.
    """
    window = Window.of(query)
    if "host" in query:
        name = query.text("host").lower()
        found = snapshot.host_named("" if name == ANY_HOST else name)
        routes = _routes_of([found] if found is not None else [])
    else:
        routes = all_routes(snapshot)
    items = filtered(routes, lambda listed: window.contains(*listed.words))
    return page_steps("routes", window, items, route_row)
