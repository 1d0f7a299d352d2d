"""
The compression of responses: which ones, and with which content coding.

The rules are those of nginx's gzip module as ingress-nginx configures it, and of RFC 9110: nothing
that is encoded already, that must not be transformed, or that is a part of something; strong
validators become weak, because the bytes are other ones.

Source of the rules: docs/compatibility.md, section 3 ("Output").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import ClassVar, Final, NamedTuple

from ingress.config import Config
from ingress.config.compression import CodingSettings, CompressionSettings
from ingress.content_coding import BROTLI, GZIP, ZSTD, missing_package
from ingress.encoded_fields import FieldLines
from ingress.frozen import dataclass
from ingress.linear_pattern import LinearPattern, TextTooLong
from ingress.message import Request
from ingress.policy.annotation import Annotations
from ingress.policy.feature import Setting
from ingress.policy.scope import ReadContext

_ANNOTATION: Final = "txingress.dev/compression"

_STATUSES: Final = frozenset({200, 403, 404})
"""The statuses whose responses nginx compresses."""

_HTML: Final = b"text/html"
"""Compressed whatever the list says, as in nginx."""

_ANY: Final = b"*"

_BLOCKING: Final = frozenset(
    {b"content-encoding", b"content-range", b"content-md5", b"content-digest", b"digest"}
    | {b"repr-digest"}
)
"""Fields that say something about the very bytes of the body."""

_CHANGED: Final = frozenset({b"content-length", b"accept-ranges"})
"""Fields that a compressed response does not keep."""

_MAX_ACCEPTED: Final = 512
"""Bytes of an Accept-Encoding that are looked at; browsers send 23."""


@dataclass(frozen=True, slots=True)
class Coding:
    """One content coding, and the responses that it is for."""

    name: str
    level: int
    min_length: int
    types: frozenset[bytes]

    def suits(self, media_type: bytes, length: int | None) -> bool:
        """
        :param length: of the body in bytes; None if it is unknown.
        """
        if length is not None and length < self.min_length:
            return False
        return media_type in self.types or _ANY in self.types


class Offer(NamedTuple):
    """What may become of a response."""

    coding: Coding | None
    """The coding for this client; None if it gets the response as it is."""

    fields: FieldLines
    """The fields of the response as it is."""

    encoded_fields: FieldLines
    """The fields of the compressed response."""


@dataclass(frozen=True, slots=True)
class Compression(Setting):
    """The codings of one Ingress, the preferred one first."""

    route_field: ClassVar[str] = "compression"
    annotations: ClassVar[tuple[str, ...]] = (_ANNOTATION,)
    differences: ClassVar[Mapping[str, str]] = {
        _ANNOTATION: "`false` leaves responses as they are, whatever the configuration compresses",
    }

    codings: tuple[Coding, ...]
    disabled_for: LinearPattern | None = None

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> Compression | None:
        """Feature: an Ingress can opt out of what the configuration asks for."""
        found = _of_configuration(context.config.compression)
        is_wanted = annotations.boolean(_ANNOTATION, True)
        if is_wanted and found is None and annotations.text(_ANNOTATION):
            annotations.fault(
                _ANNOTATION,
                "the configuration has no compression that is on; responses are sent as they are",
            )
        return found if is_wanted else None

    def explain(self) -> str:
        """Feature."""
        names = " or ".join(coding.name for coding in self.codings)
        return f"Responses are compressed with {names} for clients that accept it."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        levels = {coding.name: coding.level for coding in self.codings}
        return {"compression": levels}

    def offer(
        self, request: Request, status: int, fields: FieldLines, length: int | None
    ) -> Offer | None:
        """
        Decide on a response.

        :param fields: of its head, as the client would get them.
        :param length: of its body in bytes; None if it is unknown.
        :return: None if it cannot be compressed for any client.
        """
        if status not in _STATUSES or request.method == b"HEAD" or length == 0:
            return None
        media_type = _media_type(fields)
        suiting = [coding for coding in self.codings if coding.suits(media_type, length)]
        if not suiting or _is_blocked(fields) or _has_no_transform(request):
            return None
        varied = _varied(fields)
        coding = self._choice(suiting, request)
        encoded = [] if coding is None else list(_encoded(varied, coding.name))
        return Offer(coding, varied, encoded)

    def _choice(self, suiting: list[Coding], request: Request) -> Coding | None:
        # As in ingress-nginx, which sets gzip_http_version 1.1.
        if request.is_http_10:
            return None
        accepted = b",".join(value for key, _, value in request.fields if key == b"accept-encoding")
        weights = _weights(accepted[:_MAX_ACCEPTED])
        any_weight = weights.get("*", 0.0)
        best = max(suiting, key=lambda coding: weights.get(coding.name, any_weight))
        if weights.get(best.name, any_weight) <= 0 or self._is_disabled_for(request):
            return None
        return best

    def _is_disabled_for(self, request: Request) -> bool:
        if self.disabled_for is None:
            return False
        try:
            return self.disabled_for.search(request.field(b"user-agent") or b"") is not None
        except TextTooLong:
            return True


@lru_cache(maxsize=16)
def _of_configuration(settings: CompressionSettings) -> Compression | None:
    """:return: one object for all Ingresses."""
    # The cheapest one first, for clients that like several as much.
    listed = ((ZSTD, settings.zstd), (BROTLI, settings.brotli), (GZIP, settings.gzip))
    codings = tuple(
        _coding(name, each) for name, each in listed if each.enabled and not missing_package(name)
    )
    return Compression(codings, settings.disabled_for) if codings else None


def _coding(name: str, settings: CodingSettings) -> Coding:
    types = frozenset(each.encode("ascii") for each in settings.types)
    return Coding(name, settings.level, settings.min_length, types | {_HTML})


def missing_packages(config: Config) -> Iterator[tuple[str, str]]:
    """Yield the key of each coding that the configuration asks for in vain, with its package."""
    settings = config.compression
    for key, name, coding in (("brotli", BROTLI, settings.brotli), ("zstd", ZSTD, settings.zstd)):
        package = missing_package(name) if coding.enabled else ""
        if package:
            yield key, package


def _media_type(fields: FieldLines) -> bytes:
    for name, value in fields:
        if name.lower() == b"content-type":
            return value.partition(b";")[0].strip(b" \t").lower()
    return b""


def _is_blocked(fields: FieldLines) -> bool:
    for name, value in fields:
        key = name.lower()
        if key in _BLOCKING or (key == b"cache-control" and b"no-transform" in value.lower()):
            return True
    return False


def _has_no_transform(request: Request) -> bool:
    return any(
        key == b"cache-control" and b"no-transform" in value.lower()
        for key, _, value in request.fields
    )


def _varied(fields: FieldLines) -> FieldLines:
    """Add to Vary what the representation depends on, for clients of every kind."""
    for name, value in fields:
        if name.lower() == b"vary":
            members = [member.strip(b" \t") for member in value.lower().split(b",")]
            if b"*" in members or b"accept-encoding" in members:
                return fields
    return [*fields, (b"Vary", b"Accept-Encoding")]


def _encoded(fields: FieldLines, coding: str) -> Iterator[tuple[bytes, bytes]]:
    for name, value in fields:
        key = name.lower()
        if key in _CHANGED:
            continue
        if key == b"etag" and value.startswith(b'"'):
            value = b"W/" + value
        yield name, value
    yield b"Content-Encoding", coding.encode("ascii")


@lru_cache(maxsize=256)
def _weights(accepted: bytes) -> dict[str, float]:
    """
    :param accepted: the value of an Accept-Encoding (RFC 9110 section 12.5.3).
    :return: the weight of each coding in it; 0 for one that is refused.
    """
    weights: dict[str, float] = {}
    for member in accepted.decode("latin-1").lower().split(","):
        name, _, parameters = member.partition(";")
        weights[name.strip().removeprefix("x-")] = _weight(parameters)
    return weights


def _weight(parameters: str) -> float:
    name, _, value = parameters.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        weight = float(value.strip())
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
