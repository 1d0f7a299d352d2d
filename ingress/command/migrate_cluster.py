"""
The installations of a cluster, read once: what runs ingress-nginx, and what each of them serves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ingress.command.api_run import run_with_client
from ingress.command.cluster_reading import ClusterContent, read_with_client
from ingress.command.failure import CannotRun
from ingress.config import Cluster, Config
from ingress.kube.api.client import APIClient
from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.migration.controller import Installation, find_installations
from ingress.migration.raw import RawObject, as_list, object_of

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


def read_installations(
    cluster: Cluster,
    namespaces: Sequence[str],
    configure: Callable[[Installation], Config],
    environment: Mapping[str, str] = os.environ,
) -> list[tuple[Installation, Config, ClusterContent]]:
    """
    Read a cluster. This runs the reactor, which a process can do once, and changes nothing.

    :param namespaces: where ingress-nginx is looked for.
    :param configure: makes the configuration of an installation, which says what is read.
    :raises CannotRun: if the API server cannot be reached, does not show what is needed, or has no
        installation.
    """

    async def work(reactor: Any, client: APIClient) -> Any:
        refused: list[str] = []
        objects = await _objects(client, namespaces, refused)
        found = []
        for installation in find_installations(objects):
            config = configure(installation)
            content = await read_with_client(reactor, client, config, ())
            found.append((installation, config, content))
        if not found:
            why = f"; {'; '.join(refused)}" if refused else ""
            raise CannotRun(
                f"no Deployment or DaemonSet of ingress-nginx is in {', '.join(namespaces)}, where "
                f"--namespace says to look{why}"
            )
        return found

    result: list[tuple[Installation, Config, ClusterContent]] = run_with_client(
        cluster, work, environment
    )
    return result


async def _objects(
    client: APIClient, namespaces: Sequence[str], refused: list[str]
) -> list[RawObject]:
    found: list[RawObject] = []
    for namespace in namespaces:
        for kind, path in _PATHS.items():
            found += await _list(client, kind, path.format(namespace), refused)
    for kind, path in _WITHOUT_NAMESPACE.items():
        found += await _list(client, kind, path, refused)
    return found


async def _list(client: APIClient, kind: str, path: str, refused: list[str]) -> list[RawObject]:
    """
    :param refused: gets what we may not read; rows of the report tell what is missing then.
    :return: the objects of a list.
    """
    try:
        content = json.loads(await client.get(path))
    except APIUnreachable as error:
        raise CannotRun(f"{client.server.url}: {error}") from None
    except APIError as error:
        if error.code != _NOT_FOUND:
            refused.append(f"{path}: {error}")
        return []
    made = (object_of(each, kind) for each in as_list(content.get("items")))
    return [each for each in made if each is not None]
