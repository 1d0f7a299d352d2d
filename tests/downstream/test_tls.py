"""
Which certificate a handshake gets, what is agreed on, and what is resumed.
"""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ingress.client_session import ClientSession, ClientTrust
from ingress.config import Config, Limits
from ingress.downstream.tls import TLSContexts
from ingress.openssl import client_session
from ingress.routing.snapshot import ServerCertificate, Snapshot, VirtualHost
from tests.support.certs import LAST_MONTH, YESTERDAY, CertificateAuthority, Issued, rsa_key
from tests.support.tls_pair import SELF_SIGNED, TLSPair, client_context, served_names

BOTH_VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
AUTHORITY = CertificateAuthority()


def snapshot(
    certificates: Mapping[str, Issued | ServerCertificate],
    default: ServerCertificate | None = None,
) -> Snapshot:
    """A Snapshot with certificates by the names of tls entries."""
    return Snapshot(
        config=Config(),
        certificates={
            name: each.to_server_certificate() if isinstance(each, Issued) else each
            for name, each in certificates.items()
        },
        default_certificate=default,
    )


def issue(*names: str, **settings: Any) -> ServerCertificate:
    return AUTHORITY.issue(*names, **settings).to_server_certificate()


class TLSContextsTestCase(SynchronousTestCase):
    """
    :ivar current: the Snapshot that serves.
    """

    def setUp(self) -> None:
        self.current: Snapshot | None = None
        self.contexts = TLSContexts(lambda: self.current, SELF_SIGNED)

    def connect(self, server_name: str | None = "a.example", **settings: Any) -> TLSPair:
        """Return both ends after the handshake."""
        pair = TLSPair(self.contexts, server_name=server_name, **settings)
        self.addCleanup(pair.close)
        return pair.shake_hands()

    def served(self, server_name: str | None) -> list[str]:
        """Return the names of the certificate that a client with this SNI gets."""
        return served_names(self.connect(server_name))


