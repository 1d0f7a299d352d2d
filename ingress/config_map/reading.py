"""
Reads the data of ingress-nginx's ConfigMap, key by key.

Source of the rules: docs/compatibility.md, sections 3, 5 (first item) and 6, "ConfigMap".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from difflib import get_close_matches
from itertools import islice
from typing import Final, NamedTuple

from ingress.config.section import NotAccepted
from ingress.config_map.key import Key, Verdict
from ingress.config_map.table import FORMER_KEYS, KEYS
from ingress.frozen import dataclass

MAX_KEYS: Final = 400
"""Keys that are read; ingress-nginx has half as many."""

_SNIPPETS: Final = ("location-snippet", "server-snippet", "http-snippet")
"""Keys that decide access with some of their values."""

CLOSED: Final = "every path answers 503"
"""What follows if a key that decides access cannot be honoured."""

Values = Mapping[str, object]
"""The values of the keys that are set, as their `Key.accept` gives them."""


class KeyFault(NamedTuple):
    """A fault of one key."""

    key: str
    """Empty for the ConfigMap as a whole."""

    value: str
    """As written; empty if it must not be shown."""

    message: str


@dataclass(frozen=True, slots=True)
class ReadData:
    """What the data of a ConfigMap came to."""

    values: Values = field(default_factory=dict)
    faults: tuple[KeyFault, ...] = ()
    closed_by: tuple[str, ...] = ()
    """The keys that decide access and cannot be honoured."""


def read_data(data: Mapping[str, str], last: Values, unreadable: Sequence[str] = ()) -> ReadData:
    """
    :param data: of the ConfigMap.
    :param unreadable: more keys, whose values cannot be read; an empty one stands for all keys.
    :param last: the values of before: a key whose value turns bad keeps it.
    """
    values: dict[str, object] = {}
    faults: list[KeyFault] = []
    closed: list[str] = []
    for name, written in islice(data.items(), MAX_KEYS):
        key = KEYS.get(name)
        text = written.strip()
        if key is None:
            faults.append(KeyFault(name, "", _why_unknown(name)))
            if _decides_access(name):
                closed.append(name)
        elif text:
            fault = _read_key(key, text, values, last, closed)
            if fault is not None:
                faults.append(fault)
    if len(data) > MAX_KEYS:
        message = f"{len(data) - MAX_KEYS} more keys are not read"
        beyond = [name for name in islice(data, MAX_KEYS, None) if _decides_access(name)]
        closed += beyond
        faults.append(KeyFault("", "", f"{message}; {CLOSED}" if beyond else message))
    faults += _read_unreadable(unreadable, values, last, closed)
    return ReadData(values, tuple(faults), tuple(closed))


def _read_unreadable(
    unreadable: Sequence[str], values: dict[str, object], last: Values, closed: list[str]
) -> Iterator[KeyFault]:
    """
    Keep the last values of entries that cannot be read, and close if one may decide access.

    That it cannot be read is a Problem of the object already.
    """
    if "" in unreadable:
        values.update(last)
        closed.append("data")
        yield KeyFault("", "", f"no entry can be read, and each may decide access; {CLOSED}")
    for name in filter(None, unreadable):
        if name in last:
            values[name] = last[name]
            yield KeyFault(name, "", "the value cannot be read; the last good one still applies")
        elif _decides_access(name) or name in _SNIPPETS:
            closed.append(name)
            yield KeyFault(name, "", f"the value cannot be read; {CLOSED}")


def _read_key(
    key: Key, text: str, values: dict[str, object], last: Values, closed: list[str]
) -> KeyFault | None:
    """Read the value of a key into `values`; return what is to be reported of it."""
    try:
        if key.verdict is Verdict.WORKS or key.target:
            values[key.name] = key.accept(text)
    except NotAccepted as error:
        return _bad_value(key, text, str(error), values, last, closed)
    if key.remark is not None:
        remark = key.remark(values[key.name])
        return KeyFault(key.name, "", remark) if remark else None
    if key.verdict is Verdict.WORKS or key.is_harmless(text):
        return None
    if key.closes:
        closed.append(key.name)
        return KeyFault(key.name, "", f"{key.verdict.value}: {key.effect}; {CLOSED}")
    return KeyFault(key.name, "", f"{key.verdict.value}: {key.effect}")


def _bad_value(
    key: Key, text: str, accepted: str, values: dict[str, object], last: Values, closed: list[str]
) -> KeyFault:
    shown = "" if key.decides_access else text
    if key.verdict is Verdict.WORKS and key.name in last:
        values[key.name] = last[key.name]
        return KeyFault(key.name, shown, f"{accepted}; the last good value still applies")
    if key.decides_access:
        closed.append(key.name)
        return KeyFault(key.name, shown, f"{accepted}; {CLOSED}")
    return KeyFault(key.name, shown, f"{accepted}; the default is used instead")


def _decides_access(name: str) -> bool:
    """Whether a key decides access, known or not: a later version may have more of them."""
    key = KEYS.get(name)
    if key is not None:
        return key.decides_access
    return name.startswith(("global-auth-", "block-"))


def _why_unknown(name: str) -> str:
    if name in FORMER_KEYS:
        return "ingress-nginx 1.15 has this key no more; it is ignored"
    ignored = CLOSED if _decides_access(name) else "it is ignored"
    close = get_close_matches(name, KEYS, 1, 0.8)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"ingress-nginx has no such key; {ignored}{hint}"
