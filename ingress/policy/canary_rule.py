"""
The canaries of one rule, as its Route has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ingress.endpoint import UpstreamKey
from ingress.frozen import dataclass
from ingress.policy.canary import Canary
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.feature import Setting
from ingress.policy.load_balance import LoadBalance


@dataclass(frozen=True, slots=True)
class CanaryRule(Setting):
    """A canary of a rule: which requests it gets, and how its own endpoints share them."""

    route_field: ClassVar[str] = "canary_rule"

    ingress: tuple[str, str]
    """``(namespace, name)`` of the canary's object."""

    upstream: UpstreamKey
    canary: Canary
    share: float
    """
    Its part, from 0 to 1, of the requests that no header, cookie or session decides on. The
    shares of all canaries of a rule add up to 1 at most.
    """

    load_balance: LoadBalance = LoadBalance()
    affinity: CookieAffinity | None = None
    """Its own sessions; they count if `Canary.keeps_own_affinity`."""

    def explain(self) -> str:
        """Feature."""
        name = "/".join(self.ingress)
        return f"The canary of Ingress {name} gets this request; it gets {self.canary.explain()}."


@dataclass(frozen=True, slots=True)
class Canaries(Setting):
    """The canaries of a rule."""

    route_field: ClassVar[str] = "canaries"

    rules: tuple[CanaryRule, ...]
    """At least one; those of older objects come first."""

    def explain(self) -> str:
        """Feature."""
        parts = (
            f"{rule.upstream} (Ingress {'/'.join(rule.ingress)}) gets {rule.canary.explain()}"
            for rule in self.rules
        )
        return f"The canaries of the rule: {'; '.join(parts)}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {
            "canaries": [
                {
                    "namespace": rule.ingress[0],
                    "ingress": rule.ingress[1],
                    "upstream": _named(rule.upstream),
                    "share": round(rule.share, 6),
                    **rule.canary.shown(),
                }
                for rule in self.rules
            ]
        }


def _named(upstream: UpstreamKey) -> str:
    return f"{upstream.namespace}/{upstream.service}:{upstream.port}"
