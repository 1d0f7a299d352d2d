"""
Requests a second, share of errors and times of the last hour: for ``/rates``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ingress.admin.page import Query
from ingress.admin.paging import Window, filtered, page_steps
from ingress.routing.route import RouteLabels
from ingress.steps import Steps
from ingress.telemetry.rates import TICK, TICKS_OF_MINUTE, TICKS_OF_POINT, Rate, Rates

POINT_SECONDS = TICK * TICKS_OF_POINT
MINUTE_SECONDS = TICK * TICKS_OF_MINUTE


def all_rates(rates: Rates) -> dict[str, Any]:
    """:return: the rates of all requests now, and in the last hour, as plain values."""
    return {**_row(rates.current()), "history": _history(POINT_SECONDS, rates.history())}


def rule_rates(rates: Rates, rule: RouteLabels) -> dict[str, Any]:
    """:return: the rates of a rule, as plain values."""
    now, history = rates.of(rule)
    return {**_row(now), "history": _history(MINUTE_SECONDS, history)}


def _history(seconds: float, points: Sequence[Rate]) -> dict[str, Any]:
    """:param seconds: between two points."""
    names = Rate._fields
    columns = zip(*points, strict=True) if points else ((),) * len(names)
    return {
        "seconds": seconds,
        **{name: [*map(_rounded, values)] for name, values in zip(names, columns, strict=True)},
    }


def _row(rate: Rate) -> dict[str, Any]:
    return {name: _rounded(value) for name, value in rate._asdict().items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def rate_steps(rates: Rates, query: Query) -> Steps[dict[str, Any]]:
    """
    Make the rates of all requests, and the page of rules that a query asks for.

    :param query: with `paging.PAGING`.
    :raises PageError: if a parameter is wrong.
    """
    window = Window.of(query)
    items = filtered(
        sorted(rates.rules()),
        lambda rule: window.contains(rule.host, rule.path, f"{rule.namespace}/{rule.ingress}"),
    )
    page = yield from page_steps("rules", window, items, lambda rule: _rule_row(rates, rule))
    return {"all": all_rates(rates), **page}


def _rule_row(rates: Rates, rule: RouteLabels) -> dict[str, Any]:
    return {
        # `_` is what metrics have for rules of all hosts.
        "host": "*" if rule.host == "_" else rule.host,
        "path": rule.path,
        "ingress": f"{rule.namespace}/{rule.ingress}",
        "service": rule.service,
        **rule_rates(rates, rule),
    }
