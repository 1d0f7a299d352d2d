"""
Limits of what one client may ask for: ``limit-rps``, ``limit-rpm`` and ``limit-connections``, with
``limit-burst-multiplier``, ``limit-allowlist`` (``limit-whitelist``), and our own
``txingress.dev/limit-dry-run``; and ``limits.requests-per-client`` if all replicas count together.

Source of the rules: docs/compatibility.md, sections 2.6 and 6, "Limits".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from functools import partial
from typing import ClassVar, Final

from ingress.address_ranges import AddressRanges, parse_range
from ingress.answer import Answer
from ingress.counted_noun import counted
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.annotation import OWN_PREFIX, Annotations
from ingress.policy.bucket_table import ONE, Rate, Refusal
from ingress.policy.claim import Claim
from ingress.policy.client_requests import REFUSED
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision
from ingress.policy.gate import COUNTED, UNDECIDED
from ingress.policy.inputs import Input, Inputs
from ingress.policy.limit_gate import CONNECTIONS, LIMITS, LimitedClient, LimitGate
from ingress.policy.limiter import LimitLabels, LimitLevels, SharedBound, SharedCounts, client_of
from ingress.policy.policy import GatedPolicy
from ingress.policy.progress_gate import LABEL, ProgressGate
from ingress.policy.scope import ReadContext, RuleScope

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_ALLOW: Final = ("limit-allowlist", "limit-whitelist")
"""The second name is the older one; the first that is there counts, as in ingress-nginx."""

_DRY_RUN: Final = f"{OWN_PREFIX}limit-dry-run"

_MOST: Final = 1_000_000_000
"""A higher limit, or a larger burst, is none that a client could reach."""

_BURST_MULTIPLIER: Final = 5

_PERIODS: Final = {"rps": 1, "rpm": 60}
"""Seconds, by limit."""

_SALTS: Final = {"rps": 0, "rpm": 0x5DEECE66D}


@dataclass(frozen=True, slots=True)
class ClientLimits(GatedPolicy):
    """
    Refuses what a client sends beyond a limit.

    All rules of an Ingress count together, as in ingress-nginx.
    """

    name: ClassVar[str] = "limits"
    annotations: ClassVar[tuple[str, ...]] = (
        "limit-rps",
        "limit-rpm",
        "limit-connections",
        "limit-burst-multiplier",
        *_ALLOW,
        _DRY_RUN,
    )
    differences: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            ("limit-rps", "limit-rpm", "limit-connections"),
            "all workers of a replica count together, with `limits.store` all replicas; IPv6 "
            "by networks of 64 bits; refusals have `Retry-After`; a bad value closes the paths "
            "with 503",
        ),
        _DRY_RUN: "`true` counts what the limits would refuse, and refuses nothing "
        "(`txingress_limit_refusals_total`)",
    }

    rates: tuple[tuple[str, int], ...] = ()
    """Of each limit of requests its name, and how many a second or a minute."""

    multiplier: int = _BURST_MULTIPLIER
    connections: int = 0
    """Requests that a client may have in progress; 0 for no limit."""

    exempt: AddressRanges | None = None
    """Who is not limited; None for nobody."""

    is_dry: bool = False
    zone: tuple[str, str] = ("", "")
    """The namespace and name of the Ingress."""

    buckets: tuple[Rate, ...] = ()
    """Those of `rates`."""

    is_shared: bool = False
    """Whether all replicas count together, so that a decision has to be waited for."""

    statuses: tuple[int, int] = (503, 503)
    """Of refusals beyond a rate, and beyond the requests in progress."""

    most_in_progress: int = 0
    """
    Requests that a client may have in progress at all rules, if all replicas count together; 0 for
    no limit.
    """

    gate: LimitGate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        gate = LimitGate(
            self.zone,
            tuple(limit for limit, _ in self.rates),
            self.buckets,
            self.connections,
            self.exempt,
            self.is_dry,
            self.is_shared,
            self.statuses,
        )
        object.__setattr__(self, "gate", gate)

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> ClientLimits | None:
        """Feature."""
        limits = {limit: _limit(annotations, f"limit-{limit}") for limit in LIMITS}
        multiplier = _multiplier(annotations)
        exempt = _exempt(annotations)
        is_dry = annotations.boolean(_DRY_RUN, False)
        rates = tuple((limit, limits[limit]) for limit in _PERIODS if limits[limit])
        shared = context.config.limits
        is_shared = shared.store is not None
        most_in_progress = (shared.requests_per_client or 0) if is_shared else 0
        if not rates and not limits[CONNECTIONS] and not most_in_progress:
            return None
        buckets = tuple(
            Rate(
                most * ONE // _PERIODS[limit],
                min(most * multiplier, _MOST) * ONE,
                _SALTS[limit],
            )
            for limit, most in rates
        )
        defaults = context.config.nginx.limits
        statuses = (defaults.req_status, defaults.conn_status)
        return cls(
            rates,
            multiplier,
            limits[CONNECTIONS],
            exempt,
            is_dry,
            buckets=buckets,
            is_shared=is_shared,
            statuses=statuses,
            most_in_progress=most_in_progress,
        )

    @property
    def guards(self) -> bool:
        """Feature: limits of the Ingress decide who gets access."""
        return bool(self.rates or self.connections)

    def at(self, rule: RuleScope) -> ClientLimits:
        """Feature: an Ingress is a zone."""
        return replace(self, zone=(rule.namespace, rule.ingress))

    def judge(self, context: PolicyContext) -> Decision:
        """
        GatedPolicy: all replicas count together. What this one alone would refuse, all together
        would refuse as well; what it admits, the store that they share is asked about, once.
        """
        claim = Claim()
        context.ends.append(claim.release)
        limited = self.gate.limited(context.client)
        answer = self._begin(context, limited, claim)
        if answer is not None:
            claim.release()
            return answer
        store = context.limiter.store
        return None if store is None else self._ask(context, claim, store)

    def _begin(self, context: PolicyContext, limited: LimitedClient, claim: Claim) -> Answer | None:
        """Decide as far as this replica can, and count the request if it may pass."""
        gate, limiter, client, now = self.gate, context.limiter, context.client, context.now()
        if self.most_in_progress:
            progress = ProgressGate(self.most_in_progress)
            found = progress.decide(context.request, client, context.route, limiter, now)
            if found is COUNTED:
                claim.add(partial(progress.ended, client, limiter))
                claim.bounds.append(SharedBound("", self.most_in_progress))
            elif found is UNDECIDED:
                return self._beyond_progress(context)
        if limited.is_exempt:
            return None
        refusal = gate.take(limited, limiter, now) if self.buckets else None
        if refusal is None:
            claim.rates = self.buckets
        else:
            answer = gate.beyond_rate(refusal, limiter)
            if answer is not None:
                return answer
        begun = gate.begin(limited, limiter)
        if begun is COUNTED:
            claim.add(partial(gate.ended, client, limiter))
            claim.bounds.append(SharedBound("/".join(self.zone), self.connections))
        return begun if isinstance(begun, Answer) else None

    def _ask(self, context: PolicyContext, claim: Claim, store: SharedCounts) -> Decision:
        """Ask whether the request is within what all replicas admit."""
        if not claim.rates and not claim.bounds:
            return None
        client, place = client_of(context.client.address), None
        if claim.bounds:
            place = store.hold(client, claim.bounds)
            claim.add(place.release)
        asked = store.take("/".join(self.zone), client, claim.rates, place)
        return None if asked is None else asked.addCallback(partial(self._answered, context, claim))

    def _answered(
        self, context: PolicyContext, claim: Claim, refusal: Refusal | None
    ) -> Answer | None:
        """The store has decided, or has not done so in time."""
        if refusal is None:
            return None
        rates, bounds = len(claim.rates), claim.bounds
        if refusal.which < rates:
            answer = self.gate.beyond_rate(refusal, context.limiter)
            has_place = answer is None
        elif bounds[refusal.which - rates].zone:
            answer = self.gate.beyond_connections(context.limiter)
            # What a dry run lets pass takes no place, unless it has one at all rules as well.
            has_place = answer is None and len(bounds) > 1
        else:
            answer, has_place = self._beyond_progress(context), False
        if not has_place:
            claim.release()
        return answer

    def _beyond_progress(self, context: PolicyContext) -> Answer:
        rule = context.rule
        context.limiter.count(LimitLabels(rule.namespace, rule.ingress, LABEL))
        return REFUSED

    def decides_by(self, request: Request) -> Inputs:
        """Policy: how many requests a client has made is state."""
        return frozenset({Input.STATE})

    def levels(
        self, address: bytes, levels: LimitLevels, now: float
    ) -> Iterator[tuple[str, float, int]]:
        """
        Yield each limit with what a client has used of it, and what it may use.

        :param address: of the client.
        :param levels: reads the state of limits.
        :param now: in seconds, as for `Gate.decide`.
        """
        if self.gate.exempts(address):
            return
        client = self.gate.number(address)
        for (limit, _), rate in zip(self.rates, self.buckets, strict=True):
            used = levels.buckets.level(client, int(now * 1000), rate)
            yield limit, used / ONE, rate.burst // ONE
        if self.connections:
            yield CONNECTIONS, levels.in_flight(client), self.connections

    def explain(self) -> str:
        """Feature."""
        parts = [
            f"{counted(most, 'request')} {'a second' if limit == 'rps' else 'a minute'} "
            f"and {min(most * self.multiplier, _MOST)} more at once"
            for limit, most in self.rates
        ]
        if self.connections:
            parts.append(f"{counted(self.connections, 'request')} in progress")
        if self.most_in_progress:
            number = counted(self.most_in_progress, "request")
            parts.append(f"{number} in progress at all rules together")
        statuses = " or ".join(map(str, dict.fromkeys(self.statuses)))
        what = f"would get {statuses} (a dry run only counts them)"
        if not self.is_dry:
            what = f"get {statuses}"
        verb = "send" if self.rates else "have"
        return f"A client may {verb} {', and have '.join(parts)}; requests beyond that {what}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        limits: dict[str, object] = dict(self.rates)
        if self.rates:
            limits["burstMultiplier"] = self.multiplier
        if self.connections:
            limits[CONNECTIONS] = self.connections
        if self.most_in_progress:
            limits["clientRequests"] = self.most_in_progress
        if self.exempt:
            limits["exempt"] = self.exempt.count
        return {"limits": {**limits, "isDryRun": self.is_dry}}


def _limit(annotations: Annotations, name: str) -> int:
    """Read a limit; 0 for none. What is no number closes the paths."""
    if name not in annotations:
        return 0
    value = annotations.text(name)
    if _INTEGER.fullmatch(value) is None:
        annotations.close(name, "a whole number is accepted", is_shown=True)
        return 0
    return min(max(int(value), 0), _MOST)


def _multiplier(annotations: Annotations) -> int:
    value = annotations.integer("limit-burst-multiplier")
    if value is not None and value < 1:
        annotations.fault(
            "limit-burst-multiplier",
            f"a number above 0 is accepted; the default {_BURST_MULTIPLIER} is used instead",
        )
        return _BURST_MULTIPLIER
    return _BURST_MULTIPLIER if value is None else min(value, _MOST)


def _exempt(annotations: Annotations) -> AddressRanges | None:
    """Read who is not limited; a bad list closes the paths, and an empty one exempts nobody."""
    words = {name: annotations.words(name) for name in _ALLOW}
    name = next((name for name in _ALLOW if name in annotations), "")
    try:
        return AddressRanges.of(map(parse_range, words.get(name, ()))) or None
    except ValueError as error:
        annotations.close(
            name, f"{error}; a list of IP addresses and CIDR ranges is accepted", is_shown=True
        )
        return None
