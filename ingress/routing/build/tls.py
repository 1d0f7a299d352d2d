"""
Chooses the certificate of a host from all tls entries for it.

Source of the rules: docs/compatibility.md, sections 1 ("TLS") and 5 ("Certificates").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingress.kube.objects import ObjectKey
from ingress.problem import Problem, shown
from ingress.routing.build.certificate import covers
from ingress.routing.build.host import ProblemsByObject
from ingress.routing.build.ingress import CertificateOf
from ingress.routing.build.rule_set import RuleSet
from ingress.routing.build.secret_table import SecretTable
from ingress.routing.snapshot import ServerCertificate


@dataclass(frozen=True, slots=True)
class HostCertificate:
    """The certificate of a host, and the entries that lost."""

    certificate: ServerCertificate | None
    """None for the default certificate."""

    problems: ProblemsByObject


def choose_certificate(
    host: str, sets: Sequence[RuleSet], certificate_of: CertificateOf
) -> HostCertificate:
    """
    Choose the first certificate that can be used: an older Ingress with a broken Secret
    does no harm to a younger one with a good Secret.

    :param host: in lower case, a wildcard as ``*.example.com``.
    :param sets: the rules of the objects with a tls entry for it, the oldest first.
    """
    chosen: ServerCertificate | None = None
    winner: RuleSet | None = None
    problems: dict[ObjectKey, tuple[Problem, ...]] = {}
    for item in sets:
        for index in item.tls_hosts[host]:
            secret = item.tls[index].secret
            certificate = certificate_of(secret) if secret is not None else None
            if certificate is None or secret is None:
                continue
            if not covers(certificate, host):
                named = f"Secret {shown('/'.join(secret))}"
                message = f"the certificate in {named} does not cover this host; it is not used"
            elif winner is None:
                chosen, winner = certificate, item
                continue
            elif certificate == chosen:
                continue
            else:
                message = (
                    f"Ingress {winner.age[2]}, which goes first by age and name, has another "
                    "certificate for this host; that one is served"
                )
            field_path = f"spec.tls[{index}].hosts"
            problems[item.key] = (
                *problems.get(item.key, ()),
                item.problem(field_path, message, host),
            )
    return HostCertificate(chosen, problems)


def secret_problems(item: RuleSet, secrets: SecretTable) -> list[Problem]:
    """:return: a Problem for each tls entry whose Secret has a fault."""
    problems: list[Problem] = []
    for index, entry in enumerate(item.tls):
        fault = secrets.fault_of(entry.secret) if entry.secret is not None else ""
        if entry.secret is None or not fault:
            continue
        if secrets.certificate_of(entry.secret) is None:
            fault += "; the default certificate is served"
        field_path = f"spec.tls[{index}].secretName"
        problems.append(item.problem(field_path, fault, entry.secret[1]))
    return problems
