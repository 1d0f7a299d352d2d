"""
Tests for `ingress.downstream.tls_parameters`, and for `TLSContexts` that follows them.
"""

from __future__ import annotations

import ssl
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.config.nginx_settings import NginxSettings, TLSParameters
from ingress.downstream.tls import TLSContexts
from ingress.routing.snapshot import Snapshot
from tests.support.certs import CertificateAuthority
from tests.support.tls_pair import SELF_SIGNED, TLSPair, client_context, served_names

AUTHORITY = CertificateAuthority()
OLD, NEW = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


class ParameterTests(SynchronousTestCase):
    """What the next handshake is held to."""

    def setUp(self) -> None:
        self.current = self.snapshot()
        self.contexts = TLSContexts(lambda: self.current, SELF_SIGNED)

    def snapshot(self, **parameters: Any) -> Snapshot:
        return Snapshot(
            config=Config(nginx=NginxSettings(tls=TLSParameters(**parameters))),
            certificates={"a.example": AUTHORITY.issue("a.example").to_server_certificate()},
        )

    def connect(self, server_name: str = "a.example", **settings: Any) -> TLSPair:
        pair = TLSPair(self.contexts, server_name=server_name, **settings)
        self.addCleanup(pair.close)
        return pair.shake_hands()

    def fails(self, server_name: str = "a.example", **settings: Any) -> None:
        self.assertRaises(ssl.SSLError, self.connect, server_name, **settings)

    def test_versions(self) -> None:
        """The versions change live, to one of them and back; hosts do not matter."""
        self.connect(client=client_context(OLD))
        self.current = self.snapshot(protocols=("TLSv1.3",))
        for name in ("a.example", "b.example"):
            self.connect(name, client=client_context(NEW))
            self.fails(name, client=client_context(OLD))
        self.current = self.snapshot(protocols=("TLSv1.1", "TLSv1.2"))
        self.connect(client=client_context(OLD))
        self.fails(client=client_context(NEW))
        self.current = self.snapshot()
        self.connect(client=client_context(NEW))

    def test_ciphers(self) -> None:
        """The first of the list that a client has is chosen, and no other one is."""
        wanted = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"
        self.connect(client=client_context(OLD))
        self.current = self.snapshot(ciphers=wanted)
        for name in ("a.example", "b.example"):
            client = client_context(OLD)
            client.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
            cipher = self.connect(name, client=client).client.cipher()
            assert cipher is not None
            self.assertEqual(cipher[0], "ECDHE-ECDSA-AES256-GCM-SHA384")
            client = client_context(OLD)
            client.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305")
            self.fails(name, client=client)
        self.connect(client=client_context(NEW))

    def test_curves(self) -> None:
        """A client without one of the groups is refused."""
        client = client_context(NEW)
        client.set_ecdh_curve("secp384r1")
        self.connect(client=client)
        self.current = self.snapshot(curves="X25519:prime256v1")
        self.fails(client=client)
        self.connect(client=client_context(NEW))

    def test_tickets(self) -> None:
        """Without tickets nothing is resumed, in both versions; with them again it is."""
        for version in (OLD, NEW):
            for tickets in (True, False, True):
                self.current = self.snapshot(tickets=tickets)
                client = client_context(version)
                first = self.connect(client=client)
                first.protocol.transport.write(b"x")
                first.read(1)
                second = self.connect(client=client, session=first.client.session)
                self.assertEqual(second.client.session_reused, tickets, version)

    def test_unknown_host(self) -> None:
        """A host without a certificate fails, if that is asked for; a known one never does."""
        self.current = self.snapshot(rejects_unknown=True)
        self.assertEqual(served_names(self.connect()), ["a.example"])
        for version in (OLD, NEW):
            self.fails("b.example", client=client_context(version))
        self.current = self.snapshot()
        self.connect("b.example")

    def test_refused(self) -> None:
        """What OpenSSL does not take, against all checks, is logged, and serving goes on."""
        self.current = self.snapshot(ciphers="NOTHING")
        self.connect(client=client_context(NEW))
        self.assertEqual(len(self.flushLoggedErrors()), 1)
