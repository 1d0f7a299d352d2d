"""
The four figures at the top of the page, with the last hour of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ingress.admin.html.cells import expiry
from ingress.admin.html.graph import Values, chart, padded
from ingress.admin.html.markup import Child, Markup, tag
from ingress.admin.html.words import count, quantile, rate, share, span

Value = Mapping[str, Any]

FIRST_SECONDS: Final = 300
"""The time that the graphs show after the start; it grows to an hour."""

_DRAWN: Final = ("rate", "errors", "p50", "p99")


def figures(value: Value) -> Markup:
    """:param value: `ingress.admin.overview`."""
    rates = value["rates"]
    step = rates["history"]["seconds"]
    points = max(len(rates["history"]["rate"]), round(FIRST_SECONDS / step))
    history = {name: padded(rates["history"][name], points) for name in _DRAWN}
    begin = f"{span(points * step)} ago"
    return tag(
        "div",
        _figure(
            "Requests a second",
            rate(rates["rate"]),
            chart(
                [(history["rate"], "first")],
                f"Requests a second in the last hour, now {rate(rates['rate'])}",
                _axis(begin, history["rate"], rate),
            ),
        ),
        _figure(
            "Errors (5xx)",
            share(rates["errors"]),
            chart(
                [(history["errors"], "bad")],
                f"Share of errors in the last hour, now {share(rates['errors'])}",
                _axis(begin, history["errors"], share),
            ),
        ),
        _figure(
            "Time to answer",
            [
                quantile(rates["p50"]),
                tag("small", "p50"),
                quantile(rates["p99"]),
                tag("small", "p99"),
            ],
            chart(
                [(history["p50"], "first"), (history["p99"], "second")],
                f"Times in the last hour, now {quantile(rates['p50'])} at p50 "
                f"and {quantile(rates['p99'])} at p99",
                _axis(
                    begin,
                    history["p99"],
                    quantile,
                    tag(
                        "span",
                        tag("span", "p50", class_="key"),
                        " ",
                        tag("span", "p99", class_="key second"),
                    ),
                ),
                has_area=False,
            ),
        ),
        _counts(value),
        class_="figures",
    )


def _figure(title: str, shown: Child, graph: Markup) -> Markup:
    return tag(
        "section",
        tag("h2", title),
        tag("p", shown, class_="value"),
        graph,
        class_="panel figure",
    )


def _axis(begin: str, values: Values, words: Any, between: Child = None) -> Markup:
    known: Sequence[float] = [value for value in values if value is not None]
    most = f"at most {words(max(known))}" if known else "nothing is known yet"
    return tag("p", tag("span", begin), between, tag("span", most), class_="axis")


def _counts(value: Value) -> Markup:
    problems = value["problems"]["total"]
    first = value["certificates"]["certificates"]
    ejected = value["endpoints"]["ejected"] + value["endpoints"]["failing"]
    facts: list[tuple[str, Child]] = [
        ("Hosts", count(value["map"]["hosts"])),
        ("Endpoints", count(value["endpoints"]["all"])),
        ("Not ok", _bad(ejected)),
        ("Problems", _bad(problems)),
        ("Certificates", expiry(first[0]["daysLeft"]) if first else "none"),
    ]
    return tag(
        "section",
        tag("h2", "State"),
        tag("dl", [(tag("dt", name), tag("dd", shown)) for name, shown in facts]),
        class_="panel figure counts",
    )


def _bad(number: int) -> Child:
    return tag(
        "span", count(number) if number else "none", class_=f"state {'bad' if number else 'ok'}"
    )
