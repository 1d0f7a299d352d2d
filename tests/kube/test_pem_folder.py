"""
Tests for `ingress.kube.pem_folder`.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.folder import FoundFile, Listing
from ingress.kube.objects import Secret
from ingress.kube.pem_folder import MAX_PEM_SIZE, read_pair, scan_secrets, sign_pair
from tests.support.disk import Disk


class PairTests(SynchronousTestCase):
    """Folders with a pair of files become Secrets."""

    def setUp(self) -> None:
        self.disk = Disk(self.mktemp())

    def scan(self) -> Listing:
        listing = Listing()
        scan_secrets(self.disk.path("s"), 1, listing)
        return listing

    def found(self) -> dict[str, FoundFile]:
        return {
            os.path.relpath(path, self.disk.root): file for path, file in self.scan().files.items()
        }

    def test_read(self) -> None:
        """A pair is a Secret of type kubernetes.io/tls, in the namespace of its folder."""
        self.disk.write("s/ns/name/tls.crt", "certificate")
        self.disk.write("s/ns/name/tls.key", "hunter2")
        self.assertEqual(list(self.found()), ["s/ns/name"])
        secret = read_pair(self.disk.path("s/ns/name")).item
        assert isinstance(secret, Secret)
        self.assertEqual((secret.key, secret.type), (("ns", "name"), "kubernetes.io/tls"))
        self.assertEqual(secret.data, {"tls.crt": b"certificate", "tls.key": b"hunter2"})
        self.assertEqual(secret.origin.file, self.disk.path("s/ns/name"))

    def test_mounted(self) -> None:
        """A pair that Kubernetes mounts is found once, and changes with the link."""
        self.disk.mount("s/ns/name", "1", tls_crt="a", tls_key="b")
        [found] = self.found().values()
        self.assertIn(self.disk.path("s/ns/name/..1"), self.scan().folders)
        self.disk.mount("s/ns/name", "2", tls_crt="c", tls_key="d")
        [changed] = self.found().values()
        self.assertNotEqual(changed.signature, found.signature)
        secret = read_pair(changed.path).item
        assert isinstance(secret, Secret)
        self.assertEqual(secret.data["tls.key"], b"d")

    def test_missing_folder(self) -> None:
        """The folder may be missing; what it will appear in is watched."""
        self.assertEqual(self.scan().files, {})
        self.assertEqual(self.scan().problems, {})
        self.assertEqual(self.scan().folders, {str(self.disk.root)})

    def test_missing_file(self) -> None:
        """One file without the other is a Problem that names the other; none of them is nothing."""
        self.disk.write("s/ns/name/tls.crt", "a")
        self.disk.write("s/ns/empty/readme", "a")
        self.assertEqual(list(self.found()), ["s/ns/name"])
        reading = read_pair(self.disk.path("s/ns/name"))
        self.assertIsNone(reading.item)
        [problem] = reading.problems
        self.assertEqual(
            str(problem),
            f"{self.disk.path('s/ns/name')}: Secret ns/name: tls.key cannot be read: No such file or directory",
        )

    def test_authority(self) -> None:
        """Trusted certificates belong to the Secret of their pair, or are one alone."""
        self.disk.write("s/ns/alone/ca.crt", "roots")
        for name in ("tls.crt", "tls.key", "ca.crt"):
            self.disk.write(f"s/ns/both/{name}", name)
        self.assertEqual(sorted(self.found()), ["s/ns/alone", "s/ns/both"])
        alone = read_pair(self.disk.path("s/ns/alone")).item
        assert isinstance(alone, Secret)
        self.assertEqual((alone.type, alone.data), ("Opaque", {"ca.crt": b"roots"}))
        both = read_pair(self.disk.path("s/ns/both")).item
        assert isinstance(both, Secret)
        self.assertEqual((both.type, len(both.data)), ("kubernetes.io/tls", 3))

    def test_bad_authority(self) -> None:
        """Trusted certificates that are there and cannot be read are a Problem."""
        for name in ("tls.crt", "tls.key"):
            self.disk.write(f"s/ns/name/{name}", "a")
        folder = self.disk.path("s/ns/name")
        os.mkdir(os.path.join(folder, "ca.crt"))
        [problem] = read_pair(folder).problems
        self.assertIn("ca.crt cannot be read", problem.message)

    def test_strange_files(self) -> None:
        """A pipe, a folder or an endless file is a Problem and never waited for."""
        self.disk.write("s/ns/name/tls.crt", "a")
        key = self.disk.path("s/ns/name/tls.key")
        os.mkfifo(key)
        self.assertEqual(len(read_pair(os.path.dirname(key)).problems), 1)
        os.unlink(key)
        os.mkdir(key)
        self.assertEqual(len(read_pair(os.path.dirname(key)).problems), 1)
        os.rmdir(key)
        self.disk.write("s/ns/name/tls.key", "x" * (MAX_PEM_SIZE + 1))
        self.assertEqual(len(read_pair(os.path.dirname(key)).problems), 1)

    def test_names(self) -> None:
        """Folders must have names that Secrets can have; hidden ones are passed over."""
        for name in ("tls.crt", "tls.key"):
            self.disk.write(f"s/ns/A_b/{name}", "")
            self.disk.write(f"s/.ns/a/{name}", "")
            self.disk.write(f"s/ns/.a/{name}", "")
            self.disk.write(f"s/{name}", "")
            self.disk.write(f"s/ns/{name}", "")
        self.assertEqual(list(self.found()), ["s/ns/A_b"])
        [problem] = read_pair(self.disk.path("s/ns/A_b")).problems
        self.assertEqual(problem.field, "metadata.name")

    def test_signature(self) -> None:
        """The signature of a pair is that of all its files."""
        self.disk.write("p/tls.crt", "a")
        one = sign_pair(self.disk.path("p"))
        self.disk.write("p/tls.key", "a")
        two = sign_pair(self.disk.path("p"))
        self.disk.write("p/tls.crt", "b")
        three = sign_pair(self.disk.path("p"))
        self.disk.write("p/ca.crt", "a")
        four = sign_pair(self.disk.path("p"))
        self.assertEqual(len({one, two, three, four, sign_pair(self.disk.path("q"))}), 5)
