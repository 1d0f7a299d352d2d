"""
The pods of an installation of ingress-nginx: what is carried over to those of this proxy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

from ingress.byte_size import BYTE_SIZE, byte_size
from ingress.migration.configuration import DRAIN
from ingress.migration.controller import Installation
from ingress.migration.raw import as_list, as_mapping, at
from ingress.migration.verdict import Part, Row, Verdict, as_value

_CARRIED: Final = (
    "nodeSelector", "tolerations", "affinity", "topologySpreadConstraints", "priorityClassName",
    "imagePullSecrets", "dnsPolicy", "dnsConfig", "hostAliases",
)  # fmt: skip
"""Fields of a pod that mean the same for every program."""

_LEFT_OUT: Final = {
    "initContainers": "containers that ran before ingress-nginx are not carried over",
    "volumes": "volumes of ingress-nginx are not mounted",
    "runtimeClassName": "it was made for the container of ingress-nginx, and is not carried over",
    "shareProcessNamespace": "it was made for the container of ingress-nginx",
}
_OWN_VOLUMES: Final = frozenset({"webhook-cert"})
_OWN_VARIABLES: Final = frozenset({"POD_NAME", "POD_NAMESPACE", "NODE_NAME", "LD_PRELOAD"})
_CPU, _MEMORY = 0.25, 256 << 20
_LEAST: Final = {"cpu": "250m", "memory": "256Mi"}
"""What etc/deploy asks for."""

_NOTICED: Final = {
    "hostNetwork": "Applications, and lists of addresses, may see the node in place of the client.",
    "resources": "Pods need more of their nodes; one that finds no room does not start.",
}
_LEAST_LIMIT: Final = 512 << 20


def pod_fields(installation: Installation, labels: Mapping[str, str]) -> dict[str, Any]:
    """
    :param labels: of the new pods; selectors of the old ones in affinities select these.
    :return: what is carried over into the pod's ``spec``.
    """
    old = installation.pod_labels
    pod = {name: deepcopy(installation.pod[name]) for name in _CARRIED if name in installation.pod}
    for name in ("affinity", "topologySpreadConstraints"):
        if name in pod:
            _replace_selectors(pod[name], old, labels)
    grace = installation.pod.get("terminationGracePeriodSeconds")
    pod["terminationGracePeriodSeconds"] = max(90, grace) if isinstance(grace, int) else 90
    return pod


def _replace_selectors(value: Any, old: Mapping[str, Any], new: Mapping[str, str]) -> None:
    """Replace each ``labelSelector`` that selects the old pods, in place."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            wanted = at(each, "labelSelector", "matchLabels")
            if wanted and as_mapping(wanted).items() <= old.items():
                each["labelSelector"] = {"matchLabels": dict(new)}
            pending += each.values()
        elif isinstance(each, list):
            pending += each


def resources(installation: Installation) -> dict[str, Any]:
    """:return: ``resources`` of the container: what was asked for, but never too little."""
    given = as_mapping(installation.container.get("resources"))
    requests = {**as_mapping(given.get("requests"))}
    if _cpu(requests.get("cpu")) < _CPU:
        requests["cpu"] = _LEAST["cpu"]
    if _memory(requests.get("memory")) < _MEMORY:
        requests["memory"] = _LEAST["memory"]
    limits = {**as_mapping(given.get("limits"))}
    if "memory" in limits and _memory(limits["memory"]) < _LEAST_LIMIT:
        limits["memory"] = "1Gi"
    return {"requests": requests, **({"limits": limits} if limits else {})}


def _cpu(written: object) -> float:
    text = str(written or "0")
    try:
        return float(text[:-1]) / 1000 if text.endswith("m") else float(text)
    except ValueError:
        return 0.0


def _memory(written: object) -> int:
    text = str(written or "0").removesuffix("i").lower()
    return byte_size(text) if BYTE_SIZE.fullmatch(text) else 0


def host_ports(installation: Installation) -> dict[str, int]:
    """:return: the ports of the node that pods have, by ``http`` and ``https``."""
    found: dict[str, int] = {}
    on_node = installation.pod.get("hostNetwork") is True
    flags = installation.read.values
    for port in as_list(installation.container.get("ports")):
        name, number = at(port, "name"), at(port, "hostPort")
        if name in ("http", "https") and isinstance(number, int):
            found[str(name)] = number
    if on_node:
        for name, default in (("http", 80), ("https", 443)):
            found.setdefault(name, int(str(flags.get(f"{name}-port", default))))
    return found


def judge_workload(installation: Installation) -> Iterator[Row]:
    """:return: rows of what pods have beside flags."""
    item, pod, container = installation.workload, installation.pod, installation.container

    def row(name: str, verdict: Verdict, follows: str, action: str = "", value: object = "") -> Row:
        place = f"{item.kind} {item.namespace}/{item.name}: {name}"
        return Row(
            Part.OBJECT,
            place,
            verdict,
            follows,
            action,
            as_value(value),
            file=item.file,
            line=item.line,
            notice=_NOTICED.get(name, "") if verdict is Verdict.DIFFERS else "",
        )

    if (replicas := item.at("spec", "replicas")) is not None:
        yield row("replicas", Verdict.SAME, "as many pods", value=replicas)
    for name in _CARRIED:
        if name in pod:
            yield row(name, Verdict.SAME, "carried over")
    if pod.get("hostNetwork") is True:
        yield row(
            "hostNetwork",
            Verdict.DIFFERS,
            "pods have host ports in place of the network of their node",
            "See whether the network plugin keeps client addresses with host ports, and whether "
            "the namespace allows them.",
        )
    elif host_ports(installation):
        yield row("hostPort", Verdict.SAME, "the same ports of the node")
    yield from _resources_rows(installation, row)
    yield from _left_out(installation, row)
    if "lifecycle" in container:
        yield row("lifecycle", Verdict.SAME, f"a hook of our own: {DRAIN} s of serving as before")


def _left_out(installation: Installation, row: Any) -> Iterator[Row]:
    """Yield rows of what was made for the container of ingress-nginx."""
    pod = installation.pod
    others = len(as_list(pod.get("containers"))) - 1
    if others > 0:
        yield row(
            "containers",
            Verdict.IGNORED,
            f"{others} further containers of the pod are not carried over",
            "Add what you still need to the Deployment in the output.",
        )
    for name, follows in _LEFT_OUT.items():
        found = pod.get(name)
        if name == "volumes":
            found = [each for each in as_list(found) if at(each, "name") not in _OWN_VOLUMES]
        if found:
            yield row(name, Verdict.IGNORED, follows, "Add what you still need to the output.")
    variables = [str(at(each, "name")) for each in as_list(installation.container.get("env"))]
    if further := [name for name in variables if name not in _OWN_VARIABLES]:
        yield row(
            "env",
            Verdict.IGNORED,
            f"environment variables are not carried over: {as_value(', '.join(further))}",
            "See whether they are of nginx alone.",
        )


def _resources_rows(installation: Installation, row: Any) -> Iterator[Row]:
    given = as_mapping(installation.container.get("resources"))
    if not given:
        return
    made = resources(installation)
    if made == {**given}:
        yield row("resources", Verdict.SAME, "carried over")
        return
    yield row(
        "resources",
        Verdict.DIFFERS,
        "raised to what this proxy needs: requests of 250m and 256Mi, a memory limit from 512Mi",
        "See whether the nodes have room for it.",
    )
