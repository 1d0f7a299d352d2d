"""
Sends copies of requests to the servers that ``mirror-target`` names.

A copy is a call of its own, or an exchange of our own where the host is ours. It is never waited
for: what its server does not take is kept up to a bound, beyond which the copy is dropped.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.config import Config
from ingress.encoded_fields import EncodedFields, FieldLines
from ingress.endpoint import Upstream
from ingress.errors import RequestError
from ingress.exchange.call import Call
from ingress.exchange.call_receiver import CallReceiver
from ingress.exchange.exchange import Exchange
from ingress.exchange.exchange_resources import ExchangeResources
from ingress.exchange.fields import is_forwarded, without_body
from ingress.exchange.mirrored_call import Mirrors, RequestCopy
from ingress.exchange.response_writer import RequestReader, ResponseWriter
from ingress.exchange.subrequests import OwnClient
from ingress.http1.body import Trailers
from ingress.message import Request, Response, UpstreamRequest
from ingress.policy.call_settings import CallSettings
from ingress.policy.mirror import Mirror
from ingress.policy.proxy_settings import ProxySettings, RetryCondition
from ingress.routing.path import canonical_path
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot
from ingress.upstream.stream import EndpointStream, StreamReceiver

MAX_WAITING: Final = 64 * 1024
"""Bytes of a body that wait for a server that takes no more, beside those in its connection."""

MAX_ANSWER: Final = 1024 * 1024
"""Bytes of an answer that are read, and dropped, so that the connection can serve again."""

MAX_IN_FLIGHT: Final = 256
"""Copies in flight of one Ingress in one process: a server that hangs holds no more than these."""

SENT: Final = "sent"
FAILED: Final = "failed"
SLOW: Final = "slow"
BUSY: Final = "busy"
CUT: Final = "cut"
RESULTS: Final = (SENT, FAILED, SLOW, BUSY, CUT)
"""
What became of copies: the server answered; it could not be reached, or its answer was broken; it
was too slow; too many were in flight; the request itself ended before its body was whole.
"""

_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding", b"trailer", b"expect"))
_EXPECT: Final = frozenset((b"expect",))

_Owner = tuple[str, str]


class RequestCopies(Mirrors):
    """
    :param resources: what all exchanges share.
    :param clock: ends copies that take too long.
    """

    def __init__(self, resources: ExchangeResources, clock: IReactorTime) -> None:
        super().__init__()
        self.resources = resources
        self.clock = clock
        self.results.update(dict.fromkeys(RESULTS, 0))
        self._in_flight: Counter[_Owner] = Counter()

    def __repr__(self) -> str:
        return f"<RequestCopies: {self._in_flight.total()} in flight>"

    def copy(
        self, snapshot: Snapshot, route: Route, head: UpstreamRequest, client: BelievedClient
    ) -> RequestCopy:
        mirror, key = route.mirror, route.ingress
        # The head of a WebSocket without what follows it is worth nothing.
        if mirror is None or head.request.wants_websocket:
            return RequestCopy()
        if self._in_flight[key] >= MAX_IN_FLIGHT:
            self.results[BUSY] += 1
            return RequestCopy()
        upstream: Upstream | None = None
        if mirror.url.upstream is not None:
            upstream = snapshot.upstreams.get(mirror.url.upstream)
            if upstream is None:
                self.results[FAILED] += 1
                return RequestCopy()
        self._in_flight[key] += 1
        sent = _Sent(self, key, mirror, head, client, snapshot.config)
        try:
            return sent.to_us() if upstream is None or upstream.is_own else sent.to(upstream)
        except RequestError:
            self.ended(key, FAILED)
            return RequestCopy()
        except Exception:
            self.ended(key, FAILED)
            raise

    def ended(self, key: _Owner, result: str) -> None:
        """A copy is over."""
        self.results[result] += 1
        self._in_flight[key] -= 1
        if not self._in_flight[key]:
            del self._in_flight[key]


class _Source:
    """Where the values of variables come from."""

    def __init__(self, request: Request, client: BelievedClient, request_id: bytes) -> None:
        self.request = request
        self.client = client
        self.request_id = request_id


class _Sent(RequestCopy):
    """A copy that is under way."""

    def __init__(
        self,
        copies: RequestCopies,
        key: _Owner,
        mirror: Mirror,
        head: UpstreamRequest,
        client: BelievedClient,
        config: Config,
    ) -> None:
        self._copies = copies
        self._key = key
        self._mirror = mirror
        self._head = head
        self._client = client
        self._config = config
        self._call: Call | None = None
        self._exchange: Exchange | None = None
        self._timer: IDelayedCall | None = None
        self._is_over = False
        self._has_body = mirror.has_body and head.request.has_body
        self._is_whole = not self._has_body
        self._is_paused = False
        self._waiting = 0
        """Bytes of the body that came since the server takes no more."""

        self._answered = 0
        """Bytes of the answer so far."""

    def __repr__(self) -> str:
        return f"<_Sent {self._head} over={self._is_over}>"

    # Where it goes.

    def to(self, upstream: Upstream) -> RequestCopy:
        """:return: itself, as a call to the endpoints of an Upstream."""
        head, mirror, limits = self._head, self._mirror, self._config.limits
        source = _Source(head.request, self._client, head.request_id)
        proxy = ProxySettings(
            connect_timeout=limits.connect_timeout,
            send_timeout=limits.upstream_send_timeout,
            read_timeout=limits.read_timeout,
            # Tries again would use up those of requests that somebody waits for.
            tries=1,
            # But what a kept connection has lost may be sent again, even if it arrives twice.
            retry_on=frozenset({RetryCondition.NON_IDEMPOTENT}),
        )
        copied = UpstreamRequest(
            head.request if self._has_body else without_body(head.request),
            mirror.target_for(source),
            mirror.authority_for(source),
            EncodedFields(self._fields()),
            head.request_id,
            head.forwarded,
        )
        copied.edits = head.edits
        self._call = Call(
            self._copies.resources.calls,
            upstream,
            CallSettings(proxy=proxy, tls=mirror.tls),
            copied,
            self._client,
            _CopyReceiver(self),
            self._config,
        )
        return self

    def to_us(self) -> RequestCopy:
        """
        :return: itself, as an exchange of our own, in which the rules for the host answer.
        """
        head, mirror = self._head, self._mirror
        source = _Source(head.request, self._client, head.request_id)
        target, authority = mirror.target_for(source), mirror.authority_for(source)
        fields = [pair for pair in self._fields() if not is_forwarded(pair[0])]
        if head.request_id:
            fields.append((b"X-Request-ID", head.request_id))
        own = OwnClient(self._client.address.decode("ascii"), is_secure=mirror.url.is_secure)
        request = Request(
            head.method,
            target,
            canonical_path(target.partition(b"?")[0]),
            authority,
            BelievedClient(b"", authority, b"", is_secure=False, is_trusted=False).host,
            [(name.lower(), name, value) for name, value in fields],
            head.request.body_length if self._has_body else 0,
        )
        self._exchange = Exchange(self._copies.resources, _CopyWriter(self), own, request)
        return self

    def _fields(self) -> FieldLines:
        left_out = _EXPECT if self._has_body else _FRAMING
        return [pair for pair in self._head.fields if pair[0].lower() not in left_out]

    # RequestCopy.

    def start(self) -> None:
        if self._is_over:
            return
        if self._call is not None:
            self._call.start()
        elif self._exchange is not None:
            self._exchange.begin()
        if self._is_whole:
            self._wait_for_answer()

    def send_body(self, data: bytes) -> None:
        if self._is_whole or self._is_over:
            return
        if self._is_paused:
            self._waiting += len(data)
            if self._waiting > MAX_WAITING:
                self._give_up(SLOW)
                return
        if self._call is not None:
            self._call.send_body(data)
        elif self._exchange is not None:
            self._exchange.body_received(data)

    def end_body(self, trailers: Trailers) -> None:
        if self._is_whole or self._is_over:
            return
        self._is_whole = True
        if self._call is not None:
            self._call.end_body(trailers)
        elif self._exchange is not None:
            self._exchange.body_ended(trailers)
        self._wait_for_answer()

    def request_ended(self) -> None:
        if not self._is_whole:
            self._give_up(CUT)

    # The server.

    def pause(self) -> None:
        """The server takes no more for now."""
        self._is_paused = True

    def resume(self) -> None:
        """The server takes more again."""
        self._is_paused = False
        self._waiting = 0

    def received(self, size: int) -> None:
        """Some of the answer has come."""
        self._answered += size
        if self._answered > MAX_ANSWER:
            self._give_up(SENT)

    def end(self, result: str) -> None:
        """The copy is over; the server may have answered before the body was whole."""
        if self._is_over:
            return
        self._is_over = True
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self._call = self._exchange = None
        self._copies.ended(self._key, result)

    def _wait_for_answer(self) -> None:
        if not self._is_over:
            clock, patience = self._copies.clock, self._config.limits.read_timeout
            self._timer = clock.callLater(patience, self._expire)

    def _expire(self) -> None:
        self._timer = None
        self._give_up(SLOW)

    def _give_up(self, result: str) -> None:
        call, exchange = self._call, self._exchange
        self.end(result)
        if call is not None:
            call.cancel()
        if exchange is not None:
            exchange.client_lost()


class _CopyReceiver(CallReceiver):
    """Receives the answer of an endpoint."""

    def __init__(self, sent: _Sent) -> None:
        self._sent = sent

    def call_body(self, data: bytes) -> None:
        self._sent.received(len(data))

    def call_ended(self, trailers: Trailers) -> None:
        self._sent.end(SENT)

    def call_failed(self, answer: Answer) -> None:
        self._sent.end(FAILED)

    def call_switched(self, response: Response, stream: EndpointStream) -> StreamReceiver:
        self._sent.end(FAILED)
        stream.abandon()
        return StreamReceiver()

    def pause_request(self) -> None:
        self._sent.pause()

    def resume_request(self) -> None:
        self._sent.resume()


class _CopyWriter(ResponseWriter):
    """Receives the answer of an exchange of our own."""

    def __init__(self, sent: _Sent) -> None:
        self._sent = sent

    def send_interim(self, response: Response) -> None:
        pass

    def send_head(
        self, status: int, reason: bytes, fields: FieldLines, body_length: int | None
    ) -> None:
        pass

    def send_body(self, data: bytes) -> None:
        self._sent.received(len(data))

    def flush(self) -> None:
        pass

    def end(self, trailers: FieldLines) -> None:
        self._sent.end(SENT)

    def abort(self, code: int = 0) -> None:
        self._sent.end(FAILED)

    def pause_request(self) -> None:
        self._sent.pause()

    def resume_request(self) -> None:
        self._sent.resume()

    def switch(self, fields: FieldLines, tunnel: RequestReader) -> None:
        self._sent.end(FAILED)

    def send_raw(self, data: bytes) -> None:
        pass

    def end_raw(self) -> None:
        pass
