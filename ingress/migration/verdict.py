"""
What becomes of one part of an installation of ingress-nginx.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from ingress.problem import shown

_MOST_SHOWN: Final = 120
_LINK: Final = re.compile(r"\(?\[([^\]]+)\]\([^)]*\)\)?")


class Verdict(StrEnum):
    """What becomes of a part, the worst first; the words are those of ``txingress check``."""

    CLOSED = "closed"
    """It decides access, or cannot be served: its paths answer with an error."""

    DIFFERS = "differs"
    """It is served, but not as ingress-nginx does."""

    IGNORED = "ignored"
    """It has no effect."""

    SAME = "same"


WORST_FIRST: Final = tuple(Verdict)
SHOWN_ORDER: Final = (Verdict.SAME, Verdict.DIFFERS, Verdict.IGNORED, Verdict.CLOSED)
"""The columns of tables."""


class Part(StrEnum):
    """What a row of the report is about, in the order of the report."""

    INGRESS = "Ingress"
    FLAG = "flag"
    KEY = "ConfigMap key"
    VALUE = "Helm value"
    OBJECT = "object"


ACCESS: Final = "Let somebody who knows the rules of access read it before the switch."
"""What to do about something without effect that may have kept somebody out."""

OPERATOR: Final = "who runs the cluster"
"""Decides about everything but Ingresses."""


@dataclass(frozen=True, slots=True)
class Row:
    """One part, and what becomes of it."""

    part: Part
    name: str
    """Such as ``--publish-service``, ``proxy-body-size`` or ``shop/web``."""

    verdict: Verdict
    follows: str = ""
    """What follows, for people; may be empty for what is the same."""

    action: str = ""
    """What to do; empty if nothing has to be done."""

    value: str = ""
    """As written, shortened; empty if it must not be shown."""

    owner: str = OPERATOR
    """Who decides."""

    codes: tuple[str, ...] = ()
    """Of findings (docs/findings)."""

    file: str = ""
    line: int = 0

    def as_json(self) -> dict[str, Any]:
        """:return: plain values."""
        return {
            "part": str(self.part),
            "name": self.name,
            "value": self.value or None,
            "verdict": str(self.verdict),
            "follows": self.follows or None,
            "action": self.action or None,
            "owner": self.owner if self.verdict is not Verdict.SAME else None,
            "codes": list(self.codes),
            "file": self.file or None,
            "line": self.line or None,
        }


def plain(text: str) -> str:
    """:return: a text of the documentation without its links and marks."""
    return _LINK.sub(r"\1", text).replace("`", "")


def as_value(value: object) -> str:
    """:return: a value that is no secret as a row shows it."""
    return shown(value if isinstance(value, str) else _text(value), _MOST_SHOWN)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """:return: the worst of them; `Verdict.SAME` without any."""
    return min(verdicts, key=WORST_FIRST.index, default=Verdict.SAME)


def count(rows: Iterable[Row]) -> Mapping[Part, Counter[Verdict]]:
    """:return: the numbers of each part, in the order of the parts; only those that there are."""
    counts = {part: Counter[Verdict]() for part in Part}
    for row in rows:
        counts[row.part][row.verdict] += 1
    return {part: found for part, found in counts.items() if found}
