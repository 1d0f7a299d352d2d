"""
Tests for `ingress.kube.api.credential_files`.
"""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.credential_files import FileCredentials, Material
from ingress.kube.api.credentials import ClientCertificate, Identity, NoCredentials


class FileCredentialsTests(SynchronousTestCase):
    """Given credentials are used; credentials in files are read periodically."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.clock = Clock()

    def file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def make(self, **material: object) -> FileCredentials:
        return FileCredentials(self.clock, execute, Material(**material))  # type: ignore[arg-type]

    def identity(self, credentials: FileCredentials) -> Identity:
        return self.successResultOf(Deferred.fromCoroutine(credentials.identity()))

    def test_given(self) -> None:
        """Nothing is read where everything is given."""
        self.assertEqual(self.identity(self.make()), Identity())
        self.assertEqual(self.identity(self.make(token=b"t")), Identity(b"Bearer t"))
        self.assertEqual(self.identity(self.make(login=("us", "pä"))), Identity(b"Basic dXM6cMOk"))
        self.assertEqual(
            self.identity(self.make(chain=b"chain", key=b"key")),
            Identity(b"", ClientCertificate(b"chain", b"key")),
        )

    def test_token_file(self) -> None:
        """A token that has been replaced is used when the old one is refused."""
        path = self.file("token", b"first\n")
        credentials = self.make(token=path)
        first = self.identity(credentials)
        self.assertEqual(first, Identity(b"Bearer first"))
        path.write_bytes(b"second\n")
        self.assertEqual(self.identity(credentials), first)
        credentials.reject(first)
        self.assertEqual(self.identity(credentials), Identity(b"Bearer second"))

    def test_certificate_files(self) -> None:
        """Certificate and key are read together; the token may be given."""
        chain, key = self.file("tls.crt", b"chain"), self.file("tls.key", b"key")
        credentials = self.make(token=b"t", chain=chain, key=key)
        self.assertEqual(
            self.identity(credentials), Identity(b"Bearer t", ClientCertificate(b"chain", b"key"))
        )

    def test_no_token(self) -> None:
        """A file without a token is an error, and is not sent."""
        for content, words in (
            (b"", "is empty; a token is needed"),
            (b"a\r\nX-Other: b", "has no valid token"),
        ):
            credentials = self.make(token=self.file("token", content))
            asked = Deferred.fromCoroutine(credentials.identity())
            error = self.failureResultOf(asked, NoCredentials).value
            self.assertIn(words, str(error))
        credentials = self.make(token=self.folder / "none")
        asked = Deferred.fromCoroutine(credentials.identity())
        self.assertIn("cannot be read", str(self.failureResultOf(asked, NoCredentials).value))

    def test_not_shown(self) -> None:
        """No representation has a credential in it."""
        material = Material(token=b"s3cr3t", login=("s3cr3t", "s3cr3t"), key=b"s3cr3t")
        identity = Identity(b"s3cr3t", ClientCertificate(b"s3cr3t", b"s3cr3t"))
        for each in (material, identity, FileCredentials(self.clock, execute, material)):
            self.assertNotIn("s3cr3t", repr(each))
