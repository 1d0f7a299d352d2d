"""
The server's refusals: ``Status`` objects with the wording of the real server.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.fake_api.kind import Document, Kind

PHRASES = {422: b"Unprocessable Entity", 429: b"Too Many Requests"}
"""The phrases of statuses for which twisted.web has none."""


class StatusError(Exception):
    """
    :ivar retry_after: seconds for the Retry-After field; None to leave it out.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Document | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.retry_after = retry_after
        self.continuation: str | None = None
        """The token with which a list that has become too old can still be completed."""

    def document(self) -> Document:
        """Return the ``Status``, with its fields in the order of the real server."""
        metadata = {} if self.continuation is None else {"continue": self.continuation}
        status: Document = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata,
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status


@dataclass(frozen=True)
class Cause:
    """Why a field is refused: ``FieldValueInvalid`` and the like."""

    reason: str
    field: str
    message: str


def details_of(kind: Kind, name: str = "") -> Document:
    """Name the object or resource of a refusal."""
    named = {"name": name} if name else {}
    grouped = {"group": kind.group} if kind.group else {}
    return {**named, **grouped, "kind": kind.plural}


def not_found(kind: Kind, name: str) -> StatusError:
    message = f'{kind.resource} "{name}" not found'
    return StatusError(404, "NotFound", message, details_of(kind, name))


def no_such_path() -> StatusError:
    message = "the server could not find the requested resource"
    return StatusError(404, "NotFound", message, {})


def no_such_method() -> StatusError:
    message = "the server does not allow this method on the requested resource"
    return StatusError(405, "MethodNotAllowed", message, {})


def already_exists(kind: Kind, name: str) -> StatusError:
    message = f'{kind.resource} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, details_of(kind, name))


def conflict(kind: Kind, name: str, why: str = "") -> StatusError:
    why = why or (
        "the object has been modified; please apply your changes to the latest version"
        " and try again"
    )
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return StatusError(409, "Conflict", message, details_of(kind, name))


def invalid(kind: Kind, name: str, causes: list[Cause]) -> StatusError:
    said = [f"{cause.field}: {cause.message}" for cause in causes]
    text = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    # Events of both groups are validated as those of the core group.
    group = "" if kind.plural == "events" else kind.group
    full = f"{kind.name}.{group}" if group else kind.name
    named = {"name": name} if name else {}
    details = {
        **named,
        **({"group": group} if group else {}),
        "kind": kind.name,
        "causes": [
            {"reason": cause.reason, "message": cause.message, "field": cause.field}
            for cause in causes
        ],
    }
    return StatusError(422, "Invalid", f'{full} "{name}" is invalid: {text}', details)


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def unsupported_media_type() -> StatusError:
    message = (
        "the body of the request was in an unknown format - accepted media types include:"
        " application/merge-patch+json, application/strategic-merge-patch+json,"
        " application/apply-patch+yaml"
    )
    return StatusError(415, "UnsupportedMediaType", message)


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized")


def expired(message: str) -> StatusError:
    """Make the error for a request of compacted history."""
    return StatusError(410, "Expired", message)


def internal_error(message: str) -> StatusError:
    return StatusError(500, "InternalError", message)
