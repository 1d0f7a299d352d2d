"""
One health check: a request on a connection of its own, of whose answer the status counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IConnector, IDelayedCall, IReactorTime
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

from ingress.endpoint import Endpoint
from ingress.policy.health_check import HealthCheck
from ingress.proxy_protocol import Version, make_header
from ingress.transports.connector import connect
from ingress.upstream.dialer import Dialer, dial_error
from ingress.upstream.tls import tls_dialers
from ingress.upstream_check import UpstreamCheck

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r?\n")
_MAX_LINE: Final = 1024
"""Bytes of a status line; no endpoint needs as many."""

_HEALTHY: Final = range(200, 400)
"""As for the probes of a kubelet."""

_INTERIM: Final = b"1"


class Probe(ClientFactory):
    """
    A check under way.

    :param dial: makes the connection.
    :param clock: ends what takes too long.
    :ivar done: fires with the reason why the endpoint is not healthy; empty if it is. Cancel it to
        give the check up.
    """

    noisy = False

    def __init__(
        self, dial: Dialer, clock: IReactorTime, endpoint: Endpoint, check: HealthCheck
    ) -> None:
        self.request = (
            f"GET {check.path} HTTP/1.1\r\n"
            f"Host: {endpoint}\r\n"
            "User-Agent: txingress-health-check\r\n"
            "Accept: */*\r\n"
            "Connection: close\r\n\r\n"
        ).encode("ascii")
        self.preface = b""
        if endpoint.proxy_protocol:
            self.preface = make_header(Version(endpoint.proxy_protocol), None)
        self.done: Deferred[str] = Deferred(lambda _: self._close())
        self._connection: _ProbeConnection | None = None
        self._timer: IDelayedCall | None = clock.callLater(check.timeout, self._too_slow)
        self._connector: IConnector | None = dial(
            endpoint.host, endpoint.port, self, timeout=check.timeout
        )

    def __repr__(self) -> str:
        return f"<Probe {self.request.partition(b' HTTP')[0]!r}>"

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """IProtocolFactory."""
        if self._timer is None:
            return None
        self._connection = _ProbeConnection(self)
        return self._connection

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """ClientFactory."""
        self.finish(str(dial_error(reason)))

    def _too_slow(self) -> None:
        self.finish("The endpoint did not answer in time.")

    def finish(self, reason: str) -> None:
        """End the check, unless it has ended before."""
        if self._timer is not None:
            self._close()
            self.done.callback(reason)

    def _close(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        connection, self._connection = self._connection, None
        connector, self._connector = self._connector, None
        if connection is not None and connection.transport is not None:
            connection.transport.abortConnection()  # type: ignore[attr-defined]
        elif connector is not None:
            connector.disconnect()


class _ProbeConnection(Protocol):
    """The connection of one check."""

    def __init__(self, probe: Probe) -> None:
        self._probe: Probe | None = probe
        self._received = b""

    def connectionMade(self) -> None:
        """IProtocol."""
        assert self.transport is not None
        assert self._probe is not None
        self.transport.write(self._probe.request)

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        self._received += data
        if b"\n" not in self._received:
            if len(self._received) > _MAX_LINE:
                self._finish("The endpoint does not speak HTTP.")
            return
        found = _STATUS_LINE.match(self._received)
        if found is None:
            self._finish("The endpoint does not speak HTTP.")
        elif int(found[1]) in _HEALTHY:
            self._finish("")
        elif found[1].startswith(_INTERIM):
            # The final answer follows the empty line.
            _, mark, rest = self._received.partition(b"\r\n\r\n")
            if mark:
                self._received = b""
                if rest:
                    self.dataReceived(rest)
            elif len(self._received) > _MAX_LINE:
                self._finish("The endpoint does not speak HTTP.")
        else:
            self._finish(f"The endpoint answers {int(found[1])}.")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """IProtocol."""
        self._finish("The endpoint ended the connection without an answer.")

    def _finish(self, reason: str) -> None:
        probe, self._probe = self._probe, None
        if probe is not None:
            probe.finish(reason)


def asking(reactor: Any) -> Callable[[Endpoint, UpstreamCheck], Deferred[str]]:
    """
    :param reactor: makes the connections.
    :return: a function that makes one check.
    """
    dialers, dial = tls_dialers(reactor), partial(connect, reactor)

    def ask(endpoint: Endpoint, target: UpstreamCheck) -> Deferred[str]:
        chosen = dial if target.tls is None else dialers(endpoint, target.tls)
        return Probe(chosen, reactor, endpoint, target.check).done

    return ask
