"""
TLS towards endpoints: on real sockets, driven by hand, against Python's `ssl`.
"""

from __future__ import annotations

import gc
import os
import select
import socket
import ssl
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from OpenSSL import SSL
from OpenSSL._util import lib
from twisted.internet.error import (
    ConnectionDone,
    ConnectionLost,
    TimeoutError,
    UserError,
)
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import Endpoint
from ingress.policy.backend_tls import BackendTLS
from ingress.transports.connector import HandshakeFailed
from ingress.upstream.tls import (
    QUIET_TIME,
    ClientContexts,
    EndpointTLS,
    UnusableTLS,
    tls_dialers,
)
from tests.support.certs import LAST_MONTH, YESTERDAY, CertificateAuthority, Issued
from tests.support.hand_reactor import HandReactor, trace
from tests.support.tls_pair import Dial, DialledPair, drive, server_context

NAME = "web.default.svc"
AUTHORITY = CertificateAuthority()
ISSUED = AUTHORITY.issue(NAME)

UNVERIFIED = BackendTLS(name=NAME)
VERIFIED = replace(UNVERIFIED, is_verified=True, ca_pem=AUTHORITY.root_pem)

TLS = BackendTLS(name=NAME, is_verified=True, ca_pem=AUTHORITY.root_pem)
CLOSED_ENDPOINT = Endpoint("10.0.0.1", 8443)

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class TLSClientTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = HandReactor()

    def endpoint_tls(self, tls: BackendTLS = UNVERIFIED, host: str = "10.0.0.1") -> EndpointTLS:
        return EndpointTLS(ClientContexts(), tls, Endpoint(host, 8443), self.reactor.seconds)

    def dial(
        self,
        tls: BackendTLS | EndpointTLS = UNVERIFIED,
        server: ssl.SSLContext | Issued | None = ISSUED,
        **settings: Any,
    ) -> DialledPair:
        """
        Both ends before the handshake.

        :param server: the endpoint's settings or only its certificate; None for no TLS.
        """
        endpoint_tls = self.endpoint_tls(tls) if isinstance(tls, BackendTLS) else tls
        context = server_context(server) if isinstance(server, Issued) else server
        pair = DialledPair(endpoint_tls, context, self.reactor, **settings)
        self.addCleanup(pair.close)
        return pair

    def connect(self, *arguments: Any, **settings: Any) -> DialledPair:
        """Return both ends after the handshake."""
        return self.dial(*arguments, **settings).shake_hands()

    def failure(self, pair: DialledPair) -> str:
        """Return why there was no connection; check that no protocol was connected."""
        self.reactor.turn_until(lambda: pair.dial.is_over)
        self.assertIsNone(pair.dial.built)
        failure = pair.dial.failure
        assert failure is not None
        self.assertTrue(failure.check(HandshakeFailed), failure)
        self.assertNotIn(pair.transport, self.reactor.readers | self.reactor.writers)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        return str(cast(HandshakeFailed, failure.value).args[0])

    def refusal(self, *arguments: Any, **settings: Any) -> str:
        """Return why there was no connection to an endpoint that made no mistake."""
        pair = self.dial(*arguments, **settings)
        try:
            pair.drive(pair.server.do_handshake)
        except ssl.SSLError:
            pass
        else:
            # In TLS 1.3 it is the client who has the last word.
            self.assertEqual(self.sent(pair), b"")
        return self.failure(pair)

    def end(self, pair: DialledPair) -> type[BaseException] | None:
        """Return how a connection ends, as its protocol sees it."""
        self.reactor.turn_until(lambda: pair.dial.built)
        self.reactor.turn_until(lambda: pair.protocol.lost)
        return pair.protocol.lost

    def sent(self, pair: DialledPair) -> bytes:
        """Return the bytes that the endpoint had got from us when the connection ended."""
        try:
            return pair.drive(lambda: pair.server.recv(100))
        except (ssl.SSLError, ConnectionResetError):
            return b""


