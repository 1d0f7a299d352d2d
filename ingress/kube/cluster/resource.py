"""
The kinds that are read from a cluster, and their paths in its API.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from ingress.kube.manifest import KINDS

PAGE_LIMIT: Final = 500
"""Objects of a page of a list, as client-go has it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of the API."""

    kind: str
    plural: str
    is_namespaced: bool = True

    first_page: int = PAGE_LIMIT
    """Objects of the first page; later pages adapt to the size of the objects."""

    without: str = ""
    """
    What follows if it may not be read, for a kind that the proxy can do without; empty for all
    others.
    """

    def __str__(self) -> str:
        """The name in RBAC: ``ingresses.networking.k8s.io``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def is_optional(self) -> bool:
        """Whether the proxy can do without it."""
        return bool(self.without)

    @property
    def group(self) -> str:
        """Empty for the core group."""
        group, slash, _ = self.version.partition("/")
        return group if slash else ""

    @property
    def version(self) -> str:
        """The apiVersion: ``networking.k8s.io/v1``."""
        return KINDS[self.kind][0]

    def path(self, namespace: str = "", name: str = "") -> str:
        """
        :param namespace: empty for all namespaces, and where there are none.
        :param name: of one object; empty for the list.
        """
        parts = ["apis" if self.group else "api", self.version]
        if namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
        return "/" + "/".join(parts)


INGRESSES: Final = Resource("Ingress", "ingresses")
INGRESS_CLASSES: Final = Resource("IngressClass", "ingressclasses", is_namespaced=False)
CLASSES_BESIDE_NAMESPACES: Final = replace(
    INGRESS_CLASSES, without="the names of classes alone decide which Ingresses are served"
)
"""
With rights in some namespaces only: these have no namespace, so they may be unreadable on purpose.
"""

SERVICES: Final = Resource("Service", "services")
ENDPOINT_SLICES: Final = Resource("EndpointSlice", "endpointslices")
SECRETS: Final = Resource("Secret", "secrets", first_page=50)
HELM_RELEASE: Final = "helm.sh/release.v1"
"""
The type of Secrets in which Helm keeps its releases: up to a MiB each, often more than all
other Secrets together, and never a certificate.
"""

CONFIG_MAPS: Final = Resource("ConfigMap", "configmaps", first_page=50)
FOREIGN_CONFIG_MAPS: Final = replace(
    CONFIG_MAPS,
    without="keys of ConfigMaps of ingress-nginx, which have no effect, are not reported",
)
"""The ConfigMaps of ingress-nginx that nothing names."""


@dataclass(frozen=True, slots=True)
class Target:
    """The objects that one Reflector lists and watches."""

    resource: Resource

    namespace: str = ""
    """Empty for all namespaces, and for kinds without namespaces."""

    name: str = ""
    """The only name of an object; empty for all."""

    label: str = ""
    """The label that an object must have, as ``KEY=VALUE``; empty for all."""

    def __str__(self) -> str:
        """A phrase for the end of a sentence."""
        if self.label:
            return f"{replace(self, label='')} with the label {self.label}"
        if self.name:
            name = f"{self.namespace}/{self.name}" if self.namespace else self.name
            return f"{self.resource.kind} {name}"
        plural = str(self.resource)
        return f"{plural} in namespace {self.namespace}" if self.namespace else plural

    @property
    def path(self) -> str:
        """The path of the list and of the watch."""
        return self.resource.path(self.namespace)

    @property
    def query(self) -> dict[str, str]:
        """
        The selectors. The right to list and watch a single object by its name applies only to
        requests with this field selector.
        """
        selectors = {}
        if self.name:
            selectors["fieldSelector"] = f"metadata.name={self.name}"
        elif self.resource is SECRETS:
            selectors["fieldSelector"] = f"type!={HELM_RELEASE}"
        if self.label:
            selectors["labelSelector"] = self.label
        return selectors
