"""
Serving without sockets: one request goes through the whole data plane, and what happens is kept.

An explanation that is made of it cannot differ from what is served.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConnector
from twisted.internet.protocol import ClientFactory
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ingress.client_session import ClientSession
from ingress.deadline import Deadlines
from ingress.downstream.http1 import HTTP1Downstream
from ingress.endpoint import Endpoint
from ingress.exchange.client import Client
from ingress.exchange.mirrored_call import Mirrors
from ingress.exchange.policy_journal import PolicyJournal
from ingress.explain.dry_endpoint import answer_dry
from ingress.explain.memory_transport import MemoryTransport
from ingress.policy.backend_tls import BackendTLS
from ingress.policy.policy import Policy
from ingress.policy.subrequest import Asking, Subrequest, Subresponse
from ingress.routing.match import find_client_trust
from ingress.routing.snapshot import Snapshot
from ingress.serving.data_plane import DataPlane
from ingress.telemetry.record import ExchangeRecord, RecordReceiver
from ingress.upstream.registry import EndpointRegistry


@dataclass
class PolicyDecision:
    """The decision of one policy."""

    policy: Policy
    decision: object = None
    """An Answer, a Proceed, or None if it lets the request pass."""

    is_open: bool = False
    """Whether it depends on something outside, such as an authentication server."""

    is_assumed: bool = False
    """Whether it was taken to let the request pass."""


@dataclass
class DryExchange:
    """All that has happened to one request."""

    decisions: list[PolicyDecision] = field(default_factory=list)
    """Of the policies of the phases access, request and error, in their order."""

    records: list[ExchangeRecord] = field(default_factory=list)
    """The record of the exchange; empty while a policy has not decided."""

    endpoint: Endpoint | None = None
    """The first endpoint to be asked; None if none is."""

    tls: BackendTLS | None = None
    """The settings of TLS with the endpoint."""

    upstream_head: bytes = b""
    """The head that the endpoint would get, as HTTP/1.1 has it; empty if none is asked."""

    is_http2: bool = False
    """Whether the endpoint is asked in HTTP/2."""

    answer: bytes = b""
    """The answer of the proxy's own, or its form of a plain 200 without a body."""

    @property
    def waiting_for(self) -> Policy | None:
        """The policy that has not decided."""
        return next((each.policy for each in self.decisions if each.is_open), None)


class _Journal(PolicyJournal):
    def __init__(self, kept: DryExchange, assumed: Collection[Policy]) -> None:
        self._kept = kept
        self._assumed = assumed

    def skips(self, policy: Policy) -> bool:
        is_assumed = policy in self._assumed
        if is_assumed:
            self._kept.decisions.append(PolicyDecision(policy, is_assumed=True))
        return is_assumed

    def decided(self, policy: Policy, decision: object) -> None:
        for known in self._kept.decisions:
            if known.policy is policy and known.is_open:
                known.is_open, known.decision = False, decision
                return
        self._kept.decisions.append(PolicyDecision(policy, decision))

    def waits(self, policy: Policy) -> None:
        self._kept.decisions.append(PolicyDecision(policy, is_open=True))


class _Recorder(RecordReceiver):
    """Keeps the record of an exchange, and counts and logs nothing."""

    def __init__(self, kept: DryExchange) -> None:
        self._kept = kept

    def record(self, record: ExchangeRecord) -> None:
        self._kept.records.append(record)


class _Dials:
    """Connections to endpoints that are wanted; none is made."""

    def __init__(self, kept: DryExchange) -> None:
        self._kept = kept
        self.factory: ClientFactory | None = None

    def plain(self, host: str, port: int, factory: ClientFactory, timeout: float) -> IConnector:
        """A `Dialer`."""
        if self._kept.endpoint is None:
            self._kept.endpoint, self.factory = Endpoint(host, port), factory
        return _NoConnector()  # type: ignore[return-value]

    def over_tls(self, endpoint: Endpoint, tls: BackendTLS) -> Any:
        """`TLSDialers`."""

        def dial(host: str, port: int, factory: ClientFactory, timeout: float) -> IConnector:
            if self._kept.endpoint is None:
                self._kept.tls = tls
            return self.plain(host, port, factory, timeout)

        return dial


