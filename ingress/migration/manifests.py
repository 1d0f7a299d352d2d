"""
The manifests of this proxy in place of an installation of ingress-nginx, for kustomize.

They are those of etc/deploy, in the namespace of ingress-nginx, because a Service leads to pods of
its own namespace only: ``beside`` runs it without traffic of clients, ``instead`` gives it the
Service, and ``back`` gives that to ingress-nginx again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import yaml

from ingress.migration.configuration import ADMIN, DRAIN, HTTP, HTTPS, lease_of, settings_of
from ingress.migration.controller import Installation
from ingress.migration.raw import as_mapping
from ingress.migration.services import (
    LABEL,
    autoscaler_of,
    budget_of,
    class_of,
    former_service,
    moved_service,
    needs_low_ports,
    new_labels,
    stream_ports,
)
from ingress.migration.workload import host_ports, pod_fields, resources

IMAGE: Final = "registry.example.com/txingress:0.1.0"
NAME: Final = "txingress"

_WATCH: Final = ("list", "watch")
READ_RULES: Final = (
    ("networking.k8s.io", "ingresses", _WATCH),
    ("", "services", _WATCH),
    ("discovery.k8s.io", "endpointslices", _WATCH),
    ("", "secrets", _WATCH),
    ("", "configmaps", _WATCH),
    ("networking.k8s.io", "ingresses/status", ("patch",)),
    ("events.k8s.io", "events", ("create", "patch")),
)
"""The rights on objects with a namespace, as in etc/deploy/cluster-role.yaml."""

CLASS_RULE: Final = ("networking.k8s.io", "ingressclasses", _WATCH)

Document = Mapping[str, Any]


class File(NamedTuple):
    """A file to be written."""

    path: str
    text: str


def manifest_files(installation: Installation, name: str, image: str) -> Iterator[File]:
    """
    :param name: of the workload and all that belongs to it.
    :param image: with a tag or a digest.
    :return: the files, with paths below the folder of the output.
    """
    made = _Made(installation, name, image)
    base = {
        "service-account.yaml": [made.account()],
        "rights.yaml": list(made.rights()),
        f"{installation.workload.kind.lower()}.yaml": [made.workload()],
    }
    if extras := list(made.extras()):
        base["scaling.yaml"] = extras
    yield from (File(f"base/{file}", _yaml(*documents)) for file, documents in base.items())
    yield File("base/kustomization.yaml", _kustomization("", *base))
    yield File("beside/config-map.yaml", _yaml(made.config_map(writes_status=False)))
    yield File("beside/service.yaml", _yaml(made.rehearsal_service()))
    yield File(
        "beside/kustomization.yaml",
        _kustomization(_BESIDE, "../base", "config-map.yaml", "service.yaml"),
    )
    yield from _switch(made, installation, name)


def _switch(made: _Made, installation: Installation, name: str) -> Iterator[File]:
    yield File("instead/config-map.yaml", _yaml(made.config_map(writes_status=True)))
    resources_of = ["../base", "config-map.yaml"]
    if installation.services:
        moved = [moved_service(item, installation, name) for item in installation.services]
        yield File("instead/service.yaml", _yaml(*moved))
        resources_of.append("service.yaml")
        former = [former_service(item) for item in installation.services]
        yield File("back/service.yaml", _yaml(*former))
        yield File("back/kustomization.yaml", _kustomization(_BACK, "service.yaml"))
    if installation.classes:
        yield File("instead/ingress-class.yaml", _yaml(*map(class_of, installation.classes)))
        resources_of.append("ingress-class.yaml")
    patch = made.host_ports()
    if patch is not None:
        yield File("instead/host-ports.yaml", _yaml(patch))
    patches = ["host-ports.yaml"] if patch is not None else []
    yield File(
        "instead/kustomization.yaml", _kustomization(_INSTEAD, *resources_of, patches=patches)
    )


_BESIDE: Final = """\
# Beside ingress-nginx: the same Ingresses, without traffic of clients and without statuses.
#
#   kubectl apply -k beside
#
"""
_INSTEAD: Final = """\
# In place of ingress-nginx: its Service, with its address, leads to the new pods.
#
#   kubectl apply -k instead
#
"""
_BACK: Final = """\
# Back to ingress-nginx, as long as its pods run.
#
#   kubectl apply -k back
#
"""


def _kustomization(comment: str, *resources_of: str, patches: Sequence[str] = ()) -> str:
    content: dict[str, Any] = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(resources_of),
    }
    if patches:
        content["patches"] = [{"path": path} for path in patches]
    return comment + _yaml(content)


def _yaml(*documents: Document) -> str:
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=100)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are, and no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def as_yaml(document: Document) -> str:
    """:return: a document as people write it."""
    return _yaml(document)


def _without_host(port: Mapping[str, Any]) -> dict[str, Any]:
    """:return: a port that ingress-nginx has on the node as long as both run."""
    return {name: value for name, value in port.items() if name != "hostPort"}


class _Made:
    """Makes the objects."""

    def __init__(self, installation: Installation, name: str, image: str) -> None:
        self._old = installation
        self._name = name
        self._image = image
        self._labels = new_labels(installation, name)
        self._kind = installation.workload.kind

    def _metadata(self, name: str = "") -> dict[str, Any]:
        return {
            "name": name or self._name,
            "namespace": self._old.namespace,
            "labels": {LABEL: self._name},
        }

    def account(self) -> Document:
        return {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": self._metadata(),
            "automountServiceAccountToken": False,
        }

    def config_map(self, *, writes_status: bool) -> Document:
        settings = settings_of(self._old, self._name, writes_status=writes_status)
        text = _yaml(settings)
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": self._metadata(),
            "data": {"ingress.yaml": text},
        }

    def rights(self) -> Iterator[Document]:
        """Yield roles and bindings: of one namespace, if only that is watched."""
        watched = str(self._old.read.values.get("watch-namespace", ""))
        rules = [_rule(*each) for each in READ_RULES]
        # Not that of the chart or of etc/deploy, whose rights in another namespace this would take.
        whole = f"{NAME}-{self._old.namespace}"
        if self._name != NAME:
            whole += f"-{self._name}"
        wide = [_rule(*CLASS_RULE)] if watched else [_rule(*CLASS_RULE), *rules]
        settings = settings_of(self._old, self._name, writes_status=True)
        if "nodes" in settings["source"]["kubernetes"].get("status", {}):
            wide.append(_rule("", "nodes", ("get",)))
        yield from self._role("ClusterRole", {"name": whole}, wide)
        places = [(self._old.namespace, self._name, _lease_rules(lease_of(self._name)))]
        for namespace in sorted({watched, self._old.namespace} - {""}) if watched else ():
            places.append((namespace, f"{self._name}-objects", rules))
        for namespace, name, those in places:
            metadata = {**self._metadata(name), "namespace": namespace}
            yield from self._role("Role", metadata, those)

    def _role(
        self, kind: str, metadata: dict[str, Any], rules: list[dict[str, Any]]
    ) -> Iterator[Document]:
        """Yield a role, and what gives it to our account."""
        group = "rbac.authorization.k8s.io"
        account = {
            "kind": "ServiceAccount",
            "name": self._name,
            "namespace": self._old.namespace,
        }
        begin = {"apiVersion": f"{group}/v1", "metadata": metadata}
        yield {**begin, "kind": kind, "rules": rules}
        yield {
            **begin,
            "kind": f"{kind}Binding",
            "roleRef": {"apiGroup": group, "kind": kind, "name": metadata["name"]},
            "subjects": [account],
        }

    def workload(self) -> Document:
        spec: dict[str, Any] = {"selector": {"matchLabels": dict(self._labels)}}
        replicas = self._old.workload.at("spec", "replicas")
        if self._kind == "Deployment":
            if replicas is not None and not self._old.autoscalers:
                spec["replicas"] = replicas
            spec["strategy"] = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": str(ADMIN)}
        old = as_mapping(self._old.workload.at("spec", "template", "metadata", "annotations"))
        kept = {key: str(value) for key, value in old.items() if "checksum" not in str(key)}
        spec["template"] = {
            "metadata": {
                "labels": dict(self._labels),
                "annotations": {**kept, **annotations},
            },
            "spec": self._pod(),
        }
        return {
            "apiVersion": "apps/v1",
            "kind": self._kind,
            "metadata": self._metadata(),
            "spec": spec,
        }

    def _pod(self) -> dict[str, Any]:
        return {
            **pod_fields(self._old, self._labels),
            "serviceAccountName": self._name,
            "automountServiceAccountToken": True,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
                **self._sysctls(),
            },
            "containers": [self._container()],
            "volumes": [{"name": "config", "configMap": {"name": self._name}}],
        }

    def _sysctls(self) -> dict[str, Any]:
        """:return: what a user other than root needs to listen on ports below 1024."""
        if not needs_low_ports(self._old):
            return {}
        return {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]}

    def _container(self) -> dict[str, Any]:
        ports: list[dict[str, Any]] = [
            {"name": "http", "containerPort": HTTP, "protocol": "TCP"},
            {"name": "https", "containerPort": HTTPS, "protocol": "TCP"},
            {"name": "admin", "containerPort": ADMIN, "protocol": "TCP"},
        ]
        return {
            "name": NAME,
            "image": self._image,
            "env": [
                _from_field("POD_NAME", "metadata.name"),
                _from_field("POD_NAMESPACE", "metadata.namespace"),
                _from_field("NODE_NAME", "spec.nodeName"),
            ],
            "ports": [*ports, *map(_without_host, stream_ports(self._old))],
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "resources": resources(self._old),
            "startupProbe": _probe("/healthz", periodSeconds=1, failureThreshold=30),
            "livenessProbe": _probe(
                "/healthz", periodSeconds=10, timeoutSeconds=5, failureThreshold=3
            ),
            "readinessProbe": _probe(
                "/readyz", periodSeconds=5, timeoutSeconds=3, failureThreshold=2
            ),
            "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(DRAIN)]}}},
            "volumeMounts": [{"name": "config", "mountPath": "/etc/txingress", "readOnly": True}],
        }

    def host_ports(self) -> Document | None:
        """:return: a patch with the ports of the node, which ingress-nginx has until it is gone."""
        on_node = host_ports(self._old)
        if not on_node:
            return None
        numbers = {"http": HTTP, "https": HTTPS}
        ports: list[dict[str, Any]] = [
            {"name": name, "containerPort": numbers[name], "protocol": "TCP", "hostPort": number}
            for name, number in on_node.items()
        ]
        ports += [port for port in stream_ports(self._old) if "hostPort" in port]
        spec = {"containers": [{"name": NAME, "ports": ports}]}
        return {
            "apiVersion": "apps/v1",
            "kind": self._kind,
            "metadata": {"name": self._name, "namespace": self._old.namespace},
            "spec": {"template": {"spec": spec}},
        }

    def extras(self) -> Iterator[Document]:
        for item in self._old.autoscalers[:1]:
            made = autoscaler_of(item, self._kind, self._name)
            yield {**made, "metadata": self._metadata()}
        for item in self._old.budgets[:1]:
            made = budget_of(item, self._name, self._labels)
            yield {**made, "metadata": self._metadata()}

    def rehearsal_service(self) -> Document:
        """:return: a Service of the cluster alone, for the rehearsal."""
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": self._metadata(f"{self._name}-rehearsal"),
            "spec": {
                "type": "ClusterIP",
                "selector": dict(self._labels),
                "ports": [
                    {"name": "http", "port": 80, "targetPort": "http"},
                    {"name": "https", "port": 443, "targetPort": "https"},
                ],
            },
        }


def _lease_rules(lease: str) -> list[dict[str, Any]]:
    """The right to create cannot be limited to a name."""
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
    return [
        {**rule, "verbs": ["create"]},
        {**rule, "resourceNames": [lease], "verbs": ["get", "update"]},
    ]


def _rule(group: str, resource: str, verbs: tuple[str, ...]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}


def _from_field(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _probe(path: str, **numbers: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "admin"}, **numbers}
