"""
The heads of messages as text, and what differs between two of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FieldPairs = tuple[tuple[str, str], ...]

_NEVER_SHOWN: Final = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})
"""Fields whose values may be secrets."""


@dataclass(frozen=True)
class FieldChanges:
    """The difference between the fields that came and those that go on."""

    added: FieldPairs = ()
    changed: FieldPairs = ()
    removed: tuple[str, ...] = ()


def target_of(head: bytes) -> str:
    """:return: the target of a request; empty if there is none."""
    line = head.partition(b"\r\n")[0].decode("latin-1")
    return line.split(" ")[1] if line.count(" ") > 1 else ""


def field_pairs(head: bytes) -> dict[str, tuple[str, str]]:
    """:return: name and value of each field by its name in lower case; several values are one."""
    found: dict[str, tuple[str, str]] = {}
    for line in head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        before = found.get(name.lower())
        values = value.strip() if before is None else f"{before[1]}, {value.strip()}"
        found[name.lower()] = name, values
    return found


def changes_between(before: bytes, after: bytes) -> FieldChanges:
    """:return: what differs between the fields of two heads; no secrets."""
    old, new = field_pairs(before), field_pairs(after)
    return FieldChanges(
        added=tuple(shown_field(*pair) for key, pair in new.items() if key not in old),
        changed=tuple(
            shown_field(*pair) for key, pair in new.items() if key in old and old[key][1] != pair[1]
        ),
        removed=tuple(name for key, (name, _) in old.items() if key not in new),
    )


def shown_field(name: str, value: str) -> tuple[str, str]:
    """:return: the field as it may be shown: without the value of one that holds secrets."""
    return name, "(not shown)" if name.lower() in _NEVER_SHOWN else value


def response_changes(answer: bytes) -> FieldChanges:
    """:return: the changes to a plain response of an endpoint; no secrets."""
    added = [
        pair for key, pair in field_pairs(answer).items() if key not in ("content-length", "date")
    ]
    return FieldChanges(added=tuple(shown_field(*pair) for pair in added))