class HandshakeTests(TLSClientTestCase):
    def test_after_handshake(self) -> None:
        """There is no protocol before the handshake is done, and then it is connected."""
        pair = self.dial()
        self.reactor.turn(3)
        self.assertFalse(pair.dial.is_over)
        pair.shake_hands()
        self.assertTrue(pair.protocol.connected)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        pair.exchange()

    def test_versions(self) -> None:
        """Both versions are spoken, or the one that is set."""
        for version in VERSIONS:
            with self.subTest(version=version):
                pair = self.connect(server=server_context(ISSUED, version))
                pair.exchange()
                name = "TLSv1.2" if version is ssl.TLSVersion.TLSv1_2 else "TLSv1.3"
                self.assertEqual(pair.server.version(), name)
                only = replace(UNVERIFIED, protocols=frozenset({name}))
                self.assertEqual(self.connect(only).server.version(), name)

    def test_version_refused(self) -> None:
        """An endpoint without the configured version gets no connection."""
        only = replace(UNVERIFIED, protocols=frozenset({"TLSv1.3"}))
        reason = self.refusal(only, server_context(ISSUED, ssl.TLSVersion.TLSv1_2))
        self.assertIn("protocol version", reason)

    def test_ciphers(self) -> None:
        """The configured ciphers are offered."""
        cipher = "ECDHE-ECDSA-AES256-GCM-SHA384"
        tls = replace(UNVERIFIED, ciphers=cipher)
        pair = self.connect(tls, server_context(ISSUED, ssl.TLSVersion.TLSv1_2))
        chosen = pair.server.cipher()
        assert chosen is not None
        self.assertEqual(chosen[0], cipher)

    def test_alpn(self) -> None:
        """ALPN agrees on HTTP/1.1, or on nothing if the endpoint does not offer it."""
        for offered, agreed in (("h2", "http/1.1"), "http/1.1"), ((), None), (("h2",), None):
            with self.subTest(offered=offered):
                pair = self.connect(server=server_context(ISSUED, protocols=offered))
                self.assertEqual(pair.server.selected_alpn_protocol(), agreed)

    def test_byte_by_byte(self) -> None:
        """A handshake whose bytes come one at a time, with data behind it, is the same."""
        pair = self.dial(VERIFIED, None)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = server_context(ISSUED).wrap_bio(incoming, outgoing, server_side=True)
        is_done = False
        while not is_done:
            try:
                server.do_handshake()
                server.write(b"hello")
                is_done = True
            except ssl.SSLWantReadError:
                pass
            for octet in outgoing.read():
                pair.far.send(bytes((octet,)))
                self.reactor.turn()
            if not is_done:
                self.reactor.turn_until(lambda: select.select([pair.far], [], [], 0)[0], pair.far)
                incoming.write(pair.far.recv(65536))
        self.reactor.turn_until(lambda: pair.protocol.received == b"hello")

    def test_large(self) -> None:
        """Data larger than any buffer arrives whole, in both directions."""
        pair = self.connect(VERIFIED)
        data = bytes(range(256)) * 10_000
        pair.transport.write(data)
        got = b""
        while len(got) < len(data):
            got += pair.drive(lambda: pair.server.recv(65536))
        self.assertEqual(got, data)
        left = memoryview(data)
        while left:
            left = left[pair.drive(partial(pair.server.send, left[:16384])) :]
        self.reactor.turn_until(lambda: len(pair.protocol.received) == len(data))
        self.assertEqual(pair.protocol.received, data)


