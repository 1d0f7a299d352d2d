"""
Five things that surprise people who write Ingresses for ingress-nginx, where they have an effect.

The first three happen here as well. The last two do not, so that an answer differs from that of
ingress-nginx.

Source of the rules: docs/compatibility.md, sections 1, 2.2 and 6; the Kubernetes blog of 2026-02-27
names them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ingress.kube.objects import ObjectName
from ingress.policy.annotation import PREFIX
from ingress.policy.path_regex import PathRegex
from ingress.problem import Problem
from ingress.problem_code import Code
from ingress.routing.build import Built
from ingress.routing.build.ingress_table import KIND
from ingress.routing.build.rule_set import Rule, RuleSet

_ENDS: Final = re.compile(r"(?:\.\*\)?|\$\)?)\Z")
"""The end of an expression that takes no longer paths than its author wrote."""

_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_BLANK: Final = re.compile(r"\\s|[^\x00-\x1f!-\x7f]")
"""What an expression compares with decoded characters: white space, and all beyond ASCII."""

_Makers = Mapping[tuple[str, str], RuleSet]
"""
By namespace and host, the oldest object that makes all of its paths there regular expressions.
"""


def surprises_of(built: Built) -> Iterator[Problem]:
    """
    :return: one Problem for each rule, or Ingress, that one of them concerns.
    """
    sets = sorted(
        (item for item in built.memo.rules.sets.values() if item.source.kind == KIND),
        key=lambda item: item.age,
    )
    makers = _makers_of(sets)
    written = _paths_by_host(sets)
    for item in sets:
        yield from _implied_by_rewrites(item, built)
        for host, rules in item.hosts.items():
            maker = makers.get((item.source.namespace, host))
            for rule in rules:
                if maker is None:
                    yield from _trailing_slash(item, rule, written[host])
                    yield from _escaped(item, rule)
                elif host in item.pattern_hosts:
                    yield from _loose(item, rule)
                    yield from _decoded(item, rule)
                else:
                    yield from _host_wide(item, rule, maker)


def _makers_of(sets: Iterable[RuleSet]) -> _Makers:
    makers: dict[tuple[str, str], RuleSet] = {}
    for item in sets:
        for host in item.pattern_hosts:
            makers.setdefault((item.source.namespace, host), item)
    return makers


def _paths_by_host(sets: Iterable[RuleSet]) -> Mapping[str, set[str]]:
    paths: dict[str, set[str]] = {}
    for item in sets:
        for host, rules in item.hosts.items():
            paths.setdefault(host, set()).update(rule.written for rule in rules)
    return paths


def _about(item: RuleSet, rule: Rule, code: Code, message: str) -> Problem:
    return item.problem(code, f"{rule.field}.path", message, rule.written)


def _loose(item: RuleSet, rule: Rule) -> Iterator[Problem]:
    """A regular expression has no end, and ignores the case of letters."""
    effects = []
    if not _ENDS.search(rule.written):
        effects.append("every path that goes on behind it (end it with $ if that is not meant)")
    if any(character.isalpha() for character in re.sub(r"\\.", "", rule.written)):
        effects.append("upper and lower case alike")
    if effects:
        message = "as a regular expression it takes " + " and ".join(effects)
        yield _about(item, rule, Code.PATTERN_LOOSE, f"{message}; so did ingress-nginx")


def _host_wide(item: RuleSet, rule: Rule, maker: RuleSet) -> Iterator[Problem]:
    """``use-regex`` of one Ingress is for all paths of its namespace on the host."""
    if rule.written == "/":
        return
    by = "/".join(maker.key[1:])
    message = (
        f"Ingress {by} has use-regex or rewrite-target on this host, which makes a regular "
        f"expression of this path, too: {rule.path_type} has no effect, every path that begins "
        "with it matches, and upper and lower case are alike; so it was with ingress-nginx"
    )
    yield _about(item, rule, Code.PATTERN_OF_ANOTHER, message)


def _implied_by_rewrites(item: RuleSet, built: Built) -> Iterator[Problem]:
    """``rewrite-target`` makes regular expressions of paths, without ``use-regex``."""
    rules = [rule for rules in item.hosts.values() for rule in rules]
    if not item.pattern_hosts or any(PathRegex.key() in rule.features for rule in rules):
        return
    name: ObjectName = (item.source.namespace, item.source.name)
    target = built.memo.objects.ingresses[name].metadata.annotations.get(
        f"{PREFIX}rewrite-target", ""
    )
    message = (
        "makes regular expressions of all paths that this namespace has on the same hosts, as "
        "use-regex does; so did ingress-nginx"
    )
    yield item.problem(
        Code.REWRITE_IMPLIES_PATTERN,
        f"metadata.annotations[{PREFIX}rewrite-target]",
        message,
        target,
    )


def _trailing_slash(item: RuleSet, rule: Rule, others: set[str]) -> Iterator[Problem]:
    """nginx adds a slash by a redirect of its own, where a location has one at the end."""
    bare = rule.written.removesuffix("/")
    if not bare or bare == rule.written or bare in others:
        return
    here = (
        "this rule answers that as well"
        if rule.path_type == "Prefix"
        else "this rule does not take that"
    )
    message = f"ingress-nginx redirected {bare} to this path (301), and here {here}"
    yield _about(item, rule, Code.NO_SLASH_REDIRECT, message)


def _escaped(item: RuleSet, rule: Rule) -> Iterator[Problem]:
    """nginx compares decoded paths, so that a rule with an escape met no request."""
    if _ESCAPE.search(rule.written):
        message = (
            "ingress-nginx compared paths without their escapes, so that no request had this one; "
            "here requests that are written like this have it"
        )
        yield _about(item, rule, Code.PATH_NOT_DECODED, message)


def _decoded(item: RuleSet, rule: Rule) -> Iterator[Problem]:
    """Expressions see the canonical path, in which escapes stay."""
    if _ESCAPE.search(rule.written):
        message = "ingress-nginx matched paths without their escapes, and here escapes stay"
    elif _BLANK.search(rule.written):
        message = (
            "ingress-nginx matched paths without their escapes; here white space and characters "
            "beyond ASCII stay escaped in the path, so write %20 for a blank"
        )
    else:
        return
    yield _about(item, rule, Code.PATH_NOT_DECODED, message)
