"""
The certificates of all hosts, from one build to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ingress.kube.objects import ObjectName
from ingress.routing.build.change import Index
from ingress.routing.build.host import ProblemsByIngress
from ingress.routing.build.ingress_table import IngressTable, Move, moved_users
from ingress.routing.build.secret_table import SecretTable
from ingress.routing.build.tls import choose_certificate
from ingress.routing.snapshot import ServerCertificate
from ingress.steps import STRIDE, Steps


@dataclass(frozen=True, slots=True)
class CertificateTable:
    """The certificates of all hosts, after a build, in the form of a Snapshot."""

    users: Index[str, ObjectName] = field(default_factory=dict)
    """The Ingresses that have a tls entry for a host, by the host's name in lower case."""

    certificates: Mapping[str, ServerCertificate] = field(default_factory=dict)
    problems: Mapping[str, ProblemsByIngress] = field(default_factory=dict)
    """By host; hosts without Problems are left out."""


def update_certificates(
    table: CertificateTable,
    ingresses: IngressTable,
    secrets: SecretTable,
    changed_secrets: Iterable[ObjectName],
    moves: Iterable[Move],
) -> Steps[tuple[CertificateTable, set[ObjectName]]]:
    """
    :return: the updated table, and the Ingresses that gained or lost a Problem.
    """
    users, touched = yield from moved_users(table.users, moves, lambda parts: parts.tls_hosts)
    touched |= yield from _hosts_of(changed_secrets, ingresses, secrets)
    if not touched:
        return table, set()
    certificates, problems = dict(table.certificates), dict(table.problems)
    concerned: set[ObjectName] = set()
    for count, host in enumerate(touched):
        chosen = choose_certificate(host, ingresses.of(users.get(host, ())), secrets.certificate_of)
        certificates.pop(host, None)
        if chosen.certificate is not None:
            certificates[host] = chosen.certificate
        before = problems.pop(host, {})
        if chosen.problems:
            problems[host] = chosen.problems
        if before != chosen.problems:
            concerned.update(before, chosen.problems)
        if count % STRIDE == STRIDE - 1:
            yield
    return CertificateTable(users, certificates, problems), concerned


def _hosts_of(
    changed_secrets: Iterable[ObjectName], ingresses: IngressTable, secrets: SecretTable
) -> Steps[set[str]]:
    """Find the hosts that may get another certificate because these Secrets changed."""
    hosts: set[str] = set()
    for secret in changed_secrets:
        for name in secrets.users.get(secret, ()):
            for entry in ingresses.parts[name].tls:
                if entry.secret == secret:
                    hosts.update(entry.hosts)
            yield
    return hosts
