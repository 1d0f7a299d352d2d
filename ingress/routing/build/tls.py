"""
Chooses the certificate of a host from all tls entries for it.

Source of the rules: docs/compatibility.md, sections 1 ("TLS") and 5 ("Certificates").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from ingress.frozen import dataclass
from ingress.kube.objects import ObjectKey
from ingress.problem import Problem, shown
from ingress.problem_code import Code
from ingress.routing.build.host import ProblemsByObject
from ingress.routing.build.host_owner import HostOwners, belongs_to, wildcard_of
from ingress.routing.build.rule_set import RuleSet
from ingress.routing.build.secret_pair import covers
from ingress.routing.build.secret_table import SecretTable
from ingress.routing.build.tls_entry import CertificateOf
from ingress.routing.snapshot import ServerCertificate

_NOT_COVERED: Final = "does not cover this host; it is not used"
_FIRST: Final = "which goes first by age and name"
_SERVED: Final = "has another certificate for this host; that one is served"


@dataclass(frozen=True, slots=True)
class HostCertificate:
    """The certificate of a host, and the entries that lost."""

    certificate: ServerCertificate | None
    """None for the certificate of its wildcard, or the default one."""

    problems: ProblemsByObject

    is_of_wildcard: bool = False
    """Whether it comes from a tls entry for the wildcard that covers the host."""


class _Offer(NamedTuple):
    """A certificate that a tls entry brings for a host."""

    rules: RuleSet
    entry: int
    """The place of the entry in `RuleSet.tls`."""

    certificate: ServerCertificate
    is_exact: bool
    """Whether the entry names the host itself, and not its wildcard."""


def tls_names(rules: RuleSet) -> frozenset[str]:
    """
    :return: the hosts that tls entries of an object may bring a certificate for: those that
        they name, hosts of its rules below a wildcard that they name, and aliases of all these.
    """
    if not rules.tls_hosts:
        return frozenset()
    below = (host for host in rules.hosts if wildcard_of(host) in rules.tls_hosts)
    aliases = (alias for alias, host in rules.aliases.items() if _has_entry(rules, host))
    return frozenset((*rules.tls_hosts, *below, *aliases))


def _has_entry(rules: RuleSet, host: str) -> bool:
    return host in rules.tls_hosts or wildcard_of(host) in rules.tls_hosts


def choose_certificate(
    host: str, sets: Sequence[RuleSet], certificate_of: CertificateOf, owners: HostOwners
) -> HostCertificate:
    """
    Choose the first certificate that can be used: an older Ingress with a broken Secret
    does no harm to a younger one with a good Secret. Certificates of the namespace that
    owns the host go first.

    :param host: in lower case, a wildcard as ``*.example.com``.
    :param sets: the rules of the objects whose `tls_names` include it, the oldest first.
    """
    owner = owners.owner(host)
    losses: list[tuple[_Offer, str]] = []
    own: list[_Offer] = []
    foreign: list[_Offer] = []
    for offer in _offers(host, sets, certificate_of):
        if not covers(offer.certificate, host):
            losses.append((offer, f"the certificate in {_secret(offer)} {_NOT_COVERED}"))
        elif owner is None or owner.source.namespace == offer.rules.source.namespace:
            own.append(offer)
        elif owners.is_exclusive:
            losses.append((offer, f"{belongs_to(owner, host)}; the certificate is not used"))
        elif offer.is_exact:
            foreign.append(offer)
    own.sort(key=lambda offer: not offer.is_exact)
    ranked = [*own, *foreign]
    if not ranked:
        return HostCertificate(None, _problems(host, losses))
    winner = ranked[0]
    for offer in ranked[1:]:
        if offer.certificate != winner.certificate:
            reason = "whose namespace had this host first" if offer in foreign and own else _FIRST
            losses.append((offer, f"Ingress {winner.rules.age[2]}, {reason}, {_SERVED}"))
    is_below = not winner.is_exact
    return HostCertificate(winner.certificate, _problems(host, losses), is_below)


def _secret(offer: _Offer) -> str:
    return f"Secret {shown('/'.join(offer.rules.tls[offer.entry].secret or ()))}"


def _problems(host: str, losses: Iterable[tuple[_Offer, str]]) -> ProblemsByObject:
    """A Problem for each entry that names the host and lost."""
    problems: dict[ObjectKey, tuple[Problem, ...]] = {}
    for offer, message in losses:
        if offer.is_exact:
            rules = offer.rules
            problem = rules.problem(
                Code.CERTIFICATE_LOSES, f"spec.tls[{offer.entry}].hosts", message, host
            )
            problems[rules.key] = (*problems.get(rules.key, ()), problem)
    return problems


def _offers(host: str, sets: Sequence[RuleSet], certificate_of: CertificateOf) -> Iterator[_Offer]:
    wildcard = wildcard_of(host)
    for rules in sets:
        exact = rules.tls_hosts.get(host, ())
        covering = rules.tls_hosts.get(wildcard, ()) if host in rules.hosts else ()
        if host in rules.aliases:
            named = rules.aliases[host]
            covering = rules.tls_hosts.get(named) or rules.tls_hosts.get(wildcard_of(named), ())
        for index in (*exact, *covering):
            secret = rules.tls[index].secret
            certificate = certificate_of(secret) if secret is not None else None
            if certificate is not None:
                yield _Offer(rules, index, certificate, index in exact)


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
        problems.append(item.problem(Code.SECRET_UNUSABLE, field_path, fault, entry.secret[1]))
    return problems
