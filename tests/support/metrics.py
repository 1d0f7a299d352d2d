"""
Reads an exposition as Prometheus does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families


class Sample(NamedTuple):
    name: str
    labels: dict[str, str]
    value: float


def read_samples(text: str) -> Iterator[Sample]:
    """
    :return: each sample under the name that is written; the parser would add a suffix to
        the names of counters.
    """
    lines = f"\n{text}"
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            is_written = f"\n{sample.name}{{" in lines or f"\n{sample.name} " in lines
            name = sample.name if is_written else sample.name.removesuffix("_total")
            yield Sample(name, sample.labels, sample.value)


def sample_value(text: str, name: str, /, **labels: str) -> float | None:
    """
    :param labels: some of the sample's labels.
    :return: the value of the only matching sample; None if there is none.
    """
    found = [
        sample.value
        for sample in read_samples(text)
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(found) <= 1, f"{len(found)} samples of {name} have {labels}"
    return found[0] if found else None
