"""
Tests for `ingress.signing.certificate_folder`.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from ingress.signing.certificate_folder import CertificateFolder, FolderFault
from tests.signing.case import SIGNER, SigningCase


class CertificateFolderTests(SigningCase):
    def write(self, folder: CertificateFolder) -> Any:
        issued = self.authority.issue("a.example")
        return self.begin(folder.write(self.client, issued.chain_pem, issued.key_pem, SIGNER))

    def test_written(self) -> None:
        """The folder is made with a pair, whose key only its owner can read; nothing else stays."""
        path = Path(self.mktemp()) / "tls"
        folder = CertificateFolder(path)
        self.assertFalse(folder.exists)
        for _ in range(2):
            self.successResultOf(self.write(folder))
            self.assertTrue(folder.exists and folder.is_ours)
            assert folder.pair is not None
            self.assertEqual(folder.pair.names, ("a.example",))
            names = {file.name for file in path.iterdir()}
            self.assertEqual(names, {"tls.crt", "tls.key", "tls.signer"})
            self.assertEqual(stat.S_IMODE((path / "tls.key").stat().st_mode), 0o600)

    def test_of_others(self) -> None:
        """A key that was there before is not ours, and no pair without its certificate."""
        path = Path(self.mktemp())
        path.mkdir()
        (path / "tls.key").write_text("of somebody")
        folder = CertificateFolder(path)
        self.assertTrue(folder.exists)
        self.assertFalse(folder.is_ours)
        self.assertIsNone(folder.pair)

    def test_refused(self) -> None:
        """A place that cannot be a folder is told with its name."""
        path = Path(self.mktemp())
        path.write_text("")
        self.assertIn(str(path), self.failed(self.write(CertificateFolder(path)), FolderFault))