class CertificateTests(TLSContextsTestCase):
    def test_by_server_name(self) -> None:
        """The exact name wins over the wildcard, in any case; an unknown name gets the default."""
        self.current = snapshot(
            {
                "a.example": AUTHORITY.issue("a.example"),
                "*.example": AUTHORITY.issue("*.example"),
            },
            default=issue("default.example"),
        )
        self.assertEqual(self.served("a.example"), ["a.example"])
        self.assertEqual(self.served("A.EXAMPLE"), ["a.example"])
        self.assertEqual(self.served("b.example"), ["*.example"])
        self.assertEqual(self.served("c.b.example"), ["default.example"])
        self.assertEqual(self.served("example"), ["default.example"])

    def test_no_server_name(self) -> None:
        """A client without SNI gets the default of the Snapshot."""
        self.current = snapshot({}, default=issue("default.example"))
        self.assertEqual(self.served(None), ["default.example"])

    def test_nothing_configured(self) -> None:
        """The self-signed certificate serves without a default or without a Snapshot."""
        self.assertEqual(self.served("a.example"), ["ingress.local"])
        self.current = snapshot({})
        self.assertEqual(self.served("a.example"), ["ingress.local"])
        self.assertEqual(self.served(None), ["ingress.local"])

    def test_kinds_of_keys(self) -> None:
        """Keys of each kind serve, in both versions of TLS."""
        self.current = snapshot(
            {
                "rsa.example": AUTHORITY.issue("rsa.example", key=rsa_key()),
                "p256.example": AUTHORITY.issue("p256.example"),
                "p384.example": AUTHORITY.issue(
                    "p384.example", key=ec.generate_private_key(ec.SECP384R1())
                ),
                "ed25519.example": AUTHORITY.issue(
                    "ed25519.example", key=ed25519.Ed25519PrivateKey.generate()
                ),
                "ed448.example": AUTHORITY.issue(
                    "ed448.example", key=ed448.Ed448PrivateKey.generate()
                ),
            }
        )
        for version in BOTH_VERSIONS:
            client = client_context(version, root_pem=AUTHORITY.root_pem)
            for name in self.current.certificates:
                pair = self.connect(name, client=client)
                pair.send(b"hello")
                self.assertEqual((pair.protocol.received, served_names(pair)), (b"hello", [name]))

    def test_chain(self) -> None:
        """A client that trusts only the root gets the intermediate certificates."""
        issuer = AUTHORITY.intermediate("one").intermediate("two")
        self.current = snapshot({"a.example": issuer.issue("a.example")})
        self.connect("a.example", client=client_context(root_pem=AUTHORITY.root_pem))

    def test_expired(self) -> None:
        """An expired certificate is served, so that the client decides."""
        self.current = snapshot(
            {"a.example": AUTHORITY.issue("a.example", not_before=LAST_MONTH, not_after=YESTERDAY)}
        )
        self.assertEqual(self.served("a.example"), ["a.example"])

    def test_swap(self) -> None:
        """A handshake gets the certificate of the current Snapshot; open connections stay."""
        self.current = snapshot({"a.example": AUTHORITY.issue("a.example", "old.example")})
        before = self.connect("a.example")
        self.current = snapshot({"a.example": AUTHORITY.issue("a.example", "new.example")})
        after = self.connect("a.example")
        self.assertEqual(served_names(before), ["a.example", "old.example"])
        self.assertEqual(served_names(after), ["a.example", "new.example"])
        before.send(b"still here")
        self.assertEqual(before.protocol.received, b"still here")

    def test_many_handshakes_at_once(self) -> None:
        """Handshakes that overlap get their own certificates."""
        names = ["a.example", "b.example", "c.example"]
        self.current = snapshot({name: AUTHORITY.issue(name) for name in names})
        pairs = [TLSPair(self.contexts, server_name=name) for name in names]
        for pair in pairs:
            self.addCleanup(pair.close)
            self.assertRaises(ssl.SSLWantReadError, pair.client.do_handshake)
        for pair in reversed(pairs):
            pair.shake_hands()
        self.assertEqual([served_names(pair) for pair in pairs], [[name] for name in names])


