"""
Transports that run OpenSSL on the socket itself: what both sides have in common.

Twisted's TLS is a protocol around a protocol: every byte passes through two
memory BIOs, and every record through several Python calls. Here OpenSSL reads
and writes the socket, in the same places where a plain transport does, so that
a record costs one call (docs/adr/0003-transports.md has the numbers).

OpenSSL may want to write while it reads and to read while it writes. Whoever is
in the way waits: see `_wait_for_write` and `_write_waits_for_read`.
"""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure

from ingress.openssl import RECORD_SIZE, clear_errors
from ingress.transport import ImmediateSend

RECORDS_PER_READ = 4
"""Records that one readable event may bring, so that an upload starves nobody: 64 KiB."""


class TLSStream(ImmediateSend):
    """
    Mixed in before a plain transport: the same over TLS.

    Who makes one sets ``_tls`` before the handshake, and says in `_handshake_done` what
    follows it.

    Ends as the protocol sees them: `ConnectionDone` where the peer said
    close_notify, `ConnectionLost` where it did not, or broke the protocol.
    """

    has_shaken_hands = False
    """Whether the handshake is done."""

    negotiated_protocol: bytes | None = None
    """What ALPN agreed on; None before the handshake, and if it agreed on nothing."""

    _tls: SSL.Connection
    _failed = False
    """OpenSSL has refused this connection; it must not be asked again."""

    _said_goodbye = False
    _reading = False
    """The protocol wants to read; the reactor watches the socket unless `_read_waits_for_write`."""

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
        """Go on with the handshake, or hand some records to the protocol (`IReadDescriptor`)."""
        if not self.has_shaken_hands:
            return self._shake_hands()
        if self._write_waits_for_read:
            self._write_waits_for_read = False
            self.startWriting()  # type: ignore[no-untyped-call]
        return self._read_records()

    def doWrite(self) -> ConnectionDone | ConnectionLost | None:  # type: ignore[override]
        """Go on with what waited for the socket to take more (`IWriteDescriptor`)."""
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
        """One step of the handshake; `_handshake_done` follows the last one."""
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
        """Let the peers talk; the reason if they shall not."""
        raise NotImplementedError

    def _read_records(self) -> ConnectionDone | ConnectionLost | None:
        for _ in range(RECORDS_PER_READ):
            try:
                # As much as a record holds leaves nothing inside OpenSSL: what has not
                # been read is in the socket, where the reactor sees it.
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
            # Only after a full record is it likely that there is another one.
            if len(data) < RECORD_SIZE or not self._reading:
                return None
        return None

    def writeSomeData(self, data: bytes | memoryview) -> int | ConnectionLost:
        """The number of bytes that went out in records, perhaps 0 (`FileDescriptor`)."""
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
        # Without reading meanwhile: who sends but never reads would keep us busy.
        self._read_waits_for_write = True
        self.reactor.removeReader(self)
        self.startWriting()  # type: ignore[no-untyped-call]

    def _go_on_reading(self) -> ConnectionDone | ConnectionLost | None:
        self._read_waits_for_write = False
        if not self._reading:
            return None
        self.reactor.addReader(self)
        # What OpenSSL has to write comes from its read, whether or not there is more to read.
        return self._read_records() if self.has_shaken_hands else None

    # Endings.

    def _postLoseConnection(self) -> ConnectionDone | None:
        # The peer's close_notify is not waited for: RFC 8446 section 6.1 does not ask for it.
        return CONNECTION_DONE if self._say_goodbye() else None

    def _closeWriteConnection(self) -> None:
        if self._say_goodbye():
            super()._closeWriteConnection()
        else:
            # doWrite comes here again if it finds that the writing is still to be ended.
            self._writeDisconnected = False

    def _say_goodbye(self) -> bool:
        """Send close_notify once; False if it has to wait until the socket is writable."""
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
        """The connection is gone (`IReadDescriptor`); so is then what OpenSSL kept for it."""
        if not self.connected:
            return
        if reason.check(ConnectionDone):
            self._say_goodbye()
        super().connectionLost(reason)
        del self._tls

    def _fail(self, error: SSL.Error) -> ConnectionLost:
        """A fault of this connection alone, without a line of the log: any peer could repeat it."""
        self._failed = True
        clear_errors()
        return CONNECTION_LOST
