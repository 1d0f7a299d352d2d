"""
Objects as ``kubectl get`` prints them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from tests.support.fake_api.kind import Document, Kind

INGRESS_COLUMNS = ("Name", "Class", "Hosts", "Address", "Ports", "Age")


def make_table(
    kind: Kind, documents: Iterable[Document], metadata: Document, now: float
) -> Document:
    """
    :param metadata: the metadata of the list, or the revision of a single object.
    """
    names = INGRESS_COLUMNS if kind.plural == "ingresses" else ("Name", "Age")
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [_column(name) for name in names],
        "rows": [
            {"cells": _cells(kind, document, now), "object": _partial(document)}
            for document in documents
        ],
    }


def _column(name: str) -> Document:
    return {
        "name": name,
        "type": "string",
        "format": "name" if name == "Name" else "",
        "description": name,
        "priority": 0,
    }


def _partial(document: Document) -> Document:
    metadata = document["metadata"]
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
    }


def _cells(kind: Kind, document: Document, now: float) -> list[str]:
    name, age = document["metadata"]["name"], _age(document, now)
    if kind.plural != "ingresses":
        return [name, age]
    spec = document["spec"]
    hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
    points = (document.get("status") or {}).get("loadBalancer", {}).get("ingress") or ()
    addresses = [point.get("ip") or point.get("hostname", "") for point in points]
    return [
        name,
        spec.get("ingressClassName") or "<none>",
        _shortened(hosts) or "*",
        ",".join(addresses),
        "80, 443" if spec.get("tls") else "80",
        age,
    ]


def _shortened(hosts: list[str]) -> str:
    more = f" + {len(hosts) - 3} more..." if len(hosts) > 3 else ""
    return ",".join(hosts[:3]) + more


def _age(document: Document, now: float) -> str:
    created = document["metadata"].get("creationTimestamp")
    if not created:
        return "<unknown>"
    seconds = int(now - datetime.fromisoformat(created).timestamp())
    if seconds < 120:
        return f"{seconds}s"
    return f"{seconds // 60}m" if seconds < 7200 else f"{seconds // 3600}h"
