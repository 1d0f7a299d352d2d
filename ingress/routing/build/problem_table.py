"""
The Problems of all objects, by the object that has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ingress.kube.objects import ObjectKey
from ingress.problem import Problem
from ingress.problem_code import Code
from ingress.routing.build.configuration_problems import configuration_problems
from ingress.routing.build.default_backend import CONFIGURATION
from ingress.routing.build.endpoint_screen import find_object, refusal_problems, service_of
from ingress.routing.build.foreign_config_map import config_map_problems
from ingress.routing.build.memo import Memo
from ingress.routing.build.port_table import fault_of_port, missing_config_maps, names_of
from ingress.routing.build.rule_set import RuleSet
from ingress.routing.build.tls import secret_problems
from ingress.steps import STRIDE, Steps

Owner = tuple[str, str, str]
"""``(kind, namespace, name)``; all empty for the configuration."""


def updated_problems(
    problems: Mapping[Owner, tuple[Problem, ...]],
    before: Mapping[Owner, tuple[Problem, ...]],
    memo: Memo,
    concerned: Iterable[ObjectKey],
) -> Steps[Mapping[Owner, tuple[Problem, ...]]]:
    """
    :param problems: the Problems to update.
    :param before: earlier Problems, whose tuples are reused if they are equal.
    :param concerned: the objects whose Problems may have changed.
    :return: the updated Problems.
    """
    updated = dict(problems)
    for count, key in enumerate(concerned):
        rules = memo.rules.sets.get(key)
        if rules is not None:
            found = _problems_of(rules, memo)
        else:
            found = _problems_without_rules(key, memo)
        _put(updated, before, key, found)
        if count % STRIDE == STRIDE - 1:
            yield
    found = (
        *configuration_problems(memo.secrets, memo.upstreams, memo.config_map),
        *missing_config_maps(memo.config_map.effective, memo.objects.config_maps),
        *_port_problems(memo.rules.sets.get(CONFIGURATION), memo),
    )
    _put(updated, before, CONFIGURATION, found)
    return updated


def _put(
    problems: dict[Owner, tuple[Problem, ...]],
    before: Mapping[Owner, tuple[Problem, ...]],
    owner: Owner,
    found: tuple[Problem, ...],
) -> None:
    if not found:
        problems.pop(owner, None)
        return
    same = before.get(owner)
    problems[owner] = same if same == found else found


def _problems_of(rules: RuleSet, memo: Memo) -> tuple[Problem, ...]:
    """Collect all Problems of one object: its own, and those with other objects."""
    key, found = rules.key, list(rules.problems)
    if rules.ports:
        return (*found, *_port_problems(rules, memo))
    for host in (*rules.hosts, *rules.canary_hosts, *rules.aliases):
        found += memo.hosts.problems.get(host, {}).get(key, ())
    for upstream, field_path in rules.upstreams.items():
        fault = memo.upstreams.fault_of(upstream, field_path)
        if fault:
            named = f"{upstream.service}:{upstream.port}".removesuffix(":")
            found.append(rules.problem(Code.SERVICE_WITHOUT_ENDPOINTS, field_path, fault, named))
    found += secret_problems(rules, memo.secrets)
    for host in rules.tls_hosts:
        found += memo.certificates.problems.get(host, {}).get(key, ())
    return tuple(found)


def _port_problems(rules: RuleSet | None, memo: Memo) -> Iterator[Problem]:
    """Yield the Problems of TCP and UDP services that depend on other objects."""
    if rules is None:
        return
    yield from memo.ports.problems.get(rules.key, ())
    for key, service in rules.ports.items():
        fault = memo.upstreams.faults.get(service.upstream, "")
        if fault and memo.ports.services.get(key) == service:
            message = fault_of_port(fault, key)
            yield service.source.problem(Code.SERVICE_WITHOUT_ENDPOINTS, message)
        upstream = memo.upstreams.upstreams.get(service.upstream)
        names = names_of(upstream) if upstream is not None else ""
        if names:
            yield service.source.problem(Code.PORT_DIFFERS, names)


def _problems_without_rules(key: ObjectKey, memo: Memo) -> tuple[Problem, ...]:
    """Collect the Problems of an object that is not an Ingress of ours."""
    objects = memo.objects
    item = find_object(objects, key)
    if item is None:
        if key == memo.config_map.key:
            return memo.config_map.problems
        return config_map_problems(objects.config_maps, key)
    return tuple(refusal_problems(objects, key, memo.upstreams.refused_of(service_of(item))))
