"""
A transport whose data is only passed on: it is read into one buffer that all such transports share.

Transports hand each read to their protocol as an object of its own. For what goes straight to
another transport, making and freeing these objects costs more than the system calls do. Here only
what the other socket does not take at once is copied.
"""

from __future__ import annotations

from typing import Any, Final

from mypy_extensions import mypyc_attr, trait
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST

from ingress.transports.socket_transport import SocketTransport
from ingress.transports.stream import TransportOwner

LARGEST_VIEW: Final = 256 * 1024
"""Bytes of the buffer: what is read at once costs one turn of the reactor, whatever its size."""

_buffer: Final[Any] = memoryview(bytearray(LARGEST_VIEW))
"""Holds what one read has brought, until the read is dealt with."""


@trait
@mypyc_attr(allow_interpreted_subclasses=True)
class ViewReceiver:
    """
    A protocol that takes views.

    :ivar read_size: the bytes to read at most at once, up to `LARGEST_VIEW`.
    """

    read_size: int

    def view_received(self, view: Any) -> None:
        """
        Take data that is gone when this method returns.

        :param view: a memoryview of at most `read_size` bytes.
        """
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class ViewTransport(SocketTransport):
    """A plain transport that can pass on views of the buffer."""

    def __init__(
        self, sock: Any, reactor: Any, peer: Any, owner: TransportOwner | None = None
    ) -> None:
        super().__init__(sock, reactor, peer, owner)
        self._receiver: ViewReceiver | None = None

    def pass_views_to(self, receiver: ViewReceiver) -> None:
        """Give what is read from now on to `receiver`, in place of the protocol."""
        self._receiver = receiver

    def doRead(self) -> Any:
        """Pass the socket's data on (`IReadDescriptor`)."""
        receiver = self._receiver
        if receiver is None:
            return super().doRead()
        try:
            count: int = self.socket.recv_into(_buffer, receiver.read_size)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not count:
            return CONNECTION_LOST if self._is_broken else CONNECTION_DONE
        receiver.view_received(_buffer[:count])
        return None

    def write_view(self, view: Any) -> bool:
        """
        Send what the socket accepts, and keep a copy of the rest.

        :param view: a memoryview, which is not empty.
        :return: whether the socket has accepted everything.
        """
        if self.unsent or not self._sends_at_once:
            self.write(bytes(view))
            return False
        sent = self._send(view, 0)
        if sent == len(view):
            return True
        # The reactor will find an error.
        self._keep(bytes(view), sent if sent > 0 else 0)
        return False

    def connectionLost(self, reason: Any) -> None:
        """SocketDescriptor."""
        self._receiver = None
        super().connectionLost(reason)
