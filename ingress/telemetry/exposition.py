"""
Prometheus's text format, written in pieces.

``prometheus_client`` writes it all at once and takes 25 µs for a line. This module
takes one or less (docs/adr/0019-counters.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple

MEDIA_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"

_PIECE_SIZE: Final = 16 * 1024
"""The fewest characters of a piece, unless making them takes long."""

_NAME: Final = re.compile(r'(\w+)="(?:[^"\\]|\\.)*"')

_SPECIAL: Final = re.compile(r"[\\\n\"]")
_ESCAPES: Final = {"\\": r"\\", "\n": r"\n", '"': r"\""}


Kind = Literal["counter", "gauge", "histogram"]


class Family(NamedTuple):
    """A metric with all its samples."""

    name: str
    kind: Kind
    help: str
    lines: Iterable[str] = ()
    """
    Each string is any number of whole lines; an empty one stands for work without a
    result. A family without lines is left out.
    """

    labels: tuple[str, ...] = ()
    """The names of the labels that its samples may have; docs/metrics.md is made of them."""


def pieces(families: Iterable[Family]) -> Iterator[bytes]:
    """
    :return: the exposition of the families, each of which is exhausted before the
        next is read. Empty pieces stand for work without a result yet.
    """
    waiting: list[str] = []
    size = 0
    for family in families:
        is_first = True
        for lines in family.lines:
            if not lines:
                yield b""
                continue
            if is_first:
                is_first = False
                waiting.append(_head(family))
            waiting.append(lines)
            size += len(lines)
            if size >= _PIECE_SIZE:
                yield _encoded(waiting)
                waiting.clear()
                size = 0
    yield _encoded(waiting)


def _encoded(lines: list[str]) -> bytes:
    # A lone surrogate, which JSON can put into the path of a rule, has no encoding.
    return "".join(lines).encode("utf-8", "replace")


def _head(family: Family) -> str:
    """HELP and TYPE; our explanations need no escapes."""
    return f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n"


def label_text(labels: Mapping[str, str]) -> str:
    """The text between the braces, sorted by name as in ingress-nginx."""
    return ",".join([f'{name}="{escaped(labels[name])}"' for name in sorted(labels)])


def escaped(value: str) -> str:
    """The value of a label as it is written between quotes."""
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], value)


def number(value: float) -> str:
    """A value as Go's libraries write it: integers without a decimal point."""
    return str(int(value)) if value == int(value) else repr(value)


def line(name: str, labels: str, value: float) -> str:
    """
    One sample.

    :param labels: the result of `label_text`, or empty.
    """
    return f"{name}{{{labels}}} {number(value)}\n" if labels else f"{name} {number(value)}\n"


def gauge(name: str, explanation: str, value: float, labels: str = "") -> Family:
    """A family of a single sample."""
    return Family(name, "gauge", explanation, (line(name, labels, value),), _names(labels))


def counter(name: str, explanation: str, value: float, labels: str = "") -> Family:
    """A family of a single sample."""
    return Family(name, "counter", explanation, (line(name, labels, value),), _names(labels))


def _names(labels: str) -> tuple[str, ...]:
    return tuple(_NAME.findall(labels))


def by_label(
    family: Family,
    label: str,
    values: Mapping[str, float],
    constants: Mapping[str, str] | None = None,
) -> Family:
    """
    :param family: without lines.
    :return: the family with a line for each value of `label`, sorted.
    """
    lines = [
        line(family.name, label_text({**(constants or {}), label: key}), values[key])
        for key in sorted(values)
    ]
    return family._replace(lines=lines, labels=(*(constants or {}), label))
