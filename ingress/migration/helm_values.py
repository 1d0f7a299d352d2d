"""
What becomes of each value that was given to ingress-nginx's chart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from ingress.migration.helm import chart_values
from ingress.migration.raw import as_mapping
from ingress.migration.verdict import ACCESS, Part, Row, Verdict, as_value

JudgeOne = Callable[[str, str], Row]
"""Judges a key of the ConfigMap, or a flag, with its value."""

MAX_VALUES: Final = 2000
"""Values that are judged; the chart has some 400."""


class Fate(NamedTuple):
    """What becomes of values below a path."""

    verdict: Verdict
    follows: str
    action: str = ""


_SAME: Final = Fate(Verdict.SAME, "carried over into the manifests")
_AS_FLAG: Final = Fate(Verdict.SAME, "read as the flag or key that it sets")
_OWN: Final = Fate(Verdict.SAME, "this proxy has its own; nothing depends on it")
_WEBHOOK: Final = Fate(
    Verdict.DIFFERS,
    "there is no admission webhook: a wrong Ingress is accepted, and reported as an Event and by "
    "txingress check",
    "Remove the ValidatingWebhookConfiguration at the switch, and run txingress check in CI.",
)
_PROBES: Final = Fate(Verdict.SAME, "the probes are those of this proxy")
_HOST_NETWORK: Final = Fate(
    Verdict.DIFFERS,
    "pods have host ports 80 and 443 in place of the network of their node",
    "See whether the network plugin keeps client addresses with host ports.",
)
_NGINX_ONLY: Final = Fate(Verdict.IGNORED, "it is about nginx itself, and nothing here reads it")
_POD: Final = Fate(
    Verdict.IGNORED,
    "it was made for the container of ingress-nginx, and is not carried over",
    "Add what you still need to the Deployment in the output.",
)
_TEMPLATE: Final = Fate(
    Verdict.IGNORED,
    "there is no template of nginx's configuration; what was changed in it no longer holds",
    ACCESS,
)
_MONITORING: Final = Fate(
    Verdict.DIFFERS,
    "metrics are always on, with the same names, at port 10254; the monitor is not written",
    "Point the monitor at the label app.kubernetes.io/name of the new pods.",
)

FATES: Final[Mapping[str, Fate]] = {
    "global": _OWN,
    "commonLabels": _POD,
    "namespaceOverride": _SAME,
    "nameOverride": _SAME,
    "fullnameOverride": _SAME,
    "revisionHistoryLimit": _OWN,
    "imagePullSecrets": _SAME,
    "portNamePrefix": _OWN,
    "rbac": Fate(Verdict.SAME, "the rights are those of this proxy"),
    "serviceAccount": Fate(Verdict.SAME, "the manifests have an account of their own"),
    "podSecurityPolicy": _OWN,
    "tcp": _AS_FLAG,
    "udp": _AS_FLAG,
    "dhParam": Fate(Verdict.IGNORED, "no cipher with DHE is offered"),
    "defaultBackend": Fate(Verdict.SAME, "its Service stays, and gets what no rule matches"),
    "controller.name": _SAME,
    "controller.image": Fate(Verdict.SAME, "the image is that of this proxy"),
    "controller.containerName": _OWN,
    "controller.containerPort": Fate(
        Verdict.SAME, "the container listens on 8080 and 8443; the Service maps them"
    ),
    "controller.enableAnnotationValidations": _AS_FLAG,
    "controller.configAnnotations": _POD,
    "controller.configMapNamespace": _AS_FLAG,
    "controller.proxySetHeaders": Fate(Verdict.SAME, "the ConfigMap with them stays in use"),
    "controller.addHeaders": Fate(Verdict.SAME, "the ConfigMap with them stays in use"),
    "controller.hostname": _POD,
    "controller.dnsConfig": _SAME,
    "controller.dnsPolicy": _SAME,
    "controller.hostAliases": _SAME,
    "controller.runtimeClassName": _POD,
    "controller.reportNodeInternalIp": _AS_FLAG,
    "controller.watchIngressWithoutClass": _AS_FLAG,
    "controller.ingressClassByName": _AS_FLAG,
    "controller.enableTopologyAwareRouting": _AS_FLAG,
    "controller.disableLeaderElection": _AS_FLAG,
    "controller.electionID": _AS_FLAG,
    "controller.electionTTL": _OWN,
    "controller.allowSnippetAnnotations": _AS_FLAG,
    "controller.hostNetwork": _HOST_NETWORK,
    "controller.hostPort": _SAME,
    "controller.networkPolicy": Fate(
        Verdict.DIFFERS,
        "no NetworkPolicy is written: etc/deploy has one",
        "Apply the NetworkPolicy of etc/deploy, if your network plugin enforces them.",
    ),
    "controller.ingressClassResource": _SAME,
    "controller.ingressClass": _AS_FLAG,
    "controller.podLabels": _POD,
    "controller.labels": _POD,
    "controller.annotations": _POD,
    "controller.podAnnotations": _SAME,
    "controller.podSecurityContext": _POD,
    "controller.containerSecurityContext": _POD,
    "controller.sysctls": _POD,
    "controller.publishService": _AS_FLAG,
    "controller.scope": _AS_FLAG,
    "controller.maxmindLicenseKey": Fate(
        Verdict.IGNORED,
        "there is no GeoIP here",
        "Look for rules by country, in snippets and in the ConfigMap.",
    ),
    "controller.extraEnvs": _POD,
    "controller.kind": _SAME,
    "controller.updateStrategy": _OWN,
    "controller.progressDeadlineSeconds": _OWN,
    "controller.minReadySeconds": _OWN,
    "controller.tolerations": _SAME,
    "controller.affinity": _SAME,
    "controller.topologySpreadConstraints": _SAME,
    "controller.terminationGracePeriodSeconds": _SAME,
    "controller.nodeSelector": _SAME,
    "controller.startupProbe": _PROBES,
    "controller.livenessProbe": _PROBES,
    "controller.readinessProbe": _PROBES,
    "controller.healthCheckPath": _AS_FLAG,
    "controller.healthCheckHost": _AS_FLAG,
    "controller.replicaCount": _SAME,
    "controller.minAvailable": _SAME,
    "controller.maxUnavailable": _SAME,
    "controller.unhealthyPodEvictionPolicy": _POD,
    "controller.resources": Fate(
        Verdict.SAME, "carried over, but never less than this proxy needs (250m, 256Mi)"
    ),
    "controller.resizePolicy": _POD,
    "controller.autoscaling": _SAME,
    "controller.autoscalingTemplate": Fate(
        Verdict.IGNORED,
        "metrics of one's own are not carried over",
        "Add them to the HorizontalPodAutoscaler in the output.",
    ),
    "controller.keda": Fate(
        Verdict.IGNORED,
        "no ScaledObject is written",
        "Point the ScaledObject at the new Deployment.",
    ),
    "controller.enableMimalloc": _NGINX_ONLY,
    "controller.customTemplate": _TEMPLATE,
    "controller.service": _SAME,
    "controller.service.internal": Fate(
        Verdict.DIFFERS,
        "a second, internal Service is written only if the object itself is read",
        "Give migrate the Services of the cluster as well.",
    ),
    "controller.shareProcessNamespace": _POD,
    "controller.extraContainers": _POD,
    "controller.extraVolumeMounts": _POD,
    "controller.extraVolumes": _POD,
    "controller.extraInitContainers": _POD,
    "controller.extraModules": Fate(
        Verdict.IGNORED,
        "modules of nginx are not loaded",
        ACCESS,
    ),
    "controller.opentelemetry": _NGINX_ONLY,
    "controller.admissionWebhooks": _WEBHOOK,
    "controller.metrics": Fate(
        Verdict.SAME, "metrics are always on, with the same names, at port 10254"
    ),
    "controller.metrics.serviceMonitor": _MONITORING,
    "controller.metrics.podMonitor": _MONITORING,
    "controller.metrics.prometheusRule": _MONITORING,
    "controller.lifecycle": Fate(
        Verdict.SAME, "the hook is that of this proxy: 15 s in which it serves as before"
    ),
    "controller.priorityClassName": _SAME,
}
"""By path; the longest that is a beginning of a value's path counts."""

