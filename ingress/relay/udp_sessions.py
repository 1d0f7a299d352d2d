"""
All sessions of UDP of a process, within bounds.

Anybody can send datagrams from addresses that are not theirs, and each of these addresses would be
a client. So a session counts as *fresh* until its client has sent something after a reply: only who
gets the replies knows when that is. When there are too many sessions, the oldest fresh one gives
way, at first among those of the same client; if there is none, the new client is refused. Clients
in the middle of something keep their sessions, whoever floods the port.
"""

from __future__ import annotations

import socket
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Final

from ingress.address import pack_plain_address
from ingress.endpoint import Endpoint, UpstreamKey
from ingress.listen_address import family_of
from ingress.port_service import UDP, PortKey
from ingress.relay.resources import RelayResources
from ingress.relay.udp_session import Ancillary, ReplySocket, SessionKey, UDPSession
from ingress.routing.snapshot import Snapshot
from ingress.telemetry.relay_outcome import RelayOutcome
from ingress.telemetry.relay_record import RelayRecord
from ingress.upstream.dialer import OURS

MAX_SESSIONS: Final = 16_384
"""As many as connections (`limits.connections`); each takes a descriptor and some 2 KiB."""

MAX_OF_CLIENT: Final = 1024
"""For one address: a resolver of names that many share has hundreds of questions under way."""

ENDED_AT_ONCE: Final = 100
"""Sessions that end in one turn of the reactor: some 2 ms."""

GAVE_WAY: Final = "gave_way"
CLIENT_LIMIT: Final = "client_limit"
FULL: Final = "full"
NO_ENDPOINT: Final = "no_endpoint"
NO_SOCKET: Final = "no_socket"
UNSENT: Final = "unsent"
"""The names of what is counted."""


