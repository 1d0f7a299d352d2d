"""
The selectors of lists and watches.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.support.fake_api.kind import Document, Kind
from tests.support.fake_api.status import bad_request

FIELDS = ("metadata.name", "metadata.namespace")
"""The fields by which objects of every kind can be selected."""

FURTHER_FIELDS = {
    "secrets": ("type",),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "pods": ("spec.nodeName", "status.phase", "status.podIP"),
    "events": (
        *(f"involvedObject.{name}" for name in ("kind", "namespace", "name", "uid", "apiVersion")),
        *(f"regarding.{name}" for name in ("kind", "namespace", "name", "uid", "apiVersion")),
        *("reason", "type", "reportingComponent", "reportingController"),
    ),
}

Selector = Callable[[Document], bool]

_LABEL = re.compile(
    r"\s*(?:(?P<absent>!\s*)?(?P<key>[\w./-]+))\s*"
    r"(?:(?P<operator>==|=|!=)\s*(?P<value>[\w.-]*)|(?P<set>in|notin)\s*\((?P<values>[^)]*)\))?\s*"
    r"(?:,|$)"
)


def make_selector(kind: Kind, query: dict[str, str]) -> Selector:
    """
    :return: a function that returns whether an object, in the form of its kind, is selected.
    :raises StatusError: 400.
    """
    checks = [
        *_field_checks(kind, query.get("fieldSelector", "")),
        *_label_checks(query.get("labelSelector", "")),
    ]
    return lambda document: all(check(document) for check in checks)


def exact_name(selector: str) -> str | None:
    """Return the name, if a field selector asks for exactly one."""
    for part in selector.split(","):
        key, operator, value = _split(part)
        if key == "metadata.name" and operator == "=":
            return value
    return None


def _split(part: str) -> tuple[str, str, str]:
    if "!=" in part:
        key, _, value = part.partition("!=")
        return key.strip(), "!=", value.strip()
    key, _, value = part.replace("==", "=").partition("=")
    return key.strip(), "=", value.strip()


def _field_checks(kind: Kind, selector: str) -> list[Selector]:
    checks = []
    for part in filter(None, selector.split(",")):
        key, operator, value = _split(part)
        if key not in (*FIELDS, *FURTHER_FIELDS.get(kind.plural, ())):
            raise bad_request(
                f'Unable to find "{kind.api_version}, Resource={kind.plural}" that match label'
                f' selector "", field selector "{selector}": field label not supported: {key}'
            )
        checks.append(_field_check(tuple(key.split(".")), operator == "=", value))
    return checks


def _field_check(path: tuple[str, ...], is_wanted: bool, value: str) -> Selector:
    def check(document: Document) -> bool:
        found: object = document
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return (("" if found is None else str(found)) == value) is is_wanted

    return check


def _label_checks(selector: str) -> list[Selector]:
    checks, position = [], 0
    while position < len(selector):
        match = _LABEL.match(selector, position)
        if match is None:
            raise bad_request(f"unable to parse requirement: {selector}")
        checks.append(_label_check(match))
        position = match.end()
    return checks


def _label_check(match: re.Match[str]) -> Selector:
    key, operator = match["key"], match["operator"] or match["set"]
    if operator is None:
        return lambda document: (key in _labels(document)) is not bool(match["absent"])
    listed = match["value"] if match["operator"] else match["values"]
    values = {each.strip() for each in listed.split(",")}
    if operator in ("!=", "notin"):
        return lambda document: _labels(document).get(key) not in values
    return lambda document: _labels(document).get(key) in values


def _labels(document: Document) -> dict[str, str]:
    return document["metadata"].get("labels") or {}
