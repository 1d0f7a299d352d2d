"""
The record of an exchange, for the counters and the access log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mypy_extensions import mypyc_attr

from ingress.endpoint import Endpoint
from ingress.errors import Outcome
from ingress.message import Request
from ingress.policy.trace_context import TraceContext
from ingress.routing.route import Route

_OK: Final = Outcome.OK
"""Looked up once: a member of an enumeration costs as much as a call."""


CLIENT_GONE: Final = 499
"""The status, in the log alone, of a request whose client left before the response: nginx's."""


class AttemptRecord:
    """
    The record of an attempt at one endpoint; times are in seconds.

    :ivar began_at: the begin on the clock of the deadlines.
    :ivar status: the status of the response; 502 or 504 if there was none, as in nginx; 0 if the
        attempt was abandoned.
    :ivar connect_time: the time to make a new connection; None if a connection was reused.
    :ivar header_time: from sending the request to the head of the response; None without one.
    :ivar response_time: from sending the request to the end of the response, or to its failure.
    :ivar endpoint_name: the endpoint as the log writes it, if that is known already.
    """

    __slots__ = (
        "began_at",
        "connect_time",
        "endpoint",
        "endpoint_name",
        "header_time",
        "response_time",
        "status",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        began_at: float,
        status: int = 0,
        connect_time: float | None = None,
        header_time: float | None = None,
        response_time: float | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.began_at = began_at
        self.status = status
        self.connect_time = connect_time
        self.header_time = header_time
        self.response_time = response_time
        self.endpoint_name = b""

    def __repr__(self) -> str:
        return f"<AttemptRecord {self.endpoint} {self.status}>"


@mypyc_attr(allow_interpreted_subclasses=True)
class RecordReceiver:
    """Receives the record of each exchange when it is over. This base class ignores them."""

    def record(self, record: ExchangeRecord) -> None:
        """Take the record of an exchange that is over, or of a refusal before there was one."""


class ExchangeRecord:
    """
    The record of an exchange, which is filled in while the exchange runs and passed on at its end.

    Times are in seconds, sizes in bytes.

    :param client_address: the client's address, as believed; empty for a UNIX socket.
    :param began_at: the time when the head was complete, on the clock of the deadlines.
    :param request: None if the client sent no valid request.
    """

    request_id = b""
    trace: TraceContext | None = None
    """The span of the exchange, if the policy of tracing has begun one."""

    is_secure = False
    """Whether the client came over TLS, as far as that is believed."""

    route: Route | None = None
    """None if no rule matched, or the request was refused before."""

    tries: Sequence[AttemptRecord] = ()
    """The attempts, in order; the last one gave the response."""

    status = 0
    """The status sent to the client; 499 if the client left before, as in nginx."""

    body_size = 0
    """Bytes of the response body that were sent."""

    duration = 0.0
    outcome: Outcome = _OK
    detail = ""
    """
    One sentence that says why the proxy answered itself or cut the response short. It
    contains nothing that a peer sent.
    """

    line = b""
    """The beginning of what the client sent, if that was no valid request."""

    method = b""
    host = b""
    path = b""
    """What is left of the request in a ring of records (`ingress.telemetry.exchange_ring`)."""

    def __init__(
        self, client_address: bytes, began_at: float, request: Request | None = None
    ) -> None:
        self.client_address = client_address
        self.began_at = began_at
        self.request = request
        self.request_size = 0 if request is None else request.length
        """Bytes of head and body that were received."""

    def __repr__(self) -> str:
        return f"<ExchangeRecord {self.request} {self.status} {self.outcome}>"