class VerificationTests(TLSClientTestCase):
    def test_accepted(self) -> None:
        """A certificate of the authority for the name is accepted."""
        for names in (NAME,), ("other.example", NAME), ("*.default.svc",):
            with self.subTest(names=names):
                self.connect(VERIFIED, AUTHORITY.issue(*names)).exchange()

    def test_unverified(self) -> None:
        """Without verification every certificate passes."""
        expired = AUTHORITY.issue(NAME, not_before=LAST_MONTH, not_after=YESTERDAY)
        strangers = CertificateAuthority("Strangers").issue("other.example")
        for issued in expired, strangers:
            self.connect(UNVERIFIED, issued).exchange()

    def test_wrong_name(self) -> None:
        """An endpoint with a certificate for another name is refused."""
        for name in "other.example", "a.web.default.svc", "*.web.default.svc", "default.svc":
            with self.subTest(name=name):
                self.assertEqual(
                    self.refusal(VERIFIED, AUTHORITY.issue(name)),
                    f"its certificate is not one for {NAME}",
                )

    def test_expired(self) -> None:
        """An endpoint with an expired certificate is refused."""
        expired = AUTHORITY.issue(NAME, not_before=LAST_MONTH, not_after=YESTERDAY)
        self.assertEqual(
            self.refusal(VERIFIED, expired),
            "its certificate is not accepted: certificate has expired",
        )

    def test_strangers(self) -> None:
        """An endpoint with a certificate of another authority is refused."""
        strangers = CertificateAuthority("Strangers").issue(NAME)
        for version in VERSIONS:
            reason = self.refusal(VERIFIED, server_context(strangers, version))
            self.assertIn("its certificate is not accepted: unable to get ", reason)

    def test_depth(self) -> None:
        """A chain may have as many intermediate certificates as configured."""
        one = AUTHORITY.intermediate("One")
        two = one.intermediate("Two")
        self.connect(VERIFIED, one.issue(NAME)).exchange()
        self.assertIn("too long", self.refusal(VERIFIED, two.issue(NAME)))
        self.connect(replace(VERIFIED, verify_depth=2), two.issue(NAME)).exchange()

    def test_trusted_intermediate(self) -> None:
        """A certificate of the Secret is trusted even if it is no root, and nothing above it."""
        one = AUTHORITY.intermediate("One")
        pem = one.issue(NAME).chain_pem
        trusted = replace(VERIFIED, ca_pem=pem[pem.index(b"-----BEGIN", 1) :])
        self.connect(trusted, one.issue(NAME)).exchange()
        self.assertIn("not accepted", self.refusal(trusted, ISSUED))

    def test_several_authorities(self) -> None:
        """A Secret may hold several authorities, as during a change."""
        other = CertificateAuthority("Other")
        both = replace(VERIFIED, ca_pem=AUTHORITY.root_pem + other.root_pem)
        for authority in AUTHORITY, other:
            self.connect(both, authority.issue(NAME)).exchange()

    def test_no_certificates_of_the_system(self) -> None:
        """Every endpoint is refused if the Secret has no authority."""
        reason = self.refusal_without_handshake(replace(VERIFIED, ca_pem=None))
        self.assertIn("nothing to verify certificates by", reason)

    def test_system(self) -> None:
        """Authorities of the system take the place of those of a Secret where that is wanted."""
        file = Path(self.mktemp())
        file.write_bytes(AUTHORITY.root_pem)
        before = os.environ.get("SSL_CERT_FILE")
        os.environ["SSL_CERT_FILE"] = str(file)
        try:
            trusting = replace(UNVERIFIED, is_verified=True, trusts_system=True)
            self.connect(trusting, ISSUED).exchange()
            by_address = replace(trusting, name="192.0.2.7", has_own_name=True)
            self.connect(by_address, AUTHORITY.issue("192.0.2.7")).exchange()
            refusal = self.refusal(by_address, ISSUED)
            strangers = CertificateAuthority("Strangers").issue(NAME)
            not_trusted = self.refusal(trusting, strangers)
        finally:
            del os.environ["SSL_CERT_FILE"]
            if before is not None:
                os.environ["SSL_CERT_FILE"] = before
        self.assertEqual(refusal, "its certificate is not one for 192.0.2.7")
        self.assertIn("not accepted", not_trusted)

    def refusal_without_handshake(self, tls: BackendTLS) -> str:
        return self.failure(self.dial(tls, None))


class ServerNameTests(TLSClientTestCase):
    def sent_name(self, tls: BackendTLS, host: str = "10.0.0.1") -> str | None:
        """Return the SNI that the endpoint saw."""
        seen: list[str | None] = []
        context = server_context(ISSUED)
        context.sni_callback = lambda connection, name, _: seen.append(name)
        self.connect(self.endpoint_tls(tls, host), context)
        return seen[0]

    def test_not_sent(self) -> None:
        """No name is sent unless the Ingress asks for it."""
        self.assertIsNone(self.sent_name(VERIFIED))

    def test_sent(self) -> None:
        """The name is that of the Service, or the configured one, whatever the address."""
        sending = replace(UNVERIFIED, sends_name=True)
        self.assertEqual(self.sent_name(sending), NAME)
        own = replace(sending, name="own.example", has_own_name=True)
        self.assertEqual(self.sent_name(own), "own.example")
        self.assertEqual(self.sent_name(own, "external.example"), "own.example")

    def test_external_name(self) -> None:
        """An endpoint that is known by name has that name."""
        sending = replace(UNVERIFIED, sends_name=True)
        self.assertEqual(self.sent_name(sending, "External.example."), "external.example")
        external = self.endpoint_tls(VERIFIED, "external.example")
        self.connect(external, AUTHORITY.issue("external.example")).exchange()
        self.assertIn("external.example", self.refusal(external, ISSUED))


