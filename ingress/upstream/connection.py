"""
The seam between a connection to an endpoint and the pool that keeps it.
"""

from __future__ import annotations

from ingress.config import Limits
from ingress.deadline import Deadlines
from ingress.endpoint import Endpoint
from ingress.http1.response_head import ResponseHeads
from ingress.upstream.stream import EndpointStream


class EndpointConnection(EndpointStream):
    """
    A connection that carries one stream at a time, and then the next.

    :ivar made_at: when there was a connection, on the clock of the deadlines.
    :ivar uses: the streams that have ended while the pool counted them.
    """

    made_at = 0.0
    uses = 0

    def has_input(self) -> bool:
        """
        Return whether anything has come without a request, including the end of the connection.
        It would pass for the response to the next request.
        """
        raise NotImplementedError

    def close(self) -> None:
        """End a connection that is not in use, once everything written has been sent."""
        raise NotImplementedError


class ConnectionOwner:
    """
    The pool of an endpoint, as its connections see it.

    :ivar endpoint: the endpoint at the other end.
    :ivar deadlines: end idle connections and unanswered requests.
    :ivar heads: reads the heads of its responses in HTTP/1.1.
    """

    def __init__(self, endpoint: Endpoint, deadlines: Deadlines) -> None:
        self.endpoint = endpoint
        self.deadlines = deadlines
        self.heads = ResponseHeads()

    @property
    def limits(self) -> Limits:
        """The limits of the configuration in force."""
        raise NotImplementedError

    @property
    def idle_timeout(self) -> float:
        """Seconds for which an unused connection is kept."""
        raise NotImplementedError

    def release(self, connection: EndpointConnection) -> None:
        """Take back a connection that may serve again after a response."""
        raise NotImplementedError

    def lost(self, connection: EndpointConnection) -> None:
        """Forget an idle connection that ends or has ended."""
        raise NotImplementedError
