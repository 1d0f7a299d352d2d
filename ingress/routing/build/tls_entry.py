"""
Reads the tls entries of an Ingress.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from ingress.kube.objects import Ingress, IngressTLS, ObjectName
from ingress.problem import Problem
from ingress.problem_code import Code
from ingress.routing.build.rule_set import RuleSource, TLSEntry
from ingress.routing.build.secret_pair import covers
from ingress.routing.snapshot import ServerCertificate
from ingress.steps import STRIDE, Steps

CertificateOf = Callable[[ObjectName], ServerCertificate | None]
"""Finds the certificate of a Secret, if it can be used."""

_COVERS_NONE: Final = (
    "an entry without hosts is for the hosts of the rules that its certificate covers, and it "
    "covers none"
)


def read_tls_entries(
    ingress: Ingress,
    source: RuleSource,
    hosts: Collection[str],
    certificate_of: CertificateOf,
    problems: list[Problem],
) -> Steps[tuple[TLSEntry, ...]]:
    """
    :param hosts: those of the rules; empty for hosts that no rule names.
    :param problems: gets what is wrong with the entries.
    """
    entries: list[TLSEntry] = []
    for index, entry in enumerate(ingress.spec.tls):
        found = _read(entry, source.namespace, hosts, certificate_of)
        if found is None:
            problems.append(
                source.problem(Code.TLS_COVERS_NOTHING, f"spec.tls[{index}]", _COVERS_NONE)
            )
            found = TLSEntry((), _secret(entry, source.namespace), names_hosts=False)
        entries.append(found)
        if index % STRIDE == STRIDE - 1:
            yield
    return tuple(entries)


def _secret(entry: IngressTLS, namespace: str) -> ObjectName | None:
    return (namespace, entry.secret_name) if entry.secret_name else None


def _read(
    entry: IngressTLS, namespace: str, hosts: Collection[str], certificate_of: CertificateOf
) -> TLSEntry | None:
    """:return: None for an entry without hosts whose certificate covers none."""
    secret = _secret(entry, namespace)
    if entry.hosts:
        named = tuple(dict.fromkeys(host.lower() for host in entry.hosts))
        return TLSEntry(named, secret, names_hosts=True)
    certificate = certificate_of(secret) if secret is not None else None
    covered: tuple[str, ...] = ()
    if certificate is not None:
        covered = tuple(host for host in hosts if host and covers(certificate, host))
    if not covered and (secret is None or certificate is not None):
        return None
    return TLSEntry(covered, secret, names_hosts=False)
