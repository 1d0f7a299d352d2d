"""
The manifests of all golden cases in one set, so that one process can serve them: each case has hosts
and namespaces of its own, and every Service that has endpoints has some on the loopback interface.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "routing"

_SENDS_ELSEWHERE = frozenset({"auth-url", "mirror-target", "jwt-jwks-url"})
"""Annotations whose servers are asked: only those that are Services here stay."""

_CLUSTER_ONLY = frozenset({"service-upstream"})
"""Annotations that lead to addresses of a cluster."""

_SKIPPED_KINDS = frozenset({"EndpointSlice", "Endpoints", "IngressClass", "ConfigMap"})


class GoldenCluster(NamedTuple):
    """What a process gets to serve."""

    manifests: tuple[dict[str, Any], ...]
    services: tuple[str, ...]
    """``NAMESPACE/NAME`` of the Services that have endpoints."""

    urls: tuple[str, ...]
    """The requests of the cases."""


def golden_cluster() -> GoldenCluster:
    """:return: all cases that files without a configuration of their own can have."""
    manifests: list[dict[str, Any]] = []
    services: dict[str, None] = {}
    urls: list[str] = []
    for number, path in enumerate(sorted(FIXTURES.glob("*/*.yaml"))):
        text = path.read_text()
        documents = [each for each in yaml.safe_load_all(text) if isinstance(each, dict)]
        hosts = sorted(set(_hosts(documents)), key=len, reverse=True)
        rename = _renamer(hosts, f"c{number}")
        for document in yaml.safe_load_all(rename(text)):
            items = document.get("items", [document]) if isinstance(document, dict) else []
            for each in items:
                kind = each.get("kind")
                if kind in ("EndpointSlice", "Endpoints"):
                    services[_served(each, f"c{number}")] = None
                elif kind not in _SKIPPED_KINDS and not _is_external(each):
                    manifests.append(_moved(each, f"c{number}"))
        requests = path.with_suffix(".requests")
        if requests.exists():
            lines = rename(requests.read_text()).splitlines()
            urls += [line.partition(" ")[0] for line in lines]
    return GoldenCluster(tuple(manifests), tuple(filter(None, services)), tuple(urls))


def _hosts(documents: list[dict[str, Any]]) -> Iterator[str]:
    for document in documents:
        spec = document.get("spec")
        if document.get("kind") != "Ingress" or not isinstance(spec, dict):
            continue
        for rule in spec.get("rules") or ():
            if isinstance(rule, dict) and isinstance(rule.get("host"), str):
                yield rule["host"]


def _renamer(hosts: list[str], suffix: str) -> Any:
    """:return: gives each host of a case a name of its own, wherever it is written."""
    if not hosts:
        return lambda text: text
    names = "|".join(re.escape(host) for host in hosts if host)
    pattern = re.compile(rf"(?<![\w.-])({names})(?![\w:-])(?!\.[\w])")
    return lambda text: pattern.sub(lambda match: f"{match[1]}.{suffix}", text)


def _namespace(document: dict[str, Any]) -> str:
    return str((document.get("metadata") or {}).get("namespace") or "default")


def _served(document: dict[str, Any], prefix: str) -> str:
    """:return: the Service whose endpoints these are; empty if none of them is ready."""
    metadata = document.get("metadata") or {}
    labels = metadata.get("labels") or {}
    name = labels.get("kubernetes.io/service-name") or metadata.get("name")
    ready = [
        each
        for each in document.get("endpoints") or document.get("subsets") or ()
        if (each.get("conditions") or {}).get("ready", True) and each.get("addresses")
    ]
    return f"{prefix}-{_namespace(document)}/{name}" if ready else ""


def _is_external(document: dict[str, Any]) -> bool:
    spec = document.get("spec")
    return isinstance(spec, dict) and spec.get("type") == "ExternalName"


def _moved(document: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Move an object into a namespace of its case, with the names that its annotations have."""
    metadata = dict(document.get("metadata") or {})
    namespace = metadata["namespace"] = f"{prefix}-{_namespace(document)}"
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict):
        metadata["annotations"] = {
            name: _annotation(value, prefix)
            for name, value in annotations.items()
            if _stays(name.rpartition("/")[2], value)
        }
    del namespace
    return {**document, "metadata": metadata}


def _stays(name: str, value: object) -> bool:
    if name in _CLUSTER_ONLY:
        return False
    host = re.match(r"\w+://(?:[^/@]*@)?([\w.-]+)", str(value))
    is_service = host is None or re.search(r"\.svc(\.cluster\.local)?$", host[1]) is not None
    return name not in _SENDS_ELSEWHERE or is_service


def _annotation(value: object, prefix: str) -> object:
    if not isinstance(value, str):
        return value
    value = re.sub(r"^(default|other|test|sso|secrets)/", rf"{prefix}-\1/", value)
    return re.sub(r"\.([\w-]+)\.svc\b", rf".{prefix}-\1.svc", value)
