"""Tests of signers that Ingresses ask for; tests/signing shows what comes of them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Cluster, Config
from ingress.policy.certificate_signer import CERTIFICATE_SIGNER, CertificateSigner
from ingress.testing import read_annotations

LISTED = Config(cluster=Cluster(), certificate_signers=("example.com/ingress",))


class CertificateSignerTests(SynchronousTestCase):
    def faults(self, value: str, config: Config) -> str:
        reading = read_annotations(CertificateSigner, {CERTIFICATE_SIGNER: value}, config=config)
        self.assertIsNone(reading.feature)
        return reading.faults.get(CERTIFICATE_SIGNER, "")

    def test_listed(self) -> None:
        """A signer of the configuration is no Problem, nor is none."""
        for value in ("example.com/ingress", " example.com/ingress ", ""):
            self.assertEqual(self.faults(value, LISTED), "")

    def test_others(self) -> None:
        """Any other one is not asked, and the Problem says who would be."""
        for value in ("kubernetes.io/kubelet-serving", "nonsense", "a\r\nb", '"' * 100_000):
            self.assertIn("names example.com/ingress", self.faults(value, LISTED))
        nobody = Config(cluster=Cluster())
        self.assertIn("names nobody", self.faults("example.com/ingress", nobody))

    def test_files(self) -> None:
        """Without a cluster nobody can be asked."""
        self.assertIn("source.kubernetes", self.faults("example.com/ingress", Config()))
