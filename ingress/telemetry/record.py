"""
What is told of an exchange when it is over: for the counters and the access log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ingress.endpoint import Endpoint
from ingress.errors import Outcome
from ingress.message import Request
from ingress.routing.route import Route

_OK: Final = Outcome.OK
"""Not looked up for each exchange: a name of an enumeration costs as much as a call."""


class Try:
    """
    One endpoint that was asked; times are in seconds.

    :ivar began_at: on the clock of the deadlines.
    :ivar status: of its response; 502 or 504 where it gave none, as nginx has it; 0 where it
        was left.
    :ivar connect_time: for a new connection; None where one was used again.
    :ivar header_time: from asking it to the head of its response; None where none came.
    :ivar response_time: from asking it to the end of its response, or to its failure.
    """

    __slots__ = ("began_at", "connect_time", "endpoint", "header_time", "response_time", "status")

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

    def __repr__(self) -> str:
        return f"<Try {self.endpoint} {self.status}>"


class ExchangeRecord:
    """
    An exchange, as far as it has come; whoever is handed one gets it when it is over.

    Times are in seconds, sizes in bytes.

    :param client_address: the client's that is believed; empty for a UNIX socket.
    :param began_at: when the head of the request was whole, on the clock of the deadlines.
    :param request: None where what came was no request.
    """

    request_id = b""
    route: Route | None = None
    """None where no rule matched, or none was looked for."""

    tries: Sequence[Try] = ()
    """The endpoints that were asked, in order; the last one gave the response."""

    status = 0
    """That the client was sent; 499 where it had gone before, as nginx has it."""

    body_size = 0
    """Of the response, as far as it was sent."""

    request_size = 0
    """Head and body, as far as they came."""

    duration = 0.0
    outcome: Outcome = _OK
    detail = ""
    """
    One sentence that says why the proxy answered itself, or cut the response short; without
    anything that a peer sent.
    """

    line = b""
    """The beginning of what came, where that was no request."""

    def __init__(
        self, client_address: bytes, began_at: float, request: Request | None = None
    ) -> None:
        self.client_address = client_address
        self.began_at = began_at
        self.request = request

    def __repr__(self) -> str:
        return f"<ExchangeRecord {self.request} {self.status} {self.outcome}>"
