"""
What becomes of the values of ingress-nginx's chart, by their paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ingress.migration.unused_values import UNUSED
from ingress.migration.verdict import ACCESS, NO_WEBHOOK, NOTICED_WITHOUT_WEBHOOK, Verdict


class Fate(NamedTuple):
    """What becomes of values below a path."""

    verdict: Verdict
    follows: str
    action: str = ""
    notice: str = ""
    """How people notice it; empty for what is usual (`ingress.migration.verdict.Row.noticed`)."""


_SAME: Final = Fate(Verdict.SAME, "carried over into the manifests")
_AS_FLAG: Final = Fate(Verdict.SAME, "read as the flag or key that it sets")
OWN: Final = Fate(Verdict.SAME, "this proxy has its own; nothing depends on it")
_WEBHOOK: Final = Fate(
    Verdict.DIFFERS,
    UNUSED["controller.admissionWebhooks.enabled"].follows,
    NO_WEBHOOK,
    NOTICED_WITHOUT_WEBHOOK,
)
_PROBES: Final = Fate(Verdict.SAME, "the probes are those of this proxy")
_HOST_NETWORK: Final = Fate(
    Verdict.DIFFERS,
    "pods have host ports 80 and 443 in place of the network of their node",
    "See whether the network plugin keeps client addresses with host ports.",
    "Applications, and lists of addresses, may see the node in place of the client.",
)
_POD: Final = Fate(
    Verdict.IGNORED,
    "it was made for the container of ingress-nginx, and is not carried over",
    "Add what you still need to the Deployment in the output.",
)
_TEMPLATE: Final = Fate(
    Verdict.IGNORED,
    UNUSED["controller.customTemplate.configMapName"].follows,
    ACCESS,
)
_MONITORING: Final = Fate(
    Verdict.DIFFERS,
    "metrics are always on, with the same names, at port 10254; the monitor is not written",
    "Point the monitor at the label app.kubernetes.io/name of the new pods.",
    "Dashboards have a gap from the switch on, and alerts do not fire.",
)

FATES: Final[Mapping[str, Fate]] = {
    "global": OWN,
    "commonLabels": _POD,
    "namespaceOverride": _SAME,
    "nameOverride": _SAME,
    "fullnameOverride": _SAME,
    "revisionHistoryLimit": OWN,
    "imagePullSecrets": _SAME,
    "portNamePrefix": OWN,
    "rbac": Fate(Verdict.SAME, "the rights are those of this proxy"),
    "serviceAccount": Fate(Verdict.SAME, "the manifests have an account of their own"),
    "podSecurityPolicy": OWN,
    "tcp": _AS_FLAG,
    "udp": _AS_FLAG,
    "dhParam": Fate(Verdict.IGNORED, UNUSED["dhParam"].follows),
    "defaultBackend": Fate(Verdict.SAME, "its Service stays, and gets what no rule matches"),
    "controller.name": _SAME,
    "controller.image": Fate(Verdict.SAME, UNUSED["controller.image.chroot"].follows),
    "controller.containerName": OWN,
    "controller.containerPort": Fate(
        Verdict.SAME, "the container listens on 8080 and 8443; the Service maps them"
    ),
    "controller.enableAnnotationValidations": Fate(
        Verdict.SAME, UNUSED["controller.enableAnnotationValidations"].follows
    ),
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
    "controller.electionTTL": Fate(Verdict.SAME, UNUSED["controller.electionTTL"].follows),
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
        UNUSED["controller.maxmindLicenseKey"].follows,
        "Look for rules by country, in snippets and in the ConfigMap.",
    ),
    "controller.extraEnvs": _POD,
    "controller.kind": _SAME,
    "controller.updateStrategy": OWN,
    "controller.progressDeadlineSeconds": OWN,
    "controller.minReadySeconds": OWN,
    "controller.tolerations": _SAME,
    "controller.affinity": _SAME,
    "controller.topologySpreadConstraints": _SAME,
    "controller.terminationGracePeriodSeconds": _SAME,
    "controller.nodeSelector": _SAME,
    "controller.startupProbe": _PROBES,
    "controller.livenessProbe": _PROBES,
    "controller.readinessProbe": _PROBES,
    "controller.healthCheckPath": _AS_FLAG,
    "controller.healthCheckHost": Fate(Verdict.SAME, UNUSED["controller.healthCheckHost"].follows),
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
        UNUSED["controller.keda.enabled"].follows,
        "Point the ScaledObject at the new Deployment.",
    ),
    "controller.enableMimalloc": Fate(Verdict.SAME, UNUSED["controller.enableMimalloc"].follows),
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
        UNUSED["controller.extraModules"].follows,
        ACCESS,
    ),
    "controller.opentelemetry": Fate(
        Verdict.SAME,
        UNUSED["controller.opentelemetry.enabled"].follows,
    ),
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
