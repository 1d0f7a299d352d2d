"""
One request of a client and its response, as a state machine without reactor or sockets: `begin`
finds the rule, its policies decide, a `Call` asks an endpoint, and the response goes to the client.
`ingress.exchange.exchange_state` has the states and their order.
"""

from __future__ import annotations

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.encoded_fields import FieldLines
from ingress.endpoint import UpstreamKey
from ingress.errors import BodyTooLarge, Outcome, PeerError
from ingress.exchange.call import NO_ENDPOINT, Call
from ingress.exchange.call_receiver import CallReceiver
from ingress.exchange.canary_choice import choose_canary
from ingress.exchange.client import Client
from ingress.exchange.exchange_policies import ExchangePolicies
from ingress.exchange.exchange_resources import ExchangeResources
from ingress.exchange.exchange_state import CALLING, ENDED, OK, RESPONDING, ROUTING, ExchangeState
from ingress.exchange.fields import downstream_fields, downstream_trailers, upstream_head
from ingress.exchange.held_response import HeldResponse
from ingress.exchange.message_edits import UNCHANGED
from ingress.exchange.mirrored_call import MirroredCall
from ingress.exchange.own_answer import NO_SERVICE, TOO_LARGE, no_route, write_answer
from ingress.exchange.passage import Passage, find_passage
from ingress.exchange.response_writer import RequestReader, ResponseWriter
from ingress.exchange.shaping import shape_response
from ingress.exchange.tunnel import CLIENT_LOST, Tunnel, TunnelOwner
from ingress.http1.body import Trailers
from ingress.message import Request, Response
from ingress.routing.extra_work import ExtraWork
from ingress.routing.match import find_route, find_upstream_of
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot
from ingress.telemetry.record import AttemptRecord, ExchangeRecord
from ingress.upstream.stream import EndpointStream, StreamReceiver


