"""
Tests for `ingress.signing.key_pair`.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from twisted.trial.unittest import SynchronousTestCase

from ingress.signing.key_pair import make_key, make_request


class RequestTests(SynchronousTestCase):
    def test_request(self) -> None:
        """A request has the hosts as alternative names, is signed, and names the first host."""
        for is_rsa, kind in ((False, ec.EllipticCurvePublicKey), (True, rsa.RSAPublicKey)):
            pem = make_request(make_key(is_rsa=is_rsa), ("a.example", "*.b.example"))
            request = x509.load_pem_x509_csr(pem)
            self.assertTrue(request.is_signature_valid)
            self.assertIsInstance(request.public_key(), kind)
            names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            self.assertFalse(names.critical)
            self.assertEqual(
                names.value.get_values_for_type(x509.DNSName), ["a.example", "*.b.example"]
            )
            (common,) = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            self.assertEqual(common.value, "a.example")

    def test_long_host(self) -> None:
        """A host that is too long for a common name is an alternative name alone."""
        host = f"{'a' * 60}.example.com"
        request = x509.load_pem_x509_csr(make_request(make_key(), (host,)))
        self.assertEqual(len(request.subject), 0)
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        self.assertTrue(names.critical)
