"""
What can go wrong between us and the API server.

`APIError` is an answer, `APIUnreachable` the want of one. Both have a message for
the log that fits one line and holds no credentials.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from ingress.errors import IngressError
from ingress.kube.json_fault import NOT_JSON
from ingress.problem import printable

MAX_MESSAGE = 1000
"""Characters of what a server says that are kept."""


class APIError(IngressError):
    """
    The API server has answered, with something else than what was asked for.

    :param code: of HTTP.
    :param reason: the API's word for machines, such as ``Conflict``; empty where
        it was not the API that answered, but a proxy before it.
    :param message: for people.
    :param retry_after: seconds after which to ask again, if the server says so.
    """

    def __init__(
        self, code: int, reason: str = "", message: str = "", retry_after: float | None = None
    ) -> None:
        self.code = code
        self.reason = reason
        self.message = printable(message[:MAX_MESSAGE])
        self.retry_after = retry_after
        super().__init__(
            f"{code} {printable(reason[:MAX_MESSAGE]) or _phrase(code)}: {self.message}"
        )


class APIUnreachable(IngressError):
    """There is no whole answer: no connection, TLS refused, a broken answer, or none in time."""


class AnswerTooLarge(APIUnreachable):
    """The answer is larger than we accept; a list may fit in smaller pages."""


class Details(msgspec.Struct):
    """What a Status has besides its message; only what is used."""

    retry_after: float | None = msgspec.field(default=None, name="retryAfterSeconds")


class Status(msgspec.Struct):
    """The API's own answer where something went wrong (``meta/v1 Status``)."""

    kind: str = ""
    code: int = 0
    reason: str = ""
    message: str = ""
    details: Details | None = None


def api_error(code: int, body: bytes, retry_after: float | None = None) -> APIError:
    """
    The error that an answer is.

    :param body: a Status as JSON, or whatever a proxy says in its place.
    :param retry_after: what the answer's head says about that.
    """
    try:
        status = msgspec.json.decode(body, type=Status)
    except NOT_JSON:
        status = Status()
    if status.kind != "Status":
        return APIError(code, "", "the answer is no Status of the Kubernetes API", retry_after)
    if retry_after is None and status.details is not None:
        retry_after = status.details.retry_after
    return APIError(code, status.reason, status.message, retry_after)


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return "unknown status"
