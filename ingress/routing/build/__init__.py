"""
Builds a Snapshot and Problems from objects: a pure function that reuses a previous result.

::

    Ingress ──► RuleSet ─┬─► VirtualHosts   (host, host_table)
    IngressClass ─┘      ├─► Upstreams      (upstream, upstream_table) ◄── Service, slices
                         └─► certificates   (tls, certificate_table)   ◄── Secret

    Secret ─► what annotations take from it, in RuleSets (named_secret_table)

A RuleSet is neutral: an object of another kind could produce one as well.

Each arrow is a table that outlives the build in `Built.memo`. A build finds the
objects that changed since the last one by identity, follows the arrows from there,
and keeps everything else as it is. The result equals that of a build from scratch,
except that Secrets that turned bad keep their last good pair.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from ingress.config import Config
from ingress.frozen import dataclass
from ingress.kube.objects import Ingress, ObjectKey, ObjectName, Objects
from ingress.own_addresses import NO_ADDRESSES, OwnAddresses
from ingress.policy.registry import REGISTRY, Registry, registry_with
from ingress.problem import Problem
from ingress.routing.build.certificate_table import update_certificates
from ingress.routing.build.change import changed_names, collected_in_steps
from ingress.routing.build.check_table import update_checks
from ingress.routing.build.config_map import ConfigMapState, update_config_map
from ingress.routing.build.config_map_table import data_of
from ingress.routing.build.default_backend import CONFIGURATION, default_route
from ingress.routing.build.foreign_table import update_foreign
from ingress.routing.build.front_service import front_addresses
from ingress.routing.build.host_owner import HostOwners
from ingress.routing.build.host_table import update_hosts
from ingress.routing.build.ingress import IngressReader, SecretLookup
from ingress.routing.build.ingress_class import class_rule
from ingress.routing.build.ingress_table import KIND, reclassed_ingresses, update_served
from ingress.routing.build.memo import Memo
from ingress.routing.build.named_secret_table import NamedSecretUpdate
from ingress.routing.build.port_rules import changed_ports, port_rules
from ingress.routing.build.port_table import update_ports, with_ports
from ingress.routing.build.problem_table import Owner, updated_problems
from ingress.routing.build.route_factory import RouteFactory
from ingress.routing.build.rule_table import update_rules
from ingress.routing.build.secret_table import SecretTable, SecretUpdate
from ingress.routing.build.upstream_table import update_upstreams
from ingress.routing.snapshot import Snapshot, hsts_edits
from ingress.steps import STRIDE, Steps, finish


@dataclass(frozen=True, slots=True)
class Built:
    """The result of a build."""

    snapshot: Snapshot
    """The same object as before if nothing changed."""

    problems: Mapping[Owner, tuple[Problem, ...]]
    """By owner; a tuple is the same object as before if nothing changed."""

    memo: Memo

    registry: Registry = REGISTRY
    """The features that annotations could ask for."""

    def __repr__(self) -> str:
        snapshot = self.snapshot
        hosts = len(snapshot.hosts) + len(snapshot.wildcard_hosts)
        return f"<Built {hosts} hosts, {len(snapshot.upstreams)} upstreams>"

    @property
    def served(self) -> Mapping[ObjectName, Ingress]:
        """The Ingresses that requests can match; the same object as before if none changed."""
        return self.memo.ingresses.served

    @property
    def foreign_classes(self) -> Mapping[str, int]:
        """
        The number of Ingresses that are not ours, by class; the same object as before if
        nothing changed.
        """
        return self.memo.foreign.counts

    @property
    def names(self) -> Collection[str]:
        """The names that have to be resolved; the same object as before if none changed."""
        return self.memo.upstreams.names

    @property
    def has_unresolved_names(self) -> bool:
        """Whether one of `names` has not been resolved yet."""
        known = self.memo.objects.resolved_names
        return any(("", name) not in known for name in self.names)

    def all_problems(self) -> Iterator[Problem]:
        """Yield every Problem, those of one owner together."""
        for problems in self.problems.values():
            yield from problems

    def orphans(self) -> Steps[Mapping[ObjectName, set[str]]]:
        """
        Find the Ingresses that name a Service without endpoints, and the reasons in
        ingress-nginx's words: ``no-service`` or ``no-endpoint``.
        """
        table, services = self.memo.upstreams, self.memo.objects.services
        found: dict[ObjectName, set[str]] = {}
        for count, key in enumerate(table.faults):
            if table.upstreams[key].endpoints:
                continue  # The endpoints may be old, but they serve.
            is_known = (key.namespace, key.service) in services
            reason = "no-endpoint" if is_known else "no-service"
            for kind, *name in table.users.get(key, ()):
                if kind == KIND:
                    found.setdefault((name[0], name[1]), set()).add(reason)
            if count % STRIDE == STRIDE - 1:
                yield
        return found

    def mappings(self) -> Iterator[Mapping[Any, object]]:
        """Yield all mappings that this object consists of, so that it can be freed in parts."""
        yield self.problems
        memo_parts = (getattr(self.memo, name) for name in self.memo.__slots__)
        for part in (self.snapshot, *memo_parts):
            if part is None:
                continue
            names = part.__struct_fields__ if isinstance(part, Objects) else part.__slots__
            for value in (getattr(part, name) for name in names):
                if isinstance(value, Mapping):
                    yield value

    @property
    def next_change(self) -> datetime | None:
        """
        The time at which the Problems change although no object does, because a certificate
        begins or ends; None for never. A build is due then.
        """
        return self.memo.secrets.next_change


def build(
    objects: Objects,
    config: Config,
    previous: Built | None = None,
    *,
    now: datetime,
    registry: Registry | None = None,
    own: OwnAddresses = NO_ADDRESSES,
) -> Built:
    """
    :param objects: all current objects.
    :param previous: the result of an earlier build, of any objects and any
        configuration; it is not changed.
    :param now: a time with a zone; decides which certificates are expired.
    :param registry: the features that annotations can ask for; None for those of the
        configuration.
    :param own: the addresses at which we listen now, to which no endpoint may lead. Those of
        the Service in front of us are found among the objects.
    """
    return finish(build_steps(objects, config, previous, now=now, registry=registry, own=own))


def build_steps(
    objects: Objects,
    config: Config,
    previous: Built | None = None,
    *,
    now: datetime,
    registry: Registry | None = None,
    own: OwnAddresses = NO_ADDRESSES,
) -> Steps[Built]:
    """
    Build in steps that each take well below 5 ms, so that the caller can do other work
    in between. A build that is abandoned halfway leaves no trace.
    """
    state = previous.memo.config_map if previous is not None else None
    config_map = update_config_map(state, objects.config_maps, config)
    config = config_map.effective
    if registry is None:
        registry = _registry_of(config, previous)
    is_continued = (
        previous is not None
        and previous.snapshot.config == config
        and previous.registry is registry
    )
    if previous is not None and is_continued:
        memo, problems = previous.memo, previous.problems
    else:
        memo, problems = Memo(secrets=_kept_secrets(objects, previous)), {}
    memo, concerned = yield from _update(memo, objects, config_map, now, registry, own)
    before = previous.problems if previous is not None else {}
    problems = yield from updated_problems(problems, before, memo, concerned)
    return Built(_snapshot(memo, config, previous), problems, memo, registry)


def _registry_of(config: Config, previous: Built | None) -> Registry:
    """Return the registry of the previous build, unless the policies are other ones."""
    if previous is not None and config.policies and previous.snapshot.config == config:
        return previous.registry
    return registry_with(config.policies)


def _kept_secrets(objects: Objects, previous: Built | None) -> SecretTable:
    """Return the pairs that outlive a change of the configuration, last good ones included."""
    if previous is None:
        return SecretTable()
    pairs = previous.memo.secrets.pairs
    return SecretTable(pairs={name: pairs[name] for name in pairs if name in objects.secrets})


def _update(
    memo: Memo,
    objects: Objects,
    config_map: ConfigMapState,
    now: datetime,
    registry: Registry,
    own: OwnAddresses,
) -> Steps[tuple[Memo, set[ObjectKey]]]:
    """:return: the memo of this build, and the objects whose Problems may have changed."""
    old, config = memo.objects, config_map.effective
    secret_update = SecretUpdate(memo.secrets, objects.secrets, config)
    changed_secrets = yield from changed_names(old.secrets, objects.secrets)
    yield from secret_update.refresh(changed_secrets)
    named = NamedSecretUpdate(memo.named_secrets, objects.secrets, config)
    names = yield from changed_names(old.ingresses, objects.ingresses)
    changed = yield from collected_in_steps((KIND, *name) for name in names)
    changed |= yield from named.refresh(changed_secrets)
    changed_config_maps = yield from changed_names(old.config_maps, objects.config_maps)
    changed |= yield from memo.config_maps.users_of(changed_config_maps)
    changed |= changed_ports(memo.rules.sets, changed_config_maps, config)
    changed |= yield from _users_without_tls_hosts(memo, secret_update.changed)
    classes = class_rule(objects.ingress_classes, config)
    if classes != memo.ingresses.class_rule:
        changed |= yield from reclassed_ingresses(memo.rules.sets, objects.ingresses, classes)
    if CONFIGURATION not in memo.rules.sets:
        changed.add(CONFIGURATION)
    lookup = SecretLookup(
        secret_update.certificate_of,
        named.backend_secret_of,
        named.secret_of,
        partial(data_of, objects.config_maps),
        partial(port_rules, config_maps=objects.config_maps, config=config),
    )
    reader = IngressReader(objects.ingresses, classes, config, registry, lookup)
    rules, moves = yield from update_rules(memo.rules, changed, reader.read)
    ingresses = yield from update_served(memo.ingresses, classes, objects.ingresses, moves)
    foreign = yield from update_foreign(memo.foreign, changed, objects.ingresses, classes)
    secrets = yield from secret_update.finish(moves, now)
    named_secrets = yield from named.finish(moves)
    ports, contended = update_ports(memo.ports, rules, moves, config, own)
    own = with_ports(own.with_front(front_addresses(objects, config)), ports.services)
    upstreams, unserved = yield from update_upstreams(
        memo.upstreams, old, objects, config, moves, own
    )
    checks = yield from update_checks(memo.checks, rules, moves)
    factory = RouteFactory(registry, hsts_edits(config), config.paths)
    hosts, merged = yield from update_hosts(
        memo.hosts, rules, moves, factory, config.hosts.ownership
    )
    default = memo.default_route
    owners = HostOwners(hosts.users, rules, config.hosts.ownership)
    certificates, chosen = yield from update_certificates(
        memo.certificates, rules, secrets, secret_update.changed, moves, owners
    )
    moved = (move.key for move in moves)
    concerned = yield from collected_in_steps(moved, unserved, merged, chosen, contended)
    concerned.update(("ConfigMap", *name) for name in changed_config_maps)
    config_maps = yield from memo.config_maps.moved(moves)
    for count, secret in enumerate(secret_update.changed | secret_update.lapsed):
        concerned.update(secrets.users.get(secret, ()))
        if count % STRIDE == STRIDE - 1:
            yield
    updated = Memo(
        objects,
        rules,
        ingresses,
        foreign,
        secrets,
        named_secrets,
        upstreams,
        hosts,
        certificates,
        config_maps,
        config_map,
        default or default_route(config, reader.without_annotations, factory),
        checks,
        ports,
    )
    return updated, concerned


def _users_without_tls_hosts(memo: Memo, secrets: Iterable[ObjectName]) -> Steps[set[ObjectKey]]:
    """Find the objects whose hosts depend on the names of one of these certificates."""
    keys: set[ObjectKey] = set()
    for secret in secrets:
        for key in memo.secrets.users.get(secret, ()):
            entries = memo.rules.sets[key].tls
            if any(entry.secret == secret and not entry.names_hosts for entry in entries):
                keys.add(key)
        yield
    return keys


def _snapshot(memo: Memo, config: Config, previous: Built | None) -> Snapshot:
    default = config.tls.default
    snapshot = Snapshot(
        config=config,
        hosts=memo.hosts.hosts,
        wildcard_hosts=memo.hosts.wildcard_hosts,
        any_host=memo.hosts.any_host,
        default_route=memo.default_route,
        upstreams=memo.upstreams.upstreams,
        ports=memo.ports.services,
        health_checks=memo.checks.checks,
        certificates=memo.certificates.certificates,
        default_certificate=memo.secrets.certificate_of(default) if default else None,
    )
    if previous is not None and _is_same(snapshot, previous.snapshot):
        return previous.snapshot
    return snapshot


def _is_same(one: Snapshot, other: Snapshot) -> bool:
    """Compare by identity, which takes a microsecond."""
    return one.config == other.config and all(
        getattr(one, name) is getattr(other, name)
        for name in (
            "hosts",
            "wildcard_hosts",
            "any_host",
            "default_route",
            "upstreams",
            "ports",
            "health_checks",
            "certificates",
            "default_certificate",
        )
    )
