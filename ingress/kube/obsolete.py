"""
Advice for API versions that Kubernetes has removed.

``extensions/v1beta1`` and ``networking.k8s.io/v1beta1`` were removed in
Kubernetes 1.22 (2021), but live on in folders of old manifests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from ingress.document import Path
from ingress.kube.fault import Fault, value_at


def _old_ingress_faults(raw: object) -> Iterator[Fault]:
    """Faults for the fields that have another name or place in ``networking.k8s.io/v1``."""
    old_backend: Path = ("spec", "backend")
    if value_at(raw, old_backend) is not None:
        yield Fault(old_backend, "is called defaultBackend now")
        yield from _old_backend_faults(raw, old_backend)
    for rule in range(_count(raw, ("spec", "rules"))):
        paths: Path = ("spec", "rules", rule, "http", "paths")
        for index in range(_count(raw, paths)):
            entry: Path = (*paths, index)
            if not value_at(raw, (*entry, "pathType")):
                message = "must be there now: Exact, Prefix or ImplementationSpecific"
                yield Fault((*entry, "pathType"), message)
            yield from _old_backend_faults(raw, (*entry, "backend"))


def _old_backend_faults(raw: object, path: Path) -> Iterator[Fault]:
    if value_at(raw, (*path, "serviceName")) is not None:
        yield Fault((*path, "serviceName"), "is written service: {name: …} now")
    port = value_at(raw, (*path, "servicePort"))
    if port is not None:
        field = "name" if isinstance(port, str) and not port.isdigit() else "number"
        yield Fault((*path, "servicePort"), f"is written service: {{port: {{{field}: …}}}} now")


def _count(raw: object, path: Path) -> int:
    values = value_at(raw, path)
    return len(values) if isinstance(values, list) else 0


OBSOLETE: Final[dict[tuple[str, str], Callable[[object], Iterator[Fault]]]] = {
    ("Ingress", "extensions/v1beta1"): _old_ingress_faults,
    ("Ingress", "networking.k8s.io/v1beta1"): _old_ingress_faults,
}
"""By kind and apiVersion: the faults beside the version itself."""