class UnusableTests(TLSContextsTestCase):
    def assert_default_serves(self, unusable: ServerCertificate) -> None:
        """For the name of `unusable` alone, and with one line in the log however often."""
        self.current = snapshot({"bad.example": unusable, "a.example": issue("a.example")})
        with capturedLogs() as events:
            self.assertEqual(self.served("bad.example"), ["ingress.local"])
            self.assertEqual(self.served("a.example"), ["a.example"])
            self.assertEqual(self.served("bad.example"), ["ingress.local"])
        errors = [event["names"] for event in events if event["log_level"] is LogLevel.error]
        self.assertEqual(errors, ["bad.example"])

    def test_weak_key(self) -> None:
        """An RSA key that OpenSSL holds for too short falls back to the default."""
        self.assert_default_serves(issue("bad.example", key=rsa_key(1024)))

    def test_foreign_key(self) -> None:
        """A key that does not belong to the certificate falls back to the default."""
        good, other = AUTHORITY.issue("bad.example"), AUTHORITY.issue("bad.example")
        self.assert_default_serves(
            Issued(
                good.certificate, good.chain_pem, other.key_pem, good.names
            ).to_server_certificate()
        )

    def test_no_pem(self) -> None:
        """Bytes that are no PEM fall back to the default."""
        good = AUTHORITY.issue("bad.example")
        self.assert_default_serves(
            Issued(good.certificate, b"nonsense", good.key_pem, good.names).to_server_certificate()
        )

    def test_no_key(self) -> None:
        """A key that cannot be read falls back to the default."""
        good = AUTHORITY.issue("bad.example")
        self.assert_default_serves(
            Issued(good.certificate, good.chain_pem, b"x", good.names).to_server_certificate()
        )

    def test_default_of_snapshot(self) -> None:
        """The default that serves in place of an unusable certificate is the Snapshot's, if any."""
        bad = issue("bad.example", key=rsa_key(1024))
        self.current = snapshot({"bad.example": bad}, default=issue("default.example"))
        self.assertEqual(self.served("bad.example"), ["default.example"])

    def test_snapshot_fails(self) -> None:
        """An error in what comes before the choice, and in the choice, is logged, and the handshake gets the default."""
        self.contexts = TLSContexts(lambda: 1 / 0, SELF_SIGNED)  # type: ignore[arg-type, return-value]
        self.assertEqual(self.served("a.example"), ["ingress.local"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)


class MemoryTests(TLSContextsTestCase):
    def test_made_when_needed(self) -> None:
        """A context is made by the first handshake that needs it, and used again."""
        self.current = snapshot({f"{n}.example": issue(f"{n}.example") for n in range(5)})
        self.assertEqual(self.contexts.count, 0)
        self.served("1.example")
        self.served("1.example")
        self.served("2.example")
        self.assertEqual(self.contexts.count, 2)

    def test_same_certificate_same_context(self) -> None:
        """Hosts that share a certificate share its context."""
        wildcard = issue("*.example")
        self.current = snapshot({"a.example": wildcard, "b.example": wildcard})
        self.served("a.example")
        self.served("b.example")
        self.assertEqual(self.contexts.count, 1)

    def test_gone(self) -> None:
        """The contexts of certificates that are gone are dropped, and the others kept."""
        stays, goes, default = issue("a.example"), issue("b.example"), issue("default.example")
        self.current = snapshot({"a.example": stays, "b.example": goes}, default)
        for name in ("a.example", "b.example", None):
            self.served(name)
        self.assertEqual(self.contexts.count, 3)
        self.current = snapshot({"a.example": stays}, default)
        self.served("a.example")
        self.assertEqual(self.contexts.count, 2)

    def test_bounded(self) -> None:
        """The certificates used last keep their contexts if there are too many."""
        self.contexts = TLSContexts(lambda: self.current, SELF_SIGNED, max_contexts=2)
        self.current = snapshot({f"{n}.example": issue(f"{n}.example") for n in range(3)})
        for name in ("0.example", "1.example", "0.example", "2.example", "1.example"):
            self.assertEqual(self.served(name), [name])
        self.assertEqual(self.contexts.count, 2)


CLIENTS = CertificateAuthority("Clients")
TRUST, OTHER_TRUST = ClientTrust(CLIENTS.root_pem), ClientTrust(AUTHORITY.root_pem)


class ClientTrustTests(TLSContextsTestCase):
    """Handshakes that ask for a certificate of the client."""

    def asking(self, **trusts: ClientTrust) -> Snapshot:
        """A Snapshot with a certificate for each ``NAME.example``; some of these hosts ask."""
        certificate = issue("*.example")
        hosts = {
            f"{name}.example".encode(): VirtualHost(f"{name}.example", client_trust=trust)
            for name, trust in trusts.items()
        }
        served = snapshot({"*.example": certificate})
        return replace(served, hosts=hosts)

    def session(self, name: str | None, issued: Issued | None = None) -> ClientSession | None:
        """What a handshake establishes, with each version of TLS alike."""
        found: list[ClientSession | None] = []
        for version in BOTH_VERSIONS:
            client = client_context(version)
            if issued is not None:
                with TemporaryDirectory() as folder:
                    path = Path(folder, "client.pem")
                    path.write_bytes(issued.key_pem + issued.chain_pem)
                    client.load_cert_chain(path)
            channel = self.connect(name, client=client).transport.channel
            assert channel is not None
            found.append(client_session(channel.connection))
        self.assertEqual(
            [each.verification for each in found if each is not None],
            [found[0].verification] * 2 if found[0] is not None else [],
        )
        return found[0]

    def test_asked(self) -> None:
        """The hosts that want one ask for a certificate, and no others."""
        self.current = self.asking(a=TRUST)
        alice = CLIENTS.issue("alice")
        for name in ("b.example", "nowhere", None):
            self.assertIsNone(self.session(name, alice))
        for issued, verification in (
            (alice, "SUCCESS"),
            (None, "NONE"),
            (AUTHORITY.issue("alice"), "FAILED:unable to get local issuer certificate"),
        ):
            session = self.session("a.example", issued)
            assert session is not None
            self.assertEqual((session.trust, session.verification), (TRUST, verification))

    def test_no_certificate_of_ours(self) -> None:
        """A host that is served with the self-signed certificate asks as well."""
        self.current = replace(
            snapshot({}), any_host=VirtualHost("", client_trust=TRUST), default_certificate=None
        )
        for name in ("a.example", None):
            session = self.session(name, CLIENTS.issue("alice"))
            assert session is not None
            self.assertEqual(session.verification, "SUCCESS")

    def test_unusable(self) -> None:
        """Where OpenSSL takes no authority, nobody is asked: a request is then refused."""
        self.current = self.asking(a=ClientTrust(b"garbage"), b=TRUST)
        self.assertIsNone(self.session("a.example", CLIENTS.issue("alice")))
        self.assertIsNotNone(self.session("b.example"))

    def test_contexts(self) -> None:
        """Hosts with the same authorities share a context, which goes with the last of them."""
        self.current = self.asking(a=TRUST, b=TRUST, c=OTHER_TRUST)
        for name in ("a", "b", "c", "d"):
            self.session(f"{name}.example")
        self.assertEqual(self.contexts.count, 3)
        self.current = replace(self.current, hosts={})
        self.session("a.example")
        self.assertEqual(self.contexts.count, 1)


class AgreementTests(TLSContextsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.current = snapshot({"a.example": issue("a.example")})

    def test_versions(self) -> None:
        """Clients of TLS 1.2 and 1.3 are served."""
        for version, name in zip(BOTH_VERSIONS, ("TLSv1.2", "TLSv1.3"), strict=True):
            pair = self.connect(client=client_context(version))
            self.assertEqual(pair.client.version(), name)

    def test_old_version(self) -> None:
        """TLS 1.1 is refused."""
        client = client_context()
        client.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_1
        self.assert_refused("protocol version", client=client)

    def test_weak_cipher(self) -> None:
        """A TLS 1.2 client without authenticated encryption is refused."""
        client = client_context(ssl.TLSVersion.TLSv1_2)
        client.set_ciphers("ECDHE-ECDSA-AES128-SHA256")
        self.assert_refused("handshake failure", client=client)

    def test_order_of_ciphers(self) -> None:
        """The client's favourite among the ciphers is taken."""
        ciphers = ["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES256-GCM-SHA384"]
        for order in ciphers, ciphers[::-1]:
            client = client_context(ssl.TLSVersion.TLSv1_2)
            client.set_ciphers(":".join(order))
            agreed = self.connect(client=client).client.cipher()
            self.assertEqual(agreed and agreed[0], order[0])

    def test_groups(self) -> None:
        """Keys are agreed on over the groups of the guideline, and no others."""
        for group in "X25519", "prime256v1", "secp384r1":
            client = client_context()
            try:
                client.set_ecdh_curve(group)
            except ssl.SSLError:
                # Before Python 3.13 it takes those alone that are named like a curve.
                self.assertEqual(group, "X25519")
                continue
            self.connect(client=client)
        client.set_ecdh_curve("secp521r1")
        self.assert_refused("handshake failure", client=client)

    def test_no_compression(self) -> None:
        """Encrypted data is not compressed (CRIME)."""
        self.assertIsNone(self.connect().client.compression())

    def test_alpn(self) -> None:
        """ALPN agrees on the first of our protocols that the client offers, for every certificate."""
        self.contexts = TLSContexts(lambda: self.current, SELF_SIGNED, (b"h2", b"http/1.1"))
        for name in "a.example", "default.example", None:
            for offered, agreed in (
                (("http/1.1", "h2"), b"h2"),
                (("spdy/3", "http/1.1"), b"http/1.1"),
                ((), None),
            ):
                pair = self.connect(name, client=client_context(protocols=offered))
                self.assertEqual(pair.transport.negotiated_protocol, agreed)
                self.assertEqual(pair.client.selected_alpn_protocol(), agreed and agreed.decode())

    def test_without_http2(self) -> None:
        """With a bound of 0 streams HTTP/2 is not agreed on, from the next handshake on."""
        contexts = TLSContexts(lambda: self.current, SELF_SIGNED)
        self.contexts = contexts
        limits = Limits(http2_streams=0)
        for config, agreed in ((Config(), "h2"), (Config(limits=limits), "http/1.1")):
            self.current = replace(snapshot({}), config=config)
            pair = self.connect(client=client_context(protocols=("h2", "http/1.1")))
            self.assertEqual(pair.client.selected_alpn_protocol(), agreed)

    def test_alpn_without_overlap(self) -> None:
        """A client that offers only other protocols gets an alert, and affects no other client."""
        for name in "a.example", "default.example":
            client = client_context(protocols=("acme-tls/1",))
            self.assert_refused("no application protocol", server_name=name, client=client)
            self.connect(name)

    def assert_refused(self, alert: str, **settings: Any) -> None:
        refused = self.assertRaises(ssl.SSLError, self.connect, **settings)
        self.assertIn(alert, str(refused))


class ResumptionTests(TLSContextsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.current = snapshot({"a.example": issue("a.example")})

    def session(self, client: ssl.SSLContext, name: str = "a.example") -> ssl.SSLSession:
        """Return the session that a client can resume after a connection."""
        pair = self.connect(name, client=client)
        self.assertFalse(pair.client.session_reused)
        pair.transport.write(b"x")
        pair.read(1)
        assert pair.client.session is not None
        return pair.client.session

    def assert_resumes(self, client: ssl.SSLContext, session: ssl.SSLSession) -> None:
        pair = self.connect(client=client, session=session)
        self.assertTrue(pair.client.session_reused)
        pair.send(b"hello")
        self.assertEqual(pair.protocol.received, b"hello")
        assert pair.transport.channel is not None
        self.assertEqual(pair.transport.channel.server_name(), "a.example")
        self.assertEqual(pair.transport.negotiated_protocol, b"http/1.1")

    def test_resumed(self) -> None:
        """A session is resumed."""
        for version in BOTH_VERSIONS:
            client = client_context(version)
            self.assert_resumes(client, self.session(client))

    def test_default_certificate(self) -> None:
        """A session of the self-signed certificate is resumed when there is a better certificate."""
        for version in BOTH_VERSIONS:
            client = client_context(version)
            self.current = None
            session = self.session(client)
            self.current = snapshot({"a.example": issue("a.example")})
            self.assert_resumes(client, session)

    def test_across_swap(self) -> None:
        """A session outlives the certificate that it was made with, and the context of that."""
        for version in BOTH_VERSIONS:
            client = client_context(version)
            session = self.session(client)
            self.current = snapshot({"a.example": issue("a.example")})
            self.served("a.example")
            self.assert_resumes(client, session)

    def test_other_process(self) -> None:
        """A session of a process that is gone leads to a full handshake."""
        for version in BOTH_VERSIONS:
            client = client_context(version)
            session = self.session(client)
            self.contexts = TLSContexts(lambda: self.current, SELF_SIGNED)
            pair = self.connect(client=client, session=session)
            self.assertFalse(pair.client.session_reused)
            self.assertEqual(served_names(pair), ["a.example"])
