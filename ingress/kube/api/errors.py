"""
Errors of requests to the API server.

`APIError` is an answer, `APIUnreachable` the lack of one. Both have a message for the log that
fits one line and has no credentials.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from ingress.errors import IngressError
from ingress.kube.json_fault import NOT_JSON
from ingress.problem import printable

MAX_MESSAGE = 1000
"""Characters that are kept of a server's message."""


class APIError(IngressError):
    """
    The API server has answered with an error.

    :param code: of HTTP.
    :param reason: the API's reason for machines, such as ``Conflict``; empty if a proxy in front
        of the API has answered.
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
    """There is no complete answer: no connection, TLS failed, a broken answer, or a timeout."""


class AnswerTooLarge(APIUnreachable):
    """The answer is larger than the limit; smaller pages of a list may fit."""


class Details(msgspec.Struct):
    """The details of a Status that are used."""

    retry_after: float | None = msgspec.field(default=None, name="retryAfterSeconds")


class Status(msgspec.Struct):
    """The API's answer that describes an error (``meta/v1 Status``)."""

    kind: str = ""
    code: int = 0
    reason: str = ""
    message: str = ""
    details: Details | None = None


def api_error(code: int, body: bytes, retry_after: float | None = None) -> APIError:
    """
    Make the error of an answer.

    :param body: a Status as JSON, or any text of a proxy.
    :param retry_after: seconds from the answer's head.
    """
    try:
        status = msgspec.json.decode(body, type=Status)
    except NOT_JSON:
        status = Status()
    if status.kind != "Status":
        return APIError(code, "", "the answer is not a Status of the Kubernetes API", retry_after)
    if retry_after is None and status.details is not None:
        retry_after = status.details.retry_after
    return APIError(code, status.reason, status.message, retry_after)


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return "unknown status"
