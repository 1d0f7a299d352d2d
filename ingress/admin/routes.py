"""
The rules of all hosts, one row each: for ``/routes``, and for ``txingress routes``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, Final, NamedTuple

from ingress.admin.page import Query
from ingress.admin.paging import Window, filtered, page_steps
from ingress.admin.route_json import route_json, upstream_name
from ingress.routing.build import Built
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot, VirtualHost
from ingress.steps import STRIDE, Steps, finish

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


def place_of(built: Built, route: Route) -> dict[str, Any]:
    """:return: file and line of the Ingress that a rule is of; None for one of a cluster."""
    ingress = built.memo.objects.ingresses.get(route.ingress)
    if ingress is None or not ingress.origin.file:
        return {"file": None, "line": None}
    return {"file": ingress.origin.file, "line": ingress.origin.line or None}


def route_row(built: Built, listed: Listed) -> dict[str, Any]:
    """:return: the row of a rule, as plain values."""
    host, route = listed
    shown = route_json(route)
    return {
        "host": host.name or ANY_HOST,
        "path": route.path,
        "type": "default" if route is host.default else route.path_type,
        "upstream": shown["upstream"],
        "ingress": "/".join(route.ingress),
        **place_of(built, route),
        "features": [name for name in shown if name not in _NO_FEATURES],
    }


class HostOrder(NamedTuple):
    """The hosts of a Snapshot in the order of lists; it keeps nothing of the Snapshot alive."""

    names: list[str]
    ends: list[int]
    """For each host, how many rules there are up to its last one."""


def order_steps(snapshot: Snapshot) -> Steps[HostOrder]:
    """Put the hosts in order: by name; the one for all other hosts comes last."""
    names = sorted(host.name for host in snapshot.virtual_hosts())
    if names and not names[0]:
        names.append(names.pop(0))
    yield
    ends, total = [], 0
    for count, name in enumerate(names):
        host = snapshot.host_named(name)
        total += sum(1 for _ in host.routes()) if host is not None else 0
        ends.append(total)
        if count % STRIDE == STRIDE - 1:
            yield
    return HostOrder(names, ends)


def all_routes(snapshot: Snapshot) -> Iterator[Listed]:
    """:return: every rule by the name of its host; those of all other hosts come last."""
    return _routes_of(snapshot, finish(order_steps(snapshot)).names)


def _routes_of(snapshot: Snapshot, names: Iterable[str]) -> Iterator[Listed]:
    hosts = (snapshot.host_named(name) for name in names)
    return (Listed(host, route) for host in hosts if host is not None for route in host.routes())


def route_steps(built: Built, order: HostOrder, query: Query) -> Steps[dict[str, Any]]:
    """
    Make the page of rules that a query asks for.

    :param order: that of the hosts of its Snapshot.
    :param query: with `paging.PAGING`; ``host`` is that of rules, ``*`` for those that name none.
    :raises PageError: if a parameter is wrong.
    """
    window = Window.of(query)
    if "host" not in query and not window.text:
        return _plain_page(built, order, window)
    name = query.text("host").lower()
    names = order.names if "host" not in query else ["" if name == ANY_HOST else name]
    routes = _routes_of(built.snapshot, names)
    items = filtered(routes, lambda listed: window.contains(*listed.words))
    return page_steps("routes", window, items, partial(route_row, built))


def _plain_page(built: Built, order: HostOrder, window: Window) -> Steps[dict[str, Any]]:
    """Make a page of all rules; those before it are not looked at."""
    first = bisect_right(order.ends, window.offset)
    before = order.ends[first - 1] if first else 0
    routes = islice(
        _routes_of(built.snapshot, islice(order.names, first, None)),
        window.offset - before,
        window.offset - before + window.limit,
    )
    row = partial(route_row, built)
    page = yield from page_steps("routes", window._replace(offset=0), routes, row)
    total = order.ends[-1] if order.ends else 0
    return {**page, "total": total, "offset": window.offset}
