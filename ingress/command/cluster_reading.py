"""
The objects of a cluster, read once: by the same reader that follows them in serving.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any, Final, NamedTuple

from twisted.internet.defer import TimeoutError

from ingress.command.api_run import run_with_client
from ingress.command.failure import CannotRun
from ingress.command.overlay import with_objects
from ingress.config import Config
from ingress.kube.api.client import APIClient
from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.kube.cluster.reading import read_object
from ingress.kube.cluster.reflector import Access
from ingress.kube.cluster.source import ClusterSource
from ingress.kube.objects import Ingress, KubeObject, ObjectKey, Objects
from ingress.kube.slices import Slices
from ingress.kube.store import ObjectStore
from ingress.memory import settle_objects
from ingress.problem import Problem
from ingress.routing.build.reference import reference_rule

TIMEOUT: Final = 30.0
"""Seconds that the whole reading may take."""

_PATHS: Final = {"Secret": "secrets", "ConfigMap": "configmaps"}


class ClusterContent(NamedTuple):
    """What was read."""

    objects: Objects
    problems: tuple[Problem, ...]
    """The Problems of reading."""


def read_cluster(
    config: Config,
    further: Iterable[Ingress] = (),
    environment: Mapping[str, str] = os.environ,
) -> ClusterContent:
    """
    Read a cluster. This runs the reactor, which a process can do once.

    :param config: its `cluster` says which one.
    :param further: Ingresses that are not in the cluster; the Secrets that they name are read too.
    :raises CannotRun: if the API server cannot be reached, or does not show what is needed.
    """
    assert config.cluster is not None
    those = tuple(further)
    return run_with_client(
        config.cluster,
        lambda reactor, client: read_with_client(reactor, client, config, those),
        environment,
    )


async def read_with_client(
    reactor: Any, client: APIClient, config: Config, further: tuple[Ingress, ...]
) -> ClusterContent:
    """
    Read a cluster while the reactor runs.

    :param further: as in `read_cluster`.
    :raises CannotRun: as in `read_cluster`.
    """
    await _look_whether_it_is_there(client)
    store = ObjectStore()
    source = ClusterSource(
        Access(client, reactor, Random(), Slices(reactor, settle_objects)),  # noqa: S311 (jitter)
        store,
        config,
        reference_rule,
    )
    loaded = source.start().addTimeout(TIMEOUT, reactor)
    try:
        await loaded
    except TimeoutError:
        told = sorted({each.message for those in source.problems.values() for each in those})
        notes = "; ".join(told or source.contacts.notes())
        raise CannotRun(
            f"{client.server.url} has not shown all that is needed within {TIMEOUT:.0f} s: {notes}"
        ) from None
    finally:
        source.stop()
    objects = store.view()
    problems = [problem for those in source.problems.values() for problem in those]
    rule = reference_rule(objects.ingress_classes, config)
    missing = {key for ingress in further for key in rule(ingress)} - _keys(objects)
    found = [await _object(client, key) for key in sorted(missing)]
    return ClusterContent(with_objects(objects, filter(None, found)), tuple(problems))


async def _look_whether_it_is_there(client: APIClient) -> None:
    """
    :raises CannotRun: if there is no answer: the reader of serving would ask again and again.
    """
    try:
        await client.get("/version")
    except APIUnreachable as error:
        raise CannotRun(f"{client.server.url}: {error}") from None
    except APIError:
        return  # Rights may be missing for this, and not for what is needed.


def _keys(objects: Objects) -> set[ObjectKey]:
    return {("Secret", *name) for name in objects.secrets} | {
        ("ConfigMap", *name) for name in objects.config_maps
    }


async def _object(client: APIClient, key: ObjectKey) -> KubeObject | None:
    """:return: None if it does not exist, or if we may not read it, as in serving."""
    kind, namespace, name = key
    path = f"/api/v1/namespaces/{namespace}/{_PATHS[kind]}/{name}"
    try:
        return read_object(await client.get(path), key).item
    except APIError:
        return None
    except APIUnreachable as error:
        raise CannotRun(str(error)) from None
