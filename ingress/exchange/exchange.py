"""
One request and its response, as a state machine without reactor or sockets.

`ingress.exchange.state` has its states and how they follow one another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ingress.answer import Answer
from ingress.endpoint import Endpoint
from ingress.errors import EndpointClosed, EndpointTimeout, Outcome, PeerError
from ingress.exchange.client import Client
from ingress.exchange.data_plane import DataPlane
from ingress.exchange.endpoint_choice import EndpointChoice
from ingress.exchange.headers import (
    answer_fields,
    downstream_fields,
    downstream_trailers,
    own_request_id,
    upstream_head,
)
from ingress.exchange.own_answer import (
    NO_CONNECTION,
    NO_ENDPOINT,
    TOO_LARGE,
    UNREACHABLE,
    UNRESOLVED,
    is_too_large,
    own_answer,
)
from ingress.exchange.replayable_body import ReplayableBody
from ingress.exchange.response_writer import ResponseWriter
from ingress.exchange.state import State
from ingress.exchange.tunnel import CLIENT_LOST, Tunnel
from ingress.http1.body import Trailers
from ingress.message import Request, Response
from ingress.policy.proxy_settings import ProxySettings, RetryCondition
from ingress.routing.match import find_route
from ingress.telemetry.record import ExchangeRecord
from ingress.upstream.http1 import HTTP1Upstream
from ingress.upstream.pool import EndpointPool
from ingress.upstream.response_receiver import TunnelReceiver

_CONDITIONS: Final = {
    EndpointClosed: RetryCondition.ERROR,
    EndpointTimeout: RetryCondition.TIMEOUT,
}

# A name of an enumeration costs as much as a call (Python 3.11).
_ROUTING: Final = State.ROUTING
_WAITING: Final = State.WAITING
_RESPONDING: Final = State.RESPONDING
_ENDED: Final = State.ENDED
_OK: Final = Outcome.OK

CLIENT_GONE: Final = 499
"""The status, in the log alone, of what the client did not wait for: nginx's."""


