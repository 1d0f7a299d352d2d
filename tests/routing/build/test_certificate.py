"""Tests of what a Secret gives for TLS."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from twisted.trial.unittest import SynchronousTestCase

from ingress.routing.build.secret_pair import (
    SecretPair,
    covers,
    lapse,
    next_change,
)
from ingress.routing.build.secret_reading import read_secret
from ingress.routing.snapshot import CertificateIdentity
from tests.support.certs import CertificateAuthority, Issued, rsa_key, to_pem
from tests.support.objects import NOW, secret

CA = CertificateAuthority()
GOOD = CA.issue("a.example", "*.b.example")


def read(certificate: bytes, key: bytes, previous: SecretPair | None = None) -> SecretPair:
    return read_secret(secret("tls", certificate, key), previous)


def of(issued: Issued) -> SecretPair:
    return read(issued.chain_pem, issued.key_pem)


class ReadSecretTests(SynchronousTestCase):
    def test_good(self) -> None:
        """RSA and ECDSA pairs with their chain are taken, names in lower case."""
        issuer = CA.intermediate()
        for issued in (GOOD, CA.issue("a.example", key=rsa_key()), issuer.issue("A.Example")):
            pair = of(issued)
            self.assertEqual(pair.fault, "")
            assert pair.certificate is not None
            self.assertEqual(pair.certificate.names[0], "a.example")
            self.assertEqual(pair.certificate.chain_pem, issued.chain_pem)

    def test_identity(self) -> None:
        """A pair is known by its Secret, its issuer, its number and its fingerprint."""
        for issued, algorithm in ((GOOD, "ECDSA"), (CA.issue("a.example", key=rsa_key()), "RSA")):
            certificate = of(issued).certificate
            assert certificate is not None
            self.assertEqual(
                certificate.identity,
                CertificateIdentity(
                    secret=("default", "tls"),
                    issuer="Throw-away CA",
                    issuer_organization="",
                    serial_number=str(issued.certificate.serial_number),
                    key_algorithm=algorithm,
                    fingerprint=issued.certificate.fingerprint(SHA256()).hex(),
                ),
            )

    def assert_fault(self, certificate: bytes, key: bytes, fault: str) -> None:
        pair = read(certificate, key)
        self.assertIsNone(pair.certificate)
        self.assertIn(fault, pair.fault)

    def test_missing(self) -> None:
        """A key of the Secret that is missing, or empty, is named."""
        self.assert_fault(b"", GOOD.key_pem, "its tls.crt is empty")
        self.assert_fault(GOOD.chain_pem, b"", "its tls.key is empty")

    def test_unreadable(self) -> None:
        """What is no PEM is a fault, in the middle of a chain as well."""
        self.assert_fault(b"nonsense", GOOD.key_pem, "tls.crt is no PEM certificate")
        self.assert_fault(GOOD.chain_pem[:200], GOOD.key_pem, "tls.crt is no PEM certificate")
        broken = GOOD.chain_pem + GOOD.chain_pem.replace(b"MI", b"??")
        self.assert_fault(broken, GOOD.key_pem, "tls.crt is no PEM certificate")
        self.assert_fault(GOOD.chain_pem, GOOD.chain_pem, "tls.key is no PEM key")

    def test_key_of_another(self) -> None:
        """A key that does not belong to the certificate is a fault."""
        for other in (CA.issue("a.example"), CA.issue("a.example", key=rsa_key())):
            self.assert_fault(GOOD.chain_pem, other.key_pem, "does not belong")

    def test_encrypted(self) -> None:
        """An encrypted key is a fault that says so."""
        key = rsa_key().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        )
        self.assert_fault(GOOD.chain_pem, key, "encrypted")

    def test_other_kind(self) -> None:
        """A key that OpenSSL cannot serve with is a fault that says which ones it can."""
        key = dsa.generate_private_key(1024).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        self.assert_fault(GOOD.chain_pem, key, "no key of RSA, ECDSA, Ed25519 or Ed448")

    def test_edwards_curves(self) -> None:
        """Pairs of Ed25519 and Ed448 are accepted."""
        for key, algorithm in (
            (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
            (ed448.Ed448PrivateKey.generate(), "Ed448"),
        ):
            pair = of(CA.issue("a.example", key=key))
            assert pair.certificate is not None
            assert pair.certificate.identity is not None
            self.assertEqual((pair.fault, pair.certificate.identity.key_algorithm), ("", algorithm))

    def test_bundle_in_any_order(self) -> None:
        """A bundle with its authorities first is served as if it began with its own certificate."""
        issued = CA.intermediate("one").intermediate("two").issue("a.example")
        good = of(issued).certificate
        assert good is not None
        parts = x509.load_pem_x509_certificates(issued.chain_pem)
        for order in permutations(parts):
            bundle = b"".join(each.public_bytes(Encoding.PEM) for each in order)
            pair = read(bundle, issued.key_pem)
            assert pair.certificate is not None
            self.assertEqual((pair.fault, pair.certificate.names), ("", ("a.example",)))
            self.assertEqual(pair.certificate.identity, good.identity)
            if order[0] is not parts[0]:
                self.assertEqual(pair.certificate.chain_pem, issued.chain_pem)

    def test_bundle_of_others(self) -> None:
        """A bundle none of whose certificates has the key is a fault that says so."""
        issued = CA.intermediate().issue("a.example")
        self.assert_fault(
            issued.chain_pem, GOOD.key_pem, "its tls.key belongs to no certificate of its tls.crt"
        )

    def test_short(self) -> None:
        """What OpenSSL refuses to serve with is a fault, before any client comes."""
        issued = CA.issue("a.example", key=rsa_key(1024))
        self.assert_fault(issued.chain_pem, issued.key_pem, "OpenSSL refuses it (ee key too small)")

    def test_damaged(self) -> None:
        """An RSA key of which one number is wrong is a fault."""
        key = rsa_key()
        numbers = key.private_numbers()
        damaged = rsa.RSAPrivateNumbers(
            p=numbers.p,
            q=numbers.q,
            d=numbers.d + 2,
            dmp1=numbers.dmp1,
            dmq1=numbers.dmq1,
            iqmp=numbers.iqmp,
            public_numbers=numbers.public_numbers,
        ).private_key(unsafe_skip_rsa_key_validation=True)
        issued = CA.issue("a.example", key=key)
        self.assert_fault(issued.chain_pem, to_pem(damaged), "damaged")

    def test_no_secret_shown(self) -> None:
        """Neither a fault nor a repr shows anything of the key."""
        line = GOOD.key_pem.splitlines()[1].decode()
        for pair in (of(GOOD), read(GOOD.key_pem, GOOD.chain_pem)):
            self.assertNotIn(line, repr(pair))
            self.assertNotIn(line, pair.fault)

    def test_same_secret(self) -> None:
        """The same Secret is not read again, nor one with the same pair."""
        pair = of(GOOD)
        self.assertIs(read_secret(pair.secret, pair), pair)
        again = read(GOOD.chain_pem, GOOD.key_pem, pair)
        self.assertIs(again.certificate, pair.certificate)

    def test_last_good(self) -> None:
        """A pair that turns bad keeps the last good one, with a fault, until it is good again."""
        good = of(GOOD)
        bad = read(b"half a f", GOOD.key_pem, good)
        self.assertIs(bad.certificate, good.certificate)
        self.assertNotEqual(bad.fault, "")
        worse = read(b"half", GOOD.key_pem, bad)
        self.assertIs(worse.certificate, good.certificate)
        other = CA.issue("c.example")
        mended = read(other.chain_pem, other.key_pem, worse)
        assert mended.certificate is not None
        self.assertEqual((mended.certificate.names, mended.fault), (("c.example",), ""))


class CoversTests(SynchronousTestCase):
    def test_table(self) -> None:
        """A wildcard covers one label; a wildcard host needs the same wildcard."""
        certificate = of(GOOD).certificate
        assert certificate is not None
        for host, expected in (
            ("a.example", True),
            ("x.b.example", True),
            ("*.b.example", True),
            ("b.example", False),
            ("x.y.b.example", False),
            ("*.x.b.example", False),
            ("*.a.example", False),
            ("example", False),
        ):
            with self.subTest(host=host):
                self.assertEqual(covers(certificate, host), expected)


class LapseTests(SynchronousTestCase):
    def test_lapse(self) -> None:
        """Before and after its time a certificate is said to be so; changes are foretold."""
        day = timedelta(days=1)
        certificate = of(CA.issue("a", not_before=NOW, not_after=NOW + day)).certificate
        assert certificate is not None
        self.assertIn("not valid before 2026-11-23 00:00 UTC", lapse(certificate, NOW - day))
        self.assertEqual(next_change(certificate, NOW - day), NOW)
        self.assertEqual(lapse(certificate, NOW), "")
        self.assertEqual(next_change(certificate, NOW), NOW + day)
        self.assertIn("expired on 2026-11-24 00:00 UTC", lapse(certificate, NOW + day))
        self.assertIsNone(next_change(certificate, NOW + day))
