"""
The TCP transports of relays: what is read into one buffer goes straight to the other side.

Transports hand each read to their protocol as an object of its own. For what is only passed on,
making and freeing these objects costs more than the system calls do. Here all relays of a process
read into the same buffer, and only what the other socket does not take at once is copied.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConnector
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import ClientFactory

from ingress.relay.relay import LARGE_READ
from ingress.transport import (
    ImmediateClient,
    ImmediateConnector,
    ImmediateSend,
    ImmediateServer,
    with_own_code,
)

_BUFFER = memoryview(bytearray(LARGE_READ))
"""Holds what one read has brought, until the read is dealt with."""


class ViewReceiver(Protocol):
    """A `RelaySide`."""

    read_size: int

    def view_received(self, view: memoryview) -> None: ...


class ViewTransport(ImmediateSend):
    """A mixin for transports that can pass on views of the buffer."""

    _receiver: ViewReceiver | None = None

    def pass_views_to(self, receiver: ViewReceiver) -> None:
        """Give what is read from now on to `receiver`, in place of the protocol."""
        self._receiver = receiver

    def doRead(self) -> ConnectionDone | ConnectionLost | None:  # type: ignore[override]
        """Pass the socket's data on (`IReadDescriptor`)."""
        receiver = self._receiver
        if receiver is None:
            return super().doRead()
        try:
            count = self.socket.recv_into(_BUFFER, receiver.read_size)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not count:
            return CONNECTION_DONE
        receiver.view_received(_BUFFER[:count])
        return None

    def write_view(self, view: memoryview) -> bool:
        """
        Send what the socket accepts, and buffer a copy of the rest.

        :return: whether the socket has accepted everything.
        """
        if self.dataBuffer or self._tempDataLen or self.disconnecting or not self.connected:
            self.write(bytes(view))
            return False
        sent = self.writeSomeData(view)
        if sent == len(view):
            return True
        self._keep(bytes(view[sent if isinstance(sent, int) else 0 :]), 0)
        return False


@with_own_code
class RelayServer(ViewTransport, ImmediateServer):
    """An accepted connection of a client."""


@with_own_code
class RelayClient(ViewTransport, ImmediateClient):
    """A connection to an endpoint."""


class _RelayConnector(ImmediateConnector):
    """The connector of a `RelayClient`."""

    def _makeTransport(self) -> RelayClient:
        return RelayClient(self.host, self.port, self.bindAddress, self, self.reactor)


def connect_relay(
    reactor: Any, host: str, port: int, factory: ClientFactory[Any], timeout: float
) -> IConnector:
    """Connect like `ingress.transport.connect_tcp`, with a `RelayClient` as transport."""
    connector = _RelayConnector(host, port, factory, timeout, None, reactor)
    connector.connect()
    return connector