class UDPSessions:
    """
    :param reactor: reads the sockets of sessions.
    :param resources: what relays share, which sessions share as well.
    :param connect: makes a socket that is connected to an address, or raises an OSError.
    """

    def __init__(
        self,
        reactor: Any,
        resources: RelayResources,
        connect: Callable[[tuple[str, int]], socket.socket] | None = None,
    ) -> None:
        self._reactor = reactor
        self._socket_to = connect or _connected
        self._resources = resources
        self._sessions: dict[SessionKey, UDPSession] = {}
        self._fresh: OrderedDict[UDPSession, None] = OrderedDict()
        """The sessions whose clients have not answered a reply, the oldest first."""

        self._of_client: dict[str, OrderedDict[UDPSession, None]] = {}
        """The fresh ones of each client, the oldest first."""

        self._seen: Snapshot | None = None
        """The Snapshot that the sessions were compared with last."""

        self._counts: Counter[str] = Counter()
        """All sessions of each client."""

        self.most = MAX_SESSIONS
        self.most_of_client = MAX_OF_CLIENT

    def __repr__(self) -> str:
        return f"<UDPSessions: {len(self)}>"

    def __len__(self) -> int:
        return len(self._sessions)

    def fit(self, room: int, processes: int) -> None:
        """
        Fit the bounds to the system.

        :param room: how many descriptors there are for sessions.
        :param processes: the number of processes that share the bounds.
        """
        self.most = max(1, min(-(-MAX_SESSIONS // processes), room))
        self.most_of_client = -(-MAX_OF_CLIENT // processes)

    def received(
        self,
        reply_socket: ReplySocket,
        upstream: UpstreamKey,
        address: Any,
        local: Ancillary,
        data: memoryview,
    ) -> None:
        """
        Pass on a datagram of a client.

        :param upstream: where the port leads now.
        :param address: the client's, as the socket has it.
        :param local: our address, to which it was sent.
        """
        key = SessionKey(reply_socket.key, address, local)
        session = self._sessions.get(key)
        if session is None:
            session = self._open(reply_socket, key, upstream)
            if session is None:
                return
        elif session.has_reply and not session.is_confirmed:
            session.is_confirmed = True
            self._forget_fresh(session)
        session.from_client(data)

    # Opening.

    def _open(
        self, reply_socket: ReplySocket, key: SessionKey, upstream: UpstreamKey
    ) -> UDPSession | None:
        host = key.address[0]
        if not self._has_room(host):
            return None
        resources = self._resources
        record = RelayRecord(UDP, host, key.port.port, upstream, resources.deadlines.now())
        sock = self._connect(record)
        if sock is None or record.endpoint is None:
            return None
        session = UDPSession(self, reply_socket, key, sock, record, record.endpoint)
        self._sessions[key] = session
        self._counts[host] += 1
        self._fresh[session] = None
        self._of_client.setdefault(host, OrderedDict())[session] = None
        resources.count(session.endpoint, 1)
        session.start(self._reactor, resources.deadlines, resources.limits.udp_idle_timeout)
        return session

    def _has_room(self, host: str) -> bool:
        """:return: whether there may be one more session, perhaps because another gave way."""
        if self._counts[host] >= self.most_of_client:
            return self._make_room(self._of_client.get(host), CLIENT_LIMIT)
        if len(self._sessions) >= self.most:
            return self._make_room(self._fresh, FULL)
        return True

    def _make_room(self, fresh: OrderedDict[UDPSession, None] | None, reason: str) -> bool:
        if not fresh:
            self._resources.udp[reason] += 1
            return False
        self._resources.udp[GAVE_WAY] += 1
        self.ended(next(iter(fresh)), RelayOutcome.CUT, "The session gave way to a new one.")
        return True

    def _connect(self, record: RelayRecord) -> socket.socket | None:
        """:return: a socket that is connected to the endpoint, which the record then names."""
        resources = self._resources
        upstream = resources.upstream(record.upstream)
        tried: list[Endpoint] = []
        while upstream is not None:
            endpoint = resources.pick(upstream, tried, record.began_at)
            if endpoint is None:
                break
            tried.append(endpoint)
            address = socket_address(endpoint)
            if address is None:
                continue
            record.endpoint, record.tries = endpoint, len(tried)
            now = resources.deadlines.now()
            health = resources.balancer.health
            if health.failing:
                health.attempt_began((record.upstream, endpoint, None), now)
            try:
                return self._socket_to(address)
            except OSError as error:
                if error.errno in OURS:
                    resources.udp[NO_SOCKET] += 1
                    return None
                health.failed((record.upstream, endpoint, None), now)
        resources.udp[NO_ENDPOINT] += 1
        return None

    # SessionOwner.

    def replied(self, session: UDPSession) -> None:
        """SessionOwner: the endpoint is alive."""
        health = self._resources.balancer.health
        if health.failing:
            key, began_at = self._health_key(session), session.record.began_at
            health.answered(key, began_at)
            health.succeeded(key, began_at)

    def dropped(self) -> None:
        """SessionOwner: the system did not take a datagram for an endpoint."""
        self._resources.udp[UNSENT] += 1

    def refused(self, session: UDPSession) -> None:
        """SessionOwner: nothing listens there. The client's next datagram asks another endpoint."""
        health = self._resources.balancer.health
        health.failed(self._health_key(session), session.record.began_at)
        detail = "Nothing listens at the port of the endpoint."
        outcome = RelayOutcome.ENDPOINT_BROKE if session.has_reply else RelayOutcome.DIAL_FAILED
        self.ended(session, outcome, detail)

    def ended(self, session: UDPSession, outcome: RelayOutcome, detail: str) -> None:
        """SessionOwner."""
        if self._sessions.get(session.key) is not session:
            # It is over; its client may have another one.
            return
        del self._sessions[session.key]
        resources, record = self._resources, session.record
        host = record.client_address
        self._counts[host] -= 1
        if not self._counts[host]:
            del self._counts[host]
        if not session.is_confirmed:
            self._forget_fresh(session)
        resources.count(session.endpoint, -1)
        session.stop(resources.deadlines)
        record.outcome, record.detail = outcome, detail
        record.duration = resources.deadlines.now() - record.began_at
        resources.recorder.relay_ended(record)

    def _forget_fresh(self, session: UDPSession) -> None:
        host = session.record.client_address
        del self._fresh[session]
        own = self._of_client[host]
        del own[session]
        if not own:
            del self._of_client[host]

    def _health_key(self, session: UDPSession) -> tuple[UpstreamKey, Endpoint, None]:
        return session.record.upstream, session.endpoint, None

    # Changes.

    def published(self) -> None:
        """
        End the sessions whose port leads elsewhere by now, or whose endpoint is gone.

        A client that goes on sending would keep such a session for ever.
        """
        snapshot = self._resources.snapshot
        if snapshot is None:
            return
        before, self._seen = self._seen, snapshot
        if (
            before is not None
            and before.ports is snapshot.ports
            and before.upstreams is snapshot.upstreams
        ):
            return
        leads_on: dict[object, bool] = {}
        gone: list[UDPSession] = []
        for session in self._sessions.values():
            place = (session.key.port, session.record.upstream, session.endpoint)
            if place not in leads_on:
                leads_on[place] = self._leads_on(session)
            if not leads_on[place]:
                gone.append(session)
        self._end_some(gone)

    def _end_some(self, gone: list[UDPSession]) -> None:
        """End sessions, in turns between which requests are served."""
        for session in gone[-ENDED_AT_ONCE:]:
            self.ended(session, RelayOutcome.OK, "The endpoint is gone.")
        del gone[-ENDED_AT_ONCE:]
        if gone:
            self._resources.deadlines.clock.callLater(0, self._end_some, gone)

    def _leads_on(self, session: UDPSession) -> bool:
        resources, key = self._resources, session.record.upstream
        service, upstream = resources.service(session.key.port), resources.upstream(key)
        if service is None or service.upstream != key or upstream is None:
            return False
        return session.endpoint in upstream.endpoints or session.endpoint in upstream.lingering

    def end_all(self, ports: Iterable[PortKey] | None = None) -> None:
        """
        End sessions at once.

        :param ports: those of which ports; None for all.
        """
        of = frozenset(ports) if ports is not None else None
        for session in tuple(self._sessions.values()):
            if of is None or session.key.port in of:
                self.ended(session, RelayOutcome.CUT, "The port was closed.")


def socket_address(endpoint: Endpoint) -> tuple[str, int] | None:
    """
    :return: the address of an endpoint; None for a name other than localhost: a session cannot
        wait for the answer of a name server.
    """
    host = "127.0.0.1" if endpoint.host.lower() == "localhost" else endpoint.host
    return (host, endpoint.port) if pack_plain_address(host) is not None else None


def _connected(address: tuple[str, int]) -> socket.socket:
    """:raises OSError: if the system refuses."""
    made = socket.socket(family_of(address[0]), socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.connect(address)
    except OSError:
        made.close()
        raise
    return made
