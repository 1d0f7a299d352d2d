"""
What may be in text that cannot be parsed, and in files that cannot be read.

Nothing of it is served. But it may have decided access (docs/compatibility.md, section 5, "Access
that cannot be honoured is refused"), so that what can still be recognised of it counts: the
names of ConfigMaps, and the hosts and paths of Ingresses with their annotations.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, product
from typing import Final

import msgspec

from ingress.kube.objects import (
    CLASS_ANNOTATION,
    HTTPIngressPath,
    HTTPIngressRuleValue,
    Ingress,
    IngressBackend,
    IngressRule,
    IngressSpec,
    Metadata,
    ObjectName,
)
from ingress.kube.remains import meant_host
from ingress.kube.validate_ingress import path_faults
from ingress.problem import Origin
from ingress.steps import Steps

_WINDOW: Final = 16 * 1024
_OVERLAP: Final = 1024
"""Characters that are searched at once, and those of them that only end what begins before."""

_FIELD: Final = re.compile(
    r"(?<![\w./-])(kind|name|namespace|host|http|path|ingressClassName|defaultBackend)[\"']?"
    r"[ \t]*:[ \t]*[\"']?([^\s\"',}\]]{0,512})"
)
_ANNOTATION: Final = re.compile(
    r"(?<![\w./-])([a-z0-9.-]{1,253}/[\w.-]{1,63})[\"']?[ \t]*:[ \t]*[\"']?([^\"'\n,}]{0,512})"
)
_PLAIN_PATH: Final = re.compile(r"/[\w./~%+:@-]*", re.ASCII)
_CANARY: Final = "nginx.ingress.kubernetes.io/canary"
_MOST: Final = 1000
"""Rules, and annotations, of the remains of a document."""

_MOST_GUARDS: Final = 100
"""Ingresses that guard in place of those of a document: for each namespace and class one."""

_UNKNOWN: Final = "?"
"""In place of the value of an annotation that is not on its line."""

_NO_BACKEND: Final = IngressBackend()


class Unread(msgspec.Struct, frozen=True):
    """A document, file or folder whose objects are not known."""

    origin: Origin

    names: frozenset[str] = frozenset()
    """Those that its ConfigMaps may have; empty for any."""

    namespaces: frozenset[str] = frozenset()
    """The same."""

    def may_hold(self, name: ObjectName) -> bool:
        """Whether it may hold the ConfigMap of this name."""
        namespaces = self.namespaces or {name[0]}
        return name[0] in namespaces and name[1] in (self.names or {name[1]})


class TextRemains(msgspec.Struct, frozen=True):
    """What remains of a text."""

    unread: tuple[Unread, ...] = ()
    """Empty if there is no ConfigMap in it."""

    guards: tuple[Ingress, ...] = ()
    """Ingresses that only guard; empty if there is none with annotations in it."""


def remains_of_text(text: str, origin: Origin) -> Steps[TextRemains]:
    """
    :param text: of a document that cannot be parsed, of any length.
    :param origin: its place.
    :return: what can be recognised. Names, hosts and paths cannot be told from others in the text,
        so each may belong to each.
    """
    found = _Found()
    for start in range(0, len(text), _WINDOW - _OVERLAP):
        found.search(text[start : start + _WINDOW])
        yield
    has_config_map = bool(found.count("ConfigMap") + found.count("ConfigMapList"))
    return TextRemains(
        (Unread(origin, found.names(), found.namespaces()),) if has_config_map else (),
        tuple(found.guards(origin)),
    )


class _Found:
    """Fields with their values, and annotations, of all objects of a text."""

    def __init__(self) -> None:
        self._fields: dict[str, Counter[str]] = {}
        self._annotations: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<_Found {self.values('kind')}>"

    def search(self, text: str) -> None:
        """Add what begins in a window of the text, but not in its last part."""
        end = _WINDOW - _OVERLAP
        for match in _FIELD.finditer(text):
            if match.start() < end:
                self._fields.setdefault(match[1], Counter())[match[2]] += 1
        for match in _ANNOTATION.finditer(text):
            if match.start() < end and len(self._annotations) < _MOST:
                self._annotations.setdefault(match[1], match[2].strip() or _UNKNOWN)

    def values(self, field: str) -> tuple[str, ...]:
        """:return: those of a field; an empty one is not plain, or on another line."""
        return tuple(self._fields.get(field, ()))

    def count(self, kind: str) -> int:
        """:return: how many objects of a kind there may be."""
        return self._fields.get("kind", Counter())[kind]

    def names(self) -> frozenset[str]:
        """:return: those of all objects; none if one is unknown."""
        return _all(self.values("name"))

    def namespaces(self) -> frozenset[str]:
        """:return: those of all objects, of which one may name none; none if one is unknown."""
        return _all((*self.values("namespace"), "default"))

    def guards(self, origin: Origin) -> Iterator[Ingress]:
        """
        Yield an Ingress that only guards for each namespace and class that one of the Ingresses may
        have: what it closes is of its namespace alone.
        """
        number, lists = self.count("Ingress"), self.count("IngressList")
        is_canary = number == 1 and not lists and self._annotations.get(_CANARY) == "true"
        annotations = {
            name: value
            for name, value in self._annotations.items()
            if not name.startswith(_CANARY) and name != CLASS_ANNOTATION
        }
        # A canary has the access rules of the Ingress beside it.
        if not annotations or not number + lists or is_canary:
            return
        by_field = [(name, annotations) for name in filter(None, self.values("ingressClassName"))]
        by_annotation = self._annotations.get(CLASS_ANNOTATION)
        classes: list[tuple[str | None, Mapping[str, str]]] = [*by_field]
        if by_annotation is not None:
            classes.append((None, {**annotations, CLASS_ANNOTATION: by_annotation}))
        spaces = list(filter(None, self.values("namespace")))
        if self._fields.get("namespace", Counter()).total() < number or not spaces:
            spaces.append("default")
        rules = self._rules()
        each = product(spaces, classes or [(None, annotations)])
        for place, (namespace, (name, those)) in enumerate(islice(each, _MOST_GUARDS)):
            spec = IngressSpec(
                ingress_class_name=name,
                default_backend=_NO_BACKEND if self.values("defaultBackend") else None,
                rules=rules,
            )
            yield _guard(origin, place, namespace, those, spec)

    def _rules(self) -> tuple[IngressRule, ...]:
        """:return: each host with all paths; without these if one is unknown."""
        hosts = dict.fromkeys(map(meant_host, self.values("host")))
        if (
            self._fields.get("http", Counter()).total()
            > self._fields.get("host", Counter()).total()
        ):
            hosts[""] = None
        paths = [_path(written) for written in self.values("path")]
        readable = tuple(path for path in paths if path is not None)
        is_whole = bool(paths) and len(paths) == len(readable)
        http = None
        if is_whole and len(hosts) * len(paths) <= _MOST:
            http = HTTPIngressRuleValue(paths=readable)
        return tuple(IngressRule(host=host, http=http) for host in islice(hosts, _MOST))


def _guard(
    origin: Origin,
    place: int,
    namespace: str,
    annotations: Mapping[str, str],
    spec: IngressSpec,
) -> Ingress:
    # No object of the API has this name.
    name = f"{origin} ({place})" if place else f"{origin}"
    metadata = Metadata(name=name, namespace=namespace, annotations=dict(annotations))
    return Ingress(metadata=metadata, spec=spec, origin=origin, only_guards=True)


def _all(values: Iterable[str]) -> frozenset[str]:
    found = frozenset(values)
    return frozenset() if "" in found else found


def _path(written: str) -> HTTPIngressPath | None:
    path = HTTPIngressPath(path=written, path_type="Prefix", backend=_NO_BACKEND)
    return path if _PLAIN_PATH.fullmatch(written) and not any(path_faults(path, ())) else None
