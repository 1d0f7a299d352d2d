"""
How the endpoints of an Upstream share requests: ``load-balance`` and ``upstream-hash-by``.

Source of the rules: docs/compatibility.md, section 2.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import ClassVar, Final

from ingress.duration import parse_duration
from ingress.endpoint import Endpoint
from ingress.frozen import dataclass
from ingress.policy.annotation import OWN_PREFIX, Annotations
from ingress.policy.feature import Setting
from ingress.policy.hash_key import HashKey, parse_hash_key
from ingress.policy.rendezvous import most_preferred, preferred
from ingress.policy.scope import ReadContext, RuleScope
from ingress.policy.variables import RequestSource, VariableUnknown

_SUBSET_SIZE: Final = 3

_SLOW_START: Final = f"{OWN_PREFIX}slow-start"

MAX_SLOW_START: Final = 900.0
"""Seconds."""


class Algorithm(StrEnum):
    """The way to choose an endpoint for a request without a session."""

    ROUND_ROBIN = "round_robin"
    """One after the other."""

    LEAST_REQUEST = "least_request"
    """The one of two random endpoints with fewer requests in flight. Our own addition."""

    EWMA = "ewma"
    """The one of two random endpoints that has answered faster recently (peak EWMA)."""


@dataclass(frozen=True, slots=True)
class LoadBalance(Setting):
    """How one Ingress wants its requests distributed."""

    route_field: ClassVar[str] = "load_balance"
    holds_for_canaries: ClassVar[bool] = True
    annotations: ClassVar[tuple[str, ...]] = (
        "load-balance",
        "upstream-hash-by",
        "upstream-hash-by-subset",
        "upstream-hash-by-subset-size",
        _SLOW_START,
    )
    differences: ClassVar[Mapping[str, str]] = {
        "load-balance": "`round_robin`, `ewma`, and our own `least_request`",
        "upstream-hash-by": "a change of endpoints moves the fewest requests; requests without a "
        "value to hash are balanced",
        _SLOW_START: "the time in which an endpoint that has become ready comes to its share of "
        "requests, such as `30s`; `15m` at most",
    }

    algorithm: Algorithm = Algorithm.ROUND_ROBIN

    hash_key: HashKey | None = None
    """Takes precedence over `algorithm`, which chooses among the endpoints of a subset."""

    subset_size: int = 1
    """How many endpoints serve one key; more than one for ``upstream-hash-by-subset``."""

    slow_start: float = 0.0
    """The seconds in which an endpoint that has become ready comes to its share; 0 for at once."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> LoadBalance:
        """Feature: an ``upstream-hash-by`` that cannot be computed is left out."""
        default = context.config.nginx.proxy.load_balance or Algorithm.ROUND_ROBIN
        others = (each for each in Algorithm if each != default)
        algorithm = annotations.choice("load-balance", (default, *others))
        has_subset = annotations.boolean("upstream-hash-by-subset", False)
        size = annotations.integer("upstream-hash-by-subset-size")
        if size is not None and size < 0:
            annotations.fault(
                "upstream-hash-by-subset-size",
                f"a number from 1 on is accepted; {_SUBSET_SIZE} is used instead",
            )
            size = None
        return cls(
            algorithm=Algorithm(algorithm),
            hash_key=_read_hash_key(annotations),
            subset_size=(size or _SUBSET_SIZE) if has_subset else 1,
            slow_start=_read_slow_start(annotations),
        )

    def at(self, rule: RuleScope) -> LoadBalance:
        """Feature: a key may have variables of the rule."""
        key = self.hash_key
        if key is None or (adapted := key.at(rule)) is key:
            return self
        return replace(self, hash_key=adapted)

    def explain(self) -> str:
        """Feature."""
        if self.hash_key is not None:
            return f"Requests of equal {self.hash_key.written} go to the same endpoints."
        sentence = f"Endpoints share requests by {self.algorithm}."
        if self.slow_start:
            sentence += f" One that has become ready comes to its share in {self.slow_start:g} s."
        return sentence

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        found: dict[str, object] = {"algorithm": str(self.algorithm)}
        if self.hash_key is not None:
            found["hashBy"] = self.hash_key.written
            found["subsetSize"] = self.subset_size
        if self.slow_start:
            found["slowStart"] = self.slow_start
        return {"loadBalance": found}

    def among(self, endpoints: Sequence[Endpoint], source: RequestSource) -> Sequence[Endpoint]:
        """
        :param endpoints: the endpoints that may serve: neither tried already nor ejected.
        :param source: the request.
        :return: the endpoints that the request's hash prefers, from which `algorithm`
            chooses; `endpoints` itself if there is nothing to hash.
        """
        if self.hash_key is None or len(endpoints) < 2:
            return endpoints
        key = self.hash_key.of(source)
        if not key:
            return endpoints
        if self.subset_size == 1:
            return (preferred(key, endpoints),)
        return most_preferred(key, endpoints, self.subset_size)


def _read_slow_start(annotations: Annotations) -> float:
    """:return: seconds."""
    written = annotations.text(_SLOW_START)
    if not written:
        return 0.0
    seconds = parse_duration(written)
    if seconds is None or not 1 <= seconds <= MAX_SLOW_START:
        annotations.fault(
            _SLOW_START,
            "a time such as 30s or 2m is accepted, 15m at most; an endpoint that has become ready "
            "gets its full share at once",
        )
        return 0.0
    if annotations.text("upstream-hash-by"):
        annotations.fault(_SLOW_START, "has no effect with upstream-hash-by: a key has one place")
        return 0.0
    return seconds


def _read_hash_key(annotations: Annotations) -> HashKey | None:
    written = annotations.text("upstream-hash-by")
    if not written:
        return None
    try:
        return parse_hash_key(written)
    except VariableUnknown as error:
        annotations.fault("upstream-hash-by", f"{error}; the annotation is ignored")
        return None