_FLAGS: Final = {
    "controller.disableLeaderElection": "disable-leader-election",
    "controller.enableTopologyAwareRouting": "enable-topology-aware-routing",
    "controller.healthCheckPath": "health-check-path",
    "controller.ingressClassByName": "ingress-class-by-name",
    "controller.scope.namespaceSelector": "watch-namespace-selector",
    "controller.watchIngressWithoutClass": "watch-ingress-without-class",
}
"""Values that do nothing but set a flag, which has a verdict of its own."""

_UNKNOWN: Final = Fate(
    Verdict.IGNORED,
    "the chart has no such value, or did not use it",
    "Look whether it is mistyped.",
)
_OFF: Final = ("controller.admissionWebhooks", "controller.keda", "controller.networkPolicy")
"""Values of which nothing follows where ``enabled`` is false."""

_SECRET: Final = (
    "key", "secret", "token", "pass", "pwd", "credential", "auth", "cookie", "dhparam", "env",
    "controller.proxysetheaders.", "controller.addheaders.",
)  # fmt: skip
"""Words in the names of values that are not shown; fields may be credentials under any name."""


def judge_values(
    values: Mapping[str, Any], judge_key: JudgeOne, judge_flag: JudgeOne
) -> Iterator[Row]:
    """
    :param values: as they were given to the chart.
    :return: a row for each value.
    """
    given = chart_values(values)
    for number, (path, value) in enumerate(_leaves(given)):
        if number >= MAX_VALUES:
            yield Row(
                Part.VALUE, "…", Verdict.IGNORED, f"values beyond {MAX_VALUES} are not judged"
            )
            return
        yield _judge(given, path, value, judge_key, judge_flag)


