"""
The gate of cross-origin resource sharing: preflights, and the origin that a response lets in.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.errors import Outcome
from ingress.field_edits import FieldEdits, FieldPairs
from ingress.message import Request
from ingress.policy.cors_origin import OriginList
from ingress.policy.decision import Proceed
from ingress.policy.gate import Gate
from ingress.policy.limiter import Limiter

_ALLOW_ORIGIN: Final = b"Access-Control-Allow-Origin"
_DROPPED: Final = frozenset(
    {
        b"access-control-allow-credentials",
        b"access-control-allow-headers",
        b"access-control-allow-methods",
        b"access-control-allow-origin",
        b"access-control-max-age",
    }
)
"""
The fields by which an endpoint could let in more origins than the annotations do. Those that it
exposes stay if no annotation lists others.
"""

_NOBODY: Final = Proceed(response_edits=FieldEdits(remove=_DROPPED))

_LONGEST: Final = 1024
"""Bytes of an origin; none that is listed is as long."""

_PREFLIGHT: Final = Answer(
    204, Outcome.PREFLIGHT, "The proxy answers preflights itself.", has_body=False
)


def cors_edits(fields: FieldPairs, origin: bytes) -> FieldEdits:
    """:return: the changes to a response that an origin may read."""
    return FieldEdits(replace=((_ALLOW_ORIGIN, origin), *fields), remove=_DROPPED)


class CORSGate(Gate):
    """
    Answers preflights, and gives responses the fields for their origin.

    :param origins: None for everybody; then all responses have the same fields, which the Route
        has ready-made.
    :param fields: what responses have, beside the allowed origin.
    """

    def __init__(self, origins: OriginList | None, fields: FieldPairs) -> None:
        self._origins = origins
        self._fields = fields

    def __repr__(self) -> str:
        return f"<CORSGate of {self._origins}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return CORSGate, (self._origins, self._fields)

    def decide(
        self,
        request: Request,
        client: BelievedClient,
        route: object,
        limiter: Limiter,
        now: float,
    ) -> object:
        """Gate: preflights have no credentials, so they are answered before access is decided."""
        if self._origins is None:
            return _PREFLIGHT if request.method == b"OPTIONS" else None
        origin = request.field(b"origin")
        if origin is None or len(origin) > _LONGEST:
            return _NOBODY
        edits = _edits_for(self, origin)
        if edits is None:
            return _NOBODY
        return _preflight(self, origin) if request.method == b"OPTIONS" else edits

    def edits_for(self, origin: bytes) -> Proceed | None:
        """:return: the changes to a response for an origin; None if it may not read it."""
        if self._origins is None or not self._origins.has(origin):
            return None
        return Proceed(response_edits=cors_edits(self._fields, origin))

    def preflight(self, origin: bytes) -> Answer:
        """:return: the answer to a preflight of an origin that may read responses."""
        return Answer(
            204,
            _PREFLIGHT.outcome,
            _PREFLIGHT.detail,
            fields=((_ALLOW_ORIGIN, origin), *self._fields),
            has_body=False,
        )


@lru_cache(maxsize=1024)
def _edits_for(gate: CORSGate, origin: bytes) -> Proceed | None:
    return gate.edits_for(origin)


@lru_cache(maxsize=1024)
def _preflight(gate: CORSGate, origin: bytes) -> Answer:
    return gate.preflight(origin)
