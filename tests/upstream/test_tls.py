"""
Tests of `ingress.upstream.tls`; tests/upstream/test_tls_transport.py has the handshakes.
"""

from __future__ import annotations

import gc
import socket
from dataclasses import replace

from OpenSSL import SSL
from OpenSSL._util import lib
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import Endpoint
from ingress.policy.backend_tls import BackendTLS
from ingress.upstream.tls import QUIET_TIME, ClientContexts, EndpointTLS, UnusableTLS
from tests.support.certs import CertificateAuthority

AUTHORITY = CertificateAuthority()
TLS = BackendTLS(name="web.default.svc", is_verified=True, ca_pem=AUTHORITY.root_pem)
ENDPOINT = Endpoint("10.0.0.1", 8443)


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
        self.tls = EndpointTLS(self.contexts, TLS, ENDPOINT, self.clock.seconds)

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
        connection = self.tls.open_connection(near)
        self.assertEqual(repr(self.contexts), "<ClientContexts: 1 made>")
        del connection
        gc.collect()
        self.assertEqual(repr(self.contexts), "<ClientContexts: 1 made>")
