"""
Cross-origin resource sharing: ``enable-cors`` and ``cors-*``.

The proxy answers preflights itself, and says on every other response who may read it; what an
endpoint says about that is dropped. Source of the rules: docs/compatibility.md, sections 2.7 and
6, "CORS".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from typing import ClassVar, Final

from ingress.field_edits import FieldEdits, FieldPairs
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.annotation import Annotations
from ingress.policy.cors_gate import CORSGate, cors_edits
from ingress.policy.cors_origin import OriginList, read_origins
from ingress.policy.gate import Gate
from ingress.policy.inputs import Input, Inputs
from ingress.policy.policy import GatedPolicy
from ingress.policy.scope import ReadContext

_METHODS: Final = "GET, PUT, POST, DELETE, PATCH, OPTIONS"
_HEADERS: Final = (
    "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,"
    "Range,Authorization"
)
_MAX_AGE: Final = 1_728_000
_LONGEST_AGE: Final = 2**31 - 1

_MAX_LIST: Final = 4096
"""Characters of a list of names, which is a field of every response."""

_METHOD_LIST: Final = re.compile(r"(?:[A-Za-z]+|\*)(?: *, *(?:[A-Za-z]+|\*))*(?: *,)?")
_NAME_LIST: Final = re.compile(r"(?:[A-Za-z0-9_\-]+|\*)(?: *, *(?:[A-Za-z0-9_\-]+|\*))*(?: *,)?")

_VARY: Final = FieldEdits(add=((b"Vary", b"Origin"),))


@dataclass(frozen=True, slots=True)
class CORS(GatedPolicy):
    """Answers preflights, and gives every response the fields that browsers look for."""

    name: ClassVar[str] = "cors"
    annotations: ClassVar[tuple[str, ...]] = (
        "enable-cors",
        "cors-allow-origin",
        "cors-allow-methods",
        "cors-allow-headers",
        "cors-allow-credentials",
        "cors-expose-headers",
        "cors-max-age",
    )
    differences: ClassVar[Mapping[str, str]] = {
        "enable-cors": "preflights are answered with 204 before every access rule of the path",
        "cors-allow-origin": "if origins are listed, responses have `Vary: Origin`, and those "
        "to other origins no CORS fields at all, not even the endpoint's",
    }

    origins: OriginList | None
    """None for everybody."""

    fields: FieldPairs
    """What responses have, beside the allowed origin."""

    gate: Gate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gate", CORSGate(self.origins, self.fields))

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> CORS | None:
        """Feature."""
        is_enabled = annotations.boolean("enable-cors", False)
        origins = read_origins(annotations, "cors-allow-origin")
        fields: list[tuple[bytes, bytes]] = []
        if annotations.boolean("cors-allow-credentials", True):
            fields.append((b"Access-Control-Allow-Credentials", b"true"))
        methods = _list(annotations, "cors-allow-methods", _METHOD_LIST) or _METHODS
        headers = _list(annotations, "cors-allow-headers", _NAME_LIST) or _HEADERS
        fields += (
            (b"Access-Control-Allow-Methods", methods.encode("ascii")),
            (b"Access-Control-Allow-Headers", headers.encode("ascii")),
        )
        exposed = _list(annotations, "cors-expose-headers", _NAME_LIST)
        if exposed:
            fields.append((b"Access-Control-Expose-Headers", exposed.encode("ascii")))
        fields.append((b"Access-Control-Max-Age", b"%d" % _age(annotations)))
        return cls(origins, tuple(fields)) if is_enabled else None

    @property
    def response_edits(self) -> FieldEdits:
        """Policy: what everybody may read is the same for all requests."""
        if self.origins is not None:
            return _VARY
        return _edits_for_everybody(self.fields)

    def decides_by(self, request: Request) -> Inputs:
        """Policy: only preflights are answered."""
        if self.origins is None or request.method != b"OPTIONS":
            return frozenset({Input.METHOD})
        return frozenset({Input.METHOD, Input.FIELDS})

    def explain(self) -> str:
        """Feature."""
        who = "every origin"
        if self.origins is not None:
            who = f"the origins {self.origins}" if self.origins.written else "no origin"
        return f"Preflights are answered here, and {who} may read responses (CORS)."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        origins = ["*"] if self.origins is None else list(self.origins.written)
        fields = {name.decode(): value.decode() for name, value in self.fields}
        return {"cors": {"origins": origins, "fields": fields}}


@lru_cache(1024)
def _edits_for_everybody(fields: FieldPairs) -> FieldEdits:
    """Most rules of a cluster that ask for this ask for the same."""
    return cors_edits(fields, b"*")


def _list(annotations: Annotations, name: str, pattern: re.Pattern[str]) -> str:
    """Read a list of names as it is written; empty for the default."""
    value = annotations.text(name)
    if value and (len(value) > _MAX_LIST or pattern.fullmatch(value) is None):
        annotations.fault(
            name,
            f"names with commas between them, {_MAX_LIST:,} characters at most, are accepted; "
            "the default is used instead",
        )
        return ""
    return value


def _age(annotations: Annotations) -> int:
    age = annotations.integer("cors-max-age")
    if age is None:
        return _MAX_AGE
    if not -1 <= age <= _LONGEST_AGE:
        annotations.fault(
            "cors-max-age",
            f"-1 to {_LONGEST_AGE} seconds are accepted; the default {_MAX_AGE} is used instead",
        )
        return _MAX_AGE
    return age
