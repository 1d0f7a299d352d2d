"""
Making connections to endpoints, and the reasons why one could not be made.
"""

from __future__ import annotations

import errno
from typing import Final, Protocol

from twisted.internet.error import (
    ConnectionLost,
    ConnectionRefusedError,
    NoRouteError,
    TCPTimedOutError,
    TimeoutError,
)
from twisted.internet.interfaces import IConnector
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from ingress.errors import DialFailed, DialTimeout, NoDescriptor
from ingress.transports.connector import HandshakeFailed

OURS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Faults of this system, for which no endpoint is to blame."""


class Dialer(Protocol):
    """
    Starts a connection to an address, as `IReactorTCP.connectTCP` does: the factory gets the
    result, good or bad, after the call has returned. The timeout is in seconds.
    """

    def __call__(
        self, host: str, port: int, factory: ClientFactory, timeout: float
    ) -> IConnector: ...


def dial_error(reason: Failure) -> DialFailed:
    """
    Translate the reactor's reason why there is no connection.

    :return: an error for the client and the log, without anything that a peer sent.
    """
    error = reason.value
    if isinstance(error, (TimeoutError, TCPTimedOutError)):
        return DialTimeout("The endpoint did not accept the connection in time.")
    if isinstance(error, HandshakeFailed):
        return DialFailed("The TLS handshake with the endpoint failed.")
    if isinstance(error, ConnectionRefusedError):
        return DialFailed("The endpoint refused the connection.")
    number = getattr(error, "osError", None)
    if number in OURS:
        return NoDescriptor("The proxy has no descriptor or memory left for a connection.")
    if isinstance(error, NoRouteError) or number == errno.EHOSTUNREACH:
        return DialFailed("The endpoint is unreachable: there is no route to its address.")
    if isinstance(error, ConnectionLost) or number == errno.ECONNRESET:
        return DialFailed("The endpoint reset the connection.")
    return DialFailed("No connection to the endpoint can be made.")
