"""
The exceptions of the data plane, and the outcomes that an exchange can have.

Each error has the status of its answer and the outcome that is recorded for it, so that code that
catches it decides nothing.
"""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How an exchange ended: the reason in the body of a refusal, in the log and in metrics."""

    OK = "ok"
    BAD_REQUEST = "bad_request"
    HEAD_TOO_LARGE = "head_too_large"
    TARGET_TOO_LONG = "target_too_long"
    BODY_TOO_LARGE = "body_too_large"
    METHOD_UNKNOWN = "method_unknown"
    CLIENT_TIMEOUT = "client_timeout"
    CLIENT_LOST = "client_lost"
    NO_ROUTE = "no_route"
    NO_ENDPOINT = "no_endpoint"
    REDIRECTED = "redirected"
    ANSWERED = "answered"
    PREFLIGHT = "preflight"
    ACCESS_REFUSED = "access_refused"
    LIMITED = "limited"
    DIAL_FAILED = "dial_failed"
    ENDPOINT_BROKE = "endpoint_broke"
    ENDPOINT_TIMEOUT = "endpoint_timeout"
    LOOP_DETECTED = "loop_detected"
    OVERLOADED = "overloaded"
    INTERNAL_ERROR = "internal_error"


class IngressError(Exception):
    """The root of every exception that this package raises on purpose."""


class PeerError(IngressError):
    """
    Something ends the exchange, mostly a mistake of a peer.

    :param detail: one sentence for the client, without anything that a peer sent.
    """

    status = 500
    outcome = Outcome.INTERNAL_ERROR
    reset_code = 0
    """The error code of HTTP/2 that tells why a response ends too early; 0 for none."""


class InternalError(PeerError):
    """No peer is to blame: the proxy itself failed, and the log says how."""


class RequestError(PeerError):
    """The client's message is refused; its connection is not used again."""

    status = 400
    outcome = Outcome.BAD_REQUEST


class TargetTooLong(RequestError):
    """The request target is longer than we accept (RFC 9110 section 15.5.15)."""

    status = 414
    outcome = Outcome.TARGET_TOO_LONG


class HeadTooLarge(RequestError):
    """The head has too many bytes or fields (RFC 6585 section 5)."""

    status = 431
    outcome = Outcome.HEAD_TOO_LARGE


class BodyTooLarge(RequestError):
    """The body is longer than the route accepts (RFC 9110 section 15.5.14)."""

    status = 413
    outcome = Outcome.BODY_TOO_LARGE


class MethodUnknown(RequestError):
    """The parser does not know the method (RFC 9110 section 15.6.2)."""

    status = 501
    outcome = Outcome.METHOD_UNKNOWN


class RequestTimeout(RequestError):
    """The head or the body came too slowly (RFC 9110 section 15.5.9)."""

    status = 408
    outcome = Outcome.CLIENT_TIMEOUT


class LoopDetected(PeerError):
    """The request keeps coming back to us (RFC 5842 section 7.2, RFC 8586)."""

    status = 508
    outcome = Outcome.LOOP_DETECTED


class ResponseError(PeerError):
    """The endpoint broke off, or sent something that is no HTTP response."""

    status = 502
    outcome = Outcome.ENDPOINT_BROKE


class DialFailed(PeerError):
    """No connection to the endpoint can be made."""

    status = 502
    outcome = Outcome.DIAL_FAILED


class NoDescriptor(DialFailed):
    """This system has no descriptor or memory left for the connection: no fault of the endpoint."""


class DialTimeout(DialFailed):
    """The endpoint did not accept the connection in time."""

    status = 504


class EndpointClosed(ResponseError):
    """The endpoint ended the connection before its response was whole."""


class StreamReset(EndpointClosed):
    """
    The endpoint reset a stream of HTTP/2.

    :param code: as `reset_code`.
    """

    def __init__(self, detail: str, code: int) -> None:
        super().__init__(detail)
        self.reset_code = code


class StaleConnection(EndpointClosed):
    """
    A connection that had served before ended before any byte of the response came.

    Most likely the endpoint had closed it before the request reached it.
    """


class StreamRefused(StaleConnection):
    """
    The endpoint has refused a stream of HTTP/2 without looking at its request (RFC 9113 section
    8.7), so that even a request that is not idempotent may be repeated.
    """


class EndpointTimeout(PeerError):
    """The endpoint is too slow (RFC 9110 section 15.6.5)."""

    status = 504
    outcome = Outcome.ENDPOINT_TIMEOUT
