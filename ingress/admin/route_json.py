"""
A Route as JSON: its Upstream, and the effect of its annotations.
"""

from __future__ import annotations

from typing import Any

from ingress.endpoint import UpstreamKey
from ingress.policy.backend_tls import BackendTLS
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.load_balance import LoadBalance
from ingress.policy.proxy_settings import ProxySettings
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
        "loadBalance": _load_balance(route.load_balance),
        "proxy": _proxy(route.proxy),
    }
    for policy in route.policies:
        found.update(policy.shown() or {policy.name: True})
    if route.affinity is not None:
        found["affinity"] = _affinity(route.affinity)
    if route.tls is not None:
        found["backendTLS"] = _backend_tls(route.tls)
    return found


def upstream_name(key: UpstreamKey) -> str:
    """A unique name; two Service ports may have the same name in the access log."""
    return f"{key.namespace}/{key.service}:{key.port}"


def _load_balance(settings: LoadBalance) -> dict[str, Any]:
    found: dict[str, Any] = {"algorithm": str(settings.algorithm)}
    if settings.hash_key is not None:
        found["hashBy"] = settings.hash_key.written
        found["subsetSize"] = settings.subset_size
    return found


def _affinity(affinity: CookieAffinity) -> dict[str, Any]:
    return {
        "cookie": affinity.name,
        "path": affinity.path,
        "mode": "persistent" if affinity.is_persistent else "balanced",
    }


def _proxy(settings: ProxySettings) -> dict[str, Any]:
    return {
        "bodySize": settings.body_size,
        "connectTimeout": settings.connect_timeout,
        "sendTimeout": settings.send_timeout,
        "readTimeout": settings.read_timeout,
        "retryOn": sorted(map(str, settings.retry_on)),
        "tries": settings.tries,
        "retryTimeout": settings.retry_timeout,
    }


def _backend_tls(tls: BackendTLS) -> dict[str, Any]:
    """The TLS settings, without the client certificate and its key."""
    return {
        "name": tls.name,
        "verified": tls.is_verified,
        "serverName": tls.sends_name,
        "clientCertificate": tls.chain_pem is not None,
    }
