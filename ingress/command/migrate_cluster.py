"""
The installations of a cluster, read once: what runs ingress-nginx, and what each of them serves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ingress.command.api_run import run_with_client
from ingress.command.cluster_reading import ClusterContent, read_with_client
from ingress.command.failure import CannotRun
from ingress.config import Cluster, Config
from ingress.kube.api.client import APIClient
from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.migration.controller import Installation, find_installations
from ingress.migration.raw import RawObject, as_list, object_of
from ingress.migration.verdict import Part, Row, Verdict

_NOT_FOUND: Final = 404

NAMESPACES: Final = ("ingress-nginx", "kube-system")
"""Where ingress-nginx usually is."""

_PATHS: Final = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Service": "/api/v1/namespaces/{}/services",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
}
_WITHOUT_NAMESPACE: Final = {
    "IngressClass": "/apis/networking.k8s.io/v1/ingressclasses",
    "ValidatingWebhookConfiguration": (
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    ),
}


_WORKLOADS: Final = ("Deployment", "DaemonSet")
_NEEDED: Final = frozenset({"ConfigMap", "DaemonSet", "Deployment", "IngressClass", "Service"})
"""Without these nobody can say what an installation serves."""


class Refused(NamedTuple):
    """Objects that may not be read."""

    kind: str
    namespace: str
    """Empty for kinds without one."""

    path: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}: {self.why}"


def read_installations(
    cluster: Cluster,
    namespaces: Sequence[str],
    configure: Callable[[Installation], Config],
    environment: Mapping[str, str] = os.environ,
) -> tuple[list[tuple[Installation, Config, ClusterContent]], list[Refused]]:
    """
    Read a cluster. This runs the reactor, which a process can do once, and changes nothing.

    :param namespaces: where ingress-nginx is looked for.
    :param configure: makes the configuration of an installation, which says what is read.
    :return: the installations, and what belongs to them and may not be read.
    :raises CannotRun: if the API server cannot be reached, does not show what is needed, or has no
        installation.
    """

    async def work(reactor: Any, client: APIClient) -> Any:
        refused: list[Refused] = []
        objects = await _objects(client, namespaces, refused)
        found = []
        for installation in find_installations(objects):
            config = configure(installation)
            content = await read_with_client(reactor, client, config, ())
            found.append((installation, config, content))
        if not found:
            why = "".join(f"; {each}" for each in refused if each.kind in _WORKLOADS)
            raise CannotRun(
                f"no Deployment or DaemonSet of ingress-nginx is in {', '.join(namespaces)}, where "
                f"--namespace says to look{why}"
            )
        return found, refused

    result: tuple[list[tuple[Installation, Config, ClusterContent]], list[Refused]]
    result = run_with_client(cluster, work, environment)
    return result


def judge_refused(refused: Iterable[Refused], namespace: str) -> Iterator[Row]:
    """:return: rows of what may not be read and may belong to an installation in a namespace."""
    for each in refused:
        if each.namespace not in ("", namespace):
            continue
        is_needed = each.kind in _NEEDED
        yield Row(
            Part.OBJECT,
            f"{each.kind} objects{f' in namespace {namespace}' if each.namespace else ''}",
            Verdict.CLOSED if is_needed else Verdict.DIFFERS,
            f"they may not be read, and what they say is not in this report: {each}",
            "Grant whoever runs migrate the right to list them, and run it again.",
            notice="Something may be missing in this report, and after the switch.",
        )


async def _objects(
    client: APIClient, namespaces: Sequence[str], refused: list[Refused]
) -> list[RawObject]:
    found: list[RawObject] = []
    for namespace in namespaces:
        for kind, path in _PATHS.items():
            found += await _list(client, kind, namespace, path.format(namespace), refused)
    for kind, path in _WITHOUT_NAMESPACE.items():
        found += await _list(client, kind, "", path, refused)
    return found


async def _list(
    client: APIClient, kind: str, namespace: str, path: str, refused: list[Refused]
) -> list[RawObject]:
    """
    :param refused: gets what we may not read.
    :return: the objects of a list.
    """
    try:
        content = json.loads(await client.get(path))
    except APIUnreachable as error:
        raise CannotRun(f"{client.server.url}: {error}") from None
    except APIError as error:
        if error.code != _NOT_FOUND:
            refused.append(Refused(kind, namespace, path, str(error)))
        return []
    made = (object_of(each, kind) for each in as_list(content.get("items")))
    return [each for each in made if each is not None]
