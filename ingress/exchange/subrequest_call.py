"""
The receivers of the response to a request that a policy has sent.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from ingress.answer import Answer
from ingress.encoded_fields import FieldLines
from ingress.errors import Outcome
from ingress.exchange.call import Call
from ingress.exchange.call_receiver import CallReceiver
from ingress.exchange.exchange import Exchange
from ingress.exchange.response_writer import RequestReader, ResponseWriter
from ingress.http1.body import Trailers
from ingress.message import Response
from ingress.policy.subrequest import SubrequestFailed, Subresponse
from ingress.upstream.stream import EndpointStream, StreamReceiver

MAX_BODY: Final = 1024 * 1024
"""
Bytes of a body that are read, and mostly dropped, so that the connection can serve again. A longer
body is taken for one without end.
"""

_TOO_LONG: Final = "The body of the response has no end in sight."
_SWITCHED: Final = "The server has switched to another protocol."
_BROKEN_OFF: Final = "The response has broken off."
_TIMED_OUT: Final = "The server has not answered in time."


class SubrequestEnd:
    """
    The end of a request that a policy has sent, which comes once.

    :ivar result: fires with the response; None once it has, or it would be a cycle.
    """

    def __init__(self, *, keeps_body: bool = False) -> None:
        self.result: Deferred[Subresponse] | None = Deferred(partial(_cancelled, self))
        self.timer: IDelayedCall | None = None
        self.call: Call | None = None
        self.exchange: Exchange | None = None
        self.status = 0
        self.fields: FieldLines = []
        self._size = 0
        self._body: list[bytes] | None = [] if keeps_body else None

    def __repr__(self) -> str:
        return f"<SubrequestEnd status={self.status}>"

    def received(self, data: bytes) -> None:
        """Some of the body has come."""
        self._size += len(data)
        if self._size > MAX_BODY:
            self.fail(Outcome.ENDPOINT_BROKE, _TOO_LONG)
        elif self._body is not None:
            self._body.append(data)

    def succeed(self) -> None:
        """The response is whole."""
        result = self._let_go()
        if result is not None:
            fields = [(name.lower(), name, value) for name, value in self.fields]
            body = b"".join(self._body) if self._body is not None else b""
            result.callback(Subresponse(self.status, fields, body))

    def fail(self, outcome: Outcome, detail: str) -> None:
        """There will be no whole response."""
        result = self.cancel()
        if result is not None:
            result.errback(SubrequestFailed(outcome, detail))

    def expire(self) -> None:
        """The time is up."""
        self.timer = None
        self.fail(Outcome.ENDPOINT_TIMEOUT, _TIMED_OUT)

    def cancel(self) -> Deferred[Subresponse] | None:
        """
        End the request, if it is under way.

        :return: its result, if that has not fired.
        """
        call, exchange = self.call, self.exchange
        result = self._let_go()
        if call is not None:
            call.cancel()
        if exchange is not None:
            exchange.client_lost()
        return result

    def _let_go(self) -> Deferred[Subresponse] | None:
        timer, self.timer = self.timer, None
        if timer is not None:
            timer.cancel()
        self.call = self.exchange = None
        result, self.result = self.result, None
        return result


def _cancelled(end: SubrequestEnd, result: Deferred[Subresponse]) -> None:
    end.cancel()


class SubrequestReceiver(CallReceiver):
    """Receives the response of an endpoint."""

    def __init__(self, end: SubrequestEnd) -> None:
        self._end = end

    def call_started(self, response: Response) -> None:
        self._end.status = response.status
        self._end.fields = [(name, value) for _, name, value in response.fields]

    def call_body(self, data: bytes) -> None:
        self._end.received(data)

    def call_ended(self, trailers: Trailers) -> None:
        self._end.succeed()

    def call_failed(self, answer: Answer) -> None:
        self._end.fail(answer.outcome, answer.detail)

    def call_switched(self, response: Response, stream: EndpointStream) -> StreamReceiver:
        self._end.fail(Outcome.ENDPOINT_BROKE, _SWITCHED)
        stream.abandon()
        return StreamReceiver()


class SubrequestWriter(ResponseWriter):
    """Receives the response of an exchange of our own."""

    def __init__(self, end: SubrequestEnd) -> None:
        self._end = end

    def send_interim(self, response: Response) -> None:
        pass

    def send_head(
        self, status: int, reason: bytes, fields: FieldLines, body_length: int | None
    ) -> None:
        self._end.status = status
        self._end.fields = [*fields]

    def send_body(self, data: bytes) -> None:
        self._end.received(data)

    def flush(self) -> None:
        pass

    def end(self, trailers: FieldLines) -> None:
        self._end.succeed()

    def abort(self, code: int = 0) -> None:
        self._end.fail(Outcome.ENDPOINT_BROKE, _BROKEN_OFF)

    def pause_request(self) -> None:
        pass

    def resume_request(self) -> None:
        pass

    def switch(self, fields: FieldLines, tunnel: RequestReader) -> None:
        self._end.fail(Outcome.ENDPOINT_BROKE, _SWITCHED)

    def send_raw(self, data: bytes) -> None:
        pass

    def end_raw(self) -> None:
        pass
