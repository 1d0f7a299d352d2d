"""
The features that annotations, or the configuration, can ask for: one class for each.

A `RouteFeature` is made in three steps while a Snapshot is built:

1. ``read`` reads the annotations of one object. It reports faults, and closes what it must.
2. `RouteFeature.at` adapts the result to each rule of that object.
3. The Route holds it: a `Policy` takes part in exchanges, a `Setting` is a field of the Route.

The list of all of them is `ingress.policy.registry`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, NamedTuple, Self

from ingress.client_session import ClientTrust
from ingress.endpoint import UpstreamKey
from ingress.policy.annotation import Annotations
from ingress.policy.scope import HostScope, ReadContext, RuleScope

ObjectReference = tuple[str, str, str]
"""``(kind, namespace, name)`` of an object."""


class OtherName(NamedTuple):
    """A host that has no rules of its own."""

    host: str
    """In lower case."""

    feature: RouteFeature
    """What all of its requests get."""


class RouteFeature:
    """
    One thing that an object asks for the routes of its rules.

    Features are frozen dataclasses, pickled for workers: no locks, sockets or reactors.
    """

    __slots__ = ()

    annotations: ClassVar[tuple[str, ...]] = ()
    """
    The annotations that `read` reads: without the prefix of ingress-nginx, but with our own.
    """

    differences: ClassVar[Mapping[str, str]] = {}
    """
    How an annotation differs from ingress-nginx, or what it is if it is ours: a few words in
    Markdown, by its name. docs/compatibility.md has them (``make docs``).
    """

    holds_for_canaries: ClassVar[bool] = False
    """
    Whether a canary may ask for it (`ingress.policy.canary`). All other features of the rule hold
    for its requests, too, and those of the canary are ignored.
    """

    @classmethod
    def key(cls) -> str:
        """:return: the name that no other feature has."""
        raise NotImplementedError

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> RouteFeature | None:
        """
        Read the annotations of one object; report faults with `Annotations.fault` and
        `Annotations.close`.

        :return: None if nothing is asked for.
        """
        return None

    @classmethod
    def references(cls, annotations: Annotations, namespace: str) -> Iterable[ObjectReference]:
        """
        :param namespace: the namespace of the object.
        :return: each object that `read` will look at.
        """
        return ()

    @property
    def guards(self) -> bool:
        """
        Whether it decides who gets access: an object that asks for it and has a fault elsewhere,
        so that it cannot be served, must keep its paths closed. Two rules have the same access
        if their features that guard are equal: a path that an endpoint may read as one with other
        access is refused (`routing.upstream_target`).
        """
        return False

    @property
    def is_host_wide(self) -> bool:
        """
        Whether it holds for every rule that its namespace has on the hosts of its object, and
        not only for the rules of that object. It never reaches rules of another namespace.
        """
        return False

    @property
    def client_trust(self) -> ClientTrust | None:
        """
        Whose certificates handshakes ask for, if it is host-wide and of the namespace that the
        host belongs to; None to ask for none.
        """
        return None

    @property
    def upstreams(self) -> Iterable[tuple[str, UpstreamKey]]:
        """
        The Service ports that it may ask beside those of its rules, each with the annotation that
        names it, or an empty text if the configuration does. An empty port is the first of the
        Service.
        """
        return ()

    @property
    def root_annotation(self) -> str:
        """
        The annotation by which it also has the path ``/`` of each host of its object, if no rule
        of any object has that path; empty if it has only the paths of its rules.
        """
        return ""

    @property
    def aliases(self) -> tuple[str, ...]:
        """
        Further names of the first host of its object, in lower case, wildcards as
        ``*.example.com``.
        """
        return ()

    def other_name(self, host: str) -> OtherName | None:
        """
        :param host: of its object, in lower case; empty for rules without one.
        :return: a name from which all requests are redirected to the host; None if there is none.
        """
        return None

    def makes_patterns(self, path: str) -> bool:
        """
        :param path: of a rule of its object, as written.
        :return: whether it makes regular expressions of all paths that the namespace of its object
            has on the host of that rule.
        """
        return False

    def loss_at(self, path: str) -> str:
        """
        :param path: of a rule of its object, as written, which looks like a regular expression.
        :return: what it cannot do for that path, for a Problem; empty if there is nothing.
        """
        return ""

    def loss_on(self, scope: HostScope) -> str:
        """
        :param scope: one of the hosts of its object.
        :return: why it is not host-wide on this host, for a Problem; empty if it is.
        """
        return ""

    def is_met_by(self, older: RouteFeature) -> bool:
        """
        :param older: what an older object of the namespace asks for instead, which takes the place
            of this one on a host.
        :return: whether nobody is let in whom this one would keep out; if not, the rules of its
            object are closed there.
        """
        return not self.guards or older.guards

    def at(self, rule: RuleScope) -> Self | None:
        """
        Adapt it to one rule.

        :return: `self` if it is the same for all rules; None if this rule has no part in it.
        """
        return self

    def explain(self) -> str:
        """:return: one sentence for people: what it does, and for which requests."""
        return self.key()

    def shown(self) -> Mapping[str, object]:
        """:return: its settings as JSON has them; never a secret."""
        return {}


class Setting(RouteFeature):
    """A feature that makes no decisions: a field of the Route, which every exchange reads."""

    __slots__ = ()

    route_field: ClassVar[str]
    """The name of that field."""

    @classmethod
    def key(cls) -> str:
        """Feature: each field has one setting."""
        return cls.route_field
