"""
Tests for `ingress.kube.api.tls`: who the server must be, over real TLS.
"""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import timedelta
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from ingress.kube.api.client import APIClient
from ingress.kube.api.connection import Connections, endpoint_maker
from ingress.kube.api.credentials import ClientCertificate, FixedCredentials, Identity
from ingress.kube.api.errors import APIUnreachable
from ingress.kube.api.server import Server
from ingress.kube.api.tls import ClientTLS, UnusableTLS
from tests.support.certs import LAST_MONTH, YESTERDAY, CertificateAuthority, Issued
from tests.support.loopback_api import LoopbackAPI
from tests.support.replay import respond

ANSWER = b'{"major":"1"}'


class HandshakeTests(TestCase):
    """A server is accepted if its certificate proves its identity."""

    timeout = 20.0

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.ca = CertificateAuthority()
        self.certificate = self.ca.issue("127.0.0.1", "localhost", "api.example", "::1")
        self.reactor: Any = reactor
        self.api = LoopbackAPI(lambda _: [respond("200 OK", ANSWER)])

    async def ask(
        self,
        certificate: Issued | None = None,
        *,
        client_ca: bytes | None = None,
        client: Issued | None = None,
        interface: str = "127.0.0.1",
        **server: Any,
    ) -> bytes:
        """
        :param certificate: the server's.
        :param client: ours.
        :param server: what differs from a server that is verified by `ca`.
        """
        port = self.api.listen(
            self.reactor, certificate or self.certificate, client_ca, interface=interface
        )
        self.addCleanup(port.stopListening)
        known = replace(Server("127.0.0.1", port.getHost().port, ca_pem=self.ca.root_pem), **server)
        ours = ClientCertificate(client.chain_pem, client.key_pem) if client else None
        api_client = APIClient(
            self.reactor,
            known,
            FixedCredentials(Identity(b"Bearer secret", ours)),
            Connections(self.reactor, endpoint_maker(self.reactor, known)),
        )
        try:
            return await api_client.get("/version")
        finally:
            await api_client.close()
            await self.api.all_lost()

    async def assert_refused(self, words: str, *args: Any, **kwargs: Any) -> None:
        self.api.requests.clear()
        try:
            await self.ask(*args, **kwargs)
        except APIUnreachable as error:
            self.assertIn(words, str(error))
            self.assertNotIn("secret", str(error))
        else:
            self.fail("it is talked to")
        self.assertEqual(self.api.requests, [])

    async def test_address(self) -> None:
        """An IP address is one that the certificate is for."""
        self.assertEqual(await self.ask(), ANSWER)

    async def test_address_of_another(self) -> None:
        """A certificate for another address, or for names alone, is not valid for an address."""
        for names in (("127.0.0.2",), ("localhost",), ("*",)):
            await self.assert_refused(
                "its certificate is not valid for 127.0.0.1", self.ca.issue(*names)
            )

    async def test_address_of_ipv6(self) -> None:
        """An IPv6 address as well."""
        try:
            with socket.create_server(("::1", 0), family=socket.AF_INET6):
                pass
        except OSError:
            raise SkipTest("there is no IPv6 here") from None
        self.assertEqual(await self.ask(interface="::1", host="::1"), ANSWER)
        await self.assert_refused(
            "not valid for ::1", self.ca.issue("localhost"), interface="::1", host="::1"
        )

    async def test_name(self) -> None:
        """A name is one that the certificate is for, and is sent as SNI."""
        self.assertEqual(await self.ask(host="localhost"), ANSWER)
        await self.assert_refused(
            "its certificate is not valid for localhost",
            self.ca.issue("api.example", "127.0.0.1"),
            host="localhost",
        )

    async def test_server_name(self) -> None:
        """The name in the certificate may be said to be another than where the server is."""
        named = self.ca.issue("api.example")
        self.assertEqual(await self.ask(named, server_name="api.example"), ANSWER)
        await self.assert_refused("not valid for other.example", named, server_name="other.example")

    async def test_common_name(self) -> None:
        """A certificate that has a name only where names were once is refused."""
        await self.assert_refused(
            "its certificate is not valid for localhost",
            self.ca.issue("localhost", has_names=False),
            host="localhost",
        )

    async def test_stranger(self) -> None:
        """Nobody vouches for the server: it is refused, and how is said."""
        await self.assert_refused(
            "its certificate is not accepted: unable to get local issuer certificate",
            CertificateAuthority().issue("127.0.0.1"),
        )

    async def test_expired(self) -> None:
        """A certificate that is over is refused, and that is said."""
        expired = self.ca.issue(
            "127.0.0.1", not_before=LAST_MONTH, not_after=YESTERDAY - timedelta(days=1)
        )
        await self.assert_refused("certificate has expired", expired)

    async def test_intermediate(self) -> None:
        """The certificates of the bundle are trusted, also if they are no roots."""
        below = self.ca.intermediate()
        issued = below.issue("127.0.0.1")
        self.assertEqual(await self.ask(issued), ANSWER)
        alone = issued.chain_pem[issued.chain_pem.index(b"-----BEGIN", 1) :]
        self.assertEqual(await self.ask(issued, ca_pem=alone), ANSWER)

    async def test_system(self) -> None:
        """Without a CA it is the system's that count, and a stranger is refused."""
        await self.assert_refused("its certificate is not accepted", ca_pem=None)

    async def test_unverified(self) -> None:
        """Without verification every server is accepted."""
        stranger = CertificateAuthority().issue("other.example", has_names=False)
        self.assertEqual(await self.ask(stranger, is_verified=False, ca_pem=None), ANSWER)

    async def test_client_certificate(self) -> None:
        """A server that asks for a certificate gets ours."""
        client_ca = CertificateAuthority("Clients")
        ours = client_ca.issue("somebody")
        self.assertEqual(await self.ask(client_ca=client_ca.root_pem, client=ours), ANSWER)

    async def test_no_client_certificate(self) -> None:
        """A server that refuses a client without a certificate is reported."""
        client_ca = CertificateAuthority("Clients")
        await self.assert_refused("TLS failed: ", client_ca=client_ca.root_pem)

    async def test_no_tls(self) -> None:
        """A server that speaks no TLS is no TLS server."""
        port = self.api.listen(self.reactor)
        self.addCleanup(port.stopListening)
        server = Server("127.0.0.1", port.getHost().port, ca_pem=self.ca.root_pem)
        client = APIClient(
            self.reactor,
            server,
            FixedCredentials(),
            Connections(self.reactor, endpoint_maker(self.reactor, server)),
        )
        self.api.answer_nothing()
        asked: Deferred[bytes] = Deferred.fromCoroutine(client.get("/version"))
        while not self.api.connections:
            await _turn(self.reactor)
        self.api.connections[0].write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        error = await self.assertFailure(asked, APIUnreachable)
        self.assertIn("TLS failed: ", str(error))
        await client.close()
        await self.api.all_lost()


class ContextTests(SynchronousTestCase):
    """Material that OpenSSL cannot use is reported."""

    def test_unusable(self) -> None:
        """Certificate and key that do not belong together, no PEM, no CA."""
        ca = CertificateAuthority()
        one, other = ca.issue("a"), ca.issue("b")
        server = Server("api.example", 6443, ca_pem=ca.root_pem)
        for wrong in (
            ClientCertificate(one.chain_pem, other.key_pem),
            ClientCertificate(b"nothing", one.key_pem),
            ClientCertificate(one.chain_pem, b"nothing"),
        ):
            self.assertRaises(UnusableTLS, ClientTLS, server, wrong)
        self.assertRaises(UnusableTLS, ClientTLS, replace(server, ca_pem=b"nothing"))


def _turn(reactor: Any) -> Deferred[None]:
    turned: Deferred[None] = Deferred()
    reactor.callLater(0, turned.callback, None)
    return turned
