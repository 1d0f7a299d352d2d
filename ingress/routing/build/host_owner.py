"""
Which object had a host first, and so which namespace the host belongs to.

Source of the rules: docs/compatibility.md, section 5, "Owners of hosts".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, Literal

from ingress.kube.objects import ObjectKey
from ingress.problem import shown
from ingress.routing.build.change import Index
from ingress.routing.build.rule_set import RuleSet
from ingress.routing.build.rule_table import RuleTable
from ingress.steps import STRIDE, Steps

Ownership = Literal["shared", "namespace"]

_NOBODY: Final[frozenset[ObjectKey]] = frozenset()


def wildcard_of(host: str) -> str:
    """:return: the wildcard that covers `host`; empty if none can."""
    label, _, parent = host.partition(".")
    return f"*.{parent}" if label and label != "*" and parent else ""


class HostOwners:
    """
    The owners of the hosts of one build.

    :param users: the objects that have rules for a host.
    :param ownership: with ``namespace``, an older wildcard owns the hosts that it covers.
    """

    def __init__(
        self, users: Index[str, ObjectKey], rules: RuleTable, ownership: Ownership
    ) -> None:
        self._users = users
        self._rules = rules
        self.is_exclusive = ownership == "namespace"
        """Whether objects of other namespaces are not served on a host."""

    def __repr__(self) -> str:
        return f"<HostOwners of {len(self._users)} hosts>"

    def owner(self, host: str) -> RuleSet | None:
        """
        :param host: in lower case, a wildcard as ``*.example.com``.
        :return: the rules of the oldest object that has any for this host, or for the wildcard
            that covers it; None if there is no such object.
        """
        users, wildcard = self._users.get(host, _NOBODY), wildcard_of(host)
        covering = self._users.get(wildcard, _NOBODY) if wildcard else _NOBODY
        if covering and (self.is_exclusive or not users):
            users = users | covering
        if not users:
            return None
        if len(users) == 1:
            return self._rules.sets[next(iter(users))]
        return min((self._rules.sets[key] for key in users), key=lambda item: item.age)


def belongs_to(owner: RuleSet, host: str) -> str:
    """:return: the beginning of a Problem of an object that is not served on a host."""
    source = owner.source
    what, whom = (
        ("this host belongs", "it") if host else ("hosts that no rule names belong", "them")
    )
    return (
        f"{what} to namespace {shown(source.namespace)}, whose {source.kind} "
        f"{shown(source.name)} is the oldest with rules for {whom} (`hosts.ownership`)"
    )


def hosts_below(wildcards: Collection[str], hosts: Iterable[str]) -> Steps[set[str]]:
    """:return: those of `hosts` that one of the wildcards covers."""
    found: set[str] = set()
    if not wildcards:
        return found
    for count, host in enumerate(hosts):
        if wildcard_of(host) in wildcards:
            found.add(host)
        if count % STRIDE == STRIDE - 1:
            yield
    return found
