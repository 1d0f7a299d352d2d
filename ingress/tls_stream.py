"""
Transports that run OpenSSL on the socket itself: the part that both sides share.

Twisted's TLS is a protocol around a protocol: every byte passes through two
memory BIOs, and every record through several Python calls. Here OpenSSL reads
and writes the socket, in the same places where a plain transport does, so that
a record costs one call (docs/adr/0003-transports.md has the numbers).

OpenSSL may need to write while it reads, and to read while it writes. The blocked
direction waits: see `_wait_for_write` and `_write_waits_for_read`.
"""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure

from ingress.openssl import RECORD_SIZE, clear_errors
from ingress.transport import ImmediateSend

RECORDS_PER_READ = 4
"""Records read in one readable event (64 KiB), so that an upload does not starve others."""


class TLSStream(ImmediateSend):
    """
    A mixin, placed before a plain transport, that adds TLS.

    A subclass sets ``_tls`` before the handshake, and continues after it in
    `_handshake_done`.

    The protocol sees a connection end with `ConnectionDone` if the peer sent close_notify,
    and with `ConnectionLost` if it did not, or broke the protocol.
    """

    has_shaken_hands = False
    """Whether the handshake is done."""

    negotiated_protocol: bytes | None = None
    """The protocol negotiated by ALPN; None before the handshake, or if there is none."""

    _tls: SSL.Connection
    _failed = False
    """Whether OpenSSL has failed on this connection; it must not be called again."""

    _said_goodbye = False
    _reading = False
    """Whether the protocol reads; the reactor watches the socket unless `_read_waits_for_write`."""

    _read_waits_for_write = False
    _write_waits_for_read = False

    def startReading(self) -> None:
        self._reading = True
        if not self._read_waits_for_write:
            self.reactor.addReader(self)

    def stopReading(self) -> None:
        self._reading = False
        self.reactor.removeReader(self)

    def doRead(self) -> ConnectionDone | ConnectionLost | None:  # type: ignore[override]
        """Continue the handshake, or pass some records to the protocol (`IReadDescriptor`)."""
        if not self.has_shaken_hands:
            return self._shake_hands()
        if self._write_waits_for_read:
            self._write_waits_for_read = False
            self.startWriting()  # type: ignore[no-untyped-call]
        return self._read_records()

    def doWrite(self) -> ConnectionDone | ConnectionLost | None:  # type: ignore[override]
        """Continue the work that waited for the socket to become writable (`IWriteDescriptor`)."""
        if self._failed:
            return CONNECTION_LOST
        if self._read_waits_for_write:
            why = self._go_on_reading()
            if why or self.disconnected:
                return why
        if not self.has_shaken_hands:
            is_closing = self.disconnecting or self._writeDisconnecting
            return CONNECTION_DONE if is_closing else self._shake_hands()
        if self._write_waits_for_read:
            self.stopWriting()  # type: ignore[no-untyped-call]
            return None
        return super().doWrite()  # type: ignore[no-any-return, no-untyped-call]

    def _shake_hands(self) -> ConnectionLost | None:
        """Take one step of the handshake; `_handshake_done` follows the last one."""
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            self.stopWriting()  # type: ignore[no-untyped-call]
            return None
        except SSL.WantWriteError:
            self._wait_for_write()
            return None
        except SSL.Error as error:
            return self._fail(error)
        self.has_shaken_hands = True
        self.negotiated_protocol = self._tls.get_alpn_proto_negotiated() or None
        return self._handshake_done()

    def _handshake_done(self) -> ConnectionLost | None:
        """Begin to carry data; return a reason to refuse the connection instead."""
        raise NotImplementedError

    def _read_records(self) -> ConnectionDone | ConnectionLost | None:
        for _ in range(RECORDS_PER_READ):
            try:
                # A read of a whole record leaves nothing inside OpenSSL: unread data is in
                # the socket, where the reactor sees it.
                data = self._tls.recv(RECORD_SIZE)
            except SSL.WantReadError:
                return None
            except SSL.WantWriteError:
                self._wait_for_write()
                return None
            except SSL.ZeroReturnError:
                return CONNECTION_DONE
            except SSL.Error as error:
                return self._fail(error)
            self.protocol.dataReceived(data)
            # Another record is likely only after a full one.
            if len(data) < RECORD_SIZE or not self._reading:
                return None
        return None

    def writeSomeData(self, data: bytes | memoryview) -> int | ConnectionLost:
        """Send data; return the number of bytes sent in records, perhaps 0 (`FileDescriptor`)."""
        if self._failed:
            return CONNECTION_LOST
        sent = 0
        if not self.has_shaken_hands or self._write_waits_for_read:
            return sent
        try:
            while sent < len(data):
                # One record each: the contexts enable partial writes.
                sent += self._tls.send(memoryview(data)[sent:] if sent else data)
        except SSL.WantWriteError:
            pass
        except SSL.WantReadError:
            self._write_waits_for_read = True
        except SSL.Error as error:
            return self._fail(error)
        return sent

    def _wait_for_write(self) -> None:
        # Do not read meanwhile: a peer that sends but never reads would keep us busy.
        self._read_waits_for_write = True
        self.reactor.removeReader(self)
        self.startWriting()  # type: ignore[no-untyped-call]

    def _go_on_reading(self) -> ConnectionDone | ConnectionLost | None:
        self._read_waits_for_write = False
        if not self._reading:
            return None
        self.reactor.addReader(self)
        # Repeat the read even if nothing has arrived: it makes OpenSSL write what it must.
        return self._read_records() if self.has_shaken_hands else None

    # Endings.

    def _postLoseConnection(self) -> ConnectionDone | None:
        # RFC 8446 section 6.1 does not require us to wait for the peer's close_notify.
        return CONNECTION_DONE if self._say_goodbye() else None

    def _closeWriteConnection(self) -> None:
        if self._say_goodbye():
            super()._closeWriteConnection()
        else:
            # doWrite calls this again if the write side is not closed yet.
            self._writeDisconnected = False

    def _say_goodbye(self) -> bool:
        """Send close_notify once; return False if this must wait until the socket is writable."""
        if self._said_goodbye or self._failed or not self.has_shaken_hands:
            return True
        try:
            self._tls.shutdown()
        except SSL.WantWriteError:
            self.startWriting()  # type: ignore[no-untyped-call]
            return False
        except SSL.Error as error:
            self._fail(error)
        self._said_goodbye = True
        return True

    def connectionLost(self, reason: Failure) -> None:
        """Release OpenSSL's data for the connection, which is gone (`IReadDescriptor`)."""
        if not self.connected:
            return
        if reason.check(ConnectionDone):
            self._say_goodbye()
        super().connectionLost(reason)
        del self._tls

    def _fail(self, error: SSL.Error) -> ConnectionLost:
        """Return a fault of this connection without logging it: any peer could repeat it."""
        self._failed = True
        clear_errors()
        return CONNECTION_LOST
