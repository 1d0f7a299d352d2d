"""
Requests a second, share of errors and times of the last hour: for ``/rates``.
"""

from __future__ import annotations

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
    history = rates.history()
    return {
        **_row(rates.current()),
        "history": {
            "seconds": POINT_SECONDS,
            "rate": [point.rate for point in history],
            "errors": [point.errors for point in history],
            "p50": [point.p50 for point in history],
            "p99": [point.p99 for point in history],
        },
    }


def rule_rates(rates: Rates, rule: RouteLabels) -> dict[str, Any]:
    """:return: the rates of a rule, as plain values."""
    now, history = rates.of(rule)
    return {**_row(now), "history": [round(point, 4) for point in history]}


def _row(rate: Rate) -> dict[str, Any]:
    return {
        name: None if value is None else round(value, 6) for name, value in rate._asdict().items()
    }


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
    return {"all": all_rates(rates), "secondsOfRules": MINUTE_SECONDS, **page}


def _rule_row(rates: Rates, rule: RouteLabels) -> dict[str, Any]:
    return {
        # `_` is what metrics have for rules of all hosts.
        "host": "*" if rule.host == "_" else rule.host,
        "path": rule.path,
        "ingress": f"{rule.namespace}/{rule.ingress}",
        "service": rule.service,
        **rule_rates(rates, rule),
    }
