"""
The certificate that is made at start.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from twisted.trial.unittest import SynchronousTestCase

from ingress.downstream.self_signed import LIFETIME, make_self_signed

NOW = datetime(2026, 11, 23, 12, 30, 15, 999, tzinfo=UTC)


class MakeSelfSignedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.made = make_self_signed(NOW)
        self.certificate = x509.load_pem_x509_certificate(self.made.chain_pem)

    def test_names(self) -> None:
        """The certificate says what it is, to people who look at it in a browser."""
        self.assertEqual(
            self.certificate.subject.rfc4514_string(), "CN=txingress default certificate"
        )
        names = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        self.assertEqual(names.value.get_values_for_type(x509.DNSName), ["ingress.local"])
        self.assertEqual(self.made.names, ("ingress.local",))

    def test_key(self) -> None:
        """The key is on P-256, belongs to the certificate, and has signed it."""
        key = load_pem_private_key(self.made.key_pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self.assertIsInstance(key.curve, ec.SECP256R1)
        self.assertEqual(key.public_key(), self.certificate.public_key())
        self.certificate.verify_directly_issued_by(self.certificate)

    def test_validity(self) -> None:
        """The certificate is valid for a year, also for clients whose clock is a little slow."""
        self.assertLess(self.certificate.not_valid_before_utc, NOW - timedelta(minutes=30))
        self.assertGreater(self.certificate.not_valid_after_utc, NOW + LIFETIME * 0.99)
        self.assertEqual(self.made.not_before, self.certificate.not_valid_before_utc)
        self.assertEqual(self.made.not_after, self.certificate.not_valid_after_utc)

    def test_another_each_time(self) -> None:
        """No two certificates, and no two fingerprints, are alike."""
        other = make_self_signed(NOW)
        self.assertNotEqual(self.made.key_pem, other.key_pem)
        self.assertNotEqual(self.made.fingerprint, other.fingerprint)

    def test_key_is_not_shown(self) -> None:
        """The key is in no traceback and no log."""
        self.assertNotIn("PRIVATE", repr(self.made))
