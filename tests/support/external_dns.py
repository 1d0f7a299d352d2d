"""
ExternalDNS's reading of Ingresses: the records that it would write.

Source of the rules: ``source/ingress.go`` and ``endpoint/utils.go`` of ExternalDNS (2026).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any

Document = dict[str, Any]

Record = tuple[str, str, tuple[str, ...]]
"""Name, type and targets."""

PREFIX = "external-dns.alpha.kubernetes.io/"
"""Newer versions have one without ``alpha.``, and an option for it (``--annotation-prefix``)."""


def records(ingresses: Iterable[Document], class_names: tuple[str, ...] = ()) -> set[Record]:
    """
    :param class_names: those of ``--ingress-class``; every Ingress without any.
    """
    return {
        record
        for ingress in ingresses
        if not class_names or ingress["spec"].get("ingressClassName") in class_names
        for record in _records_of(ingress)
    }


def targets_of(status: Document) -> list[str]:
    """The targets of a status; an entry may have an address, a name, or both."""
    found = (status.get("loadBalancer") or {}).get("ingress") or []
    return [each[key] for each in found for key in ("ip", "hostname") if each.get(key)]


def _records_of(ingress: Document) -> Iterator[Record]:
    annotations = ingress["metadata"].get("annotations") or {}
    written = annotations.get(f"{PREFIX}target", "")
    targets = _split(written) if written else targets_of(ingress.get("status") or {})
    by_type: dict[str, list[str]] = {}
    for target in targets:
        by_type.setdefault(_type_of(target), []).append(target.removesuffix("."))
    for name in _names(ingress["spec"], annotations):
        for kind, those in by_type.items():
            yield (name.removesuffix("."), kind, tuple(those))


def _names(spec: Document, annotations: dict[str, str]) -> Iterator[str]:
    source = annotations.get(f"{PREFIX}ingress-hostname-source", "").lower()
    if source != "annotation-only":
        yield from (rule["host"] for rule in spec.get("rules") or () if rule.get("host"))
        for tls in spec.get("tls") or ():
            yield from filter(None, tls.get("hosts") or ())
    if source != "defined-hosts-only":
        yield from filter(None, _split(annotations.get(f"{PREFIX}hostname", "")))


def _split(text: str) -> list[str]:
    return text.replace(" ", "").split(",")


def _type_of(target: str) -> str:
    try:
        return "A" if ip_address(target).version == 4 else "AAAA"
    except ValueError:
        return "CNAME"
