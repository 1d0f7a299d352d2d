"""Tests of what a Secret holds for TLS towards endpoints."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.objects import Secret
from ingress.policy.backend_secret import BackendSecret
from ingress.routing.build.backend_secret import read_backend_secret
from tests.support.certs import CertificateAuthority
from tests.support.objects import metadata

CA = CertificateAuthority()
CLIENT = CA.issue("client.example")
PAIR = {"tls.crt": CLIENT.chain_pem, "tls.key": CLIENT.key_pem}


def read(**data: bytes) -> BackendSecret:
    """:param data: keys with ``_`` for ``.``."""
    keys = {key.replace("_", "."): value for key, value in data.items()}
    return read_backend_secret(Secret(metadata=metadata("client"), data=keys))


class ReadBackendSecretTests(SynchronousTestCase):
    def test_good(self) -> None:
        """A pair, trusted certificates, or both; other keys are nobody's business."""
        chain, key, roots = CLIENT.chain_pem, CLIENT.key_pem, CA.root_pem * 2
        self.assertEqual(read(tls_crt=chain, tls_key=key, x=b"y"), BackendSecret(chain, key))
        self.assertEqual(read(ca_crt=roots), BackendSecret(ca_pem=roots))
        self.assertEqual(read(tls_crt=b"", tls_key=b"", ca_crt=roots), BackendSecret(ca_pem=roots))
        both = read(tls_crt=chain, tls_key=key, ca_crt=roots)
        self.assertEqual(both, BackendSecret(chain, key, roots))

    def assert_fault(self, found: BackendSecret, fault: str) -> None:
        """Nothing of a bad Secret is used."""
        self.assertIn(fault, found.fault)
        self.assertEqual(found, BackendSecret(fault=found.fault))

    def test_missing(self) -> None:
        """No Secret, and one with nothing in it, are faults."""
        for found in (read(), read(token=b"x"), read(tls_crt=b"", ca_crt=b"")):
            self.assert_fault(found, "neither tls.crt with tls.key nor ca.crt")

    def test_half(self) -> None:
        """Half a pair is a fault, trusted certificates beside it or not."""
        self.assert_fault(read(tls_crt=CLIENT.chain_pem), "it has no tls.key")
        half = read(tls_key=CLIENT.key_pem, ca_crt=CA.root_pem)
        self.assert_fault(half, "it has no tls.crt")

    def test_bad_pair(self) -> None:
        """A pair that OpenSSL would not serve with is a fault."""
        other = CA.issue("other.example")
        found = read(tls_crt=CLIENT.chain_pem, tls_key=other.key_pem, ca_crt=CA.root_pem)
        self.assert_fault(found, "does not belong to its tls.crt")

    def test_bad_authorities(self) -> None:
        """Trusted certificates that cannot be read are a fault, one of several as well."""
        broken = CA.root_pem + CA.root_pem.replace(b"MI", b"??")
        for pem in (b"garbage", CLIENT.key_pem, CA.root_pem[:-60], broken):
            self.assert_fault(read(ca_crt=pem), "its ca.crt has no PEM certificates")
