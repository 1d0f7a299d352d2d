"""
Objects as they are written, of the kinds that an installation of a controller is made of.

Secrets are never kept: nothing of them can get into what is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ingress.document import Document, DocumentPart

KINDS: Final = frozenset(
    {
        "ConfigMap", "DaemonSet", "Deployment", "HorizontalPodAutoscaler", "IngressClass",
        "PodDisruptionBudget", "Service", "ValidatingWebhookConfiguration",
    }
)  # fmt: skip
"""Those that are read."""

_WITHOUT_NAMESPACE: Final = frozenset({"IngressClass", "ValidatingWebhookConfiguration"})
_WITH_LINES: Final = frozenset({"ConfigMap", "DaemonSet", "Deployment"})
"""Those of which the report names the lines of keys and arguments."""

_PORT: Final = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class RawObject:
    """An object, with values of JSON in it."""

    kind: str
    namespace: str
    """Empty for kinds without one."""

    name: str
    value: Mapping[str, Any] = field(repr=False)
    file: str = ""
    line: int = 0
    """From 1; 0 for objects of a cluster."""

    part: DocumentPart | None = field(default=None, repr=False)
    """Where its fields are; None for kinds of which nobody asks that."""

    @property
    def labels(self) -> Mapping[str, Any]:
        """Of the object itself."""
        return as_mapping(self.at("metadata", "labels"))

    def at(self, *path: str | int) -> Any:
        """:return: the value at a path; None if there is none."""
        return at(self.value, *path)

    def line_of(self, *path: str | int) -> int:
        """:return: the line of a field, or of its nearest parent; 0 for objects of a cluster."""
        return self.part.line_of(path) if self.part is not None else self.line


def at(value: object, *path: str | int) -> Any:
    """:return: what is at a path of mappings and lists; None if there is nothing."""
    for key in path:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, Sequence) and not isinstance(value, str) and isinstance(key, int):
            value = value[key] if key < len(value) else None
        else:
            return None
    return value


def as_mapping(value: object) -> Mapping[str, Any]:
    """:return: the value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: object) -> Sequence[Any]:
    """:return: the value if it is a list, else an empty one."""
    return value if isinstance(value, list | tuple) else ()


def as_port(written: object) -> int | None:
    """:return: the number of a port, as a key or a value has it; None for what is none."""
    text = str(written)
    return int(text) if _PORT.fullmatch(text) and 0 < int(text) < 65536 else None


def read_raw(document: Document, file: str) -> Iterator[RawObject]:
    """
    :param document: an object, or a list of them; anything else has none.
    :param file: where it is, for the report.
    """
    pending: list[tuple[object, str, tuple[str | int, ...]]] = [(document.value, "", ())]
    while pending:
        value, kind, path = pending.pop()
        if not isinstance(value, Mapping):
            continue
        kind = str(value.get("kind") or kind)
        if kind.endswith("List") and "items" in value:
            items = as_list(value["items"])
            numbered = list(enumerate(items))
            inner = kind.removesuffix("List")
            pending += [(each, inner, (*path, "items", n)) for n, each in reversed(numbered)]
            continue
        if kind not in KINDS:
            continue
        found = _object(value, kind, file, document.line_of(path) if path else document.line)
        if found is not None and kind in _WITH_LINES:
            found = replace(found, part=document.part(path))
        if found is not None:
            yield found


def object_of(value: Mapping[str, Any], kind: str = "") -> RawObject | None:
    """:return: an object of the API server, or None if it is of no kind that is read."""
    return _object(value, str(value.get("kind") or kind), "", 0)


def _object(value: Mapping[str, Any], kind: str, file: str, line: int) -> RawObject | None:
    name = at(value, "metadata", "name")
    if kind not in KINDS or not isinstance(name, str) or not name:
        return None
    namespace = at(value, "metadata", "namespace")
    if kind in _WITHOUT_NAMESPACE:
        namespace = ""
    elif not isinstance(namespace, str) or not namespace:
        namespace = "default"
    return RawObject(kind, namespace, name, {**value, "kind": kind}, file, line)
