"""
Client transports that run OpenSSL on the socket itself.

A connector regards a connection as made when the handshake is done and the endpoint is the wanted
one. Until then there is no protocol, the time for connecting runs, and every error is a failed
attempt to connect.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IConnector
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from ingress.endpoint import Endpoint
from ingress.policy.backend_tls import BackendTLS
from ingress.tls_stream import TLSStream
from ingress.transport import ImmediateClient, ImmediateConnector, with_own_code
from ingress.upstream.dialer import Dialer, HandshakeFailed
from ingress.upstream.tls import ClientContexts, EndpointTLS


@with_own_code
class TLSClient(TLSStream, ImmediateClient):
    """
    A TLS connection that we make; `connect_tls` makes these.

    :param endpoint_tls: opens it, and checks the identity of the endpoint.
    """

    _fault = ""
    """Why the handshake failed."""

    def __init__(self, endpoint_tls: EndpointTLS, *arguments: Any) -> None:
        # First of all: the attempt may fail before all else is done.
        self._endpoint_tls = endpoint_tls
        super().__init__(*arguments)

    def _connectDone(self) -> None:
        """TCP has connected (`tcp.BaseClient`): the handshake begins."""
        try:
            self._tls = self._endpoint_tls.open_connection(self.socket)
        except SSL.Error as error:
            why: ConnectionLost | None = self._fail(error)
        else:
            self.startReading()
            why = self._shake_hands()
        if why is not None:
            self.connectionLost(Failure(why))

    def _handshake_done(self) -> ConnectionLost | None:
        try:
            self._endpoint_tls.accept(self._tls)
        except SSL.Error as error:
            return self._fail(error)
        super()._connectDone()  # type: ignore[no-untyped-call]
        return None

    def _fail(self, error: SSL.Error) -> ConnectionLost:
        if not self.connected:
            connection: SSL.Connection | None = vars(self).get("_tls")
            self._fault = self._endpoint_tls.failed(connection, error)
        return super()._fail(error)

    def connectionLost(self, reason: Failure) -> None:
        """The connection is gone, or its handshake has failed (`IReadDescriptor`)."""
        if not self.connected:
            fault = self._fault or str(reason.value)
            self.failIfNotConnected(HandshakeFailed(string=fault))  # type: ignore[no-untyped-call]
            return
        tls = self._tls
        super().connectionLost(reason)
        self._endpoint_tls.ended(tls)


class _TLSConnector(ImmediateConnector):
    def __init__(self, endpoint_tls: EndpointTLS, *arguments: Any) -> None:
        self._endpoint_tls = endpoint_tls
        super().__init__(*arguments)

    def _makeTransport(self) -> TLSClient:
        return TLSClient(
            self._endpoint_tls, self.host, self.port, self.bindAddress, self, self.reactor
        )


def connect_tls(
    reactor: Any,
    endpoint_tls: EndpointTLS,
    host: str,
    port: int,
    factory: ClientFactory[Any],
    timeout: float,
) -> IConnector:
    """
    As `connect_tcp`, over TLS: the factory's protocol is connected when the
    handshake is done and the endpoint accepted, and else the attempt has failed.

    :param timeout: in seconds, for the name, the connection and the handshake together.
    """
    connector = _TLSConnector(endpoint_tls, host, port, factory, timeout, None, reactor)
    connector.connect()
    return connector


def tls_dialers(reactor: Any) -> Callable[[Endpoint, BackendTLS], Dialer]:
    """
    :param reactor: an `IReactorFDSet` that is an `IReactorTime` as well.
    :return: makes the `Dialer` of the pool for an endpoint and how it is spoken to.
    """
    contexts = ClientContexts()

    def dialer(endpoint: Endpoint, tls: BackendTLS) -> Dialer:
        return partial(connect_tls, reactor, EndpointTLS(contexts, tls, endpoint, reactor.seconds))

    return dialer
