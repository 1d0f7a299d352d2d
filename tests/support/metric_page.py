"""
docs/metrics.md as data, and what an answer of ``/metrics`` has beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from tests.support.metrics import read_samples
from tests.support.process import CHECKOUT

PAGE = CHECKOUT / "docs" / "metrics.md"

_ENTRY = re.compile(
    r"^- `(\w+)` \((counter|gauge|histogram)[^)]*\): .*\n(?:  Labels: (.*)\n)?(?:  It is there (.*)\.\n)?",
    re.MULTILINE,
)
_OF_CONTROLLER = {"controller_class", "controller_namespace", "controller_pod"}


@dataclass(frozen=True)
class Documented:
    """
    What the page says of a metric.

    :ivar when: when the metric is there; empty for always.
    """

    kind: str
    labels: frozenset[str]
    when: str


@cache
def documented() -> dict[str, Documented]:
    """:return: what it says, by the name of the metric."""
    return {
        name: Documented(kind, frozenset(re.findall(r"`(\w+)`", labels)), when)
        for name, kind, labels, when in _ENTRY.findall(PAGE.read_text())
    }


def families_of(text: str) -> dict[str, str]:
    """:return: the type of each family of ours, by its name."""
    found: dict[str, str] = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    return {name: kind for name, kind in found.items() if not re.match("process_|python_", name)}


def labels_in(text: str) -> dict[str, set[str]]:
    """:return: the labels that samples have, by family, without those of the controller."""
    kinds = families_of(text)
    labels: dict[str, set[str]] = {}
    for sample in read_samples(text):
        family = sample.name
        if family not in kinds:
            family = re.sub("_(bucket|sum|count)$", "", family)
        labels.setdefault(family, set()).update(sample.labels.keys() - _OF_CONTROLLER)
    return {family: found for family, found in labels.items() if family in kinds}


def differences(text: str) -> list[str]:
    """:return: what an answer has otherwise than the page, in the words of a failure."""
    page = documented()
    labels = labels_in(text)
    told = []
    for name, kind in families_of(text).items():
        row = page.get(name)
        if row is None:
            told.append(f"{name} is not on the page")
        elif row.kind != kind:
            told.append(f"{name} is a {kind}")
        elif labels[name] != row.labels:
            told.append(f"{name} has the labels {sorted(labels[name])}")
    missing = {name for name, row in page.items() if not row.when} - families_of(text).keys()
    return [*told, *(f"{name} is not there" for name in sorted(missing))]
