"""
Installations of ingress-nginx among objects: a workload, and what belongs to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ingress.migration.flags import ReadFlags, read
from ingress.migration.raw import RawObject, as_list, as_mapping, at

DEFAULT_CLASS: Final = "nginx"
DEFAULT_CONTROLLER: Final = "k8s.io/ingress-nginx"

_WORKLOADS: Final = ("Deployment", "DaemonSet")
_PROGRAM: Final = "nginx-ingress-controller"
_IMAGES: Final = re.compile(r"(?:^|/)(?:ingress-nginx/controller|nginx-ingress-controller)(?:\W|$)")
"""Of the project and its copies; ``nginx/nginx-ingress`` of NGINX Inc. is another program."""

Name = tuple[str, str]
"""Namespace and name."""

WordPath = tuple[str, int]
"""``command`` or ``args``, and the place in it."""


@dataclass(frozen=True)
class Installation:
    """One controller of ingress-nginx, with what belongs to it."""

    workload: RawObject
    container: Mapping[str, Any]
    read: ReadFlags = field(repr=False)
    """Its command line."""

    words: tuple[WordPath, ...] = ()
    """Where each word of the command line stands in the container."""

    classes: tuple[RawObject, ...] = ()
    services: tuple[RawObject, ...] = ()
    """Those that lead to its ports for clients; the one whose address is published comes first."""

    config_maps: Mapping[Name, RawObject] = field(default_factory=dict)
    autoscalers: tuple[RawObject, ...] = ()
    budgets: tuple[RawObject, ...] = ()
    webhooks: tuple[RawObject, ...] = ()

    @property
    def namespace(self) -> str:
        """Where its pods are."""
        return self.workload.namespace

    @property
    def name(self) -> str:
        """For people: kind, namespace and name."""
        return f"{self.workload.kind} {self.workload.namespace}/{self.workload.name}"

    @property
    def class_name(self) -> str:
        """The class that it serves by name."""
        return str(self.read.values.get("ingress-class") or DEFAULT_CLASS)

    @property
    def controller_class(self) -> str:
        """What an IngressClass has to have as its controller."""
        return str(self.read.values.get("controller-class") or DEFAULT_CONTROLLER)

    @property
    def pod(self) -> Mapping[str, Any]:
        """The pod's ``spec``."""
        return as_mapping(self.workload.at("spec", "template", "spec"))

    @property
    def pod_labels(self) -> Mapping[str, Any]:
        """What Services select its pods by."""
        return as_mapping(self.workload.at("spec", "template", "metadata", "labels"))

    @property
    def config_map(self) -> RawObject | None:
        """The ConfigMap of the controller, if it is among the objects."""
        return self.config_maps.get(self.reference("configmap") or ("", ""))

    def line_of(self, word: int | None) -> int:
        """
        :param word: the place of a word of the command line; None for the workload as a whole.
        :return: the line in the file of the workload.
        """
        if word is None or word >= len(self.words):
            return self.workload.line
        pods = ("spec", "template", "spec", "containers")
        containers = as_list(self.workload.at(*pods))
        number = next((n for n, each in enumerate(containers) if each is self.container), 0)
        return self.workload.line_of(*pods, number, *self.words[word])

    def reference(self, flag: str) -> Name | None:
        """:return: the object that a flag names as NAMESPACE/NAME; None if it names none."""
        return parse_reference(str(self.read.values.get(flag, "")), self.namespace)


def parse_reference(written: str, namespace: str) -> Name | None:
    """
    :param namespace: of a name that stands alone.
    :return: None for an empty text, or one with several slashes.
    """
    parts = written.strip().split("/")
    if len(parts) > 2 or not parts[-1]:
        return None
    return (parts[0] or namespace, parts[1]) if len(parts) == 2 else (namespace, parts[0])


def find_installations(objects: Sequence[RawObject]) -> list[Installation]:
    """:return: all that there are, in the order of namespaces and names."""
    found = []
    workloads = (each for each in objects if each.kind in _WORKLOADS)
    for workload in sorted(workloads, key=lambda each: (each.namespace, each.name)):
        container = _container(workload)
        if container is not None:
            found.append(_installation(workload, container, objects))
    return found


