"""
One request and its response, as a state machine without reactor or sockets.

::

    ROUTING ── own answer ─────────────────────────────────────────► ENDED
       │  pick, take or dial
       ▼            dial failed: another endpoint, else 502
    CONNECTING ◄──────────────────────────────┐
       │  connected: send the head            │ a reused connection died
       ▼                                      │ and nothing is lost by asking again
    WAITING ──────────────────────────────────┘
       │  response started                 failed: 502 or 504 ──────► ENDED
       ▼
    RESPONDING ── response ended; failed: cut the client's connection ► ENDED

A client that goes away, or a body that turns bad, ends every state.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from ingress.answer import Answer
from ingress.errors import (
    BodyTooLarge,
    EndpointClosed,
    EndpointTimeout,
    Outcome,
    PeerError,
)
from ingress.frontend.data_plane import DataPlane
from ingress.frontend.endpoint_choice import EndpointChoice
from ingress.frontend.headers import (
    Client,
    answer_fields,
    downstream_fields,
    downstream_trailers,
    request_id,
    set_hsts,
    upstream_head,
)
from ingress.frontend.replayable_body import ReplayableBody
from ingress.frontend.response_writer import ResponseWriter
from ingress.frontend.tunnel import Tunnel
from ingress.http1.body import Trailers
from ingress.message import Request, Response
from ingress.policy.proxy_settings import RetryCondition
from ingress.routing.match import find_route
from ingress.routing.route import Route
from ingress.routing.upstream import Endpoint
from ingress.upstream.http1 import HTTP1Upstream
from ingress.upstream.pool import EndpointPool
from ingress.upstream.response_receiver import TunnelReceiver


class State(Enum):
    ROUTING = auto()
    CONNECTING = auto()
    WAITING = auto()
    RESPONDING = auto()
    TUNNELLING = auto()
    ENDED = auto()


_UNREACHABLE = Answer(504, Outcome.DIAL_FAILED, "The endpoint cannot be reached.")
_REFUSED = Answer(502, Outcome.DIAL_FAILED, "No connection to the endpoint can be made.")
_CONDITIONS = {
    EndpointClosed: RetryCondition.ERROR,
    EndpointTimeout: RetryCondition.TIMEOUT,
}
_TOO_LARGE = Answer.from_error(BodyTooLarge("The body is larger than this path accepts."))


class Exchange:
    """
    :param writer: where the response goes.
    :param client: who asks.
    """

    def __init__(
        self, plane: DataPlane, writer: ResponseWriter, client: Client, request: Request
    ) -> None:
        self.state = State.ROUTING
        self.outcome: Outcome | None = None
        """How it ended; None until it has."""

        self.request = request
        self.request_id = b""
        self._plane = plane
        self._writer = writer
        self._client = client
        assert plane.snapshot is not None, "nothing is accepted before the first snapshot"
        self._config = plane.snapshot.config
        self._is_secure = client.is_secure
        self._route: Route | None = None
        self._choice: EndpointChoice | None = None
        self._pool: EndpointPool | None = None
        """The endpoint's, as it was when the try began: by now it may have been retired."""

        self._connection: HTTP1Upstream | None = None
        self._cancel_dial: Callable[[], None] | None = None
        self._head = b""
        self._body = ReplayableBody()
        self._is_request_whole = not request.has_body
        self._is_request_sent = False

    def __repr__(self) -> str:
        return f"<Exchange {self.state.name} pool={self._pool} outcome={self.outcome}>"

    # Routing.

    def begin(self) -> None:
        """Find who answers, and ask."""
        request, plane = self.request, self._plane
        # Not kept: with the last of many hours' answers all of it would be freed in one go.
        snapshot = plane.snapshot
        assert snapshot is not None
        self.request_id = request_id(request, plane.make_request_id())
        forwarding = self._client.forwarding(request, snapshot.config)
        self._is_secure = forwarding.is_secure
        route = self._route = find_route(snapshot, request.host, request.path)
        if route is None:
            self._answer(Answer(404, Outcome.NO_ROUTE, "No rule matches this host and path."))
            return
        for policy in route.policies:
            answer = policy.answer(request, is_secure=forwarding.is_secure)
            if answer is not None:
                self._answer(answer)
                return
        if self._is_too_large(request.body_length or 0):
            self._answer(_TOO_LARGE)
            return
        if route.upstream is None:
            self._answer(Answer(404, Outcome.NO_ROUTE, "The rule names no Service."))
            return
        upstream = snapshot.upstreams.get(route.upstream)
        endpoint = None
        if upstream is not None:
            self._choice = EndpointChoice(plane, upstream, route, request, forwarding)
            endpoint = self._choice.first()
        if endpoint is None:
            self._answer(Answer(503, Outcome.NO_ENDPOINT, "The Service has no endpoint."))
            return
        self._head = upstream_head(
            request, forwarding, self.request_id, is_trusted=self._client.is_trusted
        )
        self._ask(endpoint)

    def _ask(self, endpoint: Endpoint) -> None:
        """Begin a try."""
        assert self._choice is not None
        pool = self._pool = self._choice.try_began(endpoint)
        connection = pool.take_idle()
        if connection is not None:
            self.connected(connection)
        else:
            self._dial()

    def _dial(self) -> None:
        assert self._pool is not None
        assert self._route is not None
        self.state = State.CONNECTING
        if not self._is_request_whole:
            self._writer.pause_request()
        self._cancel_dial = self._pool.dial(self, self._route.proxy.connect_timeout)

    def _next_endpoint(self, condition: RetryCondition) -> Endpoint | None:
        """Another endpoint to ask after this failure, if the request may be asked again."""
        choice, pool = self._choice, self._pool
        assert choice is not None
        assert pool is not None
        if not choice.may_try_again(
            condition,
            is_request_sent=self._is_request_sent,
            is_body_replayable=self._body.is_replayable,
            is_response_started=self.state is State.RESPONDING,
        ):
            return None
        return choice.next(pool.endpoint)

    def _fail(self, condition: RetryCondition, answer: Answer) -> None:
        """
        The try has failed: ask another endpoint.

        :param answer: for the client, where there is none.
        """
        assert self._choice is not None
        self._choice.try_ended(False)
        other = self._next_endpoint(condition)
        if other is not None:
            self._ask(other)
        else:
            self._answer(answer)

    # PoolUser.

    def connected(self, connection: HTTP1Upstream) -> None:
        self._cancel_dial = None
        self._connection = connection
        self._is_request_sent = True
        self.state = State.WAITING
        assert self._route is not None
        request = self.request
        connection.send_head(self, request, self._head, self._route.proxy)
        if not request.has_body:
            return
        # First, for what is sent now may well fill the connection and pause the body again.
        self._writer.resume_request()
        for data in self._body.replay():
            connection.send_body(data)
        if self._is_request_whole:
            connection.end_body()

    def dial_failed(self, *, timed_out: bool) -> None:
        self._cancel_dial = None
        if timed_out:
            self._fail(RetryCondition.TIMEOUT, _UNREACHABLE)
        else:
            self._fail(RetryCondition.ERROR, _REFUSED)

    # The codec's side: the request's body, and a client that is gone.

    def body_received(self, data: bytes) -> None:
        """Some of the request's body; never empty."""
        if self.state is State.ENDED:
            return
        self._body.add(data, is_forwarded=self._connection is not None)
        if self._is_too_large(self._body.length):
            self.refuse(BodyTooLarge("The body is larger than this path accepts."))
        elif self._connection is not None:
            self._connection.send_body(data)

    def body_ended(self) -> None:
        """The request's body is whole."""
        self._is_request_whole = True
        if self._connection is not None:
            self._connection.end_body()

    def refuse(self, error: PeerError) -> None:
        """The request turned out to be bad, or too slow, after it had begun."""
        self._drop_connection()
        if self.state is State.RESPONDING:
            self._abort(error.outcome)
        elif self.state is not State.ENDED:
            self._answer(Answer.from_error(error))

    def client_lost(self) -> None:
        """Nobody waits for the response any more."""
        if self.state is not State.ENDED:
            self._drop_connection()
            self._end(Outcome.CLIENT_LOST)

    def client_finished(self) -> None:
        """The client sends no more, and may still read: it gets its answer."""

    def pause_response(self) -> None:
        """The client reads slower than the endpoint sends."""
        if self._connection is not None:
            self._connection.pause_response()

    def resume_response(self) -> None:
        """It has caught up."""
        if self._connection is not None:
            self._connection.resume_response()

    # ResponseReceiver.

    def response_interim(self, response: Response) -> None:
        self._writer.send_interim(response)

    def response_started(self, response: Response) -> None:
        choice = self._choice
        assert choice is not None
        assert self._route is not None
        choice.try_answered()
        if self._route.proxy.retries_status(response.status) and self._leave_for(response):
            return
        self.state = State.RESPONDING
        fields = downstream_fields(response)
        if choice.cookie is not None:
            fields.append((b"Set-Cookie", choice.cookie))
        if self._is_secure:
            set_hsts(fields, self._config)
        self._writer.send_head(response.status, response.reason, fields, response.body_length)

    def _leave_for(self, response: Response) -> bool:
        """:return: whether another endpoint is asked in place of the one that answered this."""
        other = self._next_endpoint(RetryCondition(f"http_{response.status}"))
        if other is None:
            return False
        connection, self._connection = self._connection, None
        assert connection is not None
        assert self._choice is not None
        self._choice.try_ended(True)
        connection.abandon()
        self._ask(other)
        return True

    def switched(self, response: Response) -> TunnelReceiver:
        connection, self._connection = self._connection, None
        assert connection is not None
        assert self._choice is not None
        self._choice.try_answered()
        self.state = State.TUNNELLING
        tunnel = Tunnel(self._writer, connection, self._tunnel_ended)
        self._writer.switch(downstream_fields(response), tunnel)
        return tunnel

    def response_body(self, data: bytes) -> None:
        self._writer.send_body(data)

    def response_flush(self) -> None:
        self._writer.flush()

    def response_ended(self, trailers: Trailers) -> None:
        self._connection = None
        if self._choice is not None:
            self._choice.try_ended(True)
        self._end(Outcome.OK)
        taken = downstream_trailers(trailers) if trailers and self.request.takes_trailers else []
        self._writer.end(taken)

    def upstream_failed(self, error: PeerError) -> None:
        connection, self._connection = self._connection, None
        assert connection is not None
        if self.state is State.RESPONDING:
            assert self._choice is not None
            self._choice.try_ended(False)
            self._abort(error.outcome)
        elif self._was_closed_meanwhile(connection, error):
            self._dial()
        else:
            condition = _CONDITIONS.get(type(error), RetryCondition.INVALID_HEADER)
            self._fail(condition, Answer.from_error(error))

    def _was_closed_meanwhile(self, connection: HTTP1Upstream, error: PeerError) -> bool:
        """
        Whether the endpoint most likely closed the idle connection before the request
        reached it, and asking again cannot do harm: the same try, over a new connection.
        """
        assert self._route is not None
        return (
            isinstance(error, EndpointClosed)
            and connection.is_reused
            and not connection.has_answered
            and self._body.is_replayable
            and self._route.proxy.may_repeat(self.request.method)
        )

    def pause_request(self) -> None:
        self._writer.pause_request()

    def resume_request(self) -> None:
        self._writer.resume_request()

    # Endings.

    def _answer(self, answer: Answer) -> None:
        """Answer in the endpoint's place."""
        accept = self.request.field(b"accept")
        fields, body = answer_fields(answer, accept, self.request_id)
        if self._is_secure:
            set_hsts(fields, self._config)
        self._end(answer.outcome)
        self._writer.send_head(answer.status, answer.phrase, fields, len(body))
        if self.request.method != b"HEAD":
            self._writer.send_body(body)
        self._writer.end([])

    def _is_too_large(self, length: int) -> bool:
        limit = self._route.proxy.body_size if self._route is not None else None
        return limit is not None and length > limit

    def _abort(self, outcome: Outcome) -> None:
        self._end(outcome)
        self._writer.abort()

    def _tunnel_ended(self, outcome: Outcome) -> None:
        assert self._choice is not None
        self._choice.try_ended(True)
        self._end(outcome)

    def _end(self, outcome: Outcome) -> None:
        self.state = State.ENDED
        self.outcome = outcome
        if self._choice is not None:
            self._choice.try_ended(None)

    def _drop_connection(self) -> None:
        if self._cancel_dial is not None:
            cancel_dial, self._cancel_dial = self._cancel_dial, None
            cancel_dial()
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.abandon()
