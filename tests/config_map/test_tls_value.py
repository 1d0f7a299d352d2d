"""
Tests for `ingress.config_map.tls_value`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config.section import NotAccepted
from ingress.config_map.tls_value import ciphers, curves, old_protocols, protocols


class AcceptTests(SynchronousTestCase):
    def test_protocols(self) -> None:
        """A version that is spoken is needed; old ones beside it are told."""
        self.assertEqual(protocols("TLSv1.3 TLSv1.2"), ("TLSv1.3", "TLSv1.2"))
        self.assertEqual(
            old_protocols(protocols("TLSv1 TLSv1.1 TLSv1.2")), "TLSv1 and TLSv1.1 are not spoken"
        )
        self.assertEqual(old_protocols(protocols("TLSv1.2")), "")
        for written in ("", "TLSv1", "SSLv3 TLSv1.2", "TLSv1.2,TLSv1.3", "tlsv1.2"):
            self.assertRaises(NotAccepted, protocols, written)

    def test_ciphers(self) -> None:
        """Lists of OpenSSL are accepted, without those that neither encrypt nor authenticate."""
        for written in (
            "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
            "HIGH:!aNULL:!MD5",
            "NONSENSE:ECDHE-RSA-AES128-GCM-SHA256",
        ):
            self.assertEqual(ciphers(written), written)
        for written in (
            "NONSENSE",
            "eNULL",
            "aNULL:eNULL@SECLEVEL=0",
            "HIGH\r\nx",
            "x" * 5000,
            "a;b",
        ):
            self.assertRaises(NotAccepted, ciphers, written)

    def test_curves(self) -> None:
        """Curves by their names in OpenSSL; auto is none in particular."""
        self.assertEqual(curves("auto"), "")
        self.assertEqual(curves("X25519:prime256v1:secp384r1"), "X25519:prime256v1:secp384r1")
        for written in ("nonsense", "X25519 P-256", "x" * 600):
            self.assertRaises(NotAccepted, curves, written)
