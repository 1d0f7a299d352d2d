"""
All virtual hosts, from one build to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import NamedTuple

from ingress.frozen import dataclass
from ingress.kube.objects import ObjectKey
from ingress.routing.build.change import Index
from ingress.routing.build.host import (
    MergedHost,
    ProblemsByObject,
    merge_host,
    problems_by_object,
)
from ingress.routing.build.host_alias import AliasedHost, with_problems
from ingress.routing.build.host_canaries import CanariesOfHost
from ingress.routing.build.host_owner import HostOwners, Ownership, hosts_below
from ingress.routing.build.route_factory import RouteFactory
from ingress.routing.build.rule_table import Move, RuleTable, moved_users
from ingress.routing.snapshot import VirtualHost
from ingress.steps import Steps


@dataclass(frozen=True, slots=True)
class HostTable:
    """The virtual hosts, after a build, in the form of a Snapshot."""

    users: Index[str, ObjectKey] = field(default_factory=dict)
    """The Ingresses that have rules for a host, by the host's name in lower case."""

    canaries: Index[str, ObjectKey] = field(default_factory=dict)
    """Likewise, the canaries that want requests of a host."""

    aliases: Index[str, ObjectKey] = field(default_factory=dict)
    """Likewise, the Ingresses that want a host as an alias of one of theirs."""

    hosts: Mapping[bytes, VirtualHost] = field(default_factory=dict)
    wildcard_hosts: Mapping[bytes, VirtualHost] = field(default_factory=dict)
    any_host: VirtualHost | None = None
    problems: Mapping[str, ProblemsByObject] = field(default_factory=dict)
    """By host; hosts without Problems are left out."""


def update_hosts(
    table: HostTable,
    rules: RuleTable,
    moves: Iterable[Move],
    factory: RouteFactory,
    ownership: Ownership,
) -> Steps[tuple[HostTable, set[ObjectKey]]]:
    """
    :return: the updated table, and the objects that gained or lost a Problem.
    """
    moves = tuple(moves)
    users, touched = yield from moved_users(table.users, moves, lambda rules: rules.hosts)
    canaries, more = yield from moved_users(table.canaries, moves, lambda rules: rules.canary_hosts)
    touched |= more
    aliases, more = yield from moved_users(table.aliases, moves, lambda rules: rules.aliases)
    touched |= more | _aliases_of(touched, users, rules)
    owners = HostOwners(users, rules, ownership)
    if owners.is_exclusive:
        wildcards = {host for host in touched if host.startswith("*.")}
        touched |= yield from hosts_below(wildcards, {**users, **aliases})
    if not touched:
        return table, set()
    merging = _Merging(users, canaries, aliases, rules, factory, owners)
    update = _Update(table)
    for host in touched:
        update.put(host, (yield from merging.merge(host)))
        yield
    return update.finish(users, canaries, aliases), update.concerned


def _aliases_of(hosts: Iterable[str], users: Index[str, ObjectKey], rules: RuleTable) -> set[str]:
    """Find the aliases that have the rules of one of these hosts."""
    return {
        alias
        for host in hosts
        for key in users.get(host, ())
        for alias, target in rules.sets[key].aliases.items()
        if target == host
    }


class _Merging(NamedTuple):
    """What the hosts of one build are merged from."""

    users: Index[str, ObjectKey]
    canaries: Index[str, ObjectKey]
    aliases: Index[str, ObjectKey]
    rules: RuleTable
    factory: RouteFactory
    owners: HostOwners

    def merge(self, host: str) -> Steps[MergedHost | None]:
        """:return: None if no object has rules for `host`."""
        keys, rules = self.users.get(host), self.rules
        owner = self.owners.owner(host) if self.owners.is_exclusive else None
        waiting = rules.of(self.canaries.get(host, ()))
        wanted = rules.of(self.aliases.get(host, ()))
        aliased = AliasedHost(host, wanted) if wanted else None
        beside = CanariesOfHost(host, waiting)
        if keys:
            merged = yield from merge_host(host, rules.of(keys), self.factory, owner, beside)
            return merged if aliased is None else with_problems(merged, aliased.refused())
        if aliased is not None:
            sets = rules.of(self.users.get(aliased.host, ()))
            others = rules.of(self.canaries.get(aliased.host, ()))
            merged = yield from aliased.merge(sets, others, self.factory, owner)
            return with_problems(merged, problems_by_object(beside.finish()))
        return MergedHost(None, problems_by_object(beside.finish())) if beside else None


class _Update:
    """A HostTable while hosts are added to it."""

    def __init__(self, table: HostTable) -> None:
        self.concerned: set[ObjectKey] = set()
        self._hosts = dict(table.hosts)
        self._wildcard_hosts = dict(table.wildcard_hosts)
        self._any_host = table.any_host
        self._problems = dict(table.problems)

    def put(self, host: str, merged: MergedHost | None) -> None:
        """
        :param merged: None if no Ingress has rules for `host` any more.
        """
        virtual_host = merged.virtual_host if merged is not None else None
        if not host:
            self._any_host = virtual_host
        elif host.startswith("*."):
            _put(self._wildcard_hosts, host[2:].encode(), virtual_host)
        else:
            _put(self._hosts, host.encode(), virtual_host)
        before = self._problems.pop(host, {})
        after = merged.problems if merged is not None else {}
        if after:
            self._problems[host] = after
        if before != after:
            self.concerned.update(before, after)

    def finish(
        self,
        users: Index[str, ObjectKey],
        canaries: Index[str, ObjectKey],
        aliases: Index[str, ObjectKey],
    ) -> HostTable:
        hosts = (self._hosts, self._wildcard_hosts, self._any_host)
        return HostTable(users, canaries, aliases, *hosts, self._problems)


def _put(hosts: dict[bytes, VirtualHost], name: bytes, virtual_host: VirtualHost | None) -> None:
    if virtual_host is None:
        hosts.pop(name, None)
    else:
        hosts[name] = virtual_host
