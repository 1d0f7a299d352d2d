"""
Documents to objects and their Problems.

A document holds one object or a list of them (``List``, ``IngressList``). Other kinds are
skipped and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Final, cast

import msgspec

from ingress.document import Document, Path
from ingress.frozen import dataclass
from ingress.kube.conversion import convert, decode_secret
from ingress.kube.every_fault import every_fault
from ingress.kube.fault import Fault, fault_problem, value_at
from ingress.kube.objects import (
    ConfigMap,
    Endpoints,
    EndpointSlice,
    Ingress,
    IngressClass,
    KubeObject,
    ObjectKey,
    Secret,
    Service,
)
from ingress.kube.obsolete import OBSOLETE
from ingress.kube.remains import remains_of_kind
from ingress.kube.validation import find_faults
from ingress.problem import Origin, Problem

KINDS: Final[dict[str, tuple[str, type[KubeObject]]]] = {
    "Ingress": ("networking.k8s.io/v1", Ingress),
    "IngressClass": ("networking.k8s.io/v1", IngressClass),
    "Service": ("v1", Service),
    "EndpointSlice": ("discovery.k8s.io/v1", EndpointSlice),
    "Endpoints": ("v1", Endpoints),
    "Secret": ("v1", Secret),
    "ConfigMap": ("v1", ConfigMap),
}
"""For each kind that is read: its apiVersion and its type."""

_SPELLINGS: Final = {kind.lower(): kind for kind in KINDS}


class Reading(msgspec.Struct, frozen=True, gc=False):
    """The result of reading one object of a document."""

    line: int
    """The first line of the object, from 1."""

    key: ObjectKey | None = None
    """None if the name cannot be read, or if the kind is skipped."""

    item: KubeObject | None = None
    """None if the object is of a kind that is skipped, or has a fault and nothing remains of it."""

    problems: tuple[Problem, ...] = ()

    skipped: str = ""
    """The kind of a skipped object, as written and of any length."""


def read_objects(document: Document, file: str) -> Iterator[Reading]:
    """
    Read every object of a document, one at each step; never raises.

    The items of a list are taken out of the document and freed one by one, because
    freeing 10,000 of them at once would take too long.

    :param file: the file's path, below a path of the configuration.
    """
    pending: list[Iterator[_Found]] = [iter([((), document.value, "", None)])]
    while pending:
        found = next(pending[-1], None)
        if found is None:
            pending.pop()
            continue
        path, raw, kind, version = found
        if isinstance(raw, dict):
            # Items of a typed list may lack both, as in answers of the API server.
            kind = raw.get("kind") or kind
            version = raw.get("apiVersion") or version
        entry = _Entry(document, file, path, raw, kind if isinstance(kind, str) else "")
        item_kind = entry.kind.removesuffix("List")
        if not isinstance(raw, dict):
            yield entry.refuse("must be a Kubernetes object: a mapping with apiVersion and kind")
        elif not entry.kind:
            yield entry.refuse("must have a kind: a Kubernetes object has apiVersion and kind")
        elif item_kind != entry.kind and (item_kind in KINDS or not item_kind):
            items = raw.get("items") or []
            if not isinstance(items, list):
                yield entry.refuse("must be a list", ("items",))
                continue
            pending.append(_items(path, items, item_kind, version if item_kind else None))
        else:
            yield entry.read(version)


_Found = tuple[Path, object, str, object]
"""The path, the value, and the kind and version that the surrounding list gives."""


def _items(path: Path, items: list[object], kind: str, version: object) -> Iterator[_Found]:
    """The items of a list, each taken out of it."""
    for index, item in enumerate(items):
        items[index] = None
        yield (*path, "items", index), item, kind, version


@dataclass(frozen=True, slots=True)
class _Entry:
    """One object while it is being read."""

    document: Document
    file: str
    path: Path
    raw: object = field(repr=False)
    kind: str
    """Its own kind or that of its list; empty if unknown."""

    def read(self, version: object) -> Reading:
        """Convert and check the object."""
        meant = _SPELLINGS.get(self.kind.lower())
        if not meant or not _is_built_in(version):
            return Reading(self._line(), skipped=self.kind)
        if self.kind != meant:
            return self.refuse(f"must be {meant}", ("kind",))
        key = self._key()
        wanted, type_ = KINDS[self.kind]
        if version != wanted:
            return self._refuse_all(key, [_version_fault(self.kind, version, wanted, self.raw)])
        raw = cast("dict[str, object]", self.raw)
        unreadable: list[Fault] = []
        if type_ is Secret:
            raw, unreadable = decode_secret(raw)
        item, _ = convert(raw, type_)
        if item is None or key is None or unreadable:
            shape = every_fault(raw, type_) if item is None else []
            return self._refuse_all(key, [*unreadable, *shape])
        item = self._placed(item, key)
        faults = find_faults(item)
        return self._refuse_all(key, faults) if faults else Reading(item.origin.line, key, item)

    def refuse(self, message: str, path: Path = ()) -> Reading:
        """Report a value that is not an object."""
        return self._refuse_all(None, [Fault(path, message)])

    def _refuse_all(self, key: ObjectKey | None, faults: list[Fault]) -> Reading:
        problems = tuple(self._problem(key, fault) for fault in faults)
        line = self._line()
        kind = _SPELLINGS.get(self.kind.lower(), "")
        remains = remains_of_kind(kind, self.raw, Origin(self.file, line))
        if remains is not None:
            return Reading(line, (kind, *remains.key), remains, problems)
        return Reading(line, key, None, problems)

    def _line(self) -> int:
        return self.document.line_of(self.path) if self.path else self.document.line

    def _placed(self, item: KubeObject, key: ObjectKey) -> KubeObject:
        """The object with its origin and its namespace."""
        metadata = item.metadata
        if metadata.namespace != key[1]:
            metadata = msgspec.structs.replace(metadata, namespace=key[1])
        origin = Origin(self.file, self._line())
        return msgspec.structs.replace(item, metadata=metadata, origin=origin)

    def _key(self) -> ObjectKey | None:
        name = value_at(self.raw, ("metadata", "name"))
        namespace = value_at(self.raw, ("metadata", "namespace")) or "default"
        if not isinstance(name, str) or not isinstance(namespace, str):
            return None
        return (self.kind, "" if self.kind == "IngressClass" else namespace, name)

    def _problem(self, key: ObjectKey | None, fault: Fault) -> Problem:
        known = key or (self.kind if self.kind in KINDS else "", "", "")
        line = self.document.line_of(self.path + fault.path) if fault.path else self._line()
        value = None if self._may_be_secret() else value_at(self.raw, fault.path)
        return fault_problem(fault, known, value, Origin(self.file, line))

    def _may_be_secret(self) -> bool:
        """
        Whether no value may be shown, not even of the metadata.

        kubectl keeps a copy of the whole object in an annotation, and a value that is not an
        object may be a password that was put into a file.
        """
        return self.kind.lower() not in _SPELLINGS or self.kind.lower() == "secret"


def _is_built_in(version: object) -> bool:
    """Whether the group is of Kubernetes itself; other groups have kinds of the same names."""
    if not isinstance(version, str):
        return True
    group, slash, _ = version.partition("/")
    return not slash or "." not in group or group.endswith(".k8s.io")


def _version_fault(kind: str, version: object, wanted: str, raw: object) -> Fault:
    message = f"must be {wanted} for kind {kind}"
    advise = OBSOLETE.get((kind, version)) if isinstance(version, str) else None
    advice = advise(raw) if advise is not None else ""
    return Fault(("apiVersion",), f"{message}, in which {advice}" if advice else message)
