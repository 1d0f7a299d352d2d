"""
What becomes of one part of an installation of ingress-nginx.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

from ingress.frozen import dataclass
from ingress.problem import shown

_MOST_SHOWN: Final = 120
_LINK: Final = re.compile(r" \(\[[^\]]+\]\([^)]*\)\)|\[([^\]]+)\]\([^)]*\)")


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

NOTHING: Final = "Nothing has to be done."

NO_WEBHOOK: Final = (
    "At the switch, remove ingress-nginx's check of new rules (ValidatingWebhookConfiguration): "
    "otherwise nobody can change an Ingress once ingress-nginx is gone. Run txingress check in CI."
)

NOTICED_WITHOUT_WEBHOOK: Final = (
    "A mistake in a new rule is not refused when it is made: its address does not work then."
)

OPERATOR: Final = "who runs the cluster"
"""Decides about everything but Ingresses."""


_NOTICED: Final[Mapping[tuple[Verdict, Part | None], str]] = {
    (Verdict.CLOSED, Part.INGRESS): (
        "People see an error page at these addresses: 503 (Service Unavailable) or 404 (Not Found)."
    ),
    (Verdict.CLOSED, Part.KEY): "People see an error page (503) at every address.",
    (Verdict.CLOSED, Part.FLAG): "Not at all until somebody misses it: it is left out.",
    (Verdict.CLOSED, None): "Addresses that depend on it answer with an error, or do not exist.",
    (Verdict.DIFFERS, Part.INGRESS): (
        "Some requests to these addresses get another answer; step 2 of the procedure lists which."
    ),
    (Verdict.DIFFERS, None): "Whoever works with it sees it; people who use applications do not.",
    (Verdict.IGNORED, None): "Nobody sees an error; whoever relied on it would miss it.",
}
"""How what follows is noticed, where a row does not say it itself."""


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

    addresses: tuple[str, ...] = ()
    """What clients ask for, such as ``https://shop.example/cart``."""

    notice: str = ""
    """How somebody would notice what follows; empty for `Row.noticed` to say it."""

    @property
    def place(self) -> str:
        """Where it is written: file and line; empty if nobody knows."""
        return f"{self.file}, line {self.line}" if self.file and self.line else self.file

    @property
    def noticed(self) -> str:
        """How somebody would notice what follows; empty for what is the same."""
        if self.notice or self.verdict is Verdict.SAME:
            return self.notice
        return _NOTICED.get((self.verdict, self.part)) or _NOTICED[self.verdict, None]

    def as_json(self) -> dict[str, Any]:
        """:return: plain values."""
        return {
            "part": str(self.part),
            "name": self.name,
            "addresses": list(self.addresses),
            "value": self.value or None,
            "verdict": str(self.verdict),
            "follows": self.follows or None,
            "notice": self.noticed or None,
            "action": self.action or None,
            "owner": self.owner if self.verdict is not Verdict.SAME else None,
            "codes": list(self.codes),
            "file": self.file or None,
            "line": self.line or None,
        }


def plain(text: str) -> str:
    """:return: a text of the documentation without links in parentheses, and without marks."""
    return _LINK.sub(lambda found: found[1] or "", text).replace("`", "")


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