class ClientCertificateTests(TLSClientTestCase):
    """An endpoint that asks for a certificate."""

    ours = AUTHORITY.intermediate().issue("proxy.example")

    def test_shown(self) -> None:
        """Our certificate is sent with its chain."""
        tls = replace(VERIFIED, chain_pem=self.ours.chain_pem, key_pem=self.ours.key_pem)
        for version in VERSIONS:
            with self.subTest(version=version):
                context = server_context(ISSUED, version, root_pem=AUTHORITY.root_pem)
                pair = self.connect(tls, context)
                pair.exchange()
                shown: Any = pair.server.getpeercert()
                self.assertEqual(shown["subject"], ((("commonName", "proxy.example"),),))

    def test_none(self) -> None:
        """The endpoint refuses us without a certificate; in TLS 1.3 after our handshake."""
        for version in VERSIONS:
            with self.subTest(version=version):
                context = server_context(ISSUED, version, root_pem=AUTHORITY.root_pem)
                pair = self.dial(VERIFIED, context)
                self.assertRaises(ssl.SSLError, pair.drive, pair.server.do_handshake)
                if version is ssl.TLSVersion.TLSv1_2:
                    self.assertIn("alert", self.failure(pair))
                else:
                    self.assertIs(self.end(pair), ConnectionLost)

    def test_unusable(self) -> None:
        """A pair that OpenSSL refuses ends each attempt, and no bytes go out."""
        other = AUTHORITY.issue("other.example")
        for key_pem in other.key_pem, b"nonsense":
            tls = replace(VERIFIED, chain_pem=self.ours.chain_pem, key_pem=key_pem)
            pair = self.dial(tls, None)
            self.assertIn("the settings cannot be used", self.failure(pair))
            self.assertEqual(pair.far.recv(1), b"")


class BadEndpointTests(TLSClientTestCase):
    def test_silent(self) -> None:
        """A handshake that takes too long is ended, with all of the time for connecting."""
        pair = self.dial(server=None, timeout=5)
        self.reactor.turn(3)
        self.reactor.advance(4.9)
        self.assertFalse(pair.dial.is_over)
        self.reactor.advance(0.2)
        assert pair.dial.failure is not None
        self.assertTrue(pair.dial.failure.check(TimeoutError))
        self.assertEqual(self.reactor.readers | self.reactor.writers, set())

    def test_cancelled(self) -> None:
        """A handshake that is cancelled ends at once."""
        pair = self.dial(server=None)
        self.reactor.turn(3)
        pair.connector.disconnect()
        assert pair.dial.failure is not None
        self.assertTrue(pair.dial.failure.check(UserError))
        self.assertEqual(self.reactor.readers | self.reactor.writers, set())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_plain(self) -> None:
        """An endpoint that speaks plain HTTP fails the handshake, with a reason in the log."""
        pair = self.dial(server=None)
        pair.far.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.assertNotEqual(self.failure(pair), "")

    def test_gone(self) -> None:
        """An endpoint that closes in the middle of the handshake has failed it."""
        pair = self.dial(server=None)
        self.reactor.turn()
        pair.far.close()
        self.assertEqual(self.failure(pair), "it ended the connection")

    def test_neighbours(self) -> None:
        """A handshake that fails leaves the connections beside it as they are."""
        good = self.connect(VERIFIED)
        self.refusal(VERIFIED, AUTHORITY.issue("other.example"))
        good.exchange()


class EndTests(TLSClientTestCase):
    def end_of(self, tls: BackendTLS, *, is_orderly: bool) -> type[BaseException] | None:
        """Return how the protocol sees the endpoint's end of the connection."""
        pair = self.connect(tls)
        pair.exchange()
        if is_orderly:
            self.assertRaises(ssl.SSLWantReadError, pair.server.unwrap)
        pair.server.close()
        return self.end(pair)

    def test_close_notify(self) -> None:
        """An end with close_notify is an orderly one."""
        self.assertIs(self.end_of(VERIFIED, is_orderly=True), ConnectionDone)
        self.assertIs(self.end_of(UNVERIFIED, is_orderly=True), ConnectionDone)

    def test_cut(self) -> None:
        """An end without close_notify is a loss if the endpoint is verified."""
        self.assertIs(self.end_of(VERIFIED, is_orderly=False), ConnectionLost)
        self.assertIs(self.end_of(UNVERIFIED, is_orderly=False), ConnectionDone)

    def test_ours(self) -> None:
        """Our own end has a close_notify."""
        pair = self.connect(VERIFIED)
        pair.transport.write(b"bye")
        pair.transport.loseConnection()
        self.assertEqual(pair.drive(lambda: pair.server.recv(100)), b"bye")
        self.assertEqual(pair.drive(lambda: pair.server.recv(100)), b"")
        self.assertIs(pair.protocol.lost, ConnectionDone)