class Exchange:
    """
    :param writer: where the response goes.
    :param client: who asks.
    """

    # Defaults: an exchange sets only what becomes of it.
    state: State = _ROUTING
    outcome: Outcome | None = None
    """How it ended; None until it has."""

    _is_secure = False
    _choice: EndpointChoice | None = None
    _pool: EndpointPool | None = None
    """The endpoint's, as it was when the try began: by now it may have been retired."""

    _connection: HTTP1Upstream | None = None
    _cancel_dial: Callable[[], None] | None = None
    _body: ReplayableBody | None = None
    """None where the request has none."""

    _head = b""
    _is_request_sent = False

    def __init__(
        self, plane: DataPlane, writer: ResponseWriter, client: Client, request: Request
    ) -> None:
        self.request = request
        self._plane = plane
        self._writer = writer
        self._client = client
        record = self._record = ExchangeRecord(client.address, plane.deadlines.now(), request)
        record.request_size = request.length
        self._is_request_whole = request.body_length == 0
        if not self._is_request_whole:
            self._body = ReplayableBody()

    def __repr__(self) -> str:
        return f"<Exchange {self.state.name} pool={self._pool} outcome={self.outcome}>"

    # Routing.

    def begin(self) -> None:
        """Find who answers, and ask."""
        request, plane, client = self.request, self._plane, self._client
        # Not kept: with the last of many hours' answers all of it would be freed in one go.
        snapshot = plane.snapshot
        assert snapshot is not None, "nothing is accepted before the first snapshot"
        record = self._record
        identity = record.request_id = own_request_id(request) or plane.make_request_id()
        believed = client.believed(request, snapshot.config)
        self._is_secure = believed.is_secure
        record.client_address = believed.address
        route = record.route = find_route(snapshot, request.host, request.path)
        answer = own_answer(plane, route, request, believed)
        if answer is not None:
            self._answer(answer)
            return
        assert route is not None
        assert route.upstream is not None
        upstream = snapshot.upstreams.get(route.upstream)
        endpoint = None
        if upstream is not None:
            choice = self._choice = EndpointChoice(plane, upstream, route, request, believed)
            record.tries = choice.tries
            endpoint = choice.first()
        if endpoint is None:
            is_unresolved = upstream is not None and upstream.is_unresolved
            self._answer(UNRESOLVED if is_unresolved else NO_ENDPOINT)
            return
        names = plane.field_names
        self._head = upstream_head(request, believed, identity, names, route.paths)
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
        self.state = State.CONNECTING
        if not self._is_request_whole:
            self._writer.pause_request()
        self._cancel_dial = self._pool.dial(self, self._proxy.connect_timeout)

    def _next_endpoint(self, condition: RetryCondition) -> Endpoint | None:
        """Another endpoint to ask after this failure, if the request may be asked again."""
        choice, pool = self._choice, self._pool
        assert choice is not None
        assert pool is not None
        if not choice.may_try_again(
            condition,
            is_request_sent=self._is_request_sent,
            is_body_replayable=self._is_body_replayable,
            is_response_started=self.state is _RESPONDING,
        ):
            return None
        return choice.next(pool.endpoint)

    def _fail(self, condition: RetryCondition, answer: Answer) -> None:
        """
        The try has failed: ask another endpoint.

        :param answer: for the client, where there is none.
        """
        assert self._choice is not None
        self._choice.try_ended(False, 504 if condition is RetryCondition.TIMEOUT else 502)
        other = self._next_endpoint(condition)
        if other is not None:
            self._ask(other)
        else:
            self._answer(answer)

    # PoolUser.

    def connected(self, connection: HTTP1Upstream) -> None:
        if self._cancel_dial is not None:
            self._cancel_dial = None
            assert self._choice is not None
            self._choice.try_connected()
        self._connection = connection
        self._is_request_sent = True
        self.state = _WAITING
        record = self._record
        assert record.route is not None
        connection.send_head(self, self.request, self._head, record.route.proxy)
        body = self._body
        if body is None:
            return
        # First, for what is sent now may well fill the connection and pause the body again.
        self._writer.resume_request()
        for data in body.replay():
            connection.send_body(data)
        if self._is_request_whole:
            connection.end_body()

    def dial_failed(self, *, timed_out: bool) -> None:
        self._cancel_dial = None
        if timed_out:
            self._fail(RetryCondition.TIMEOUT, UNREACHABLE)
        else:
            self._fail(RetryCondition.ERROR, NO_CONNECTION)

    # The codec's side: the request's body, and a client that is gone.

    def body_received(self, data: bytes) -> None:
        """Some of the request's body; never empty."""
        body, route = self._body, self._record.route
        if self.state is _ENDED or body is None:
            return
        self._record.request_size += len(data)
        body.add(data, is_forwarded=self._connection is not None)
        if route is not None and is_too_large(route, body.length):
            self._refuse(TOO_LARGE)
        elif self._connection is not None:
            self._connection.send_body(data)

    def body_ended(self) -> None:
        """The request's body is whole."""
        self._is_request_whole = True
        if self._connection is not None:
            self._connection.end_body()

    def refuse(self, error: PeerError) -> None:
        """The request turned out to be bad, or too slow, after it had begun."""
        self._refuse(Answer.from_error(error))

    def _refuse(self, answer: Answer) -> None:
        self._drop_connection()
        if self.state is _RESPONDING:
            self._abort(answer.outcome, answer.detail)
        elif self.state is not _ENDED:
            self._answer(answer)

    def client_lost(self) -> None:
        """Nobody waits for the response any more."""
        if self.state is not _ENDED:
            self._drop_connection()
            self._end(Outcome.CLIENT_LOST, CLIENT_LOST)

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
        status = response.status
        choice.try_answered(status)
        if status >= 400 and self._proxy.retries_status(status) and self._leave_for(response):
            return
        self.state = _RESPONDING
        self._record.status = status
        fields = downstream_fields(response, self._plane.hsts if self._is_secure else b"")
        if choice.cookie is not None:
            fields = [*fields, (b"Set-Cookie", choice.cookie)]
        self._writer.send_head(status, response.reason, fields, response.body_length)

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
        self._record.status = response.status
        self._choice.try_answered(response.status)
        self.state = State.TUNNELLING
        tunnel = Tunnel(self._writer, connection, self._record, self._tunnel_ended)
        self._writer.switch(downstream_fields(response), tunnel)
        return tunnel

    def response_body(self, data: bytes) -> None:
        self._record.body_size += len(data)
        self._writer.send_body(data)

    def response_flush(self) -> None:
        self._writer.flush()

    def response_ended(self, trailers: Trailers) -> None:
        self._connection = None
        self._end(_OK, succeeded=True)
        taken = downstream_trailers(trailers) if trailers and self.request.takes_trailers else []
        self._writer.end(taken)

    def upstream_failed(self, error: PeerError) -> None:
        connection, self._connection = self._connection, None
        assert connection is not None
        if self.state is _RESPONDING:
            self._end(error.outcome, str(error), succeeded=False)
            self._writer.abort()
        elif (
            isinstance(error, EndpointClosed)
            and connection.is_reused
            and not connection.has_answered
            and self._is_body_replayable
            and self._proxy.may_repeat(self.request.method)
        ):
            # Most likely it had been closed before the request reached it, and asking
            # again cannot do harm: the same try, over a new connection.
            self._dial()
        else:
            condition = _CONDITIONS.get(type(error), RetryCondition.INVALID_HEADER)
            self._fail(condition, Answer.from_error(error))

    def pause_request(self) -> None:
        self._writer.pause_request()

    def resume_request(self) -> None:
        self._writer.resume_request()

    # Endings.

    def _answer(self, answer: Answer) -> None:
        """Answer in the endpoint's place."""
        request, record, writer = self.request, self._record, self._writer
        hsts = self._plane.hsts if self._is_secure else b""
        fields, body = answer_fields(answer, request.field(b"accept"), record.request_id, hsts)
        record.status = answer.status
        is_body_sent = request.method != b"HEAD"
        if is_body_sent:
            record.body_size = len(body)
        self._end(answer.outcome, answer.detail)
        writer.send_head(answer.status, answer.phrase, fields, len(body))
        if is_body_sent:
            writer.send_body(body)
        writer.end([])

    def _abort(self, outcome: Outcome, detail: str) -> None:
        self._end(outcome, detail)
        self._writer.abort()

    def _tunnel_ended(self, outcome: Outcome, detail: str) -> None:
        self._end(outcome, detail, succeeded=True)

    def _end(self, outcome: Outcome, detail: str = "", *, succeeded: bool | None = None) -> None:
        """
        :param succeeded: of a try that is under way, as for `EndpointChoice.try_ended`.
        """
        self.state = _ENDED
        if self._choice is not None:
            self._choice.try_ended(succeeded)
        record, plane = self._record, self._plane
        record.outcome = self.outcome = outcome
        record.detail = detail
        record.status = record.status or CLIENT_GONE
        record.duration = plane.deadlines.now() - record.began_at
        plane.record(record)

    @property
    def _proxy(self) -> ProxySettings:
        """What the Route says of requests to endpoints."""
        assert self._record.route is not None
        return self._record.route.proxy

    @property
    def _is_body_replayable(self) -> bool:
        return self._body is None or self._body.is_replayable

    def _drop_connection(self) -> None:
        if self._cancel_dial is not None:
            cancel_dial, self._cancel_dial = self._cancel_dial, None
            cancel_dial()
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.abandon()
