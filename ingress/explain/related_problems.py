"""
Which Problems a request has to do with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ingress.explain.asked import Asked
from ingress.explain.candidates import Candidates
from ingress.explain.certificate import OF_TLS, owners_of_tls
from ingress.explain.left_out import bounded, find_left_out, hosts_looked_for, hosts_of
from ingress.kube.objects import ObjectKey
from ingress.message import Request
from ingress.problem import Problem, quoted
from ingress.problem_code import Code
from ingress.routing.build import Built
from ingress.routing.route import Route


def related_problems(
    built: Built,
    asked: Asked,
    request: Request | None,
    candidates: Candidates | None,
    route: Route | None,
    *,
    problems: Iterable[Problem] | None,
) -> tuple[Problem, ...]:
    """
    :param request: what was asked, parsed; None if it cannot be.
    :param candidates: what it could have met.
    :param route: the rule that decides.
    :param problems: all that are known; None for those of `built`.
    :return: in their order: those of the Ingress and the Service of the rule, but not of other
        backends, and of the certificates of its host; without a rule, the nearest of those for
        which there may be none. Of a host that no rule has, those of the Ingresses that name it.
    """
    known = list(built.all_problems() if problems is None else problems)
    owners = set(_owners(built, asked, candidates, route))
    upstream = route.upstream if route is not None else None
    if upstream is not None:
        owners.add(("Service", *upstream[:2]))
    named = "" if upstream is None else quoted(f"{upstream.service}:{upstream.port}")
    tls = owners_of_tls(built, asked.server_name) if asked.is_secure else ()
    left_out = set[Problem]()
    if route is None and request is not None and candidates is not None:
        found = find_left_out(built, known, hosts_looked_for(candidates), request.path)
        left_out = {each.problem for each in bounded(found, more=1)}
    closed = _closed_files(known, owners)
    return tuple(
        each
        for each in known
        if (
            (each.kind, each.namespace, each.name) in owners
            and (each.code is not Code.SERVICE_WITHOUT_ENDPOINTS or each.value in ("", named))
        )
        or (each.code in OF_TLS and (each.kind, each.namespace, each.name) in tls)
        or each in left_out
        or (each.code is Code.FILE_NOT_PARSED and each.origin.file in closed)
    )


def _owners(
    built: Built, asked: Asked, candidates: Candidates | None, route: Route | None
) -> Iterator[ObjectKey]:
    if route is not None:
        yield ("Ingress", *route.ingress)
    if candidates is not None and candidates.host is None:
        host = asked.server_name
        for name, ingress in built.memo.objects.ingresses.items():
            if host in hosts_of(ingress):
                yield ("Ingress", *name)


def _closed_files(known: Iterable[Problem], owners: set[ObjectKey]) -> set[str]:
    """:return: the files of what is closed for a fault, which may be that they are no YAML."""
    return {
        each.origin.file
        for each in known
        if each.code is Code.INGRESS_CLOSED
        and each.origin.file
        and (each.kind, each.namespace, each.name) in owners
    }
