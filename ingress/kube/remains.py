"""
The remains of an Ingress or a ConfigMap that has a fault.

The Ingress is not served. But if its annotations decide access, a request for one of its paths
must not fall through to an open rule of another Ingress (docs/compatibility.md, section 5,
"Access that cannot be honoured is refused"). Nor must one bad entry of ingress-nginx's ConfigMap
undo its lists of addresses. The build decides which annotations and keys decide access; this
module keeps everything that can still be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, get_args

import msgspec

from ingress.document import Path
from ingress.kube.fault import value_at
from ingress.kube.objects import (
    APPLICATION_LABEL,
    ConfigMap,
    HTTPIngressPath,
    HTTPIngressRuleValue,
    Ingress,
    IngressBackend,
    IngressRule,
    IngressSpec,
    KubeObject,
    Metadata,
    PathType,
)
from ingress.kube.validate_ingress import path_faults
from ingress.problem import Origin

_NO_BACKEND: Final = IngressBackend()


def is_remains(item: KubeObject | None) -> bool:
    """Whether the object is what remains of one that has a fault."""
    if isinstance(item, ConfigMap):
        return not item.is_whole
    return isinstance(item, Ingress) and item.only_guards


def remains_of_kind(kind: str, raw: object, origin: Origin) -> Ingress | ConfigMap | None:
    """
    :param kind: of the object, as the API spells it.
    :param raw: an object that was refused, of any shape.
    :return: what remains of it; None if nothing does.
    """
    if kind == "Ingress":
        return remains_of(raw, origin)
    return remains_of_config_map(raw, origin) if kind == "ConfigMap" else None


def remains_of_config_map(raw: object, origin: Origin) -> ConfigMap | None:
    """
    :param raw: a ConfigMap that was refused, of any shape.
    :return: its readable entries, and the keys of the others; None if it has no name.
    """
    name = _text(raw, ("metadata", "name"))
    if not name:
        return None
    data = value_at(raw, ("data",))
    entries = data if isinstance(data, dict) else {}
    # null is absent, as in a ConfigMap without faults.
    unreadable = tuple(key for key, value in entries.items() if not isinstance(value, str | None))
    label = value_at(raw, ("metadata", "labels", APPLICATION_LABEL))
    return ConfigMap(
        metadata=Metadata(
            name=name,
            namespace=_text(raw, ("metadata", "namespace")) or "default",
            labels={APPLICATION_LABEL: label} if isinstance(label, str) else {},
        ),
        data={key: value for key, value in entries.items() if isinstance(value, str)},
        unreadable=unreadable if isinstance(data, dict | None) else ("",),
        origin=origin,
    )


def remains_of(raw: object, origin: Origin) -> Ingress | None:
    """
    :param raw: an Ingress that was refused, of any shape.
    :return: an Ingress that only guards; None if it has no annotation, and so guards nothing.
    """
    annotations = value_at(raw, ("metadata", "annotations"))
    if not isinstance(annotations, dict) or not annotations:
        return None
    backends: tuple[Path, ...] = (("spec", "defaultBackend"), ("spec", "backend"))
    has_default = any(value_at(raw, path) is not None for path in backends)
    return Ingress(
        metadata=Metadata(
            name=_text(raw, ("metadata", "name")) or f"{origin}",
            namespace=_text(raw, ("metadata", "namespace")) or "default",
            creation_timestamp=_created(raw),
            # The presence of the annotation counts, also if its value is not a string.
            annotations={
                key.strip(): value if isinstance(value, str) else ""
                for key, value in annotations.items()
            },
        ),
        spec=IngressSpec(
            ingress_class_name=_text(raw, ("spec", "ingressClassName")) or None,
            default_backend=_NO_BACKEND if has_default else None,
            rules=tuple(_rules(raw)),
        ),
        origin=origin,
        only_guards=True,
    )


def _rules(raw: object) -> Iterator[IngressRule]:
    """The rules whose host can be read; without ``http`` if one of their paths cannot."""
    rules = value_at(raw, ("spec", "rules"))
    for rule in rules if isinstance(rules, list) else [rules]:
        written = value_at(rule, ("host",))
        if not isinstance(rule, dict) or not isinstance(written, str | None):
            continue
        paths = value_at(rule, ("http", "paths"))
        entries = [_path(entry) for entry in paths] if isinstance(paths, list) else []
        readable = tuple(entry for entry in entries if entry is not None)
        is_whole = bool(readable) and len(readable) == len(entries)
        http = HTTPIngressRuleValue(paths=readable) if is_whole else None
        yield IngressRule(host=meant_host(written or ""), http=http)


def _path(raw: object) -> HTTPIngressPath | None:
    path_type, path = value_at(raw, ("pathType",)), value_at(raw, ("path",)) or ""
    if path_type not in get_args(PathType) or not isinstance(path, str):
        return None
    entry = msgspec.convert({"path": path, "pathType": path_type, "backend": {}}, HTTPIngressPath)
    return None if any(path_faults(entry, ())) else entry


def meant_host(written: str) -> str:
    """The host without common mistakes: capitals, a port, a dot at its end."""
    host, colon, port = written.strip().lower().rpartition(":")
    if not colon or not port.isdigit():
        host = written.strip().lower()
    return "" if host == "*" else host.removesuffix(".")


def _created(raw: object) -> datetime | None:
    known = {"name": "", "creationTimestamp": value_at(raw, ("metadata", "creationTimestamp"))}
    try:
        return msgspec.convert(known, Metadata).creation_timestamp
    except msgspec.ValidationError:
        return None


def _text(raw: object, path: Path) -> str:
    value = value_at(raw, path)
    return value if isinstance(value, str) else ""
