"""Tests of what a TLS handshake has established about a client."""

from __future__ import annotations

import pickle
from dataclasses import replace
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier
from twisted.trial.unittest import SynchronousTestCase

from ingress.client_session import ClientSession, ClientTrust
from ingress.field_edits import FieldEdits
from tests.support.certs import NEXT_MONTH, YESTERDAY, CertificateAuthority

CA = CertificateAuthority("Clients")
TRUST = ClientTrust(CA.root_pem)
ALICE = CA.issue("alice", organization="Acme").certificate


def named(*attributes: tuple[ObjectIdentifier, str]) -> ClientSession:
    """The session of a certificate whose subject has these attributes."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.NameAttribute(kind, value, _validate=False) for kind, value in attributes]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(names))
        .issuer_name(x509.Name(names))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(YESTERDAY)
        .not_valid_after(NEXT_MONTH)
        .sign(key, hashes.SHA256())
    )
    return ClientSession(TRUST, certificate, {})


class TrustTests(SynchronousTestCase):
    def test_compared(self) -> None:
        """Other authorities, lists or depths are another trust; equal ones are equal everywhere."""
        self.assertEqual(ClientTrust(bytes(CA.root_pem)), TRUST)
        self.assertEqual(pickle.loads(pickle.dumps(TRUST)), TRUST)
        for other in (
            replace(TRUST, ca_pem=CA.root_pem + b"\n"),
            replace(TRUST, crl_pem=b"x"),
            replace(TRUST, depth=2),
            ClientTrust(CA.root_pem[:-1], CA.root_pem[-1:]),
        ):
            self.assertNotEqual(other, TRUST)

    def test_repr(self) -> None:
        """It shows itself in a line."""
        self.assertNotIn("BEGIN", repr(TRUST))


class SessionTests(SynchronousTestCase):
    def test_verification(self) -> None:
        """It says in nginx's words what became of the certificate."""
        self.assertEqual(ClientSession(TRUST, None, {}).verification, "NONE")
        self.assertEqual(ClientSession(TRUST, ALICE, {}).verification, "SUCCESS")
        faults = {20: "unable to get local issuer certificate", 21: "unable to verify"}
        self.assertEqual(
            ClientSession(TRUST, ALICE, faults).verification,
            "FAILED:unable to get local issuer certificate",
        )

    def test_nothing(self) -> None:
        """Without a certificate there are no names."""
        session = ClientSession(TRUST, None, {})
        self.assertEqual((session.subject, session.issuer, session.escaped_pem), ("", "", ""))
        self.assertEqual(session.common_names, ())

    def test_names(self) -> None:
        """Names are written in reverse, as RFC 2253 does, with OpenSSL's short names."""
        session = named(
            (NameOID.COUNTRY_NAME, "DE"),
            (NameOID.ORGANIZATION_NAME, "Acme, Inc."),
            (NameOID.COMMON_NAME, "alice"),
            (NameOID.EMAIL_ADDRESS, "alice@acme.example"),
        )
        expected = r"emailAddress=alice@acme.example,CN=alice,O=Acme\, Inc.,C=DE"
        self.assertEqual((session.subject, session.issuer), (expected, expected))
        self.assertEqual(session.common_names, ("alice",))

    def test_hostile_names(self) -> None:
        """Whatever a name has, it can stand in a field of a request and ends none."""
        for value, written in (
            ("a\r\nX-Admin: yes", r"CN=a\0D\0AX-Admin: yes"),
            ("M\u00fcller", r"CN=M\C3\BCller"),
            ("a ", r"CN=a\20"),
            (" a", r"CN=\ a"),
            ("#a", r"CN=\#a"),
            ("a,O=Root", r"CN=a\,O=Root"),
            ("a\x7f\t", r"CN=a\7F\09"),
            ('"<>;+\\', r"CN=\"\<\>\;\+\\"),
        ):
            session = named((NameOID.COMMON_NAME, value))
            self.assertEqual(session.subject, written)
            FieldEdits(replace=((b"ssl-client-subject-dn", session.subject.encode("ascii")),))
        self.assertEqual(named((NameOID.COMMON_NAME, "a\0b")).subject, r"CN=a\00b")

    def test_several_names(self) -> None:
        """All common names count."""
        session = named((NameOID.COMMON_NAME, "alice"), (NameOID.COMMON_NAME, "root"))
        self.assertEqual(session.common_names, ("alice", "root"))

    def test_escaped(self) -> None:
        """The certificate is escaped as in a URL."""
        escaped = ClientSession(TRUST, ALICE, {}).escaped_pem
        self.assertTrue(escaped.startswith("-----BEGIN%20CERTIFICATE-----%0A"))
        self.assertRegex(escaped, r"\A[A-Za-z0-9%.~_-]+\Z")
        self.assertEqual(x509.load_pem_x509_certificate(unquote(escaped).encode()), ALICE)
