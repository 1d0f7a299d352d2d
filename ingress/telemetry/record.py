"""
What is told of an exchange when it is over: for the counters and the access log.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ingress.errors import Outcome
from ingress.message import Request
from ingress.routing.route import Route
from ingress.routing.upstream import Endpoint


class Try(msgspec.Struct, gc=False):
    """One endpoint that was asked; times are in seconds."""

    endpoint: Endpoint
    began_at: float
    """On the clock of the deadlines."""

    status: int = 0
    """Of its response; 502 or 504 where it gave none, as nginx has it; 0 where it was left."""

    connect_time: float | None = None
    """For a new connection; None where one was used again."""

    header_time: float | None = None
    """From asking it to the head of its response; None where none came."""

    response_time: float | None = None
    """From asking it to the end of its response, or to its failure."""


class ExchangeRecord(msgspec.Struct, gc=False):
    """
    An exchange, as far as it has come; whoever is handed one gets it when it is over.

    Times are in seconds, sizes in bytes.
    """

    client_address: bytes
    """The client's that is believed; empty for a UNIX socket."""

    began_at: float
    """When the head of the request was whole, on the clock of the deadlines."""

    request: Request | None = None
    """None where what came was no request."""

    request_id: bytes = b""
    route: Route | None = None
    """None where no rule matched, or none was looked for."""

    tries: Sequence[Try] = ()
    """The endpoints that were asked, in order; the last one gave the response."""

    status: int = 0
    """That the client was sent; 499 where it had gone before, as nginx has it."""

    body_size: int = 0
    """Of the response, as far as it was sent."""

    request_size: int = 0
    """Head and body, as far as they came."""

    duration: float = 0.0
    outcome: Outcome = Outcome.OK
    detail: str = ""
    """
    One sentence that says why the proxy answered itself, or cut the response short; without
    anything that a peer sent.
    """

    line: bytes = b""
    """The beginning of what came, where that was no request."""
