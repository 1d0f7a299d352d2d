"""
The last hour of a rule, as two small graphs: its requests with their errors, and its times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ingress.admin.html.graph import Values, padded, sparkline
from ingress.admin.html.markup import Markup, join
from ingress.admin.html.words import quantile, rate, share

History = Mapping[str, Any]
"""As `ingress.admin.rates` makes it."""

FIRST_MINUTES: Final = 10
"""Minutes of a graph after the start; it grows to an hour."""


def trends(history: History, what: str) -> Markup | None:
    """
    :param what: the rule, in words.
    :return: both graphs; None without requests.
    """
    requests, times = request_trend(history, what), time_trend(history, what)
    return None if requests is None else join(requests, times)


def request_trend(history: History, what: str) -> Markup | None:
    """:return: the requests a second, and those of them that failed, on one scale."""
    rates: Sequence[float] = history["rate"]
    if not any(rates):
        return None
    lines: list[tuple[Values, str]] = [(padded(rates, FIRST_MINUTES), "first")]
    words = f"Requests a second of {what} in the last hour: {rate(max(rates))} at most"
    shares = [each or 0.0 for each in history["errors"]]
    if any(shares):
        errors = [each * part for each, part in zip(rates, shares, strict=True)]
        lines.append((padded(errors, FIRST_MINUTES), "bad"))
        words += f"; in red those that failed, up to {share(max(shares))} of a minute"
    return sparkline(lines, words)


def time_trend(history: History, what: str) -> Markup | None:
    """:return: p50, and p99 as a broken line, on one scale."""
    known = [each for each in history["p99"] if each is not None]
    if not known:
        return None
    return sparkline(
        [
            (padded(history["p50"], FIRST_MINUTES), "first"),
            (padded(history["p99"], FIRST_MINUTES), "second"),
        ],
        f"Times of {what} in the last hour: p50, and p99 as a broken line, "
        f"{quantile(max(known))} at most",
        has_areas=False,
    )
