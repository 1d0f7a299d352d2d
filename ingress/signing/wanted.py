"""
Which certificates the Ingresses of a cluster want, and which of these they may have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

from ingress.kube.objects import Ingress, ObjectName
from ingress.policy.annotation import Annotations
from ingress.policy.certificate_signer import CERTIFICATE_SIGNER

_WWW: Final = "www."


class Wanted(NamedTuple):
    """A Secret that an Ingress wants to have filled by a signer."""

    secret: ObjectName
    hosts: tuple[str, ...]
    """In lower case, each once, sorted: equal wishes are equal values."""

    signer: str
    ingress: ObjectName
    """The Ingress that is told about it."""

    refusal: str = ""
    """Why nobody is asked; empty if somebody may be."""


def wanted_certificates(
    served: Mapping[ObjectName, Ingress], signers: Collection[str]
) -> dict[ObjectName, Wanted]:
    """
    :param served: all Ingresses that are served.
    :param signers: those that the configuration lists.
    :return: by Secret; the first Ingress by name decides about a Secret that several name.
    """
    namespaces = _namespaces_by_host(served)
    wanted: dict[ObjectName, Wanted] = {}
    for name in sorted(served):
        ingress = served[name]
        signer = ingress.metadata.annotations.get(CERTIFICATE_SIGNER, "").strip()
        if signer not in signers:
            continue  # That is a Problem already.
        for each in _wishes(ingress, signer, namespaces):
            wanted.setdefault(each.secret, each)
    return wanted


def _namespaces_by_host(served: Mapping[ObjectName, Ingress]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for (namespace, _), ingress in served.items():
        for host in _served_hosts(ingress):
            found.setdefault(host, set()).add(namespace)
    return found


def _served_hosts(ingress: Ingress) -> Iterator[str]:
    """:return: the hosts of the rules, and the names that annotations give them beside these."""
    hosts = [rule.host.lower() for rule in ingress.spec.rules]
    yield from hosts
    if not ingress.metadata.annotations:
        return
    annotations = Annotations(ingress.metadata.annotations)
    for alias in annotations.words("server-alias"):
        yield alias.lower().removesuffix(".")
    if annotations.boolean("from-to-www-redirect", False):
        for host in hosts:
            yield host.removeprefix(_WWW) if host.startswith(_WWW) else _WWW + host


def _others(host: str, namespace: str, namespaces: Mapping[str, set[str]]) -> bool:
    """:return: whether another namespace serves a host of the certificate, or covers it."""
    if any(other != namespace for other in namespaces.get(host, ())):
        return True
    _, _, parent = host.partition(".")
    if host.startswith("*."):
        covered = (name for name in namespaces if name.partition(".")[2] == parent)
    else:
        covered = (name for name in (f"*.{parent}",) if name in namespaces)
    return any(other != namespace for name in covered for other in namespaces[name])


def _wishes(ingress: Ingress, signer: str, namespaces: Mapping[str, set[str]]) -> Iterator[Wanted]:
    own = {rule.host.lower() for rule in ingress.spec.rules if rule.host}
    for entry in ingress.spec.tls:
        if not entry.secret_name:
            continue
        hosts = tuple(sorted({host.lower() for host in entry.hosts} or own))
        refusal = ""
        foreign = [host for host in hosts if host not in own]
        shared = [host for host in hosts if _others(host, ingress.metadata.namespace, namespaces)]
        if not hosts:
            refusal = "it names no host"
        elif foreign:
            refusal = f"this Ingress has no rules for {foreign[0]}"
        elif shared:
            refusal = f"another namespace has rules for {shared[0]} as well, or for a part of it"
        secret = (ingress.metadata.namespace, entry.secret_name)
        yield Wanted(secret, hosts, signer, ingress.key, refusal)
