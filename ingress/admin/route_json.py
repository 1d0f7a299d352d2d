"""
A Route as JSON: its Upstream, and the effect of its annotations.
"""

from __future__ import annotations

from typing import Any

from ingress.endpoint import UpstreamKey
from ingress.routing.route import Route


def route_json(route: Route) -> dict[str, Any]:
    """:return: plain values; absent settings are left out."""
    namespace, ingress = route.ingress
    found: dict[str, Any] = {
        "path": route.path,
        "pathType": route.path_type,
        "namespace": namespace,
        "ingress": ingress,
        "upstream": upstream_name(route.upstream) if route.upstream is not None else None,
    }
    for feature in route.features:
        for name, value in (feature.shown() or {feature.key(): True}).items():
            other = found.setdefault(name, value)
            if isinstance(other, dict) and isinstance(value, dict):
                found[name] = {**value, **other}  # Policies of the configuration.
    return found


def upstream_name(key: UpstreamKey) -> str:
    """:return: a unique name."""
    return key.full_name
