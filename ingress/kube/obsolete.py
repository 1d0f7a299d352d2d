"""
Advice for API versions that Kubernetes has removed.

``extensions/v1beta1`` and ``networking.k8s.io/v1beta1`` were removed in
Kubernetes 1.22 (2021), but live on in folders of old manifests. The advice is one text for
the whole object: whoever converts it needs all of it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from ingress.document import Path
from ingress.kube.fault import value_at


def _advise_ingress(raw: object) -> str:
    """Name the fields that have another name or place in ``networking.k8s.io/v1``."""
    advice: list[str] = []
    old_backend = value_at(raw, ("spec", "backend"))
    if old_backend is not None:
        advice.append("spec.backend is called defaultBackend")
    paths = [entry for entry in _paths(raw) if isinstance(entry, dict)]
    if not all(value_at(entry, ("pathType",)) for entry in paths):
        advice.append("each path needs a pathType: Exact, Prefix or ImplementationSpecific")
    backends = [old_backend, *(value_at(entry, ("backend",)) for entry in paths)]
    if any(value_at(backend, ("serviceName",)) is not None for backend in backends):
        advice.append("serviceName is written service: {name: …}")
    ports = [value_at(backend, ("servicePort",)) for backend in backends]
    for field, is_field in (("number", _is_number), ("name", _is_name)):
        if any(is_field(port) for port in ports):
            advice.append(f"servicePort is written service: {{port: {{{field}: …}}}}")
    return "; ".join(advice)


def _is_number(port: object) -> bool:
    return isinstance(port, int) or (isinstance(port, str) and port.isdigit())


def _is_name(port: object) -> bool:
    return isinstance(port, str) and not port.isdigit()


def _paths(raw: object) -> Iterator[object]:
    for rule in _items(raw, ("spec", "rules")):
        yield from _items(rule, ("http", "paths"))


def _items(value: object, path: Path) -> list[object]:
    found = value_at(value, path)
    return found if isinstance(found, list) else []


OBSOLETE: Final[dict[tuple[str, str], Callable[[object], str]]] = {
    ("Ingress", "extensions/v1beta1"): _advise_ingress,
    ("Ingress", "networking.k8s.io/v1beta1"): _advise_ingress,
}
"""By kind and apiVersion: the advice beside the version itself."""