class Exchange(CallReceiver, RequestReader, TunnelOwner):
    """
    One exchange. It ends with a record of it.

    :param resources: what all exchanges share.
    :param writer: writes the response to the client.
    :param client: the client of the connection that the request came over.
    :param request: the head of the request.
    """

    def __init__(
        self,
        resources: ExchangeResources,
        writer: ResponseWriter,
        client: Client,
        request: Request,
    ) -> None:
        self.request = request
        self.state = ROUTING
        self.outcome: Outcome | None = None
        """How it ended; None until it has."""

        self._resources = resources
        self._writer = writer
        self._client = client
        self._record = ExchangeRecord(client.address, resources.time.now, request)
        self._call: Call | None = None
        self._earlier_tries: list[AttemptRecord] | None = None
        """The attempts of a call whose response a policy has replaced."""

        self._is_request_whole = request.body_length == 0
        self._response_edits = UNCHANGED
        """The route's changes to the response, for the client's scheme."""

        self._work: ExtraWork | None = None
        """What there is to do beside asking an endpoint; None if there is nothing."""

        self._passage: Passage | None = None
        self._policies: ExchangePolicies | None = None
        """What has been decided about it; both are one if policies have been given a context."""

        self._held: HeldResponse | None = None
        """The response that a policy has yet to decide on."""

    def __repr__(self) -> str:
        return f"<Exchange {self.state.name} {self._call} outcome={self.outcome}>"

    # The way in: rule, policies, call.

    def begin(self) -> None:
        """Find the rule, and start what it asks for."""
        request, resources, record = self.request, self._resources, self._record
        # Not kept: an exchange of many hours would free the whole Snapshot in one go at its end.
        snapshot = resources.snapshot
        assert snapshot is not None, "nothing is accepted before the first snapshot"
        record.request_id = resources.request_id_of(request)
        client = self._client.believed(request, snapshot.config)
        record.client_address = client.address
        record.is_secure = client.is_secure
        route = record.route = find_route(snapshot, request.host, request.path, request)
        self._response_edits = resources.https_edits if client.is_secure else resources.http_edits
        if route is None:
            self._answer(no_route(snapshot.config, request, client))
        elif route.is_plain and not resources.shares.is_active:
            self._admit(snapshot, route, client)
        else:
            self._begin_special(snapshot, route, client)

    def _begin_special(self, snapshot: Snapshot, route: Route, client: BelievedClient) -> None:
        """Begin if the route asks for more than an endpoint, or if the process is crowded."""
        resources, request, record, work = self._resources, self.request, self._record, route.work
        if work is not None and work.canaries:
            route = record.route = choose_canary(route, snapshot, request, resources.calls.random)
            work = route.work
        self._work = work
        if work is not None:
            self._response_edits = work.edits_for(self._response_edits, client.is_secure)
        passage = find_passage(resources, snapshot, request, route, client, self._client, record)
        self._passage = passage
        if passage is None or passage.is_open:
            self._admit(snapshot, route, client)
        elif passage.answer is not None:
            self._answer(passage.answer)
        else:
            policies = ExchangePolicies(resources, snapshot, route, request, passage, record)
            self._policies = self._passage = policies
            policies.admit(self._admitted)
            self._note_wait(policies)

    def _note_wait(self, policies: ExchangePolicies) -> None:
        """Stop reading the body while a policy has yet to decide."""
        if policies.is_waiting and self.state is not ENDED:
            self.state = ExchangeState.DECIDING
            # A client without a body is still read from, or its end would go unnoticed.
            if not self._is_request_whole:
                self._writer.pause_request()

    def _admitted(self, answer: Answer | None) -> None:
        """Go on after the phases access and request; `answer` ends the exchange if there is one."""
        policies = self._policies
        assert policies is not None
        if policies.request is not self.request:
            self.request = policies.move(self._record)
            self._response_edits, self._work = policies.route_edits(), policies.route.work
        if self.state is ExchangeState.DECIDING:
            self._writer.resume_request()
        if answer is None:
            self._admit(policies.snapshot, policies.route, policies.client)
        else:
            self._answer(answer)

    def _admit(self, snapshot: Snapshot, route: Route, client: BelievedClient) -> None:
        """Start the call, unless the rule has no Service or the body is too large."""
        request, upstream = self.request, route.upstream
        if self._policies is not None and self._policies.upstream is not None:
            upstream = self._policies.upstream
        if request.body_length and route.proxy.is_too_large(request.body_length):
            self._answer(TOO_LARGE)
        elif upstream is None:
            self._answer(NO_SERVICE)
        else:
            self._start_call(snapshot, upstream, route, request, client)

    def _start_call(
        self,
        snapshot: Snapshot,
        key: UpstreamKey,
        route: Route,
        request: Request,
        client: BelievedClient,
    ) -> None:
        upstream = find_upstream_of(snapshot, route, key)
        if upstream is None:
            self._answer(NO_ENDPOINT)
            return
        resources, record, work = self._resources, self._record, self._work
        names, marker, identity = resources.field_names, resources.marker, record.request_id
        edits = UNCHANGED if work is None else work.request_edits
        special = None if work is None or not work.changes(request) else route
        try:
            head = upstream_head(request, client, identity, names, edits, marker, special)
        except PeerError as error:
            # No policy may replace this answer: the replacement could be a part of a loop.
            self._send_answer(Answer.from_error(error))
            return
        if self._passage is not None:
            self._passage.change(head)
        calls, mirrors, config = resources.calls, resources.mirrors, snapshot.config
        settings = route if self._earlier_tries is None else route.for_diversion()
        if work is None or not work.is_mirrored or settings is not route:
            call = Call(calls, upstream, settings, head, client, self, config)
        else:
            call = MirroredCall(calls, upstream, route, head, client, self, snapshot, mirrors)
        self._call, record.tries, self.state = call, call.tries, CALLING
        call.start()
        if self._policies is not None:
            self._policies.send_early_body(call)

    # RequestReader: the client's side.

    def body_received(self, data: bytes) -> None:
        if self.state is ENDED or self._earlier_tries is not None:
            return
        record, call = self._record, self._call
        record.request_size += len(data)
        most = None if record.route is None else record.route.proxy.body_size  # no slow call
        if most is not None and record.request_size - self.request.length > most:
            if call is None:
                self.refuse(BodyTooLarge(TOO_LARGE.detail))
            else:
                call.cancel()
                self.call_failed(TOO_LARGE)
        elif call is not None:
            call.send_body(data)
        elif self._policies is not None:
            self._policies.keep_body(data)

    def body_ended(self, trailers: Trailers) -> None:
        self._is_request_whole = True
        if self._call is not None:
            self._call.end_body(trailers)
        elif self._policies is not None:
            self._policies.keep_end(trailers)

    def refuse(self, error: PeerError) -> None:
        self._drop_call()
        if self.state is not ENDED:
            self._send_answer(Answer.from_error(error))

    def client_lost(self) -> None:
        if self.state is not ENDED:
            self._drop_call()
            self._end(Outcome.CLIENT_LOST, CLIENT_LOST)

    def pause_response(self) -> None:
        if self._call is not None:
            self._call.pause()

    def resume_response(self) -> None:
        # A held response stays paused until the policies have decided.
        if self._call is not None and self._held is None:
            self._call.resume()

    # CallReceiver: the way out.

    def call_interim(self, response: Response) -> None:
        self._writer.send_interim(response)

    def call_started(self, response: Response) -> None:
        policies = self._policies
        if policies is None or not policies.has_review:
            self._respond(response)
            return
        self._held = HeldResponse(response)
        policies.review(response, self._reviewed)
        if policies.is_waiting and self._call is not None:
            self._call.pause()

    def _reviewed(self, answer: Answer | None) -> None:
        """Go on after the phase response; `answer`, if any, takes the place of the response."""
        held, self._held = self._held, None
        assert held is not None
        if answer is None and self._divert():
            return
        # A response that has broken off meanwhile is a plain failure: the client has seen nothing.
        if (answer := answer or held.failure) is not None:
            self._drop_call()
            self._send_answer(answer)
            return
        receiver = self._respond(held.response)
        if held.replay(receiver) and self._policies is not None and self._policies.has_waited:
            self._writer.flush()
            self.resume_response()

    def _divert(self) -> bool:
        """Ask another Upstream if policies want that; return whether they do."""
        policies, route = self._policies, self._record.route
        if policies is None or route is None or policies.diversion is None:
            return False
        self._drop_call()
        self._earlier_tries, self._record.tries = [*self._record.tries], ()
        request = policies.request_without_body()
        self._start_call(policies.snapshot, policies.diversion, route, request, policies.client)
        # The rest of the body goes nowhere; a client that is not read could not be seen to leave.
        if self.state is not ENDED:
            self._writer.resume_request()
        return True

    def _respond(self, response: Response) -> CallReceiver:
        """Send the head; return the receiver of the rest."""
        call, status = self._call, response.status
        self.state = RESPONDING
        self._record.status = status
        fields = self._fields(response)
        if self._work is None or not self._work.shapes or call is None:
            self._writer.send_head(status, response.reason, fields, response.body_length)
            return self
        shaped = shape_response(response, fields, self._record, call, self, self._resources)
        self._writer.send_head(status, response.reason, shaped.fields, shaped.body_length)
        return shaped.receiver

    def _fields(self, response: Response) -> FieldLines:
        """Return the endpoint's fields that the client gets, edited, with those of its session."""
        call, fields = self._call, downstream_fields(response, self._response_edits)
        if self._passage is not None:
            fields = self._passage.edited(fields, response)
        if call is not None and call.cookie is not None:
            fields = [*fields, (b"Set-Cookie", call.cookie)]
        return fields

    def call_switched(self, response: Response, stream: EndpointStream) -> StreamReceiver:
        self._record.status = response.status
        self.state = ExchangeState.TUNNELLING
        tunnel = Tunnel(self._writer, stream, self._record, self)
        self._writer.switch(self._fields(response), tunnel)
        return tunnel

    def call_body(self, data: bytes) -> None:
        if self._held is not None:
            self._held.body.append(data)
            return
        self._record.body_size += len(data)
        self._writer.send_body(data)

    def call_flush(self) -> None:
        if self._held is None:
            self._writer.flush()

    def call_ended(self, trailers: Trailers) -> None:
        if self._held is not None:
            self._held.trailers = trailers
            return
        self._end(OK)
        taken = trailers and (self.request.takes_trailers or self.request.is_http_2)
        self._writer.end(downstream_trailers(trailers) if taken else [])

    def call_failed(self, answer: Answer) -> None:
        if self._held is not None:
            self._held.failure = answer
        else:
            self._answer(answer)

    def pause_request(self) -> None:
        self._writer.pause_request()

    def resume_request(self) -> None:
        self._writer.resume_request()

    # Own answers and endings.

    def _answer(self, answer: Answer) -> None:
        """Answer in the endpoint's place, unless a policy replaces the answer."""
        policies, has_begun = self._policies, self.state is RESPONDING
        if policies is not None and policies.has_replacement and not has_begun:
            policies.replace(answer, self._replaced)
            self._note_wait(policies)
        else:
            self._send_answer(answer)

    def _replaced(self, answer: Answer | None) -> None:
        """Go on after the phase error, which always gives an answer."""
        assert answer is not None
        if not self._divert():
            self._send_answer(answer)

    def _send_answer(self, answer: Answer) -> None:
        """Send an answer; a response that has begun can only be cut short instead."""
        if self.state is RESPONDING:
            self._end(answer.outcome, answer.detail)
            self._writer.abort(answer.reset_code)
            return
        request, record, edits = self.request, self._record, self._response_edits
        if self._passage is not None:
            edits = edits.then(self._passage.edits_for(answer.status))
        answer, fields, body = self._resources.written(answer, request, record.request_id, edits)
        sent = b"" if request.method == b"HEAD" else body
        record.status, record.body_size = answer.status, len(sent)
        self._end(answer.outcome, answer.detail)
        write_answer(self._writer, answer, fields, len(body), sent)

    def tunnel_ended(self, outcome: Outcome, detail: str) -> None:
        """TunnelOwner."""
        if self._call is not None:
            self._call.tunnel_ended()
        self._end(outcome, detail)

    def _drop_call(self) -> None:
        if self._policies is not None:
            self._policies.cancel()
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _end(self, outcome: Outcome, detail: str = "") -> None:
        self.state, self._call, self._held = ENDED, None, None
        if self._passage is not None:
            self._passage.ended(self._record)
        record, self.outcome = self._record, outcome
        if self._earlier_tries is not None:
            record.tries = [*self._earlier_tries, *record.tries]
        self._resources.end(record, outcome, detail)
