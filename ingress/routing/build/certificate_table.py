"""
The certificates of all hosts, from one build to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ingress.kube.objects import ObjectKey, ObjectName
from ingress.routing.build.change import Index
from ingress.routing.build.host import ProblemsByObject
from ingress.routing.build.rule_table import Move, RuleTable, moved_users
from ingress.routing.build.secret_table import SecretTable
from ingress.routing.build.tls import choose_certificate
from ingress.routing.snapshot import ServerCertificate
from ingress.steps import STRIDE, Steps


@dataclass(frozen=True, slots=True)
class CertificateTable:
    """The certificates of all hosts, after a build, in the form of a Snapshot."""

    users: Index[str, ObjectKey] = field(default_factory=dict)
    """The objects that have a tls entry for a host, by the host's name in lower case."""

    certificates: Mapping[str, ServerCertificate] = field(default_factory=dict)
    problems: Mapping[str, ProblemsByObject] = field(default_factory=dict)
    """By host; hosts without Problems are left out."""


def update_certificates(
    table: CertificateTable,
    rules: RuleTable,
    secrets: SecretTable,
    changed_secrets: Iterable[ObjectName],
    moves: Iterable[Move],
) -> Steps[tuple[CertificateTable, set[ObjectKey]]]:
    """
    :return: the updated table, and the Ingresses that gained or lost a Problem.
    """
    users, touched = yield from moved_users(table.users, moves, lambda item: item.tls_hosts)
    touched |= yield from _hosts_of(changed_secrets, rules, secrets)
    if not touched:
        return table, set()
    certificates, problems = dict(table.certificates), dict(table.problems)
    concerned: set[ObjectKey] = set()
    for count, host in enumerate(touched):
        chosen = choose_certificate(host, rules.of(users.get(host, ())), secrets.certificate_of)
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
    changed_secrets: Iterable[ObjectName], rules: RuleTable, secrets: SecretTable
) -> Steps[set[str]]:
    """Find the hosts that may get another certificate because these Secrets changed."""
    hosts: set[str] = set()
    for secret in changed_secrets:
        for key in secrets.users.get(secret, ()):
            for entry in rules.sets[key].tls:
                if entry.secret == secret:
                    hosts.update(entry.hosts)
            yield
    return hosts
