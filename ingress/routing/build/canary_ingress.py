"""
Reads a canary Ingress.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Final

from ingress.endpoint import UpstreamKey
from ingress.kube.objects import Ingress, IngressBackend
from ingress.policy.annotation import OWN_PREFIX, PREFIX, Annotations
from ingress.policy.canary import Canary
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.feature import RouteFeature
from ingress.policy.load_balance import LoadBalance
from ingress.routing.build.canary_set import DEFAULT, CanaryPath, CanarySet

_GUARDS: Final = (
    "allowlist-source-range",
    "whitelist-source-range",
    "denylist-source-range",
    "auth-url",
    "auth-type",
    "auth-secret",
    "auth-tls-secret",
    f"{OWN_PREFIX}policies",
)
"""Annotations by which an author decides who may reach a Service."""


def read_canary_set(
    ingress: Ingress,
    annotations: Annotations,
    features: Mapping[str, RouteFeature],
    upstreams: MutableMapping[UpstreamKey, str],
) -> CanarySet | None:
    """
    :param features: what `Registry.read_canary` has read.
    :param upstreams: gets the Service ports that the Ingress names, each with the field that names
        it first.
    :return: None if the registry knows no canaries.
    """
    canary = features.get(Canary.key())
    if not isinstance(canary, Canary):
        return None
    balance = features.get(LoadBalance.key())
    affinity = features.get(CookieAffinity.key())
    return CanarySet(
        canary,
        balance if isinstance(balance, LoadBalance) else LoadBalance(),
        affinity if isinstance(affinity, CookieAffinity) else None,
        _guard(annotations),
        _paths(ingress, upstreams),
    )


def _guard(annotations: Annotations) -> str:
    for name in _GUARDS:
        if annotations.text(name):
            return name if name.startswith(OWN_PREFIX) else f"{PREFIX}{name}"
    return ""


def _paths(
    ingress: Ingress, upstreams: MutableMapping[UpstreamKey, str]
) -> dict[str, tuple[CanaryPath, ...]]:
    """The rules by host; a default backend is for the hosts of the rules, as elsewhere."""
    namespace, spec = ingress.metadata.namespace, ingress.spec
    hosts: dict[str, list[CanaryPath]] = {}
    for index, rule in enumerate(spec.rules):
        paths = hosts.setdefault(rule.host.lower(), [])
        for number, path in enumerate(rule.http.paths if rule.http is not None else ()):
            position = f"spec.rules[{index}].http.paths[{number}]"
            key = _upstream(namespace, path.backend)
            if key is not None:
                upstreams.setdefault(key, f"{position}.backend.service")
                paths.append(CanaryPath(path.path or "/", path.path_type, key, position))
    default = spec.default_backend
    key = _upstream(namespace, default) if default is not None else None
    if key is not None:
        upstreams.setdefault(key, "spec.defaultBackend.service")
        for paths in hosts.values() if hosts else (hosts.setdefault("", []),):
            paths.append(CanaryPath("", DEFAULT, key, "spec.defaultBackend"))
    return {host: tuple(paths) for host, paths in hosts.items()}


def _upstream(namespace: str, backend: IngressBackend) -> UpstreamKey | None:
    service = backend.service
    return UpstreamKey(namespace, service.name, str(service.port)) if service is not None else None
