"""
How a request is proxied: body size, timeouts towards the endpoint, when the next one is tried.

Source of the rules: COMPATIBILITY section 2.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ingress.message import IDEMPOTENT_METHODS


class RetryCondition(StrEnum):
    """A member of ``proxy-next-upstream``."""

    ERROR = "error"
    """No connection, or one that broke before the response began."""

    TIMEOUT = "timeout"
    """No connection, or no response, in time."""

    INVALID_HEADER = "invalid_header"
    """A response that is none, or an empty one."""

    HTTP_403 = "http_403"
    HTTP_404 = "http_404"
    HTTP_429 = "http_429"
    HTTP_500 = "http_500"
    HTTP_502 = "http_502"
    HTTP_503 = "http_503"
    HTTP_504 = "http_504"

    NON_IDEMPOTENT = "non_idempotent"
    """No failure, but leave to repeat requests that may do something twice."""


_DEFAULT_CONDITIONS = frozenset({RetryCondition.ERROR, RetryCondition.TIMEOUT})

_BY_STATUS = {
    int(condition.removeprefix("http_")): condition
    for condition in RetryCondition
    if condition.startswith("http_")
}


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """What one Ingress says of its requests; the defaults are those of `config.Limits`."""

    body_size: int | None = 1024 * 1024
    """Bytes of a request's body; None for no limit."""

    connect_timeout: float = 5.0
    """Seconds for a connection to an endpoint, its TLS handshake included."""

    send_timeout: float = 60.0
    """Seconds between two writes that the endpoint takes."""

    read_timeout: float = 60.0
    """Seconds between two reads from the endpoint; of a tunnel, in either direction."""

    retry_on: frozenset[RetryCondition] = _DEFAULT_CONDITIONS
    """Empty for ``off``."""

    tries: int = 3
    """Endpoints asked for one request, the first included; 0 for as many as there are."""

    retry_timeout: float = 0.0
    """Seconds after the first try in which another may begin; 0 for no limit."""

    def retries_status(self, status: int) -> bool:
        """Whether a response of this status is one to try another endpoint for."""
        return _BY_STATUS.get(status) in self.retry_on

    def may_repeat(self, method: bytes) -> bool:
        """
        Whether a request may be sent to a second endpoint once a first may have
        acted on it (RFC 9110 section 9.2.2).
        """
        return method in IDEMPOTENT_METHODS or RetryCondition.NON_IDEMPOTENT in self.retry_on
