"""
The report of a move: rows by verdict, with what people do and decide, for those who know no YAML.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import Any, Final

from ingress.migration.verdict import (
    ACCESS,
    NOTHING,
    SHOWN_ORDER,
    WORST_FIRST,
    Part,
    Row,
    Verdict,
    count,
)

MEANING: Final[Mapping[Verdict, str]] = {
    Verdict.CLOSED: "it answers with an error, or is not served, until somebody decides",
    Verdict.DIFFERS: "it works, but not quite as before",
    Verdict.IGNORED: "it has no effect any more",
    Verdict.SAME: "it works as before",
}
"""The verdicts for people."""

HEADING: Final[Mapping[Verdict, str]] = {
    Verdict.CLOSED: "What will stop working",
    Verdict.DIFFERS: "What will be different",
    Verdict.IGNORED: "What will have no effect",
    Verdict.SAME: "What stays the same",
}
_PLURALS: Final[Mapping[Part, str]] = {
    Part.INGRESS: "Ingresses (rules by which requests reach applications)",
    Part.FLAG: "flags of the command line",
    Part.KEY: "keys of the ConfigMap (settings for all)",
    Part.VALUE: "values given to the Helm chart",
    Part.OBJECT: "other objects and their fields",
}


ABOUT: Final = (
    "People reach the applications of this cluster through a program, ingress-nginx. Another one, "
    "txingress, is to take its place, under the same addresses. This report says what that "
    "changes, for each address and each setting, and what somebody has to do for it. Nothing has "
    "changed yet."
)
"""For whoever reads nothing else about it."""

SWITCH: Final = (
    "Nobody has to type another address. At the switch, which takes a second, new connections go "
    "to txingress; those that are open stay with ingress-nginx until they end. "
)
"""What the switch is; on ports of nodes it is a second for each node."""

BACK: Final = SWITCH + (
    "As long as ingress-nginx is kept running, a week at least, one command leads everything back "
    "to it within seconds."
)

LIMITS: Final = (
    "It was made of what was read on its date. A change since then is not in it.",
    "It compares rules, not use: which requests people really send, the comparison with a log of "
    "ingress-nginx shows (step 2 of the procedure).",
    "What an application itself does is not looked at: it is asked as before.",
)
"""What the report cannot say."""

WORDS: Final[Mapping[str, str]] = {
    "address": "what people type or click: https://shop.example/cart",
    "Ingress": "a rule by which an address leads to an application; NAMESPACE/NAME is its name",
    "namespace": "the part of the cluster that one team has",
    "annotation": "a setting of one Ingress",
    "ConfigMap key": "a setting for all addresses",
    "flag": "a setting with which the program starts",
    "Helm value": "a setting that the program was installed with",
    "503, 404": "error pages: the address is closed; there is no such address",
    "TCP port": "a way into the cluster for programs that are not browsers, such as databases",
}
"""For whoever knows none of them."""

AGREED: Final = (
    "I have read what concerns me above, and agree that txingress takes the place of ingress-nginx "
    "once everything that has to be done for it is done."
)

MOST_ADDRESSES: Final = 10
"""Addresses of one row that are shown; the JSON has all."""

MOST_SAME: Final = 200
"""Addresses that are named of one team where nothing changes."""

MOST_TEAMS: Final = 50
"""Teams of which they are named; the others are counted."""


def _of(rows: Sequence[Row], what: str) -> str:
    """:return: how many of some rows are not the same."""
    numbers = Counter(row.verdict for row in rows)
    told = [
        f"{numbers[verdict]} {words}"
        for verdict, words in (
            (Verdict.CLOSED, "will stop working"),
            (Verdict.DIFFERS, "will be different"),
            (Verdict.IGNORED, "will have no effect any more"),
        )
        if numbers[verdict]
    ]
    if not rows:
        return ""
    if not told:
        return f"All {len(rows):,} {what} stay as they are."
    listed = " and ".join(filter(None, (", ".join(told[:-1]), told[-1])))
    return f"Of {len(rows):,} {what}, {listed}."


@dataclass(frozen=True)
class Report:
    """What becomes of one installation."""

    title: str
    """The workload, for people."""

    class_name: str
    made: str
    """The date."""

    rows: tuple[Row, ...]

    @cached_property
    def by_verdict(self) -> Mapping[Verdict, Sequence[Row]]:
        """All rows, the worst first, then in the order of parts."""
        found: dict[Verdict, dict[Part, list[Row]]] = {
            verdict: {part: [] for part in Part} for verdict in WORST_FIRST
        }
        for row in self.rows:
            found[row.verdict][row.part].append(row)
        return {verdict: list(chain(*parts.values())) for verdict, parts in found.items()}

    @cached_property
    def undecided(self) -> Sequence[Row]:
        """What is not the same, the worst first."""
        rows = self.by_verdict.items()
        return [row for verdict, those in rows if verdict is not Verdict.SAME for row in those]

    def number(self, verdict: Verdict) -> int:
        """:return: how many rows have a verdict."""
        return len(self.by_verdict[verdict])

    def counts(self) -> list[tuple[str, list[int]]]:
        """:return: for each part, in words, the numbers of `SHOWN_ORDER`."""
        return [
            (_PLURALS[part], [numbers[verdict] for verdict in SHOWN_ORDER])
            for part, numbers in count(self.rows).items()
        ]

    def tasks(self) -> Mapping[tuple[str, str], list[Row]]:
        """:return: the rows of each thing that somebody has to do, by that and by whom."""
        found: dict[tuple[str, str], list[Row]] = {}
        for row in self.undecided:
            if row.action and row.action != NOTHING:
                found.setdefault((row.action, row.owner), []).append(row)
        return found

    def same_addresses(self) -> Mapping[str, list[str]]:
        """:return: the addresses of which nothing changes, by the team that has them, in short."""
        found: dict[str, dict[str, None]] = {}
        for row in self.rows:
            if row.verdict is Verdict.SAME and row.addresses:
                found.setdefault(row.owner, {}).update(dict.fromkeys(row.addresses))
        shown = {owner: list(each) for owner, each in islice(found.items(), MOST_TEAMS)}
        for owner, addresses in shown.items():
            if len(addresses) > MOST_SAME:
                shown[owner] = [*addresses[:MOST_SAME], f"and {len(addresses) - MOST_SAME:,} more"]
        if others := list(islice(found.values(), MOST_TEAMS, None)):
            number = sum(map(len, others))
            shown[f"{len(others):,} other teams"] = [f"{number:,} addresses, as report.json says"]
        return shown

    def same_settings(self) -> int:
        """:return: how many settings and other things stay as they are."""
        return sum(row.verdict is Verdict.SAME and not row.addresses for row in self.rows)

    def signers(self) -> Iterator[tuple[str, int]]:
        """Yield who has to agree, with the number of points for each; whoever decides is last."""
        for owner, rows in self.owners().items():
            yield owner, len(rows)
        yield "whoever decides on the switch", len(self.undecided)

    def owners(self) -> Mapping[str, list[Row]]:
        """:return: what has to be decided or done, by whom."""
        found: dict[str, list[Row]] = {}
        for row in self.undecided:
            found.setdefault(row.owner, []).append(row)
        return found

    def verdict_sentence(self) -> str:
        """:return: the whole in one sentence."""
        closed = self.number(Verdict.CLOSED)
        if not self.undecided:
            return f"Everything works as before ({len(self.rows)} things were looked at)."
        begin = "Nothing stops working."
        if closed:
            number = "one thing" if closed == 1 else f"{closed} things"
            begin = f"Do not switch yet: {number} will stop working until somebody decides."
        rules = [row for row in self.rows if row.part is Part.INGRESS]
        others = [row for row in self.rows if row.part is not Part.INGRESS]
        parts = (_of(rules, "rules for addresses"), _of(others, "settings and other things"))
        access = sum(row.action == ACCESS for row in self.undecided)
        warning = (
            f"{access} of what has no effect any more may have kept somebody out." if access else ""
        )
        return " ".join(filter(None, (begin, *parts, warning)))

    def as_json(self) -> dict[str, Any]:
        """:return: plain values."""
        return {
            "installation": self.title,
            "class": self.class_name,
            "made": self.made,
            "verdict": self.verdict_sentence(),
            "summary": {
                str(part): {str(verdict): numbers[verdict] for verdict in SHOWN_ORDER}
                for part, numbers in count(self.rows).items()
            },
            "rows": [row.as_json() for rows in self.by_verdict.values() for row in rows],
        }


Writer = Callable[[Report], Iterator[str]]
