"""
The configuration of this proxy that takes the place of an installation of ingress-nginx, and what
becomes of each of its flags.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final

from ingress.migration.config_maps import data_of, workers
from ingress.migration.controller import Installation
from ingress.migration.flag import FlagVerdict
from ingress.migration.flags import FlagRemark, read
from ingress.migration.raw import RawObject, as_list, at
from ingress.migration.unused_values import UNUSED
from ingress.migration.verdict import (
    NO_WEBHOOK,
    NOTICED_WITHOUT_WEBHOOK,
    Part,
    Row,
    Verdict,
    as_value,
    plain,
)

Settings = dict[str, Any]
"""A configuration as a document: keys, mappings and plain values."""

HTTP, HTTPS, ADMIN = 8080, 8443, 10254
"""The ports of the container: its user may bind no lower ones."""

DRAIN: Final = 15
"""Seconds of the hook in which a terminating pod serves as before (etc/deploy)."""

_RESERVE: Final = 15

_VERDICTS: Final[Mapping[FlagVerdict, Verdict]] = {
    FlagVerdict.SETS: Verdict.SAME,
    FlagVerdict.NO_EFFECT: Verdict.SAME,
    FlagVerdict.TOLD: Verdict.IGNORED,
    FlagVerdict.STOPS: Verdict.CLOSED,
}
_CARRIED: Final[Mapping[str, tuple[Verdict, str, str]]] = {
    "kubeconfig": (Verdict.SAME, "in a pod the service account is used", ""),
    "election-id": (
        Verdict.SAME,
        "this proxy has a Lease of its own, because both run beside each other for a while",
        "",
    ),
    "http-port": (Verdict.SAME, f"the container listens on {HTTP}; the Service maps it", ""),
    "https-port": (Verdict.SAME, f"the container listens on {HTTPS}; the Service maps it", ""),
    "healthz-port": (Verdict.SAME, f"the probes use port {ADMIN}", ""),
    "healthz-host": (Verdict.SAME, "the probes reach the pod", ""),
    "health-check-path": (Verdict.SAME, "the probes use /healthz and /readyz", ""),
    "validating-webhook": (
        Verdict.DIFFERS,
        UNUSED["controller.admissionWebhooks.enabled"].follows,
        NO_WEBHOOK,
    ),
    "update-status-on-shutdown": (
        Verdict.DIFFERS,
        "addresses stay when the last replica ends, so that a restart loses no DNS record",
        "Set source.kubernetes.status.clear-on-shutdown, if they have to go.",
    ),
}
"""Flags of which the output says something of its own."""


def judge_flags(installation: Installation) -> Iterator[Row]:
    """:return: a row for each flag that is given, or that is missed."""
    for remark in installation.read.remarks:
        yield replace(
            _row(remark), file=installation.workload.file, line=installation.line_of(remark.word)
        )


def judge_flag(name: str, value: str) -> Row:
    """:return: the row of one flag."""
    remarks = read([f"--{name}={value}" if value else f"--{name}"], {"NODE_NAME": "node"}).remarks
    return _row(remarks[0])


def _row(remark: FlagRemark) -> Row:
    name = f"--{remark.flag}" if remark.flag else "command line"
    verdict, follows, action = _VERDICTS[remark.verdict], remark.text, ""
    if remark.text == "it is the default":
        verdict = Verdict.SAME
    elif remark.flag in _CARRIED and remark.verdict is not FlagVerdict.STOPS:
        verdict, follows, action = _CARRIED[remark.flag]
    elif verdict is Verdict.CLOSED:
        action = "Decide before the switch: the configuration is written without it."
    elif verdict is Verdict.IGNORED:
        action = "See whether anybody relies on it."
    is_webhook = remark.flag == "validating-webhook" and verdict is Verdict.DIFFERS
    notice = NOTICED_WITHOUT_WEBHOOK if is_webhook else ""
    return Row(
        Part.FLAG, name, verdict, plain(follows), action, as_value(remark.value), notice=notice
    )


def settings_of(installation: Installation, name: str, *, writes_status: bool) -> Settings:
    """
    :param name: of the workload; the Lease has it, too, and is not that of ingress-nginx: two
        programs that share one would wait for each other.
    :param writes_status: whether addresses are written to Ingresses; ingress-nginx does that for as
        long as it runs.
    :return: the configuration of a pod.
    """
    settings = deepcopy(dict(installation.read.settings))
    settings["listen"] = {
        "http": f"tcp:{HTTP}", "https": f"tcp:{HTTPS}", "admin": f"tcp:{ADMIN}",
    }  # fmt: skip
    # The probes of the manifests are our own: alive and ready are two things.
    admin = settings.pop("admin", {})
    admin.pop("health-path", None)
    if admin:
        settings["admin"] = admin
    settings["public-ports"] = public_ports(installation.services)
    kubernetes = settings["source"]["kubernetes"]
    kubernetes["lease"] = lease_of(name)
    kubernetes.pop("kubeconfig", None)
    status = kubernetes.pop("status", {})
    status.pop("clear-on-shutdown", None)
    if writes_status and status:
        kubernetes["status"] = status
    grace = installation.pod.get("terminationGracePeriodSeconds")
    if isinstance(grace, int):
        most = max(grace, DRAIN + 2 * _RESERVE) - DRAIN - _RESERVE
        settings["shutdown-grace"] = min(settings.get("shutdown-grace", most), most)
    if number := workers(data_of(installation.config_map).get("worker-processes", "")):
        settings["workers"] = number
    return settings


def lease_of(name: str) -> str:
    """:return: the Lease of the replicas of a workload."""
    return f"{name}-leader"


def local_settings(installation: Installation, source: Mapping[str, Any]) -> Settings:
    """
    :param source: the files that are served, or the cluster.
    :return: the configuration of a process on the machine of whoever rehearses.
    """
    settings = settings_of(installation, "txingress", writes_status=False)
    settings["listen"] = {
        "http": f"tcp:{HTTP}",
        "https": f"tcp:{HTTPS}",
        "admin": f"tcp:{ADMIN}:interface=127.0.0.1",
    }
    settings.pop("public-ports")
    kubernetes = settings["source"].get("kubernetes", {})
    namespaces = kubernetes.get("namespaces")
    settings["source"] = dict(source)
    if "kubernetes" in source:
        inner = {**source["kubernetes"], "events": False}
        settings["source"] = {
            "kubernetes": {**inner, **({"namespaces": namespaces} if namespaces else {})}
        }
    return settings


def public_ports(services: Sequence[RawObject]) -> Settings:
    """:return: the ports of the first Service for clients."""
    found = {"http": 80, "https": 443}
    for service in services[:1]:
        for port in as_list(service.at("spec", "ports")):
            for name in found:
                if name in (at(port, "name"), at(port, "targetPort")):
                    number = at(port, "port")
                    found[name] = number if isinstance(number, int) else found[name]
    return found
