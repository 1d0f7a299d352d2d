"""
Reads the ConfigMaps of ingress-nginx, and no others.

Nothing is served from them: each of their keys is a Problem. So the proxy can do without them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from ingress.kube.cluster.contact import Contact
from ingress.kube.cluster.mirror import Mirror
from ingress.kube.cluster.problem_book import ProblemBook
from ingress.kube.cluster.reflector import Access, Reflector
from ingress.kube.cluster.resource import FOREIGN_CONFIG_MAPS, Target
from ingress.kube.cluster.shared_objects import SharedObjects
from ingress.kube.objects import (
    APPLICATION_LABEL,
    INGRESS_NGINX,
    INGRESS_NGINX_CONFIG_MAPS,
    ObjectName,
)

_LABEL: Final = f"{APPLICATION_LABEL}={INGRESS_NGINX}"


def config_map_reflectors(
    access: Access,
    namespaces: Iterable[str],
    objects: SharedObjects,
    problems: ProblemBook,
    changed: Callable[[], None],
) -> Iterator[Reflector]:
    """
    Make the Reflectors of ConfigMaps: one for the label and one for each name.

    :param objects: all ConfigMaps; something may name some of these as well.

    :param namespaces: those to read; empty for all.
    :param changed: called when the state of a `Contact` has changed.
    """
    for namespace in tuple(namespaces) or ("",):
        for target in _targets(namespace):
            is_wanted = _has_other_name if target.label else None
            mirror = Mirror(FOREIGN_CONFIG_MAPS, objects.share(), problems, is_wanted)
            contact = Contact(target, access.clock, changed, access.liveness)
            yield Reflector(access, mirror, contact)


def _targets(namespace: str) -> Iterator[Target]:
    # The first one is named in the Problem of a missing right.
    yield Target(FOREIGN_CONFIG_MAPS, namespace, label=_LABEL)
    for name in INGRESS_NGINX_CONFIG_MAPS:
        yield Target(FOREIGN_CONFIG_MAPS, namespace, name)


def _has_other_name(name: ObjectName) -> bool:
    """
    Whether nothing but the label leads to the object. If two Mirrors had it, one of them would
    drop it when it loses the label, although its name still leads to it.
    """
    return name[1] not in INGRESS_NGINX_CONFIG_MAPS
