"""
What is written for a host and is not served there: rules, whole Ingresses, and files in which there
may be some.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from enum import IntEnum, auto
from itertools import pairwise
from typing import Final, NamedTuple

from ingress.explain.candidates import Candidates, common_length
from ingress.kube.fault import read_field
from ingress.kube.objects import HTTPIngressPath, Ingress
from ingress.problem import Problem, quoted
from ingress.problem_code import Code
from ingress.routing.build import Built
from ingress.routing.path_pattern import PATTERN_CHARACTERS

MOST: Final = 3
"""Problems of a host that an explanation names, the nearest first."""

MOST_UNKNOWN: Final = 2
"""Ingresses, and likewise files, of unknown hosts that an explanation names."""

_OF_RULES: Final = frozenset(
    {
        Code.RULE_TAKEN,
        Code.HOST_TAKEN,
        Code.BACKEND_NO_SERVICE,
        Code.PATH_IMPOSSIBLE,
        Code.PATH_LIKE_PATTERN,
        Code.CANARY_IDLE,
        Code.CATCH_ALL_REFUSED,
        Code.OBJECT_INVALID,
    }
)
"""Why a rule of an Ingress does not serve what it is written for."""

_OF_INGRESSES: Final = frozenset({Code.OBJECT_INVALID, Code.OBJECT_TWICE})
"""Why an Ingress is not used at all; whatever hosts it has is not known."""

_OF_SOURCES: Final = frozenset({Code.FILE_UNREADABLE, Code.FILE_NOT_PARSED, Code.API_UNREACHABLE})
"""Why objects of any kind may be missing."""

OF_READING: Final = _OF_INGRESSES | _OF_SOURCES
"""The codes of Problems that reading finds, and no build knows."""


class Nearness(IntEnum):
    """What is left out, the nearest first."""

    MATCHING = auto()
    """A rule that would match."""

    OF_HOST = auto()
    """Another rule of the host, or what else an Ingress has for it."""

    INGRESS = auto()
    """An Ingress whose hosts are not known."""

    SOURCE = auto()
    """A file, or an API server, that may have anything."""


class LeftOut(NamedTuple):
    """A Problem for which there may be no rule."""

    nearness: Nearness
    common: int
    """How many characters of a path are those of the request."""

    problem: Problem


def bounded(found: Iterable[LeftOut], more: int = 0) -> list[LeftOut]:
    """:return: as many of each nearness as are named, and so many more, in the same order."""
    kept, counts = [], Counter[Nearness]()
    for each in found:
        is_of_host = each.nearness <= Nearness.OF_HOST
        kind = Nearness.OF_HOST if is_of_host else each.nearness
        counts[kind] += 1
        if counts[kind] <= (MOST if is_of_host else MOST_UNKNOWN) + more:
            kept.append(each)
    return kept


def hosts_looked_for(candidates: Candidates) -> list[str]:
    """:return: the hosts whose rules would have decided before, or as, those that there are."""
    hosts = []
    for each in candidates.hosts:
        hosts.append(each.name)
        if each.is_chosen:
            break
    return hosts


def find_left_out(
    built: Built, problems: Iterable[Problem], hosts: Collection[str], path: bytes
) -> list[LeftOut]:
    """
    :param hosts: as rules write them, in lower case; empty for rules without a host.
    :param path: that of the request, canonical.
    :return: the Problems for which there may be no rule, the nearest first.
    """
    asked, found = path.decode("utf-8", "replace"), []
    for problem in problems:
        nearness, common = _nearness(built, problem, hosts, asked)
        if nearness is not None:
            origin = problem.origin
            found.append((nearness, -common, origin.file, origin.line, problem.name, problem))
    found.sort(key=lambda each: each[:-1])
    return [LeftOut(each[0], -each[1], each[-1]) for each in found]


def _nearness(
    built: Built, problem: Problem, hosts: Collection[str], asked: str
) -> tuple[Nearness | None, int]:
    """:return: how near it is, if at all, and how many characters of the path are the same."""
    if problem.kind != "Ingress":
        return Nearness.SOURCE if not problem.kind and problem.code in _OF_SOURCES else None, 0
    ingress = built.memo.objects.ingresses.get((problem.namespace, problem.name))
    if ingress is not None and problem.code in _OF_RULES and _is_for(ingress, problem, hosts):
        paths = list(_paths(ingress, problem, hosts))
        if any(_would_match(each, asked) for each in paths):
            return Nearness.MATCHING, max(len(each.path) for each in paths)
        if problem.code is Code.PATH_LIKE_PATTERN:
            return None, 0  # It is a rule of the host, and shown as one.
        common = (common_length(each.path.lower(), asked.lower()) for each in paths)
        return Nearness.OF_HOST, max(common, default=0)
    is_unknown = ingress is None or problem.code is Code.OBJECT_TWICE
    return Nearness.INGRESS if is_unknown and problem.code in _OF_INGRESSES else None, 0


def _is_for(ingress: Ingress, problem: Problem, hosts: Collection[str]) -> bool:
    if problem.code is Code.HOST_TAKEN and problem.value:
        return any(problem.value == quoted(host) for host in hosts)
    number = _number(problem, "rules")
    rules = ingress.spec.rules
    if number is not None and problem.code is not Code.OBJECT_INVALID:
        return number < len(rules) and rules[number].host.lower() in hosts
    return bool(hosts_of(ingress) & set(hosts))


def hosts_of(ingress: Ingress) -> set[str]:
    """:return: the hosts that an Ingress has rules for; one without rules has a default backend."""
    return {rule.host.lower() for rule in ingress.spec.rules} or {""}


def has_match(ingress: Ingress, hosts: Collection[str], path: bytes) -> bool:
    """:return: whether a rule of an Ingress for one of these hosts would match, if served."""
    asked = path.decode("utf-8", "replace")
    return any(
        _would_match(each, asked)
        for rule in ingress.spec.rules
        if rule.host.lower() in hosts and rule.http is not None
        for each in rule.http.paths
    )


def written_path(ingress: Ingress, problem: Problem) -> HTTPIngressPath | None:
    """:return: the path of the Ingress that a Problem is about; None if there is no single one."""
    number, index = _number(problem, "rules"), _number(problem, "paths")
    rules = ingress.spec.rules
    if number is None or index is None or number >= len(rules):
        return None
    http = rules[number].http
    return http.paths[index] if http is not None and index < len(http.paths) else None


def _number(problem: Problem, name: str) -> int | None:
    """:return: the number that follows a name in the field."""
    steps = read_field(problem.field)
    following = next((b for a, b in pairwise(steps) if a == name), None)
    return following if isinstance(following, int) else None


def _paths(ingress: Ingress, problem: Problem, hosts: Collection[str]) -> Iterator[HTTPIngressPath]:
    """Yield the paths that are not served, as far as it is known."""
    path = written_path(ingress, problem)
    is_of_all = problem.code in (Code.HOST_TAKEN, Code.CATCH_ALL_REFUSED, Code.OBJECT_INVALID)
    if path is not None and not is_of_all:
        yield path
    elif is_of_all:
        for rule in ingress.spec.rules:
            # With `server-alias` it is another name that has the paths of all its hosts.
            if rule.host.lower() in hosts or problem.field.startswith("metadata"):
                yield from rule.http.paths if rule.http is not None else ()


def _would_match(path: HTTPIngressPath, asked: str) -> bool:
    written = path.path or "/"
    if pattern := PATTERN_CHARACTERS.search(written):
        literal = written[: pattern.start()]
        return len(literal) > 1 and asked.startswith(literal)
    return plainly_matches(path.path_type, written, asked)


def plainly_matches(path_type: str, written: str, asked: str) -> bool:
    """:return: whether a path that is no regular expression is that of a rule."""
    if path_type == "Exact":
        return asked == written
    if path_type == "Prefix":
        return asked == written.rstrip("/") or asked.startswith(f"{written.rstrip('/')}/")
    return asked.startswith(written)