def _judge(
    given: Mapping[str, Any],
    path: tuple[str, ...],
    value: object,
    judge_key: JudgeOne,
    judge_flag: JudgeOne,
) -> Row:
    name = ".".join(path)
    if path[:2] == ("controller", "config") and len(path) > 2:
        key = ".".join(path[2:])
        return _as(judge_key(key, as_value(value)), name, f"as the ConfigMap key {key}")
    if path[:2] == ("controller", "extraArgs") and len(path) > 2:
        flag = ".".join(path[2:])
        return _as(judge_flag(flag, as_value(value)), name, f"as the flag --{flag}")
    flag = _FLAGS.get(name, "")
    if flag and _says_anything(value) and not _is_overruled(given, name):
        return _as(judge_flag(flag, as_value(value)), name, f"as the flag --{flag}")
    found = _fate(path)
    if ".".join(path[:2]) in _OFF and not _is_on(given, path[1]):
        found = _OWN
    if not _says_anything(value):
        found = _OWN
    shown = "" if any(word in name.lower() for word in _SECRET) else _shown(value)
    return Row(Part.VALUE, name, found.verdict, found.follows, found.action, shown)


def _is_overruled(given: Mapping[str, Any], name: str) -> bool:
    """:return: whether the chart sets no flag for a value, because of another one."""
    scope = as_mapping(as_mapping(given.get("controller")).get("scope"))
    return name == "controller.scope.namespaceSelector" and bool(scope.get("enabled"))


def _as(row: Row, name: str, follows: str) -> Row:
    """:return: the row of a value that becomes a key or a flag, which has what follows."""
    told = follows if row.verdict is Verdict.SAME else f"{follows}: {row.follows}"
    return replace(row, part=Part.VALUE, name=name, follows=told)


def _is_on(given: Mapping[str, Any], name: str) -> bool:
    """:return: whether a part of the chart is switched on; the webhook is by default."""
    enabled = as_mapping(as_mapping(given.get("controller")).get(name)).get("enabled")
    return bool(enabled) or (enabled is None and name == "admissionWebhooks")


def _fate(path: tuple[str, ...]) -> Fate:
    for length in range(len(path), 0, -1):
        found = FATES.get(".".join(path[:length]))
        if found is not None:
            return found
    return _UNKNOWN


def _says_anything(value: object) -> bool:
    return value not in (None, "", False) and value != [] and value != {}


def _shown(value: object) -> str:
    if isinstance(value, list):
        return as_value(", ".join(map(str, value))) if all(map(_is_plain, value)) else "…"
    return as_value(value)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float)


def _leaves(values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield each value that is no mapping, or an empty one, with its path; without recursion."""
    pending: list[tuple[tuple[str, ...], object]] = [((), values)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, Mapping) and value:
            pending += [((*path, str(key)), each) for key, each in list(value.items())[::-1]]
        elif path:
            yield path, value
