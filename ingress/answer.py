"""
Answers of the proxy's own: refusals, redirects, missing routes and endpoints.

Each answer has a short body in the form that the client prefers, the request's
id, and nothing that the client sent.
"""

from __future__ import annotations

import json
from html import escape
from http import HTTPStatus

from ingress.errors import Outcome, PeerError
from ingress.field_edits import check_field
from ingress.frozen import dataclass

_FORMS = {
    "*/*": "text/plain",
    "text/*": "text/plain",
    "text/plain": "text/plain",
    "text/html": "text/html",
    "application/json": "application/json",
}

_MAX_ACCEPT = 1024
"""Bytes of an Accept field that are read; browsers send about 150."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the proxy's own."""

    status: int
    outcome: Outcome
    detail: str
    """One sentence that says why, for readers of the body and of the log."""

    fields: tuple[tuple[bytes, bytes], ...] = ()
    """Further fields, such as Location."""

    has_body: bool = True
    """Whether it has a body that says why; a 204 has none."""

    page: tuple[bytes, bytes] | None = None
    """The media type and the body that it has in place of one that says why."""

    is_repeatable: bool = False
    """
    Whether no endpoint has looked at the request, though it cannot be sent to another one: a client
    of HTTP/2 is told by REFUSED_STREAM to send it again (RFC 9113 section 8.7).
    """

    reset_code: int = 0
    """As `PeerError.reset_code`, where a response has begun."""

    @classmethod
    def from_error(cls, error: PeerError) -> Answer:
        return cls(error.status, error.outcome, str(error), reset_code=error.reset_code)

    def check(self) -> None:
        """
        Check an answer that a policy has made.

        :raises ValueError: for a status that is not final, and for a field that could end its own
            line or frame the message.
        """
        if not 200 <= self.status <= 599:
            raise ValueError(f"{self.status} is not the status of a final answer")
        for name, value in self.fields:
            check_field(name, value)
        if self.page is not None:
            check_field(b"Content-Type", self.page[0])

    @property
    def phrase(self) -> bytes:
        """The reason phrase of its status line; empty for a status that is not registered."""
        return _phrase(self.status).encode("ascii")

    def body(self, accept: bytes | None, request_id: str) -> tuple[bytes, bytes]:
        """
        Make the body in the form that the client prefers.

        :param accept: the client's Accept field, if any.
        :param request_id: made by us or checked to be a token.
        :return: the media type and the body.
        """
        if self.page is not None:
            return self.page
        form = preferred_form(accept)
        phrase = _phrase(self.status)
        if form == "application/json":
            content = {
                "status": self.status,
                "title": phrase,
                "reason": self.outcome.value,
                "detail": self.detail,
                "request-id": request_id,
            }
            return b"application/json", json.dumps(content).encode() + b"\n"
        if form == "text/html":
            page = (
                f"<!DOCTYPE html>\n<title>{self.status} {phrase}</title>\n"
                f"<h1>{self.status} {phrase}</h1>\n<p>{escape(self.detail)}</p>\n"
                f"<p><small>{self.outcome.value}, request {request_id}</small></p>\n"
            )
            return b"text/html; charset=utf-8", page.encode()
        text = (
            f"{self.status} {phrase}\n{self.detail}\n{self.outcome.value}, request {request_id}\n"
        )
        return b"text/plain; charset=utf-8", text.encode()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def preferred_form(accept: bytes | None) -> str:
    """
    Choose the form of body that an Accept field asks for (RFC 9110 section 12.5.1).

    :return: one of ``text/plain``, ``text/html``, ``application/json``; plain
        text for ``*/*``, for no Accept, and if none of them is acceptable.
    """
    best, best_quality = "text/plain", 0.0
    for part in (accept or b"")[:_MAX_ACCEPT].decode("latin-1").split(","):
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
        form = _FORMS.get(media_range)
        if form is None:
            continue
        quality = _quality(parameters)
        if quality > best_quality:
            best, best_quality = form, quality
    return best


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
