"""
A transport that runs OpenSSL on the socket itself.

Twisted's TLS is a protocol around a protocol: every byte passes through two memory BIOs, and every
record through several Python calls. Here OpenSSL reads and writes the socket, in the same places
where the plain transport does, so that a record costs one call (docs/adr/0003-transports.md has
the numbers).

OpenSSL may need to write while it reads, and to read while it writes. The blocked direction waits:
see `_wait_for_write` and `_write_waits_for_read`.
"""

from __future__ import annotations

from typing import Any, Final

from mypy_extensions import mypyc_attr
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure

from ingress.transports.socket_transport import SocketTransport
from ingress.transports.stream import StreamProtocol, TransportOwner
from ingress.transports.tls_channel import RECORD_SIZE, TLSChannel, TLSSide, clear_errors

RECORDS_PER_READ: Final = 4
"""Records read in one readable event (64 KiB), so that an upload does not starve others."""


@mypyc_attr(allow_interpreted_subclasses=True)
class TLSTransport(SocketTransport):
    """
    A connection over TLS.

    A protocol that is given to `start` before the handshake, as on the side of a server, is
    connected before it, so that its own limits of time cover the handshake. What it writes before
    the end is sent after it. Then it is told (`IHandshakeListener`). If there is no protocol by the
    end, the owner is told (`TransportOwner.transport_ready`).

    The protocol sees a connection end with `ConnectionDone` if the peer sent close_notify, and with
    `ConnectionLost` if it did not, or broke the protocol.

    :param side: our part in the handshake.
    :ivar channel: None if the connection is over, or could not begin.
    :ivar fault: why the handshake failed; empty if it did not.
    """

    def __init__(
        self,
        side: TLSSide,
        sock: Any,
        reactor: Any,
        peer: Any,
        owner: TransportOwner | None = None,
    ) -> None:
        super().__init__(sock, reactor, peer, owner)
        self.has_shaken_hands = False
        self.fault = ""
        self._side = side
        self.channel: TLSChannel | None = None
        self._failed = False
        """Whether OpenSSL has failed on this connection; it must not be called again."""

        self._said_goodbye = False
        self._reads = False
        """Whether the protocol reads; the reactor watches for it unless another wait is first."""

        self._read_waits_for_write = False
        self._write_waits_for_read = False
        try:
            self.channel = side.open_channel(sock)
        except SSL.Error as error:
            self._fail(error)

    def begin(self) -> None:
        """SocketTransport: take the first step of the handshake, without a protocol."""
        self.startReading()
        why = CONNECTION_LOST if self._failed else self._shake_hands()
        if why is not None:
            self.connectionLost(Failure(why))

    def startReading(self) -> None:
        """SocketDescriptor."""
        self._reads = True
        if not self._read_waits_for_write:
            super().startReading()

    def stopReading(self) -> None:
        """SocketDescriptor."""
        self._reads = False
        super().stopReading()

    def doRead(self) -> Any:
        """Continue the handshake, or pass some records to the protocol (`IReadDescriptor`)."""
        if not self.has_shaken_hands:
            return self._shake_hands()
        if self._write_waits_for_read:
            self._write_waits_for_read = False
            self.startWriting()
        return self._read_records()

    def doWrite(self) -> Any:
        """Continue the work that waited for the socket to become writable (`IWriteDescriptor`)."""
        if self._failed:
            return CONNECTION_LOST
        if self._read_waits_for_write:
            why = self._go_on_reading()
            if why is not None or not self.connected:
                return why
        if not self.has_shaken_hands:
            is_closing = self.disconnecting or self._is_half_closing
            return CONNECTION_DONE if is_closing else self._shake_hands()
        if self._write_waits_for_read:
            self.stopWriting()
            return None
        return super().doWrite()

    def _shake_hands(self) -> Any:
        """Take one step of the handshake; return a reason if the connection is over."""
        channel = self.channel
        if channel is None:
            return CONNECTION_LOST
        try:
            channel.shake_hands()
        except SSL.WantReadError:
            self.stopWriting()
            return None
        except SSL.WantWriteError:
            self._wait_for_write()
            return None
        except SSL.Error as error:
            return self._fail(error)
        self.negotiated_protocol = channel.negotiated_protocol()
        try:
            self._side.accept(channel)
        except SSL.Error as error:
            return self._fail(error)
        self.has_shaken_hands = True
        if self.unsent or self.disconnecting or self._is_half_closing:
            self.startWriting()
        else:
            self.stopWriting()
        if self.protocol is None:
            if self.owner is not None:
                self.owner.transport_ready(self)
        elif IHandshakeListener.providedBy(self.protocol):
            self.protocol.handshakeCompleted()
        return None

    def _read_records(self) -> Any:
        channel = self.channel
        if channel is None:
            return CONNECTION_LOST
        for _ in range(RECORDS_PER_READ):
            try:
                # A read of a whole record leaves nothing inside OpenSSL: unread data is in
                # the socket, where the reactor sees it.
                data = channel.read()
            except SSL.WantReadError:
                return None
            except SSL.WantWriteError:
                self._wait_for_write()
                return None
            except SSL.ZeroReturnError:
                return CONNECTION_DONE
            except SSL.Error as error:
                return self._fail(error)
            protocol = self.protocol
            # As in `SocketTransport.doRead`: the first one is a native call.
            if isinstance(protocol, StreamProtocol):
                protocol.dataReceived(data)
            else:
                protocol.dataReceived(data)
            # Another record is likely only after a full one.
            if len(data) < RECORD_SIZE or not self._reads:
                return None
        return None

    def _send(self, data: Any, start: int) -> int:
        """SocketTransport."""
        channel = self.channel
        if self._failed or channel is None:
            return -1
        sent = 0
        if not self.has_shaken_hands or self._write_waits_for_read:
            return sent
        end = len(data) - start
        try:
            while sent < end:
                sent += channel.write(data, start + sent)
        except SSL.WantWriteError:
            pass
        except SSL.WantReadError:
            self._write_waits_for_read = True
        except SSL.Error as error:
            self._fail(error)
            return -1
        return sent

    def _wait_for_write(self) -> None:
        # Do not read meanwhile: a peer that sends but never reads would keep us busy.
        self._read_waits_for_write = True
        super().stopReading()
        self.startWriting()

    def _go_on_reading(self) -> Any:
        self._read_waits_for_write = False
        if not self._reads:
            return None
        super().startReading()
        # Repeat the read even if nothing has arrived: it makes OpenSSL write what it must.
        return self._read_records() if self.has_shaken_hands else None

    # Endings.

    def turn_ended(self) -> None:
        """TurnUser."""
        if self.connected and not self.has_shaken_hands and not self._failed:
            # Nothing was sent, and nobody waits for an end of it.
            if not self._is_aborting:
                self.connectionLost(Failure(CONNECTION_DONE))
            return
        super().turn_ended()

    def _end(self) -> Any:
        # RFC 8446 section 6.1 does not require us to wait for the peer's close_notify.
        return CONNECTION_DONE if self._say_goodbye() else None

    def _end_our_side(self) -> None:
        if self._say_goodbye():
            super()._end_our_side()

    def _say_goodbye(self) -> bool:
        """Send close_notify once; return False if this must wait until the socket is writable."""
        channel = self.channel
        if channel is None or self._said_goodbye or self._failed or not self.has_shaken_hands:
            return True
        try:
            channel.say_goodbye()
        except SSL.WantWriteError:
            self.startWriting()
            return False
        except SSL.Error as error:
            self._fail(error)
        self._said_goodbye = True
        return True

    def connectionLost(self, reason: Failure) -> None:
        """Release OpenSSL's data for the connection, which is gone (`IReadDescriptor`)."""
        if not self.connected:
            return
        if isinstance(reason.value, ConnectionDone):
            self._say_goodbye()
        channel = self.channel
        super().connectionLost(reason)
        self.channel = None
        if channel is not None and self.has_shaken_hands:
            self._side.ended(channel)

    def _fail(self, error: Any) -> Any:
        """Return a fault of this connection without logging it: any peer could repeat it."""
        self._failed = True
        if not self.has_shaken_hands:
            self.fault = self._side.failed(self.channel, error)
        clear_errors()
        return CONNECTION_LOST
