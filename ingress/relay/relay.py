"""
A relay: the connection of a client and one to an endpoint, joined.

::

    begin ─► dialling ─┬─► joined ─► both have ended, or one is lost ─► closed
               ▲  │    └─► no endpoint is left to try: the client's connection is closed
               └──┘ the next endpoint

Before the endpoint is there, nothing is read from the client. Afterwards each side is read as fast
as the other side takes it: a side is paused as soon as anything waits to be sent to the other one.
The end of one direction is passed on, and the other direction goes on; a connection that breaks
off is passed on as a reset, so that nobody takes what was cut short for the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from ingress.endpoint import Endpoint, UpstreamKey
from ingress.errors import NoDescriptor
from ingress.relay.dial import Dial, DialOwner
from ingress.relay.resources import SMALLEST_READ, RelayResources
from ingress.telemetry.record import ExchangeRecord
from ingress.telemetry.relay_outcome import RelayOutcome
from ingress.telemetry.relay_record import RelayRecord
from ingress.transports.stream import StreamProtocol
from ingress.transports.view_transport import ViewReceiver
from ingress.upstream.dialer import dial_error

SMALL_READ: Final = SMALLEST_READ
"""The first read of a side in bytes, and each one while the other side is the slower one."""

QUIET: Final = 60.0
"""Seconds without a byte after which a relay counts as idle if connections are short."""


class RelaySide(StreamProtocol, ViewReceiver):
    """
    The protocol on one side of a relay.

    :ivar other: the other side; None until there is an endpoint.
    :ivar read_size: the bytes to read at most at once, for transports that ask.
    :ivar count: bytes that were read here and passed on.
    """

    def __init__(self, relay: Relay) -> None:
        self._unsent = 0
        self.relay = relay
        self.other: RelaySide | None = None
        self.read_size = SMALL_READ
        self.count = 0
        self.has_ended = False
        self.is_lost = False

    def __repr__(self) -> str:
        return f"<RelaySide of {self.relay}>"

    def join(self, other: RelaySide) -> None:
        """Send to the other side, as fast as it takes it, what comes here from now on."""
        self.other = other
        receiving: Any = other.transport
        # Whatever waits to be sent pauses this side, so that so much is kept and no more.
        receiving.bufferSize = 0
        receiving.registerProducer(self, True)

    def pass_end(self) -> None:
        """End the other side's output after what was read here."""
        assert self.other is not None
        receiving: Any = self.other.transport
        receiving.unregisterProducer()
        receiving.loseWriteConnection()

    def close_or_abort(self) -> None:
        """Close the connection in an orderly way, unless the peer does not take what is left."""
        if not self.is_lost:
            transport: Any = self.transport
            if transport.unsent:
                self.abort()
            else:
                self.close()

    def close(self) -> None:
        """Close the connection once everything is sent."""
        if not self.is_lost:
            transport: Any = self.transport
            transport.unregisterProducer()
            transport.loseConnection()

    def abort(self) -> None:
        """Reset the connection at once."""
        if not self.is_lost:
            transport: Any = self.transport
            transport.abortConnection()

    # IProtocol.

    def connectionMade(self) -> None:
        """IProtocol."""
        self.relay.connected(self)

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        other = self.other
        if other is None:
            self.relay.received_early(data)
            return
        self.count += len(data)
        self.relay.moved()
        other.transport.write(data)

    def view_received(self, view: memoryview) -> None:
        """ViewReceiver."""
        other = self.other
        if other is None:
            self.relay.received_early(bytes(view))
            return
        count = len(view)
        self.count += count
        self.relay.moved()
        transport: Any = other.transport
        largest = self.relay.largest_read()
        if not transport.write_view(view):
            self.read_size = SMALL_READ
        elif self.read_size > largest:
            self.read_size = largest
        elif count == self.read_size:
            self.read_size = min(count * 2, largest)

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""
        self.has_ended = True
        self.relay.side_ended(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """IProtocol."""
        self.is_lost = True
        self.relay.side_lost(self, is_orderly=reason.check(ConnectionDone) is not None)

    # IPushProducer: the other side's transport paces this one.

    def pauseProducing(self) -> None:
        """IPushProducer."""
        if not self.is_lost:
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """IPushProducer."""
        if not self.is_lost and not self.has_ended:
            self.transport.resumeProducing()


class Relay(DialOwner):
    """
    Joins a client to an endpoint; a connection of a client (`ClientConnection`).

    :param resources: what all relays share.
    :param upstream: the Service port to ask.
    :param client_address: the client's IP address, as believed; empty for a UNIX socket.
    :param port: the port that the client has connected to.
    """

    def __init__(
        self, resources: RelayResources, upstream: UpstreamKey, client_address: str, port: int
    ) -> None:
        self.address = client_address
        self.client = RelaySide(self)
        """The protocol for the client's transport, if `begin` does not set it."""

        self.preface: Callable[[RelaySide], bytes] | None = None
        """Makes bytes that the endpoint gets first, from the client's side."""

        self.on_end: Callable[[], None] | None = None
        """Called when the relay is over, however it ends."""

        self.deadline = 0.0
        self._resources = resources
        self._time = resources.deadlines.time
        self._patience = resources.limits.stream_idle_timeout
        self._endpoint: RelaySide | None = None
        self._dial: Dial | None = None
        self._tried: list[Endpoint] = []
        self._early = b""
        self._outcome: RelayOutcome | None = None
        self._asked_at = 0.0
        self.record = RelayRecord("TCP", client_address, port, upstream, self._time.now)

    def __repr__(self) -> str:
        return f"<Relay of {self.address} to {self.record.endpoint}>"

    def begin(self, transport: Any, data: bytes = b"") -> None:
        """
        Take over a client's transport.

        :param data: bytes that were read from it already.
        """
        self._early = data
        transport.protocol = self.client
        self.client.makeConnection(transport)

    # ClientConnection.

    @property
    def activity(self) -> str:
        """ClientConnection: a relay that was quiet for a while may give way."""
        is_quiet = self._time.now > self.deadline - self._patience + QUIET
        return "waiting" if is_quiet else "writing"

    def in_flight(self) -> Sequence[ExchangeRecord]:
        """ClientConnection: none of them is an exchange."""
        return ()

    def close_if_idle(self) -> None:
        """ClientConnection: nobody can see from outside whether a relay has done its work."""

    def cut(self) -> None:
        """ClientConnection."""
        self._end(RelayOutcome.CUT, "The proxy has cut the connection.")

    # Connecting.

    def connected(self, side: RelaySide) -> None:
        """One side is there."""
        transport: Any = side.transport
        read_into_views = getattr(transport, "pass_views_to", None)
        if read_into_views is not None:
            read_into_views(side)
        if side is self.client:
            self.moved()
            self._resources.clients.add(self)
            self._resources.deadlines.watch(self)
            transport.pauseProducing()
            self._ask_next()
        else:
            self._join(side)

    def received_early(self, data: bytes) -> None:
        """Keep what has come before the endpoint is there: one read at most."""
        self._early += data

    def _ask_next(self) -> None:
        """Connect to the next endpoint, or give up."""
        resources, record = self._resources, self.record
        upstream = resources.upstream(record.upstream)
        endpoint = (
            None if upstream is None else resources.pick(upstream, self._tried, record.began_at)
        )
        if endpoint is None:
            if not self._tried:
                self._decide(RelayOutcome.NO_ENDPOINT, "The Service has no endpoint.")
            self._decide(RelayOutcome.DIAL_FAILED, record.detail)
            self.client.close()
            return
        self._tried.append(endpoint)
        record.endpoint = endpoint
        record.tries += 1
        self._asked_at = self._time.now
        health = resources.balancer.health
        if health.failing:
            health.attempt_began((record.upstream, endpoint, None), self._asked_at)
        self._dial = Dial(self)
        self._dial.start(resources.dial, endpoint, resources.limits.connect_timeout)

    def make_side(self) -> RelaySide:
        """DialOwner."""
        return RelaySide(self)

    def dial_failed(self, reason: Failure) -> None:
        """DialOwner: ask the next endpoint."""
        self._dial = None
        error = dial_error(reason)
        self.record.detail = str(error)
        if not isinstance(error, NoDescriptor):
            self._resources.balancer.health.failed(self._health_key(), self._asked_at)
        self._ask_next()

    def _join(self, endpoint: RelaySide) -> None:
        self._dial = None
        self._endpoint = endpoint
        record, now = self.record, self._time.now
        record.detail = ""
        record.connect_time = now - self._asked_at
        self._resources.count(self._tried[-1], 1)
        health = self._resources.balancer.health
        if health.failing:
            health.answered(self._health_key(), self._asked_at)
            health.succeeded(self._health_key(), self._asked_at)
        self.moved()
        client = self.client
        client.join(endpoint)
        endpoint.join(client)
        early, self._early = self._early, b""
        client.count += len(early)
        if self.preface is not None:
            early = self.preface(client) + early
        if early:
            endpoint.transport.write(early)
        if client.has_ended:
            client.pass_end()
        else:
            client.transport.resumeProducing()

    def _health_key(self) -> tuple[UpstreamKey, Endpoint, None]:
        return self.record.upstream, self._tried[-1], None

    # Joined.

    def largest_read(self) -> int:
        """Return the largest read that the memory for all relays allows."""
        return self._resources.largest_read

    def moved(self) -> None:
        """Something has gone through."""
        self.deadline = self._time.now + self._patience

    def deadline_passed(self) -> None:
        """Timed: nothing has gone through for too long, or the end takes too long."""
        self._decide(RelayOutcome.IDLE, "Nothing went through for too long.")
        endpoint = self._endpoint
        self.client.close_or_abort()
        if endpoint is not None:
            endpoint.close_or_abort()

    # The end.

    def side_ended(self, side: RelaySide) -> None:
        """One side sends no more."""
        if side.other is None:
            # The endpoint is not there yet, and will be told.
            return
        self.moved()
        if side.other.has_ended:
            self._decide(RelayOutcome.OK, "")
            self.client.close()
            if self._endpoint is not None:
                self._endpoint.close()
        else:
            side.pass_end()

    def side_lost(self, side: RelaySide, *, is_orderly: bool) -> None:
        """One connection is gone: so is the other one, unless that is on its way already."""
        client, endpoint = self.client, self._endpoint
        is_clients = side is client
        if self._outcome is None:
            if is_orderly:
                self._decide(RelayOutcome.OK, "")
                client.close()
                if endpoint is not None:
                    endpoint.close()
            elif is_clients:
                self._end(RelayOutcome.CLIENT_LOST, "The client has broken off the connection.")
            else:
                self._end(
                    RelayOutcome.ENDPOINT_BROKE, "The endpoint has broken off the connection."
                )
        if client.is_lost and (endpoint is None or endpoint.is_lost):
            self._finish()

    def _decide(self, outcome: RelayOutcome, detail: str) -> None:
        """It is over: nothing begins any more, not even later in this turn."""
        if self._outcome is None:
            self._outcome = outcome
            self.record.detail = detail
            dial, self._dial = self._dial, None
            if dial is not None:
                dial.cancel()

    def _end(self, outcome: RelayOutcome, detail: str) -> None:
        """Reset both sides."""
        self._decide(outcome, detail)
        endpoint = self._endpoint
        self.client.abort()
        if endpoint is not None:
            endpoint.abort()

    def _finish(self) -> None:
        resources, record, endpoint = self._resources, self.record, self._endpoint
        resources.deadlines.forget(self)
        resources.clients.discard(self)
        if endpoint is not None:
            resources.count(self._tried[-1], -1)
            record.sent = endpoint.count
            # They refer to each other, and the garbage collector has enough to do.
            endpoint.other = self.client.other = None
        record.received = self.client.count
        record.duration = self._time.now - record.began_at
        record.outcome = self._outcome if self._outcome is not None else RelayOutcome.CUT
        resources.recorder.relay_ended(record)
        if self.on_end is not None:
            self.on_end()
