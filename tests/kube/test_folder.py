"""
Tests for `ingress.kube.folder`.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.folder import (
    MAX_FILE_SIZE,
    Listing,
    find_files,
    link_folders,
    scan_manifests,
    sign,
)
from tests.support.disk import Disk


class FolderTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.disk = Disk(self.mktemp())

    def scan(self, *names: str) -> Listing:
        """What is found below some paths of the disk."""
        listing = Listing()
        scan_manifests([self.disk.path(name) for name in names], listing)
        return listing

    def found(self, *names: str) -> list[str]:
        """The files that are found, in the order in which they win."""
        files = sorted(self.scan(*names).files.values(), key=lambda file: file.order)
        return [os.path.relpath(file.path, self.disk.root) for file in files]

    def problems(self, *names: str) -> dict[str, str]:
        """The message for each path that has a Problem."""
        found = self.scan(*names).problems.items()
        return {os.path.relpath(path, self.disk.root): problem.message for path, problem in found}


class ScanTests(FolderTestCase):
    """Manifest files are found, and nothing else."""

    def test_names(self) -> None:
        """Files with our suffixes are found at every depth; hidden ones are not."""
        for name in (
            "b.yaml",
            "a.yml",
            "sub/deep/c.json",
            "x.txt",
            "x.yaml.bak",
            ".y.yaml",
            ".git/z.yaml",
            "YAML",
        ):
            self.disk.write(name, "")
        self.assertEqual(self.found(""), ["a.yml", "b.yaml", "sub/deep/c.json"])

    def test_order(self) -> None:
        """The order of the paths comes first, then that of the names; no file comes twice."""
        for name in ("a/1.yaml", "b/1.yaml", "b/2.yaml", "c"):
            self.disk.write(name, "")
        self.assertEqual(
            self.found("c", "b/2.yaml", "b", "a"), ["c", "b/2.yaml", "b/1.yaml", "a/1.yaml"]
        )

    def test_configuration(self) -> None:
        """The configuration is no manifest, whatever folder or link leads to it."""
        for name in ("m/a.yaml", "m/ingress.yaml"):
            self.disk.write(name, "")
        self.disk.link("m/link.yaml", "ingress.yaml")
        listing = Listing(configuration=self.disk.path("m/ingress.yaml"))
        scan_manifests([self.disk.path("m"), self.disk.path("m/ingress.yaml")], listing)
        self.assertEqual(list(listing.files), [self.disk.path("m/a.yaml")])
        self.assertEqual(find_files(listing, [self.disk.path("m/ingress.yaml")]), [])

    def test_missing(self) -> None:
        """A path that is not there is a Problem; its parent is watched for it."""
        self.assertEqual(self.problems("no/where"), {"no/where": "does not exist"})
        self.assertEqual(self.scan("no/where").folders, {str(self.disk.root)})
        self.assertEqual(self.scan("no/where").hidden, set())

    def test_links(self) -> None:
        """Symbolic links are followed, to files and to folders."""
        self.disk.write("real/a.yaml", "")
        self.disk.link("m/link.yaml", "../real/a.yaml")
        self.disk.link("m/folder", "../real")
        self.assertEqual(self.found("m"), ["m/link.yaml", "m/folder/a.yaml"][::-1])
        self.assertIn(self.disk.path("real"), self.scan("m").folders)
        self.assertEqual(
            self.scan("m").files[self.disk.path("m/link.yaml")].real,
            (self.disk.path("real/a.yaml"),),
        )

    def test_loops(self) -> None:
        """Links that lead up, or to one another, end somewhere."""
        self.disk.write("m/a.yaml", "")
        self.disk.link("m/up", "..")
        self.disk.link("m/self.yaml", "self.yaml")
        self.disk.link("m/sub/up", "../..")
        self.assertEqual(self.found("m"), ["m/a.yaml"])
        self.assertEqual(list(self.problems("m")), ["m/self.yaml"])

    def test_dangling(self) -> None:
        """A link that leads nowhere is a Problem; where it leads is watched."""
        self.disk.write("real/x", "")
        self.disk.link("m/a.yaml", "../real/a.yaml")
        self.assertEqual(self.problems("m"), {"m/a.yaml": "is a broken symbolic link"})
        self.assertIn(self.disk.path("real"), self.scan("m").folders)

    def test_mounted(self) -> None:
        """What Kubernetes mounts is found once, not in its hidden folders too."""
        self.disk.mount("m", "2026", a_yaml="", b_yaml="")
        self.assertEqual(self.found("m"), ["m/a.yaml", "m/b.yaml"])

    def test_special_files(self) -> None:
        """A pipe or a device is a Problem and is never opened."""
        self.disk.write("m/a.yaml", "")
        os.mkfifo(self.disk.path("m/pipe.yaml"))
        self.disk.link("m/zero.json", "/dev/zero")
        message = "is neither a file nor a folder"
        self.assertEqual(self.problems("m"), {"m/pipe.yaml": message, "m/zero.json": message})
        self.assertEqual(self.found("m"), ["m/a.yaml"])

    def test_large(self) -> None:
        """A file that is too large is a Problem, and keeps what it gave."""
        with open(self.disk.path("a.yaml"), "wb") as file:
            file.truncate(MAX_FILE_SIZE + 1)
        self.assertEqual(
            self.problems(""),
            {"a.yaml": "has 67,108,865 bytes; a file of 64 MiB (67,108,864 bytes) at most is read"},
        )
        self.assertEqual(self.scan("").hidden, {self.disk.path("a.yaml")})

    def test_strange_names(self) -> None:
        """A name that is no text cannot disturb the log."""
        with open(os.fsencode(str(self.disk)) + b"/a\n\xff.yaml", "w"):
            pass
        os.symlink("nowhere", os.fsencode(str(self.disk)) + b"/b\n\xff.yaml")
        listing = self.scan("")
        self.assertEqual(len(listing.files), 1)
        [problem] = listing.problems.values()
        self.assertTrue(str(problem).isprintable())

    def test_signature(self) -> None:
        """A signature changes with content, time and identity of a file."""
        self.disk.write("a.yaml", "1")
        signatures = {sign(os.stat(self.disk.path("a.yaml")))}
        self.disk.write("a.yaml", "2")
        signatures.add(sign(os.stat(self.disk.path("a.yaml"))))
        self.disk.replace("a.yaml", "3")
        signatures.add(sign(os.stat(self.disk.path("a.yaml"))))
        self.assertEqual(len(signatures), 3)


class LinkFoldersTests(FolderTestCase):
    """Every folder is known where a change makes a path lead elsewhere."""

    def folders(self, name: str) -> set[str]:
        return {
            os.path.relpath(folder, self.disk.root) for folder in link_folders(self.disk.path(name))
        }

    def test_plain(self) -> None:
        """Without links it is the folder that the path is in."""
        self.disk.write("a/b/c", "")
        self.assertEqual(self.folders("a/b/c"), {"a/b"})
        self.assertEqual(self.folders("a/b"), {"a"})

    def test_links(self) -> None:
        """Each link on the way adds the folder that it is in."""
        self.disk.write("v/1/x/file", "")
        self.disk.link("v/current", "1")
        self.disk.link("etc/config", self.disk.path("v/current/x"))
        self.assertEqual(self.folders("etc/config/file"), {"etc", "v", "v/1/x"})

    def test_missing(self) -> None:
        """What does not exist leads to the nearest folder that does."""
        self.disk.write("a/x", "")
        self.assertEqual(self.folders("a/b/c/d"), {"a"})

    def test_loop(self) -> None:
        """Links that lead to one another end somewhere."""
        self.disk.link("a", "b")
        self.disk.link("b", "a")
        self.assertEqual(self.folders("a"), {"."})

    def test_dots(self) -> None:
        """Steps up are taken where they lead from."""
        self.disk.write("real/deep/file", "")
        self.disk.write("real/other/file", "")
        self.disk.link("link", "real/deep")
        self.disk.link("up", "link/../other/file")
        self.assertEqual(self.folders("up"), {".", "real/other"})
        self.assertEqual(Path(self.disk.path("up")).resolve(), self.disk.root / "real/other/file")
