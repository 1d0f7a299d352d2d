"""
The calls that pyOpenSSL does not offer, and our TLS against OpenSSL's own client.

``openssl s_client`` can do what Python's `ssl` cannot: renew the keys of TLS 1.3,
ask for a renegotiation, and keep a session in a file.
"""

from __future__ import annotations

import shutil
from functools import partial
from typing import Any, cast

from OpenSSL import SSL
from OpenSSL._util import lib
from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.error import ProcessDone
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, ProcessProtocol, Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from ingress.client_session import ClientTrust
from ingress.downstream.tls import TLSContexts
from ingress.openssl import (
    limit_groups,
    read_revocations,
    set_session_context,
    trust_clients,
)
from ingress.transports.server_port import as_server
from ingress.transports.tls_channel import clear_errors
from ingress.transports.tls_transport import TLSTransport
from tests.support.certs import CertificateAuthority

OPENSSL = shutil.which("openssl")


class CallTests(SynchronousTestCase):
    def test_clear_errors(self) -> None:
        """What a failed call left in the queue is gone."""
        context = SSL.Context(SSL.TLS_METHOD)
        lib.SSL_CTX_use_PrivateKey_file(context._context, b"missing.key", lib.SSL_FILETYPE_PEM)
        self.assertNotEqual(lib.ERR_peek_error(), 0)
        clear_errors()
        self.assertEqual(lib.ERR_peek_error(), 0)

    def test_unknown_groups(self) -> None:
        """Groups that this OpenSSL lacks are left out, silently."""
        limit_groups(SSL.Context(SSL.TLS_METHOD), [b"nonsense", b"P-256"])
        self.assertEqual(lib.ERR_peek_error(), 0)

    def test_only_unknown_groups(self) -> None:
        """Where none is left it is an error, rather than OpenSSL's own choice."""
        context = SSL.Context(SSL.TLS_METHOD)
        self.assertRaises(SSL.Error, limit_groups, context, [b"nonsense"])

    def test_session_context(self) -> None:
        """The identity of sessions can change, and has 32 bytes at most."""
        context = SSL.Context(SSL.TLS_METHOD)
        SSL.Connection(context, None)
        set_session_context(context, b"x" * 32)
        self.assertRaises(SSL.Error, set_session_context, context, b"x" * 33)
        self.assertEqual(lib.ERR_peek_error(), 0)

    def test_revocations(self) -> None:
        """All lists of a file are read, with text around them; a broken one is an error."""
        pem = CertificateAuthority().revoke()
        for data, count in ((b"", 0), (b"text", 0), (pem, 1), (b"a\n" + pem + b"b\n" + pem, 2)):
            self.assertEqual(len(read_revocations(data)), count)
        for data in (pem.replace(b"M", b"?"), pem + pem[10:], b"-----END X509 CRL-----"):
            self.assertRaises(ValueError, read_revocations, data)

    def test_trust(self) -> None:
        """Authorities and lists that cannot be read are errors."""
        authority = CertificateAuthority()
        for trust in (
            ClientTrust(b"x"),
            ClientTrust(authority.root_pem, b"x-----END X509 CRL-----"),
        ):
            context = SSL.Context(SSL.TLS_METHOD)
            self.assertRaises(ValueError, trust_clients, context, trust)

    def test_same_authority_twice(self) -> None:
        """An authority may be there twice."""
        twice = ClientTrust(CertificateAuthority().root_pem * 2)
        trust_clients(SSL.Context(SSL.TLS_METHOD), twice)


@implementer(IHandshakeListener)
class Echo(Protocol):
    """
    Sends back what comes; says goodbye after a line with ``bye``. Nothing that clients do later needs
    what it lets go of after the handshake, as connections of clients do.
    """

    transport: Any

    def handshakeCompleted(self) -> None:
        self.transport.channel.let_go()

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(b"echo " + data)
        if b"bye" in data:
            self.transport.loseConnection()


class Dialogue(ProcessProtocol):
    """
    Writes a line at once, and each further one when what it answers has appeared.

    :param script: pairs of what must appear and the line to write then.
    :ivar ended: fires with all that the process wrote, stderr too.
    """

    transport: Any

    def __init__(self, first: bytes, *script: tuple[bytes, bytes]) -> None:
        self.ended: Deferred[bytes] = Deferred()
        self._first = first
        self._script = list(script)
        self._output = b""
        self._unread = b""

    def connectionMade(self) -> None:
        self.transport.write(self._first + b"\n")

    def outReceived(self, data: bytes) -> None:
        self._output += data
        self._unread += data
        while self._script and self._script[0][0] in self._unread:
            wanted, line = self._script.pop(0)
            self._unread = self._unread.partition(wanted)[2]
            self.transport.write(line + b"\n")

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        output, self._output = self._output, b""
        if reason.check(ProcessDone) and not self._script:
            self.ended.callback(output)
        else:
            self.ended.errback(AssertionError(f"{reason.value}, after: {output!r}"))


class SClientTests(TestCase):
    timeout = 120

    if OPENSSL is None:
        skip = "no openssl command on this machine"

    def setUp(self) -> None:
        authority = CertificateAuthority()
        self.contexts = TLSContexts(
            lambda: None, authority.issue("a.example").to_server_certificate()
        )
        factory: Any = Factory.forProtocol(Echo)
        factory.noisy = False
        self.port = cast(Any, reactor.listenTCP(0, factory, interface="127.0.0.1"))
        self.port.transport = as_server(partial(TLSTransport, self.contexts))
        self.addCleanup(self.port.stopListening)

    def s_client(self, dialogue: Dialogue, *arguments: str) -> Deferred[bytes]:
        """
        Run a client.

        :return: all that it wrote, after it has ended well.
        """
        address = f"127.0.0.1:{self.port.getHost().port}"
        command = [str(OPENSSL), "s_client", "-connect", address, "-servername", "a.example"]
        reactor.spawnProcess(dialogue, command[0], command + list(arguments), env={})
        return dialogue.ended

    @inlineCallbacks
    def test_key_update(self) -> Any:
        """A TLS 1.3 client may have the keys renewed, its own or both sides'."""
        dialogue = Dialogue(
            b"one",
            (b"echo one", b"K"),
            (b"KEYUPDATE", b"two"),
            (b"echo two", b"k"),
            (b"KEYUPDATE", b"three bye"),
        )
        output = yield self.s_client(dialogue, "-tls1_3")
        self.assertIn(b"echo three bye", output)

    @inlineCallbacks
    def test_no_renegotiation(self) -> Any:
        """A TLS 1.2 client that asks for a renegotiation is refused it."""
        dialogue = Dialogue(b"one", (b"echo one", b"R"), (b"RENEGOTIATING", b"two"))
        failure = yield self.assertFailure(self.s_client(dialogue, "-tls1_2"), AssertionError)
        self.assertIn("no renegotiation", str(failure))

    @inlineCallbacks
    def check_session(self, version: str) -> Any:
        file = self.mktemp()
        output = yield self.s_client(Dialogue(b"bye"), version, "-sess_out", file)
        self.assertIn(b"\nNew, TLS", output)
        output = yield self.s_client(Dialogue(b"bye"), version, "-sess_in", file)
        self.assertIn(b"\nReused, TLS", output)

    def test_session_of_tls_1_2(self) -> Any:
        """A session kept in a file is resumed."""
        return self.check_session("-tls1_2")

    def test_session_of_tls_1_3(self) -> Any:
        """A ticket kept in a file is resumed."""
        return self.check_session("-tls1_3")
