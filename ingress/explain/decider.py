"""
Decisions about many requests at once, as serving them without sockets makes them.

A decision stands for all requests that agree in what it depends on: the rule, how its paths are
handled, and the inputs of its policies (`ingress.policy.inputs`). The number of decisions that are
kept is bounded.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, NamedTuple

from ingress.answer import Answer
from ingress.errors import Outcome, RequestError
from ingress.exchange.client import Client
from ingress.explain.dry_run import client_of, serve_assumed
from ingress.http1.request_head import parse_request_head
from ingress.message import Request
from ingress.policy.inputs import Input, Inputs
from ingress.policy.limiter import Limiter
from ingress.policy.policy import GatedPolicy, Phase, Policy
from ingress.routing.match import find_route
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot
from ingress.routing.upstream_target import check_path, route_target

MOST_KEPT: Final = 65_536
"""Decisions that are kept: some 20 MiB."""

MOST_BYTES: Final = 64 << 20
"""Of targets and fields that decisions are kept for: somebody may send long ones on purpose."""

_CLIENT: Final[Inputs] = frozenset({Input.CLIENT})
_DECIDING: Final = frozenset({Phase.ACCESS, Phase.REQUEST, Phase.ERROR})


class LoggedRequest(NamedTuple):
    """What is known of a request."""

    method: bytes
    target: bytes
    host: bytes
    is_secure: bool
    client: str
    fields: bytes = b""
    """Further lines of the head, with their ends."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a request."""

    route: Route | None
    """The rule; None if there is none, or if what was sent is no request."""

    status: int | None
    """The status of an answer of the proxy's own; None if an endpoint answers."""

    outcome: Outcome
    detail: str = ""
    open: tuple[str, ...] = ()
    """The policies that were asked and depend on something that is not known."""

    @property
    def upstream(self) -> bytes:
        """The name of the rule's Upstream as access logs have it; ``-`` without one."""
        return b"-" if self.route is None else self.route.upstream_names.split(b"]", 1)[0][1:]


class Decider:
    """
    Decides on requests.

    :param unknown: inputs that are not known of any of these requests.
    :param now: seconds since the epoch, for all of them.
    :param most_kept: decisions that are kept; each may have the fields of a request.
    """

    def __init__(
        self, snapshot: Snapshot, unknown: Inputs, now: float, most_kept: int = MOST_KEPT
    ) -> None:
        self.snapshot = snapshot
        self._most_kept = most_kept
        self._unknown = unknown
        self._now = now
        self._limiter = Limiter()
        """For gates, of which none that is asked here looks at it."""

        self._kept: dict[Hashable, Decision] = {}
        self._size = 0
        """Bytes of targets and fields of those decisions, at most."""

        self._policies: dict[int, tuple[Policy, ...]] = {}
        """Of a rule, those that decide in a phase that can change the answer."""

    def __repr__(self) -> str:
        return f"<Decider kept={len(self._kept)}>"

    def decide(self, asked: LoggedRequest) -> Decision:
        """:return: the decision, which may have been made for another request."""
        head = b"%b %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (asked.method, asked.target, asked.host)
        try:
            request, _ = parse_request_head(head, self.snapshot.config.limits)
        except RequestError as error:
            answer = Answer.from_error(error)
            return Decision(None, answer.status, answer.outcome, answer.detail)
        route = find_route(self.snapshot, request.host, request.path, request)
        key = self._key(request, route, asked)
        found = self._kept.get(key)
        if found is None:
            found = self._serve(asked)
            self._size += len(asked.target) + len(asked.fields)
            if len(self._kept) >= self._most_kept or self._size > MOST_BYTES:
                self._kept.clear()
                self._size = 0
            self._kept[key] = found
        return found

    def _key(self, request: Request, route: Route | None, asked: LoggedRequest) -> Hashable:
        if route is None:
            return None
        policies = self._policies.get(id(route))
        if policies is None:
            policies = self._policies[id(route)] = _deciding(route)
        if not policies and route.is_plain:
            return id(route)
        inputs: set[Input] = set()
        refusals = None
        for policy in policies:
            found = policy.decides_by(request)
            if isinstance(policy, GatedPolicy) and found == _CLIENT:
                # Most logs have many clients, and most rules with ranges two kinds of them.
                refusals = (*(refusals or ()), self._refuses(policy, request, asked))
            else:
                inputs |= found
        return (
            refusals,
            id(route),
            self._handling(request, route),
            asked.is_secure if Input.SCHEME in inputs else None,
            request.host if Input.HOST in inputs else None,
            asked.method if Input.METHOD in inputs else None,
            asked.target if Input.TARGET in inputs else None,
            asked.client if Input.CLIENT in inputs else None,
            asked.fields if Input.DESCRIPTION in inputs or Input.FIELDS in inputs else None,
        )

    def _refuses(self, policy: GatedPolicy, request: Request, asked: LoggedRequest) -> bool:
        """:return: whether a policy refuses the client of a request."""
        client = Client(asked.client, is_secure=asked.is_secure)
        believed = client.believed(request, self.snapshot.config)
        found = policy.gate.decide(request, believed, None, self._limiter, self._now)
        return found is not None

    def _handling(self, request: Request, route: Route) -> str:
        """:return: the reason for which the path is refused; empty if it is not."""
        try:
            if route.paths is not None:
                check_path(self.snapshot, request, route, route.paths)
            route_target(request, route)
        except RequestError as error:
            return str(error)
        return ""

    def _serve(self, asked: LoggedRequest) -> Decision:
        head = b"%b %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (
            asked.method, asked.target, asked.host, asked.fields,
        )  # fmt: skip
        request = parse_request_head(head, self.snapshot.config.limits)[0]
        name = request.host.decode("ascii", "replace")
        client = client_of(self.snapshot, asked.client, name, is_secure=asked.is_secure)
        dry, assumed = serve_assumed(self.snapshot, head, client, now=self._now)
        record = dry.records[-1] if dry.records else None
        unknown = self._unknown
        opened = {policy.label: None for policy in assumed}
        for decided in dry.decisions:
            if decided.policy.decides_by(request) & unknown:
                opened[decided.policy.label] = None
        if record is None:
            return Decision(None, None, Outcome.OK, open=tuple(opened))
        status = record.status if dry.endpoint is None else None
        return Decision(record.route, status, record.outcome, record.detail, tuple(opened))


def _deciding(route: Route) -> tuple[Policy, ...]:
    return tuple(policy for policy in route.policies if policy.phases & _DECIDING)
