"""
The objects around the pods of ingress-nginx: Services, classes, autoscaler, budget.

The Service keeps its name, and so its address: only its selector changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

from ingress.migration.config_maps import data_of
from ingress.migration.controller import Installation
from ingress.migration.raw import RawObject, as_list, as_mapping, as_port, at
from ingress.migration.verdict import (
    NO_WEBHOOK,
    NOTICED_WITHOUT_WEBHOOK,
    Part,
    Row,
    Verdict,
    as_value,
)
from ingress.migration.workload import host_ports

LABEL: Final = "app.kubernetes.io/name"
_KEPT_SPEC: Final = frozenset(
    {
        "allocateLoadBalancerNodePorts", "externalIPs", "externalTrafficPolicy",
        "healthCheckNodePort", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy",
        "loadBalancerClass", "loadBalancerIP", "loadBalancerSourceRanges", "sessionAffinity",
        "sessionAffinityConfig", "trafficDistribution", "type",
    }
)  # fmt: skip
"""Fields that people write; addresses, which the cluster gives, stay as they are at an apply."""

_NOT_KEPT: Final = ("kubectl.kubernetes.io/", "meta.helm.sh/", "deployment.kubernetes.io/")
FIRST_FREE_PORT: Final = 1024
_OWN_PORTS: Final = ("http", "https", "admin")


def kept_metadata(item: RawObject, name: str = "") -> dict[str, Any]:
    """:return: name, labels and annotations as people have written them."""
    metadata: dict[str, Any] = {"name": name or item.name}
    if item.namespace:
        metadata["namespace"] = item.namespace
    for field in ("labels", "annotations"):
        kept = {
            key: value
            for key, value in as_mapping(item.at("metadata", field)).items()
            if not str(key).startswith(_NOT_KEPT)
        }
        if kept:
            metadata[field] = kept
    return metadata


def new_labels(installation: Installation, name: str) -> dict[str, str]:
    """
    :param name: of the new workload.
    :return: the labels of the new pods: what the moved Services select them by, and none by which
        anything selects the old ones.
    """
    labels = {LABEL: name}
    for item in installation.services:
        labels |= moved_selector(item, installation, name)
    return labels


def moved_selector(item: RawObject, installation: Installation, name: str) -> dict[str, str]:
    """
    :return: the selector of a Service with the same keys: an apply merges it with the former one,
        of which no key would go.
    """
    former = {
        str(key): str(value) for key, value in as_mapping(item.at("spec", "selector")).items()
    }
    changed = LABEL if LABEL in former else min(former)
    moved = {**former, changed: name}
    own = as_mapping(installation.workload.at("spec", "selector", "matchLabels"))
    if own.items() <= {**moved, LABEL: name}.items():
        moved = dict.fromkeys(former, name)
    return moved


def moved_service(item: RawObject, installation: Installation, name: str) -> dict[str, Any]:
    """:return: the same Service, which leads to the new pods."""
    return _service(item, moved_selector(item, installation, name), _named)


def former_service(item: RawObject) -> dict[str, Any]:
    """:return: the Service as it is, to go back to."""
    return _service(item, as_mapping(item.at("spec", "selector")), deepcopy)


def _service(item: RawObject, selector: Mapping[str, Any], port: Any) -> dict[str, Any]:
    spec = as_mapping(item.value.get("spec"))
    kept = {name: deepcopy(value) for name, value in spec.items() if name in _KEPT_SPEC}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": kept_metadata(item),
        "spec": {
            **kept,
            "selector": dict(selector),
            "ports": [port(each) for each in as_list(spec.get("ports"))],
        },
    }


def _named(port: Mapping[str, Any]) -> dict[str, Any]:
    """:return: the same port of the Service, which leads to that of our container."""
    made = dict(port)
    name, target = made.get("name"), made.get("targetPort")
    for own, number in (("http", 80), ("https", 443)):
        if own in (name, target) or number in (target, made.get("port")):
            made["targetPort"] = own
            break
    return made


def stream_ports(installation: Installation) -> list[dict[str, Any]]:
    """
    :return: the ports of the container beside those of HTTP, for tcp- and udp-services; with
        ``hostPort`` those that pods have on their nodes.
    """
    named = {
        (number, protocol.upper())
        for protocol in ("tcp", "udp")
        for number in data_of(
            installation.config_maps.get(
                installation.reference(f"{protocol}-services-configmap") or ("", "")
            )
        )
    }
    on_node = installation.pod.get("hostNetwork") is True
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for port in as_list(installation.container.get("ports")):
        number, name = at(port, "containerPort"), str(at(port, "name") or "")
        key = (str(number), str(at(port, "protocol") or "TCP"))
        is_stream = key in named or name.endswith(("-tcp", "-udp"))
        if is_stream and name not in (*_OWN_PORTS, "") and isinstance(number, int):
            made = {"name": name, "containerPort": number, "protocol": key[1]}
            on_host = at(port, "hostPort") or (number if on_node else None)
            found[key] = {**made, "hostPort": on_host} if on_host else made
    # On the network of the node nobody has to list them.
    for written, protocol in sorted(named - found.keys()) if on_node else ():
        number = as_port(written)
        if number is not None:
            name = f"{number}-{protocol.lower()}"
            made = {"name": name, "containerPort": number, "protocol": protocol}
            found[written, protocol] = {**made, "hostPort": number}
    return list(found.values())


def needs_low_ports(installation: Installation) -> bool:
    """:return: whether TCP or UDP services have ports that only root may listen on by default."""
    return any(port["containerPort"] < FIRST_FREE_PORT for port in stream_ports(installation))


def class_of(item: RawObject) -> dict[str, Any]:
    """:return: the IngressClass as it is, so that it stays when ingress-nginx goes."""
    spec = as_mapping(item.value.get("spec"))
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": kept_metadata(item),
        "spec": {name: spec[name] for name in ("controller", "parameters") if name in spec},
    }


def autoscaler_of(item: RawObject, kind: str, name: str) -> dict[str, Any]:
    """:return: the same autoscaler for another workload."""
    spec = deepcopy(dict(as_mapping(item.value.get("spec"))))
    spec["scaleTargetRef"] = {"apiVersion": "apps/v1", "kind": kind, "name": name}
    version = item.value.get("apiVersion") or "autoscaling/v2"
    return {
        "apiVersion": version,
        "kind": item.kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def budget_of(item: RawObject, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """:return: the same budget for other pods."""
    spec = {
        key: value
        for key, value in as_mapping(item.value.get("spec")).items()
        if key in ("minAvailable", "maxUnavailable", "unhealthyPodEvictionPolicy")
    }
    return {
        "apiVersion": "policy/v1",
        "kind": item.kind,
        "metadata": {"name": name},
        "spec": {**spec, "selector": {"matchLabels": dict(labels)}},
    }


def judge_services(installation: Installation) -> Iterator[Row]:
    """:return: rows of the objects around the pods."""
    if not installation.services and host_ports(installation):
        yield Row(Part.OBJECT, "Service", Verdict.SAME, "there is none: pods have host ports")
    elif not installation.services:
        yield Row(
            Part.OBJECT,
            "Service",
            Verdict.DIFFERS,
            "no Service of ingress-nginx is among what was read, so that none is kept",
            "Give migrate the Services of its namespace.",
            notice="Addresses lead to ingress-nginx still, or nowhere.",
        )
    yield from _other_ports(installation)
    for item in installation.services:
        yield _same(item, "keeps its name, and so its address; its selector changes at the switch")
    for item in installation.classes:
        yield _same(item, "stays, and is served")
    if not installation.classes:
        yield Row(
            Part.OBJECT,
            f"IngressClass {installation.class_name}",
            Verdict.SAME,
            "there is none with its controller: Ingresses are served by the name of the class",
        )
    for item in installation.autoscalers:
        yield _same(item, "the same bounds and metrics for the new pods")
    for item in installation.budgets:
        yield _same(item, "the same for the new pods")
    for item in installation.webhooks:
        yield Row(
            Part.OBJECT,
            f"{item.kind} {item.name}",
            Verdict.DIFFERS,
            "nothing answers it when ingress-nginx is gone, so that the API server may refuse "
            "every change of an Ingress",
            f"{NO_WEBHOOK} The command: kubectl delete validatingwebhookconfiguration "
            f"{as_value(item.name)}",
            notice=NOTICED_WITHOUT_WEBHOOK,
            file=item.file,
            line=item.line,
        )


def _other_ports(installation: Installation) -> Iterator[Row]:
    known = {*_OWN_PORTS, *(port["name"] for port in stream_ports(installation))}
    for item in installation.services:
        for port in as_list(item.at("spec", "ports")):
            target = at(port, "targetPort")
            if isinstance(target, str) and target not in known:
                yield _other_port(item, port, target)


def _other_port(item: RawObject, port: Any, target: str) -> Row:
    return Row(
        Part.OBJECT,
        f"Service {item.namespace}/{item.name}: port {as_value(at(port, 'name'))}",
        Verdict.DIFFERS,
        f"it led to {as_value(target)}, a port that somebody has added to ingress-nginx; now it "
        f"leads to {as_value(_named(port).get('targetPort'))}",
        "See what listens there (perhaps redirects behind a load balancer with TLS), and correct "
        "the Service in the output.",
        notice="Requests to this port may get another answer.",
        file=item.file,
        line=item.line,
    )


def _same(item: RawObject, follows: str) -> Row:
    name = f"{item.namespace}/{item.name}" if item.namespace else item.name
    place = f"{item.kind} {name}"
    return Row(Part.OBJECT, place, Verdict.SAME, follows, file=item.file, line=item.line)
