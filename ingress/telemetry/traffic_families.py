"""
The metrics of all rules, under the names of ingress-nginx.

They are most of the exposition: up to 77 lines for each rule, method and status.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Final

from ingress.routing.route import RouteLabels
from ingress.steps import STRIDE
from ingress.telemetry.exposition import Family, escaped, number
from ingress.telemetry.histogram import HISTOGRAMS, Histogram, Row
from ingress.telemetry.traffic import Series
from ingress.telemetry.traffic_totals import TrafficTotals

PREFIX: Final = "nginx_ingress_controller"

_OF_SERIES: Final = (*RouteLabels._fields, "method", "status")

_Labelled = tuple[str, Row]
"""The labels of a series as text, and its row."""


def traffic_families(totals: TrafficTotals, constants: Mapping[str, str]) -> Iterator[Family]:
    """
    :param constants: the labels ``controller_class``, ``controller_namespace`` and
        ``controller_pod``, which all series have.
    :return: families that must be read in this order.
    """
    rows: list[_Labelled] = []
    yield Family(
        f"{PREFIX}_requests",
        "counter",
        "The total number of client requests",
        _requests(_labelled(totals, constants, rows)),
        (*_OF_SERIES, *constants),
    )
    for histogram in HISTOGRAMS:
        yield Family(
            f"{PREFIX}_{histogram.name}",
            "histogram",
            histogram.help,
            _observations(histogram, rows),
            (*_OF_SERIES, *constants, "le"),
        )


def _labelled(
    totals: TrafficTotals, constants: Mapping[str, str], rows: list[_Labelled]
) -> Iterator[tuple[str, int]]:
    """
    :param rows: gets those that have histograms, because making the text takes long.
    :return: the labels of each series as text, and its requests.
    """
    middle = ",".join(f'{name}="{escaped(constants[name])}"' for name in sorted(constants))
    for series, total in totals:
        labels = _labels(series, middle)
        if total.row is not None:
            rows.append((labels, total.row))
        yield labels, total.requests


def _labels(series: Series, constants: str) -> str:
    """The labels sorted by name, as `label_text` sorts them."""
    (host, namespace, ingress, service, path, canary), method, status = series
    return (
        f'canary="{escaped(canary)}",{constants},host="{escaped(host)}",ingress="{escaped(ingress)}",'
        f'method="{method}",namespace="{escaped(namespace)}",path="{escaped(path)}",'
        f'service="{escaped(service)}",status="{status}"'
    )


def _requests(series: Iterable[tuple[str, int]]) -> Iterator[str]:
    for labels, requests in series:
        yield f"{PREFIX}_requests{{{labels}}} {requests}\n"


def _observations(histogram: Histogram, rows: Iterable[_Labelled]) -> Iterator[str]:
    """The lines of one histogram; a series without observations has none."""
    name = f"{PREFIX}_{histogram.name}"
    bounds = [*(f"{bound:g}" for bound in histogram.bounds), "+Inf"]
    template = "".join(
        f'{name}_bucket{{{{{{0}},le="{bound}"}}}} {{{index}}}\n'
        for index, bound in enumerate(bounds, 1)
    )
    last = len(bounds)
    template += f"{name}_sum{{{{{{0}}}}}} {{{last + 1}}}\n{name}_count{{{{{{0}}}}}} {{{last}}}\n"
    for count, (labels, row) in enumerate(rows):
        counts = list(accumulate(map(int, histogram.buckets(row))))
        if counts[-1]:
            yield template.format(labels, *counts, number(row[histogram.sum_index]))
        elif count % STRIDE == STRIDE - 1:
            yield ""