class SessionTests(TLSClientTestCase):
    """Sessions towards an endpoint."""

    def setUp(self) -> None:
        super().setUp()
        self.context = server_context(ISSUED)
        self.tls = self.endpoint_tls(VERIFIED)

    def is_resumed(self, tls: EndpointTLS | None = None) -> bool:
        """Return whether a new connection resumes an earlier session."""
        pair = self.connect(tls or self.tls, self.context)
        pair.exchange()
        reused = bool(pair.server.session_reused)
        pair.transport.loseConnection()
        self.reactor.turn()
        return reused

    def test_resumed(self) -> None:
        """Later connections resume the session of the first one, in both versions."""
        for version in VERSIONS:
            with self.subTest(version=version):
                self.context = server_context(ISSUED, version)
                self.tls = self.endpoint_tls(VERIFIED)
                self.assertEqual([self.is_resumed() for _ in range(3)], [False, True, True])

    def test_own(self) -> None:
        """A session belongs to one endpoint and one Route's settings."""
        self.is_resumed()
        self.assertFalse(self.is_resumed(self.endpoint_tls(VERIFIED)))

    def test_old(self) -> None:
        """The certificate is verified again after a time, which resuming does not prolong."""
        self.is_resumed()
        self.reactor.advance(400)
        self.assertTrue(self.is_resumed())
        self.reactor.advance(400)
        self.assertFalse(self.is_resumed())
        self.assertTrue(self.is_resumed())

    def test_unknown(self) -> None:
        """An endpoint that has been restarted gets a full handshake."""
        self.is_resumed()
        self.context = server_context(ISSUED)
        self.assertFalse(self.is_resumed())
        self.assertTrue(self.is_resumed())

    def test_failed(self) -> None:
        """The handshake after a failed one is a full one."""
        self.is_resumed()
        pair = self.dial(self.tls, None)
        pair.far.send(b"nonsense")
        self.failure(pair)
        self.assertFalse(self.is_resumed())

    def test_cut(self) -> None:
        """A connection that did not end well leaves nothing to resume."""
        pair = self.connect(self.tls, self.context)
        pair.exchange()
        pair.transport.abortConnection()
        self.reactor.turn()
        del pair
        self.assertFalse(self.is_resumed())


class DialerTests(TLSClientTestCase):
    def attempt(self, issued: Issued) -> Dial:
        """Make one connection to an endpoint with this certificate, which may fail."""
        dialer = tls_dialers(self.reactor)(Endpoint("10.0.0.1", 8443), VERIFIED)
        attempt = Dial()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            dialer("127.0.0.1", listening.getsockname()[1], attempt, timeout=5)
            self.assertFalse(attempt.is_over)
            self.reactor.turn_until(lambda: select.select([listening], [], [], 0)[0])
            far, _ = listening.accept()
        far.setblocking(False)
        server = server_context(issued).wrap_socket(
            far, server_side=True, do_handshake_on_connect=False
        )
        self.addCleanup(server.close)
        drive(self.reactor, server, server.do_handshake)
        self.reactor.turn_until(lambda: attempt.is_over)
        return attempt

    def test_dialer(self) -> None:
        """A dialer connects with its settings, and reports the result later."""
        self.assertIsNotNone(self.attempt(AUTHORITY.issue("other.example")).failure)
        protocol = self.attempt(ISSUED).built
        assert protocol is not None
        protocol.transport.abortConnection()
        self.reactor.turn()
        self.assertIsNotNone(protocol.lost)


