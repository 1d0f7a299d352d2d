"""
How a request is proxied: body size, timeouts towards the endpoint, and retries on other endpoints.

Source of the rules: docs/compatibility.md, section 2.6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import ClassVar, Final

from ingress.byte_size import BYTE_SIZE, byte_size
from ingress.config.nginx_settings import ProxyDefaults
from ingress.frozen import dataclass
from ingress.message import IDEMPOTENT_METHODS
from ingress.policy.annotation import Annotations
from ingress.policy.feature import Setting
from ingress.policy.scope import ReadContext
from ingress.policy.snippets import snippet_settings


class RetryCondition(StrEnum):
    """A member of ``proxy-next-upstream``."""

    ERROR = "error"
    """No connection, or one that broke before the response began."""

    TIMEOUT = "timeout"
    """No connection, or no response, in time."""

    INVALID_HEADER = "invalid_header"
    """An invalid or empty response."""

    HTTP_403 = "http_403"
    HTTP_404 = "http_404"
    HTTP_429 = "http_429"
    HTTP_500 = "http_500"
    HTTP_502 = "http_502"
    HTTP_503 = "http_503"
    HTTP_504 = "http_504"

    NON_IDEMPOTENT = "non_idempotent"
    """Not a failure, but permission to repeat requests that are not idempotent."""


_OFF: Final = "off"
"""The member of ``proxy-next-upstream`` that overrides all others, as in nginx."""

_COUNT: Final = re.compile(r"\+?[0-9]{1,9}")
_SECONDS: Final = re.compile(r"\+?0*[1-9][0-9]{0,8}")

_DEFAULT_CONDITIONS: Final = frozenset({RetryCondition.ERROR, RetryCondition.TIMEOUT})

_BY_STATUS: Final = {
    int(condition.removeprefix("http_")): condition
    for condition in RetryCondition
    if condition.startswith("http_")
}


@dataclass(frozen=True, slots=True)
class ProxySettings(Setting):
    """The settings of one Ingress for its requests; the defaults are those of `config.Limits`."""

    route_field: ClassVar[str] = "proxy"
    annotations: ClassVar[tuple[str, ...]] = (
        "proxy-body-size",
        "proxy-connect-timeout",
        "proxy-send-timeout",
        "proxy-read-timeout",
        "proxy-next-upstream",
        "proxy-next-upstream-tries",
        "proxy-next-upstream-timeout",
        "configuration-snippet",
    )
    differences: ClassVar[Mapping[str, str]] = {
        "proxy-next-upstream": "`POST` and other non-idempotent methods are repeated only "
        "with `non_idempotent`, and no request whose body is no longer "
        "held",
    }

    body_size: int | None = 1024 * 1024
    """The most bytes of a request's body; None for no limit."""

    connect_timeout: float = 5.0
    """Seconds for a connection to an endpoint, its TLS handshake included."""

    send_timeout: float = 60.0
    """Seconds between two successful writes to the endpoint."""

    read_timeout: float = 60.0
    """Seconds between two reads from the endpoint; in a tunnel, in either direction."""

    retry_on: frozenset[RetryCondition] = _DEFAULT_CONDITIONS
    """Empty for ``off``."""

    tries: int = 3
    """Endpoints tried for one request, the first included; 0 for as many as there are."""

    retry_timeout: float = 0.0
    """Seconds after the first try within which another may begin; 0 for no limit."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> ProxySettings:
        """Feature: the limits of the configuration hold where the annotations say nothing."""
        limits, defaults = context.config.limits, context.config.nginx.proxy
        said = snippet_settings(annotations, context)
        body_size = _read_body_size(annotations, limits.body_size)
        return cls(
            body_size=body_size if said.body_size is None else said.body_size or None,
            connect_timeout=said.connect_timeout
            or _read_timeout(annotations, "proxy-connect-timeout", limits.connect_timeout),
            send_timeout=said.send_timeout
            or _read_timeout(annotations, "proxy-send-timeout", limits.upstream_send_timeout),
            read_timeout=said.read_timeout
            or _read_timeout(annotations, "proxy-read-timeout", limits.read_timeout),
            retry_on=_read_conditions(annotations, defaults),
            tries=_read_tries(annotations, defaults.next_upstream_tries),
            retry_timeout=_read_retry_timeout(annotations, defaults.next_upstream_timeout),
        )

    def explain(self) -> str:
        """Feature."""
        size = "of any size" if self.body_size is None else f"of up to {self.body_size} bytes"
        return (
            f"Bodies {size} are accepted; an endpoint has {self.connect_timeout:g} s to connect, "
            f"{self.send_timeout:g} s to read and {self.read_timeout:g} s to respond."
        )

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {
            "proxy": {
                "bodySize": self.body_size,
                "connectTimeout": self.connect_timeout,
                "sendTimeout": self.send_timeout,
                "readTimeout": self.read_timeout,
                "retryOn": sorted(map(str, self.retry_on)),
                "tries": self.tries,
                "retryTimeout": self.retry_timeout,
            }
        }

    def is_too_large(self, length: int) -> bool:
        """
        :param length: of a request's body, as far as it is known; in bytes.
        """
        return self.body_size is not None and length > self.body_size

    def retries_status(self, status: int) -> bool:
        """Return whether a response of this status leads to a retry on another endpoint."""
        return _BY_STATUS.get(status) in self.retry_on

    def may_repeat(self, method: bytes) -> bool:
        """
        Return whether a request may be sent to a second endpoint after the first may have
        acted on it (RFC 9110 section 9.2.2).
        """
        return method in IDEMPOTENT_METHODS or RetryCondition.NON_IDEMPOTENT in self.retry_on


def _read_body_size(annotations: Annotations, default: int | None) -> int | None:
    accepted = "a size such as 512k, 8m or 1g, or 0 for no limit,"
    text = annotations.text("proxy-body-size", BYTE_SIZE, accepted)
    if not text:
        return default
    return byte_size(text) or None


def _read_timeout(annotations: Annotations, name: str, default: float) -> float:
    """Read seconds without a unit; zero is refused, because no endpoint answers in no time."""
    text = annotations.text(name, _SECONDS, "a whole number of seconds without a unit")
    return float(text) if text else default


def _read_retry_timeout(annotations: Annotations, default: float) -> float:
    accepted = "a whole number of seconds without a unit, or 0 for no limit,"
    text = annotations.text("proxy-next-upstream-timeout", _COUNT, accepted)
    return float(text) if text else default


def _read_tries(annotations: Annotations, default: int) -> int:
    accepted = "a whole number of tries, or 0 for as many as there are endpoints,"
    text = annotations.text("proxy-next-upstream-tries", _COUNT, accepted)
    return int(text) if text else default


def _read_conditions(
    annotations: Annotations, defaults: ProxyDefaults
) -> frozenset[RetryCondition]:
    default = _conditions(defaults.next_upstream.split())
    found = _read_own_conditions(annotations, default)
    if found and defaults.retry_non_idempotent:
        return found | {RetryCondition.NON_IDEMPOTENT}
    return found


def _read_own_conditions(
    annotations: Annotations, default: frozenset[RetryCondition]
) -> frozenset[RetryCondition]:
    written = annotations.text("proxy-next-upstream").split()
    if not written:
        return default
    known = {*RetryCondition, _OFF}
    if not known.issuperset(written):
        accepted = " ".join((*RetryCondition, _OFF))
        annotations.fault(
            "proxy-next-upstream",
            f"some of {accepted} are accepted, with blanks between; the default is used instead",
        )
        return default
    return _conditions(written)


def _conditions(written: Sequence[str]) -> frozenset[RetryCondition]:
    return frozenset() if _OFF in written else frozenset(map(RetryCondition, written))
