"""
One request to one Upstream: a call chooses endpoints, dials, retries and passes on the response.

A call knows no client connection. Its starter gives it the head and then the body, and receives
the response as its `CallReceiver`. The exchange starts one for the request of its client; requests
to an authentication server, a mirror or a server of error pages are calls as well.

`ingress.exchange.call_state` has the states and their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.config import Config
from ingress.endpoint import Endpoint, Upstream
from ingress.errors import (
    DialFailed,
    DialTimeout,
    EndpointClosed,
    EndpointTimeout,
    NoDescriptor,
    Outcome,
    PeerError,
    StaleConnection,
    StreamRefused,
)
from ingress.exchange.attempt import Attempt
from ingress.exchange.call_receiver import CallReceiver
from ingress.exchange.call_resources import CallResources
from ingress.exchange.call_state import (
    ACQUIRING,
    CHOOSING,
    ENDED,
    RESPONDING,
    TUNNELLING,
    WAITING,
)
from ingress.exchange.endpoint_choice import EndpointChoice
from ingress.exchange.fields import upstream_trailers
from ingress.exchange.replayable_body import ReplayableBody
from ingress.exchange.retry import may_go_on, may_try_again
from ingress.exchange.stage import Flow, Stage
from ingress.http1.body import Trailers
from ingress.message import Response, UpstreamRequest
from ingress.policy.call_settings import CallSettings
from ingress.policy.proxy_settings import RetryCondition
from ingress.proxy_protocol import Version, addresses_of, make_header
from ingress.telemetry.record import AttemptRecord
from ingress.upstream.stream import EndpointStream, PendingStream, StreamReceiver

NO_ENDPOINT: Final = Answer(503, Outcome.NO_ENDPOINT, "The Service has no endpoint.")
UNRESOLVED: Final = Answer(502, Outcome.DIAL_FAILED, "The name of the endpoint has no address.")


# Reading a member of an enumeration costs as much as a call (Python 3.11).
_ERROR: Final = RetryCondition.ERROR
_TIMEOUT: Final = RetryCondition.TIMEOUT
_INVALID_HEADER: Final = RetryCondition.INVALID_HEADER


_NOBODY: Final = CallReceiver()


class Call(StreamReceiver, Flow):
    """
    A call, which does nothing before `start`.

    :param resources: what all calls share.
    :param upstream: the Service port to ask.
    :param settings: how endpoints are chosen and spoken to, and when another one is asked.
    :param head: the head of the request.
    :param client: the client that the call is made for; sessions and hashes depend on it.
    :param receiver: receives the response, not before `start`.
    :param config: the configuration of the Snapshot that is served; it has the retry budget.
    """

    def __init__(
        self,
        resources: CallResources,
        upstream: Upstream,
        settings: CallSettings,
        head: UpstreamRequest,
        client: BelievedClient,
        receiver: CallReceiver,
        config: Config,
    ) -> None:
        if settings.tls is not None or upstream.speaks_tls:
            settings = settings.towards(upstream, client)
        self.state = CHOOSING
        self.tries: list[AttemptRecord] = []
        """The records of the attempts, in order."""

        self._resources = resources
        self._upstream = upstream
        self._settings = settings
        self._head = head
        self._receiver = receiver
        self._config = config
        version = settings.version
        is_http2 = upstream.speaks_http2 if version is None else version.is_http2
        self._is_http2 = is_http2 and not head.request.wants_websocket
        self._client = client
        self._choice: EndpointChoice | None = None  # Made where more than turns decides.
        self._attempt: Attempt | None = None
        """The attempt under way."""

        self._pending: PendingStream | None = None
        self._stream: EndpointStream | None = None
        self._is_request_sent = False
        """Whether any part of the request was written to a connection."""

        self._wants_new_connection = False
        """Whether a kept connection was stale. After one, the call takes new connections only."""

        is_whole = self._is_request_whole = head.request.body_length == 0
        self._body = None if is_whole else ReplayableBody()
        """The body so far; None if the request has none."""

        self._trailers: Trailers = ()
        self._stages: Sequence[Stage] = ()
        """What the response passes through on its way to the receiver; mostly nothing."""

    def __repr__(self) -> str:
        return f"<Call {self.state.name} {self._head} of {self._upstream.key} {self._attempt}>"

    @property
    def cookie(self) -> bytes | None:
        """A Set-Cookie value for the response; None unless the client has a new session."""
        return None if self._choice is None else self._choice.cookie

    def start(self) -> None:
        """Ask an endpoint."""
        balancer, upstream = self._resources.balancer, self._upstream
        endpoint = balancer.take_turn(upstream) if self._settings.takes_turns else None
        if endpoint is None:
            endpoint = self._choose().first()
        if endpoint is None:
            self._fail(UNRESOLVED if upstream.is_unresolved else NO_ENDPOINT)
        else:
            self._ask(endpoint)

    def _choose(self) -> EndpointChoice:
        if self._choice is None:
            self._choice = EndpointChoice(
                self._resources, self._upstream, self._settings, self._head, self._client
            )
        return self._choice

    # The body, and the pace of the receiver.

    def send_body(self, data: bytes) -> None:
        """Send some of the request's body; never empty."""
        body, stream = self._body, self._stream
        if body is None or self.state is ENDED:
            return
        body.add(data, is_forwarded=stream is not None)
        if stream is not None:
            stream.send_body(data)

    def end_body(self, trailers: Trailers) -> None:
        """End the request's body."""
        self._is_request_whole = True
        if trailers:
            self._trailers = upstream_trailers(trailers, self._head)
        if self._stream is not None:
            self._stream.end_body(self._trailers)

    def pause(self) -> None:
        """Receive no more of the response for now."""
        (self._stages[-1] if self._stages else self).hold()

    def resume(self) -> None:
        """Receive the response again after `pause`."""
        (self._stages[-1] if self._stages else self).release()

    def pass_through(self, stages: Sequence[Stage]) -> None:
        """Have the rest of a response that has begun pass through `stages`, in their order."""
        self._stages = stages
        if self.state is not ENDED:
            self._receiver = stages[0]

    def hold(self) -> None:
        if self._stream is not None:
            self._stream.pause_response()

    def release(self) -> None:
        if self._stream is not None:
            self._stream.resume_response()

    def cancel(self) -> None:
        """Give up; the receiver gets no further calls."""
        self._receiver = _NOBODY
        for stage in self._stages:
            stage.cancel()
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.cancel()
        if self._stream is not None:
            stream, self._stream = self._stream, None
            stream.abandon()
        self._end(None)

    def tunnel_ended(self) -> None:
        """End the call, because the tunnel that it became is over."""
        self._end(True)

    # Attempts.

    def _ask(self, endpoint: Endpoint) -> None:
        """Begin an attempt; the previous one has ended."""
        tries = self.tries
        attempt = self._attempt = Attempt(
            self._resources,
            self._upstream.key,
            self._settings,
            endpoint,
            is_retry=bool(tries),
            is_http2=self._is_http2,
        )
        tries.append(attempt.record)
        self._acquire(attempt)

    def _acquire(self, attempt: Attempt) -> None:
        acquired = attempt.pool.acquire(
            self, self._settings.connect_timeout, is_new=self._wants_new_connection
        )
        if isinstance(acquired, EndpointStream):
            self._use(acquired)
        else:
            self._pending = acquired
            self.state = ACQUIRING
            if not self._is_request_whole:
                self._receiver.pause_request()

    def _use(self, stream: EndpointStream) -> None:
        """Send the request as far as it has come."""
        self._stream = stream
        self._is_request_sent = True
        self.state = WAITING
        stream.send_head(self, self._head, self._settings.proxy)
        body = self._body
        if body is None:
            return
        # First, because sending may fill the connection and pause the body again.
        self._receiver.resume_request()
        for data in body.replay():
            stream.send_body(data)
        if self._is_request_whole:
            stream.end_body(self._trailers)

    def _next_endpoint(self, condition: RetryCondition) -> Endpoint | None:
        """Choose another endpoint after this failure; None if the request may not be repeated."""
        if not may_try_again(
            self._settings.proxy,
            self._head.method,
            condition,
            is_request_sent=self._is_request_sent,
            is_body_replayable=self._is_body_replayable,
        ):
            return None
        tries = self.tries
        waited = self._resources.deadlines.time.now - tries[0].began_at
        share = self._config.limits.retry_budget
        return self._choose().next(tries[-1].endpoint, waited=waited, retry_share=share)

    def _attempt_failed(self, error: PeerError) -> None:
        """Ask another endpoint; fail if there is none."""
        is_lost = isinstance(error, (DialFailed, EndpointClosed))
        condition = _ERROR if is_lost else _INVALID_HEADER
        if isinstance(error, (DialTimeout, EndpointTimeout)):
            condition = _TIMEOUT
        is_ours = isinstance(error, NoDescriptor)
        self._end_attempt(None if is_ours else False, 504 if condition is _TIMEOUT else 502)
        other = self._next_endpoint(condition)
        if other is not None:
            self._ask(other)
        else:
            answer = Answer.from_error(error)
            if isinstance(error, StreamRefused) and not self._is_body_replayable:
                answer = replace(answer, is_repeatable=True)
            self._fail(answer)

    def _end_attempt(self, succeeded: bool | None, status: int = 0) -> None:
        attempt = self._attempt
        if attempt is not None:
            self._attempt = None
            attempt.ended(succeeded, status)

    # StreamReceiver.

    def stream_acquired(self, stream: EndpointStream) -> None:
        self._pending = None
        if self._attempt is not None:
            self._attempt.connected()
        self._use(stream)

    def stream_refused(self, error: PeerError) -> None:
        self._pending = None
        self._attempt_failed(error)

    def response_interim(self, response: Response) -> None:
        self._receiver.call_interim(response)

    def response_started(self, response: Response) -> None:
        status = response.status
        if self._attempt is not None:
            self._attempt.answered(status)
        if status >= 400 and self._settings.proxy.retries_status(status) and self._leave(status):
            return
        self.state = RESPONDING
        self._receiver.call_started(response)

    def _leave(self, status: int) -> bool:
        """Ask another endpoint because of this status; return whether there is one."""
        other = self._next_endpoint(RetryCondition(f"http_{status}"))
        if other is None:
            return False
        stream, self._stream = self._stream, None
        self._end_attempt(True)
        if stream is not None:
            stream.abandon()
        self._ask(other)
        return True

    def switched(self, response: Response) -> StreamReceiver:
        stream, self._stream = self._stream, None
        assert stream is not None
        if self._attempt is not None:
            self._attempt.answered(response.status)
        self.state = TUNNELLING
        return self._receiver.call_switched(response, stream)

    def response_body(self, data: bytes) -> None:
        self._receiver.call_body(data)

    def response_flush(self) -> None:
        self._receiver.call_flush()

    def response_ended(self, trailers: Trailers) -> None:
        self._stream = None
        receiver = self._end(True)
        receiver.call_ended(trailers)

    def stream_failed(self, error: PeerError) -> None:
        self._stream = None
        if self.state is RESPONDING:
            self._end(False).call_failed(Answer.from_error(error))
        elif (
            isinstance(error, StaleConnection)
            and self._attempt is not None
            and not self._wants_new_connection
            and self._is_body_replayable
            and may_go_on(self._settings.proxy, self._head.method, error)
        ):
            # Most likely the request never reached the endpoint, and repeating it does no harm: the
            # same attempt goes on over a new connection.
            self._wants_new_connection = True
            self._acquire(self._attempt)
        else:
            self._attempt_failed(error)

    def proxy_header(self, version: str) -> bytes:
        client, ports = self._client, self._config.public_ports
        address = client.address.decode("ascii")
        # Which of our addresses the client has connected to is not known here, and no matter of
        # this connection. No header without a destination could be written.
        ours = "::" if ":" in address else "0.0.0.0"  # noqa: S104 (no address to bind)
        port = ports.https if client.is_secure else ports.http
        return make_header(Version(version), addresses_of(address, client.port, ours, port))

    def pause_request(self) -> None:
        self._receiver.pause_request()

    def resume_request(self) -> None:
        self._receiver.resume_request()

    # Endings.

    def _fail(self, answer: Answer) -> None:
        self._end(None).call_failed(answer)

    def _end(self, succeeded: bool | None) -> CallReceiver:
        """
        :param succeeded: for the attempt under way, as in `Attempt.ended`.
        :return: the receiver, which the call has let go.
        """
        self.state = ENDED
        self._end_attempt(succeeded)
        receiver, self._receiver = self._receiver, _NOBODY
        return receiver

    @property
    def _is_body_replayable(self) -> bool:
        return self._body is None or self._body.is_replayable
