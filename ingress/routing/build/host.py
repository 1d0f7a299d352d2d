"""
Merges the rules that several Ingresses have for one host into a VirtualHost.

If two Ingresses have the same path, the older one wins, and the other gets a Problem
(docs/compatibility.md, section 5, "Ties").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingress.config import Config
from ingress.kube.objects import ObjectName
from ingress.policy.access import AccessRefusal, Refusal
from ingress.policy.backend_tls import BackendTLSRefusal
from ingress.policy.https_redirect import HttpsRedirect
from ingress.policy.policy import Policy
from ingress.problem import Problem, shown
from ingress.routing.build.ingress import IngressParts, Rule
from ingress.routing.build.tree import ResourceTree
from ingress.routing.route import Route
from ingress.routing.snapshot import VirtualHost
from ingress.steps import STRIDE, Steps

ProblemsByIngress = Mapping[ObjectName, tuple[Problem, ...]]

_REFUSED: tuple[Policy, ...] = (AccessRefusal(),)
_UNENCRYPTED: tuple[Policy, ...] = (BackendTLSRefusal(),)


@dataclass(frozen=True, slots=True)
class MergedHost:
    """A merged host, and the Problems of the rules that lost."""

    virtual_host: VirtualHost
    problems: ProblemsByIngress


def merge_host(host: str, parts: Sequence[IngressParts], config: Config) -> Steps[MergedHost]:
    """
    :param host: in lower case; empty for hosts that no rule names.
    :param parts: the parts of the Ingresses that have rules for the host, the oldest first.
    """
    return (yield from _Merge(host, parts, config).merge())


class _Merge:
    """One host while its rules are merged."""

    def __init__(self, host: str, parts: Sequence[IngressParts], config: Config) -> None:
        self._host = host
        self._parts = parts
        self._config = config
        self._tree = ResourceTree()
        self._default: Route | None = None
        self._problems: dict[ObjectName, list[Problem]] = {}
        self._is_closed = any(item.policies.refusal is Refusal.HOSTS for item in parts)
        self._redirected = _redirected_hosts(host, parts)

    def merge(self) -> Steps[MergedHost]:
        for index, parts in enumerate(self._parts):
            policies = self._policies(parts)
            for count, rule in enumerate(parts.hosts[self._host]):
                self._add_rule(parts, rule, policies)
                if count % STRIDE == STRIDE - 1:
                    yield
            self._add_default(parts, policies)
            if index % STRIDE == STRIDE - 1:
                yield
        root = yield from self._tree.freeze()
        return MergedHost(
            VirtualHost(self._host, root, self._default),
            {name: tuple(problems) for name, problems in self._problems.items()},
        )

    def _policies(self, parts: IngressParts) -> tuple[Policy, ...]:
        """Return the policies for each route that the Ingress has for this host."""
        if self._is_closed or parts.policies.refusal is not Refusal.NONE:
            return _REFUSED
        if parts.policies.backend.is_refused:
            return _UNENCRYPTED
        settings = parts.policies.redirect
        is_everywhere = settings.is_forced or self._redirected is None
        is_anywhere = settings.is_forced or (settings.is_on and self._redirected != frozenset())
        if not is_anywhere or not self._config.listen.https:
            return ()
        redirect = HttpsRedirect(
            port=self._config.public_ports.https,
            keeps_trailing_slash=settings.keeps_trailing_slash,
            hosts=None if is_everywhere else self._redirected,
        )
        return (redirect,)

    def _add_rule(self, parts: IngressParts, rule: Rule, policies: tuple[Policy, ...]) -> None:
        route = _route(self._host, parts, rule, policies)
        winner = self._tree.add(rule.path, route)
        if winner is not None and not _is_same(winner, route):
            what = f"the {rule.path_type} path {shown(winner.path)}"
            self._lose(parts, f"{rule.field}.path", rule.written, what, winner)

    def _add_default(self, parts: IngressParts, policies: tuple[Policy, ...]) -> None:
        if parts.default is None:
            return
        if self._default is None:
            self._default = _route(self._host, parts, parts.default, policies)
        else:
            self._lose(parts, parts.default.field, "", "a default backend", self._default)

    def _lose(
        self, parts: IngressParts, field_path: str, value: str, what: str, winner: Route
    ) -> None:
        host = f"host {self._host}" if self._host else "hosts that nobody names"
        if winner.ingress == parts.name:
            reason = f"a rule above it has {what} for {host}"
        else:
            reason = (
                f"Ingress {'/'.join(winner.ingress)}, which goes first by age and name, "
                f"has {what} for {host}"
            )
        message = f"{reason}; that one is served"
        self._problems.setdefault(parts.name, []).append(parts.problem(field_path, message, value))


def _route(host: str, parts: IngressParts, rule: Rule, policies: tuple[Policy, ...]) -> Route:
    settings, upstream = parts.policies, rule.upstream
    affinity, tls = settings.affinity, settings.backend.tls
    return Route(
        ingress=parts.name,
        upstream=upstream,
        path=rule.written,
        path_type=rule.path_type,
        host=host,
        policies=policies,
        affinity=affinity.at(rule.written) if affinity is not None else None,
        load_balance=settings.load_balance,
        proxy=settings.proxy,
        tls=tls.at(upstream) if tls is not None and upstream is not None else None,
    )


def _is_same(one: Route, other: Route) -> bool:
    """Return whether nothing is lost, as with ``/a`` and ``/a/`` for one Service."""
    return one.ingress == other.ingress and one.upstream == other.upstream


def _redirected_hosts(host: str, parts: Sequence[IngressParts]) -> frozenset[bytes] | None:
    """
    Find the hosts under `host` with a tls entry in one of the Ingresses that have rules
    for it. Entries of other Ingresses do not count.

    :return: None for all hosts; otherwise the names, wildcards as ``*.example.com``.
    """
    names = {name for item in parts for name in item.tls_hosts}
    _, _, parent = host.partition(".")
    if host and (host in names or (f"*.{parent}" in names and not host.startswith("*"))):
        return None
    if host and not host.startswith("*"):
        return frozenset()
    ending = f".{parent}" if host else ""
    return frozenset(name.encode() for name in names if name.endswith(ending))
