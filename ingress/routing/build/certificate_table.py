"""
The certificates of all hosts, from one build to the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from itertools import chain
from typing import Final

from ingress.frozen import dataclass
from ingress.kube.objects import ObjectKey, ObjectName
from ingress.routing.build.change import Index
from ingress.routing.build.host import ProblemsByObject
from ingress.routing.build.host_owner import HostOwners, hosts_below, wildcard_of
from ingress.routing.build.rule_table import Move, RuleTable, moved_users
from ingress.routing.build.secret_table import SecretTable
from ingress.routing.build.tls import choose_certificate, tls_names
from ingress.routing.snapshot import ServerCertificate
from ingress.steps import STRIDE, Steps

_HOSTS_AT_ONCE: Final = STRIDE // 4
"""Choosing a certificate takes some ten microseconds."""


@dataclass(frozen=True, slots=True)
class CertificateTable:
    """The certificates of all hosts, after a build, in the form of a Snapshot."""

    users: Index[str, ObjectKey] = field(default_factory=dict)
    """The objects that may bring a certificate for a host, by its name in lower case."""

    certificates: Mapping[str, ServerCertificate] = field(default_factory=dict)
    problems: Mapping[str, ProblemsByObject] = field(default_factory=dict)
    """By host; hosts without Problems are left out."""


def update_certificates(
    table: CertificateTable,
    rules: RuleTable,
    secrets: SecretTable,
    changed_secrets: Iterable[ObjectName],
    moves: Collection[Move],
    owners: HostOwners,
) -> Steps[tuple[CertificateTable, set[ObjectKey]]]:
    """
    :return: the updated table, and the objects that gained or lost a Problem.
    """
    users, touched = yield from moved_users(table.users, moves, tls_names)
    touched |= yield from _hosts_of(changed_secrets, rules, secrets)
    touched |= yield from _hosts_with_other_rules(users, moves)
    wildcards = {host for host in touched if host.startswith("*.")}
    yield
    touched |= yield from hosts_below(wildcards, users)
    if not touched:
        return table, set()
    certificates, problems = dict(table.certificates), dict(table.problems)
    concerned: set[ObjectKey] = set()
    # Wildcards first: the hosts below are compared with them.
    others = (host for host in touched if host not in wildcards)
    for count, host in enumerate(chain(wildcards, others)):
        sets = rules.of(users.get(host, ()))
        chosen = choose_certificate(host, sets, secrets.certificate_of, owners)
        certificates.pop(host, None)
        is_needless = (
            chosen.is_of_wildcard and certificates.get(wildcard_of(host)) is chosen.certificate
        )
        if chosen.certificate is not None and not is_needless:
            certificates[host] = chosen.certificate
        before = problems.pop(host, {})
        if chosen.problems:
            problems[host] = chosen.problems
        if before != chosen.problems:
            concerned.update(before, chosen.problems)
        if count % _HOSTS_AT_ONCE == _HOSTS_AT_ONCE - 1:
            yield
    return CertificateTable(users, certificates, problems), concerned


def _hosts_with_other_rules(users: Index[str, ObjectKey], moves: Iterable[Move]) -> Steps[set[str]]:
    """Find the hosts with tls entries that may have another owner because rules changed."""
    hosts: set[str] = set()
    for count, (_, old, new) in enumerate(moves):
        for rules in (old, new):
            if rules is not None:
                hosts.update(host for host in rules.hosts if host in users or host.startswith("*."))
        if count % STRIDE == STRIDE - 1:
            yield
    return hosts


def _hosts_of(
    changed_secrets: Iterable[ObjectName], rules: RuleTable, secrets: SecretTable
) -> Steps[set[str]]:
    """Find the hosts that may get another certificate because these Secrets changed."""
    hosts: set[str] = set()
    for secret in changed_secrets:
        for key in secrets.users.get(secret, ()):
            item = rules.sets[key]
            if any(entry.secret == secret for entry in item.tls):
                hosts |= tls_names(item)
            yield
    return hosts