class _SilentAsker:
    """Sends no request of a policy: what a server would answer is not known."""

    def ask(self, asking: Asking, snapshot: Any, subrequest: Subrequest) -> Deferred[Subresponse]:
        """Asker."""
        return Deferred()


class _Reactor(Clock):
    """A clock that stands still, and threads that are done at once."""

    def getThreadPool(self) -> _Reactor:
        """IReactorThreads."""
        return self

    def callInThreadWithCallback(
        self,
        done: Callable[[bool, object], None],
        function: Callable[..., object],
        *a: Any,
        **k: Any,
    ) -> None:
        """IThreadPool: the function is called here and now."""
        try:
            result = function(*a, **k)
        except Exception:
            done(False, Failure())
        else:
            done(True, result)

    def callFromThread(self, function: Callable[..., object], *a: Any, **k: Any) -> None:
        """IReactorFromThreads."""
        function(*a, **k)


class _NoConnector:
    def disconnect(self) -> None:
        """IConnector: there is no connection."""

    stopConnecting = disconnect


def serve_dry(
    snapshot: Snapshot,
    data: bytes,
    *,
    client: Client | None = None,
    seed: int = 0,
    now: float = 0.0,
    assumed: Collection[Policy] = (),
) -> DryExchange:
    """
    Serve one request without sockets, by a data plane of its own in which nothing has happened yet.

    :param data: the request, head and body.
    :param client: the client of the connection; None for one of this machine, over http.
    :param seed: of the choices that are left to chance, such as the share of a canary.
    :param now: seconds since the epoch.
    :param assumed: policies that are taken to let the request pass.
    """
    kept, clock = DryExchange(), _Reactor()
    clock.rightNow = now
    deadlines, dials = Deadlines(clock), _Dials(kept)
    plane = DataPlane(
        EndpointRegistry(dials.plain, dials.over_tls, deadlines),
        deadlines,
        Random(seed),  # noqa: S311 (nothing of it is secret)
        wall_clock=clock.seconds,
        process=0,
    )
    plane.exchanges.recorder = _Recorder(kept)
    plane.publish(snapshot)
    plane.exchanges.asker = _SilentAsker()
    # A copy is for nobody's answer, and its server is not the endpoint.
    plane.exchanges.mirrors = Mirrors()
    plane.exchanges.policy_journal = _Journal(kept, assumed)
    protocol = HTTP1Downstream(
        plane.clients, plane.exchanges, client or Client("127.0.0.1", is_secure=False)
    )
    transport = MemoryTransport()
    transport.connect(protocol)
    protocol.dataReceived(data)
    if dials.factory is not None:
        request = answer_dry(dials.factory, kept.tls, clock)
        kept.upstream_head, kept.is_http2 = request.head, request.is_http2
    kept.answer = bytes(transport.written)
    return kept


def serve_assumed(
    snapshot: Snapshot, data: bytes, client: Client, *, seed: int = 0, now: float = 0.0
) -> tuple[DryExchange, list[Policy]]:
    """
    Serve one request as `serve_dry` does; what something outside decides is taken to let it pass.

    :return: what happened, and the policies that something outside decides.
    """
    assumed: list[Policy] = []
    while True:
        dry = serve_dry(snapshot, data, client=client, seed=seed, now=now, assumed=assumed)
        waiting = dry.waiting_for
        if waiting is None or waiting in assumed:
            return dry, assumed
        assumed.append(waiting)


def client_of(snapshot: Snapshot, address: str, server_name: str, *, is_secure: bool) -> Client:
    """Make the client of a connection, which shows no certificate where it is asked for one."""
    client = Client(address, is_secure=is_secure)
    if is_secure:
        trust = find_client_trust(snapshot, server_name)
        client.session = None if trust is None else ClientSession(trust, None, {})
    return client
