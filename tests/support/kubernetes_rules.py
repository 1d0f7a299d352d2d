"""
What the API server refuses, or a controller never finds, though the schemas allow it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

Document = dict[str, Any]

_LABEL = re.compile(r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")
_DNS_LABEL = re.compile(r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")
_SUBDOMAIN = re.compile(r"^(?=.{1,253}$)[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
_PORT_NAME = re.compile(r"^(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$")
_WORKLOADS = ("Deployment", "DaemonSet")


def faults(documents: Iterable[Document]) -> list[str]:
    """:return: a line for each fault."""
    listed = list(documents)
    found = [fault for each in listed for fault in _of_one(each)]
    return [*found, *_between(listed)]


def _of_one(document: Document) -> Iterator[str]:
    kind, name = document["kind"], document["metadata"]["name"]
    if not (_DNS_LABEL if kind == "Service" else _SUBDOMAIN).match(name):
        yield f"{kind} {name}: no name"
    for label, value in document["metadata"].get("labels", {}).items():
        if not _LABEL.match(value):
            yield f"{kind} {name}: label {label}: {value}"
    if kind in _WORKLOADS:
        yield from _of_workload(document)
    if kind == "Service":
        yield from _of_service(document)
    if kind == "PodDisruptionBudget":
        bounds = {"minAvailable", "maxUnavailable"} & document["spec"].keys()
        if len(bounds) != 1:
            yield f"{kind} {name}: {bounds}"


def _of_workload(document: Document) -> Iterator[str]:
    where = f"{document['kind']} {document['metadata']['name']}"
    template = document["spec"]["template"]
    wanted = document["spec"]["selector"]["matchLabels"]
    if not wanted.items() <= template["metadata"]["labels"].items():
        yield f"{where}: does not select its own pods"
    for label, value in template["metadata"]["labels"].items():
        if not _LABEL.match(value):
            yield f"{where}: label {label}: {value}"
    spec = template["spec"]
    volumes = {each["name"] for each in spec.get("volumes", ())}
    for container in spec["containers"]:
        ports = container.get("ports", [])
        names = [each["name"] for each in ports]
        yield from (f"{where}: port {each}" for each in names if not _PORT_NAME.match(each))
        taken = Counter((each["containerPort"], each.get("protocol", "TCP")) for each in ports)
        yield from (f"{where}: port {each} twice" for each, count in taken.items() if count > 1)
        yield from (
            f"{where}: port {each} twice" for each, count in Counter(names).items() if count > 1
        )
        for each in container.get("volumeMounts", ()):
            if each["name"] not in volumes:
                yield f"{where}: no volume {each['name']}"
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            port = container.get(probe, {}).get("httpGet", {}).get("port")
            if port is not None and port not in names:
                yield f"{where}: {probe} asks {port}"
        if spec.get("hostNetwork") and any("hostPort" in each for each in ports):
            yield f"{where}: hostPort with hostNetwork"


def _of_service(document: Document) -> Iterator[str]:
    where, spec = f"Service {document['metadata']['name']}", document["spec"]
    is_external = spec["type"] in ("LoadBalancer", "NodePort")
    for field in ("externalTrafficPolicy", "healthCheckNodePort"):
        if field in spec and not is_external:
            yield f"{where}: {field} of a {spec['type']}"
    for field in ("loadBalancerIP", "loadBalancerClass", "allocateLoadBalancerNodePorts"):
        if field in spec and spec["type"] != "LoadBalancer":
            yield f"{where}: {field} of a {spec['type']}"
    if not spec["ports"]:
        yield f"{where}: no ports"
    for port in spec["ports"]:
        if not _DNS_LABEL.match(port["name"]) and not re.match(r"^[0-9a-z-]+$", port["name"]):
            yield f"{where}: port {port['name']}"
        if "nodePort" in port and not is_external:
            yield f"{where}: nodePort of a {spec['type']}"


def _between(documents: list[Document]) -> Iterator[str]:
    workloads = [each for each in documents if each["kind"] in _WORKLOADS]
    for document in documents:
        kind, spec = document["kind"], document.get("spec", {})
        where = f"{kind} {document['metadata']['name']}"
        if kind == "Service":
            chosen = [each for each in workloads if _selects(spec["selector"], each)]
            if not chosen:
                yield f"{where}: selects nothing"
            for port in spec["ports"]:
                for each in chosen:
                    [container, *_] = each["spec"]["template"]["spec"]["containers"]
                    if port["targetPort"] not in {one["name"] for one in container["ports"]}:
                        yield f"{where}: no port {port['targetPort']}"
        if kind in ("PodDisruptionBudget", "NetworkPolicy"):
            selector = spec.get("selector", spec.get("podSelector"))["matchLabels"]
            if not any(_selects(selector, each) for each in workloads):
                yield f"{where}: selects nothing"
        if kind == "HorizontalPodAutoscaler":
            target = spec["scaleTargetRef"]
            scaled = [(each["kind"], each["metadata"]["name"]) for each in workloads]
            if (target["kind"], target["name"]) not in scaled:
                yield f"{where}: scales nothing"
    names = {(each["kind"], each["metadata"]["name"]) for each in documents}
    for each in workloads:
        for volume in each["spec"]["template"]["spec"].get("volumes", ()):
            name = volume.get("configMap", {}).get("name")
            if name is not None and ("ConfigMap", name) not in names:
                yield f"{each['kind']}: no ConfigMap {name}"


def _selects(selector: dict[str, str], workload: Document) -> bool:
    labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return selector.items() <= labels.items()
