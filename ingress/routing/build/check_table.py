"""
The health checks of Upstreams, from one build to the next.

If several objects want to check one Upstream, the oldest decides how.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from ingress.endpoint import UpstreamKey
from ingress.frozen import dataclass
from ingress.kube.objects import ObjectKey
from ingress.policy.backend_tls import BackendTLS, secure_port_tls
from ingress.policy.backend_version import BackendVersion
from ingress.policy.health_check import HealthCheck
from ingress.policy.scope import RuleScope
from ingress.routing.build.change import Index
from ingress.routing.build.rule_set import Rule, RuleSet
from ingress.routing.build.rule_table import Move, RuleTable, moved_users
from ingress.steps import Steps
from ingress.upstream_check import UpstreamCheck

_CHECK = HealthCheck.key()
_TLS = BackendTLS.key()
_VERSION = BackendVersion.key()


@dataclass(frozen=True, slots=True)
class CheckTable:
    """The checks, after a build."""

    users: Index[UpstreamKey, ObjectKey] = field(default_factory=dict)
    """The objects that want to check an Upstream."""

    checks: Mapping[UpstreamKey, UpstreamCheck] = field(default_factory=dict)
    """The same mapping as before if none changed."""


def update_checks(table: CheckTable, rules: RuleTable, moves: Iterable[Move]) -> Steps[CheckTable]:
    """:return: the updated table."""
    users, touched = yield from moved_users(table.users, moves, checks_of)
    if not touched:
        return table
    checks = dict(table.checks)
    for key in touched:
        wanting = users.get(key)
        if wanting:
            oldest = rules.of(wanting)[0]
            checks[key] = checks_of(oldest)[key]
        else:
            checks.pop(key, None)
        yield
    return CheckTable(users, table.checks if checks == table.checks else checks)


def checks_of(rules: RuleSet) -> dict[UpstreamKey, UpstreamCheck]:
    """:return: how an object wants the Upstreams of its rules to be checked."""
    found: dict[UpstreamKey, UpstreamCheck] = {}
    for host, listed in rules.hosts.items():
        for rule in listed:
            _add(found, rules, host, rule)
    if rules.default is not None:
        _add(found, rules, "", rules.default)
    return found


def _add(found: dict[UpstreamKey, UpstreamCheck], rules: RuleSet, host: str, rule: Rule) -> None:
    check, tls = rule.features.get(_CHECK), rule.features.get(_TLS)
    if not isinstance(check, HealthCheck):
        return
    is_open = _VERSION not in rule.features
    source = rules.source
    for backend in rule.backends:
        key = backend.upstream
        if key is not None:
            scope = RuleScope(
                source.namespace, source.name, host, rule.written, rule.path_type, key
            )
            adapted = secure_port_tls(key) if is_open else None
            if isinstance(tls, BackendTLS):
                adapted = tls.at(scope)
            found.setdefault(key, UpstreamCheck(check, adapted))