def _container(workload: RawObject) -> Mapping[str, Any] | None:
    containers = as_list(workload.at("spec", "template", "spec", "containers"))
    return next(filter(_is_controller, map(as_mapping, containers)), None)


def _is_controller(container: Mapping[str, Any]) -> bool:
    words = [*as_list(container.get("command")), *as_list(container.get("args"))]
    if any(str(word).rpartition("/")[2] == _PROGRAM for word in words):
        return True
    return bool(_IMAGES.search(str(container.get("image", ""))))


def _installation(
    workload: RawObject, container: Mapping[str, Any], objects: Sequence[RawObject]
) -> Installation:
    known = {"POD_NAMESPACE": workload.namespace, "POD_NAME": workload.name, "NODE_NAME": "node"}
    words = _arguments(container)
    flags = read([text for text, _ in words], known)
    bare = Installation(workload, container, flags)
    labels = bare.pod_labels
    services = [
        each
        for each in objects
        if each.kind == "Service"
        and each.namespace == workload.namespace
        and _selects(each.at("spec", "selector"), labels)
    ]
    published = bare.reference("publish-service")
    fronts = sorted(
        filter(_is_for_clients, services),
        key=lambda each: ((each.namespace, each.name) != published, _rank(each), each.name),
    )
    names = {(each.namespace, each.name) for each in services}
    return Installation(
        workload,
        container,
        flags,
        tuple(path for _, path in words),
        tuple(
            each
            for each in objects
            if each.kind == "IngressClass"
            and each.at("spec", "controller") == bare.controller_class
        ),
        tuple(fronts),
        {(each.namespace, each.name): each for each in objects if each.kind == "ConfigMap"},
        tuple(each for each in objects if _scales(each, workload)),
        tuple(
            each
            for each in objects
            if each.kind == "PodDisruptionBudget"
            and each.namespace == workload.namespace
            and _selects(each.at("spec", "selector", "matchLabels"), labels)
        ),
        tuple(each for each in objects if _asks(each, names)),
    )


def _arguments(container: Mapping[str, Any]) -> list[tuple[str, WordPath]]:
    """:return: the command line without the name of the program, and what starts that."""
    words: list[tuple[str, WordPath]] = [
        (str(word), (field, place))
        for field in ("command", "args")
        for place, word in enumerate(as_list(container.get(field)))
    ]
    starts = [n for n, (text, _) in enumerate(words) if text.rpartition("/")[2] == _PROGRAM]
    return words[starts[0] + 1 :] if starts else words


def _selects(selector: object, labels: Mapping[str, Any]) -> bool:
    wanted = as_mapping(selector)
    return bool(wanted) and wanted.items() <= labels.items()


def _is_for_clients(service: RawObject) -> bool:
    """Whether a Service leads to the ports of clients, not to metrics or the webhook alone."""
    for port in as_list(service.at("spec", "ports")):
        names = {str(at(port, "name")), str(at(port, "targetPort"))}
        if names & {"http", "https", "80", "443"} and "webhook" not in names:
            return True
    return False


def _rank(service: RawObject) -> int:
    kinds = ("LoadBalancer", "NodePort")
    kind = service.at("spec", "type")
    return kinds.index(kind) if kind in kinds else len(kinds)


def _scales(each: RawObject, workload: RawObject) -> bool:
    target = each.at("spec", "scaleTargetRef")
    return (
        each.kind == "HorizontalPodAutoscaler"
        and each.namespace == workload.namespace
        and (at(target, "kind"), at(target, "name")) == (workload.kind, workload.name)
    )


def _asks(each: RawObject, services: Iterable[Name]) -> bool:
    """Whether a webhook is that of one of these Services."""
    if each.kind != "ValidatingWebhookConfiguration":
        return False
    hooks = as_list(each.value.get("webhooks"))
    asked = [at(hook, "clientConfig", "service") for hook in hooks]
    return not {(at(one, "namespace"), at(one, "name")) for one in asked}.isdisjoint(services)
