"""
Which paths are regular expressions: those of each namespace that has an Ingress with ``use-regex``
or a rewriting ``rewrite-target`` on the host.

Source of the rules: docs/compatibility.md, sections 2.2 and 6, "use-regex is host-wide".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from ingress.linear_pattern import PatternRefused
from ingress.policy.feature import RouteFeature
from ingress.policy.refusal import Refusal
from ingress.policy.registry import Features
from ingress.problem import shown
from ingress.routing.build.rule_set import Rule, RuleSet
from ingress.routing.path_pattern import PathForm, PathPattern

NOT_A_PATTERN: Final = (
    "looks like a regular expression, which is matched only where an Ingress of this namespace has "
    "use-regex or rewrite-target on the same host: the path serves only requests that have these "
    "very characters, so most likely none"
)

_MAX_KEPT: Final = 4096
"""Paths whose patterns are kept for the next build of their hosts."""


class ReadPattern(NamedTuple):
    """A path as a regular expression."""

    pattern: PathPattern
    fault: str = ""
    """Why it cannot be matched, and what follows."""


@lru_cache(maxsize=_MAX_KEPT)
def read_pattern(written: str) -> ReadPattern:
    """
    :param written: a path as its author wrote it.
    :return: its pattern; one of the form `PathForm.UNKNOWN` if it cannot be matched.
    """
    text = written.encode("utf-8", "surrogatepass")
    try:
        return ReadPattern(PathPattern(PathForm.REGULAR_EXPRESSION, text, ignores_case=True))
    except PatternRefused as refused:
        unknown = PathPattern(PathForm.UNKNOWN, text, ignores_case=True)
        beginning = shown(unknown.beginning.decode("ascii"))
        which = f"for paths that begin with {beginning} " if unknown.beginning else ""
        return ReadPattern(
            unknown,
            f"cannot be matched as a regular expression: {refused}; requests {which}answer 503, "
            "unless a longer path of this host or one of another namespace matches",
        )


def pattern_rule(rule: Rule, read: ReadPattern) -> tuple[Rule, str]:
    """
    :param read: its path.
    :return: the rule with its path as a regular expression, and the fault of the path; a rule with
        a fault is closed.
    """
    if not read.fault:
        return rule._replace(pattern=read.pattern), ""
    features = {**rule.features, Refusal.key(): Refusal()}
    return rule._replace(pattern=read.pattern, features=features), read.fault


def pattern_features(features: Features) -> tuple[RouteFeature, ...]:
    """:return: those that may make regular expressions of paths."""
    return tuple(
        feature
        for feature in features.values()
        if type(feature).makes_patterns is not RouteFeature.makes_patterns
    )


def makers_of_patterns(host: str, sets: Sequence[RuleSet]) -> dict[str, RuleSet]:
    """
    :param sets: the objects that have rules for `host`, the oldest first.
    :return: by namespace, the first object that makes all paths of the namespace there regular
        expressions.
    """
    makers: dict[str, RuleSet] = {}
    for item in sets:
        if host in item.pattern_hosts:
            makers.setdefault(item.source.namespace, item)
    return makers


def spared_namespaces(
    host: str, sets: Sequence[RuleSet], makers: Mapping[str, RuleSet]
) -> Iterator[tuple[RuleSet, str]]:
    """
    Tell both sides where ingress-nginx would have made regular expressions of the paths that
    another namespace has on the host.

    :param makers: as `makers_of_patterns` found them.
    :return: objects with rules for `host`, each with what to tell its author.
    """
    if not makers:
        return
    others = dict.fromkeys(
        item.source.namespace
        for item in sets
        if item.hosts[host] and item.source.namespace not in makers
    )
    if not others:
        return
    maker = next(iter(makers.values()))
    named = ", ".join(map(shown, list(others)[:_MAX_NAMED]))
    named += f" and {len(others) - _MAX_NAMED} others" if len(others) > _MAX_NAMED else ""
    for item in sets:
        if host in item.pattern_hosts:
            yield (
                item,
                "makes regular expressions of the paths of this namespace alone: those that "
                f"namespace {named} has on this host stay as they are written",
            )
        elif item.source.namespace in others and item.hosts[host]:
            yield (
                item,
                f"{maker.source.kind} {'/'.join(maker.key[1:])}, of another namespace, has "
                "use-regex or rewrite-target on this host; the paths of this object stay as they "
                "are written, and are no regular expressions as with ingress-nginx",
            )


_MAX_NAMED: Final = 3