class GarbageTests(TLSClientTestCase):
    """Objects of a lost connection are freed at once, without the garbage collector."""

    def setUp(self) -> None:
        super().setUp()
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    def assert_gone(
        self, end: Callable[[DialledPair], object], server: ssl.SSLContext | None
    ) -> None:
        """
        :param end: begins a connection's end; that the endpoint closes it follows.
        """
        pair = DialledPair(self.endpoint_tls(VERIFIED), server, self.reactor)
        watched: list[weakref.ref[Any]] = [trace(pair.transport), weakref.ref(pair.connector)]
        end(pair)
        pair.far.close()
        self.wait_for_end(pair)
        # A test's own way to come from the connector to the protocol.
        pair.dial.built = None
        del pair
        self.assertEqual([one() for one in watched if one() is not None], [])

    def wait_for_end(self, pair: DialledPair) -> None:
        built = pair.dial.built
        self.reactor.turn_until(lambda: pair.dial.failure or (built and built.lost))
        self.reactor.turn()

    def test_ended(self) -> None:
        """Nothing is left of a connection that was lost in an orderly way."""

        def end(pair: DialledPair) -> None:
            pair.shake_hands().exchange()
            pair.transport.loseConnection()

        self.assert_gone(end, server_context(ISSUED))

    def test_refused(self) -> None:
        """Nothing is left of a connection to a wrong endpoint."""
        self.assert_gone(DialledPair.shake_hands, server_context(AUTHORITY.issue("a.example")))

    def test_failed(self) -> None:
        """Nothing is left of a handshake that failed."""
        self.assert_gone(lambda pair: self.reactor.turn(), None)


class ClientContextsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.contexts = ClientContexts()

    def test_shared(self) -> None:
        """Equal settings have one context, different ones do not."""
        context = self.contexts.context(TLS)
        self.assertIs(self.contexts.context(replace(TLS)), context)
        self.assertIsNot(self.contexts.context(replace(TLS, verify_depth=2)), context)

    def test_dropped(self) -> None:
        """A context, and the key in it, lives as long as something refers to it."""
        context = self.contexts.context(TLS)
        self.assertEqual(repr(self.contexts), "<ClientContexts: 1 made>")
        del context
        gc.collect()
        self.assertEqual(repr(self.contexts), "<ClientContexts: 0 made>")

    def test_unusable(self) -> None:
        """Settings that OpenSSL refuses are one kind of error, which shows no secret."""
        ours, other = AUTHORITY.issue("a.example"), AUTHORITY.issue("b.example")
        shown = replace(TLS, chain_pem=ours.chain_pem)
        for tls in (
            replace(shown, key_pem=other.key_pem),
            replace(shown, key_pem=b"hunter2"),
            replace(shown, chain_pem=b"nonsense", key_pem=ours.key_pem),
            replace(TLS, ca_pem=b"nonsense"),
            replace(TLS, ca_pem=None),
            replace(TLS, ciphers="NONE-SUCH"),
        ):
            error = self.assertRaises(UnusableTLS, self.contexts.context, tls)
            self.assertNotIn("hunter2", str(error))
            # Before OpenSSL 4 the next connection would find it there.
            self.assertEqual(lib.ERR_peek_error(), 0)


class EndpointTLSTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.contexts = ClientContexts()
        self.tls = EndpointTLS(self.contexts, TLS, CLOSED_ENDPOINT, self.clock.seconds)

    def failure(self) -> str:
        """Return the lines that one failed handshake adds to the log."""
        with capturedLogs() as events:
            self.tls.failed(None, SSL.SysCallError(-1, "Unexpected EOF"))
        return " ".join(str(event["reason"]) for event in events)

    def test_repr(self) -> None:
        """The repr shows the endpoint."""
        self.assertEqual(repr(self.tls), "<EndpointTLS 10.0.0.1:8443 as web.default.svc>")

    def test_quiet(self) -> None:
        """An endpoint whose every handshake fails has a line in the log from time to time."""
        self.assertEqual(self.failure(), "it ended the connection")
        self.assertEqual(self.failure(), "")
        self.clock.advance(QUIET_TIME)
        self.assertEqual(self.failure(), "it ended the connection")

    def test_keeps_context(self) -> None:
        """The context is made at the first connection, and kept."""
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        self.addCleanup(far.close)
        self.assertEqual(repr(self.contexts), "<ClientContexts: 0 made>")
        connection = self.tls.open_channel(near)
        self.assertEqual(repr(self.contexts), "<ClientContexts: 1 made>")
        del connection
        gc.collect()
        self.assertEqual(repr(self.contexts), "<ClientContexts: 1 made>")
