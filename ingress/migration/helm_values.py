"""
What becomes of each value that was given to ingress-nginx's chart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from ingress.migration.helm import chart_values
from ingress.migration.helm_fates import FATES, OWN, Fate
from ingress.migration.raw import as_mapping
from ingress.migration.verdict import Part, Row, Verdict, as_value

JudgeOne = Callable[[str, str], Row]
"""Judges a key of the ConfigMap, or a flag, with its value."""

MAX_VALUES: Final = 2000
"""Values that are judged; the chart has some 400."""


_FLAGS: Final = {
    "controller.disableLeaderElection": "disable-leader-election",
    "controller.enableTopologyAwareRouting": "enable-topology-aware-routing",
    "controller.healthCheckPath": "health-check-path",
    "controller.ingressClassByName": "ingress-class-by-name",
    "controller.scope.namespaceSelector": "watch-namespace-selector",
    "controller.watchIngressWithoutClass": "watch-ingress-without-class",
}
"""Values that do nothing but set a flag, which has a verdict of its own."""

_UNKNOWN: Final = Fate(
    Verdict.IGNORED,
    "the chart has no such value, or did not use it",
    "Look whether it is mistyped.",
)
_OFF: Final = ("controller.admissionWebhooks", "controller.keda", "controller.networkPolicy")
"""Values of which nothing follows where ``enabled`` is false."""

_SECRET: Final = (
    "key", "secret", "token", "pass", "pwd", "credential", "auth", "cookie", "dhparam", "env",
    "controller.proxysetheaders.", "controller.addheaders.", "annotations",
)  # fmt: skip
"""
Words in the names of values that are not shown; fields and annotations may be credentials under any
name.
"""


def judge_values(
    values: Mapping[str, Any], judge_key: JudgeOne, judge_flag: JudgeOne
) -> Iterator[Row]:
    """
    :param values: as they were given to the chart.
    :return: a row for each value.
    """
    given = chart_values(values)
    for number, (path, value) in enumerate(leaves(given)):
        if number >= MAX_VALUES:
            yield Row(
                Part.VALUE, "…", Verdict.IGNORED, f"values beyond {MAX_VALUES} are not judged"
            )
            return
        yield _judge(given, path, value, judge_key, judge_flag)


def _judge(
    given: Mapping[str, Any],
    path: tuple[str, ...],
    value: object,
    judge_key: JudgeOne,
    judge_flag: JudgeOne,
) -> Row:
    name = ".".join(path)
    if path[:2] == ("controller", "config") and len(path) > 2:
        key = ".".join(path[2:])
        return _as(judge_key(key, as_value(value)), name, f"as the ConfigMap key {key}")
    if path[:2] == ("controller", "extraArgs") and len(path) > 2:
        flag = ".".join(path[2:])
        return _as(judge_flag(flag, as_value(value)), name, f"as the flag --{flag}")
    flag = _FLAGS.get(name, "")
    if flag and _says_anything(value) and not _is_overruled(given, name):
        return _as(judge_flag(flag, as_value(value)), name, f"as the flag --{flag}")
    found = _fate(path)
    if ".".join(path[:2]) in _OFF and not _is_on(given, path[1]):
        found = OWN
    if not _says_anything(value):
        found = OWN
    is_hidden = found is _UNKNOWN or any(word in name.lower() for word in _SECRET)
    shown = "" if is_hidden else _shown(value)
    return Row(
        Part.VALUE, name, found.verdict, found.follows, found.action, shown, notice=found.notice
    )


def _is_overruled(given: Mapping[str, Any], name: str) -> bool:
    """:return: whether the chart sets no flag for a value, because of another one."""
    scope = as_mapping(as_mapping(given.get("controller")).get("scope"))
    return name == "controller.scope.namespaceSelector" and bool(scope.get("enabled"))


def _as(row: Row, name: str, follows: str) -> Row:
    """:return: the row of a value that becomes a key or a flag, which has what follows."""
    told = follows if row.verdict is Verdict.SAME else f"{follows}: {row.follows}"
    return replace(row, part=Part.VALUE, name=name, follows=told)


def _is_on(given: Mapping[str, Any], name: str) -> bool:
    """:return: whether a part of the chart is switched on; the webhook is by default."""
    enabled = as_mapping(as_mapping(given.get("controller")).get(name)).get("enabled")
    return bool(enabled) or (enabled is None and name == "admissionWebhooks")


def _fate(path: tuple[str, ...]) -> Fate:
    for length in range(len(path), 0, -1):
        found = FATES.get(".".join(path[:length]))
        if found is not None:
            return found
    return _UNKNOWN


def _says_anything(value: object) -> bool:
    return value not in (None, "", False) and value != [] and value != {}


def _shown(value: object) -> str:
    if isinstance(value, list):
        return as_value(", ".join(map(str, value))) if all(map(_is_plain, value)) else "…"
    return as_value(value)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float)


def leaves(values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield each value that is no mapping, or an empty one, with its path; without recursion."""
    pending: list[tuple[tuple[str, ...], object]] = [((), values)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, Mapping) and value:
            pending += [((*path, str(key)), each) for key, each in list(value.items())[::-1]]
        elif path:
            yield path, value
