"""
The kinds of objects that the server knows, and their differences.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
"""An object or another answer as JSON values; never changed after it is stored."""

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
STATUS_VERBS = ("get", "patch", "update")


@dataclass(frozen=True)
class Kind:
    """
    :ivar has_status: whether status is a subresource, which is the only way to write it.
    :ivar subresources: those besides status that can be updated.
    :ivar has_generation: whether ``metadata.generation`` counts changes of the desired state.
    :ivar merge_keys: the lists that a strategic merge merges item by item, by path, each with
        the field that identifies its items; all other lists are replaced.
    :ivar empty: the content of a bookmark's object besides its metadata.
    """

    group: str
    version: str
    name: str
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    has_status: bool = False
    subresources: tuple[str, ...] = ()
    has_generation: bool = False
    merge_keys: dict[str, str] = field(default_factory=dict, hash=False)
    empty: Document = field(default_factory=dict, hash=False)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        return self.name.lower()

    @property
    def resource(self) -> str:
        """The name in messages: ``ingresses.networking.k8s.io``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def stored(self) -> str:
        """The kind under which it is stored: events of both groups share one."""
        return "events" if self.plural == "events" else self.resource

    def named(self, document: Document) -> Document:
        """Return an object with its two kind fields, which lists leave out."""
        return {"kind": self.name, "apiVersion": self.api_version, **document}

    def __repr__(self) -> str:
        return f"<Kind {self.resource}>"


_CONTAINERS = "spec.template.spec.containers"

KINDS = (
    Kind("", "v1", "ConfigMap", "configmaps", short_names=("cm",)),
    Kind("", "v1", "Endpoints", "endpoints", short_names=("ep",)),
    Kind("", "v1", "Event", "events", short_names=("ev",)),
    Kind(
        *("", "v1", "Namespace", "namespaces", False),
        short_names=("ns",),
        has_status=True,
        empty={"spec": {}, "status": {}},
    ),
    Kind(
        *("", "v1", "Node", "nodes", False),
        short_names=("no",),
        has_status=True,
        merge_keys={"status.addresses": "type", "status.conditions": "type"},
        empty={"spec": {}, "status": {}},
    ),
    Kind(
        *("", "v1", "Pod", "pods"),
        short_names=("po",),
        has_status=True,
        empty={"spec": {"containers": None}, "status": {}},
    ),
    Kind("", "v1", "Secret", "secrets"),
    Kind(
        *("", "v1", "Service", "services"),
        short_names=("svc",),
        has_status=True,
        merge_keys={"spec.ports": "port"},
        empty={"spec": {}, "status": {"loadBalancer": {}}},
    ),
    Kind("", "v1", "ServiceAccount", "serviceaccounts", short_names=("sa",)),
    Kind(
        *("apps", "v1", "Deployment", "deployments"),
        short_names=("deploy",),
        has_status=True,
        has_generation=True,
        merge_keys={
            _CONTAINERS: "name",
            f"{_CONTAINERS}.env": "name",
            f"{_CONTAINERS}.ports": "containerPort",
            f"{_CONTAINERS}.volumeMounts": "mountPath",
            "spec.template.spec.volumes": "name",
        },
    ),
    Kind(
        *("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
        short_names=("hpa",),
        has_status=True,
    ),
    Kind(
        *("certificates.k8s.io", "v1", "CertificateSigningRequest", "certificatesigningrequests"),
        False,
        short_names=("csr",),
        has_status=True,
        subresources=("approval",),
        empty={"spec": {"request": None, "signerName": ""}, "status": {}},
    ),
    Kind("coordination.k8s.io", "v1", "Lease", "leases", empty={"spec": {}}),
    Kind(
        *("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
        has_generation=True,
        empty={"addressType": "", "endpoints": None, "ports": None},
    ),
    Kind("events.k8s.io", "v1", "Event", "events", short_names=("ev",)),
    Kind(
        *("networking.k8s.io", "v1", "Ingress", "ingresses"),
        short_names=("ing",),
        has_status=True,
        has_generation=True,
        empty={"spec": {}, "status": {"loadBalancer": {}}},
    ),
    Kind(
        *("networking.k8s.io", "v1", "IngressClass", "ingressclasses", False),
        has_generation=True,
        empty={"spec": {}},
    ),
    Kind(
        *("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
        short_names=("netpol",),
        has_generation=True,
        empty={"spec": {}},
    ),
    Kind(
        *("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
        short_names=("pdb",),
        has_status=True,
        has_generation=True,
    ),
    Kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", False),
    Kind("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", False),
    Kind("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
)

_BY_RESOURCE = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
_BY_NAME = {(kind.api_version, kind.name): kind for kind in KINDS}


def find_kind(group: str, version: str, plural: str) -> Kind | None:
    """Find the kind that a path names."""
    return _BY_RESOURCE.get((group, version, plural))


def kind_of(document: Document) -> Kind:
    """
    Find the kind that an object declares.

    :raises KeyError: if the server does not know the kind.
    """
    return _BY_NAME[document["apiVersion"], document["kind"]]
