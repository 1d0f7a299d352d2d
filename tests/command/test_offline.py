"""
Tests for `ingress.command.offline`.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.command.failure import CannotRun
from ingress.command.offline import load

WEB = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
  - host: a.example
    http:
      paths:
      - path: /
        pathType: Prefx
        backend: {service: {name: web, port: {number: 80}}}
"""


class LoadTests(SynchronousTestCase):
    """Files are read and built once."""

    def folder(self, **files: str) -> Path:
        folder = Path(self.mktemp())
        folder.mkdir()
        for name, text in files.items():
            (folder / f"{name}.yaml").write_text(text)
        return folder

    def test_files(self) -> None:
        """What stands in files is served, and faults have the lines of their fields."""
        good = WEB.replace("Prefx", "Prefix")
        folder = self.folder(bad=WEB.replace("name: web}", "name: bad}"), good=good)
        offline = load(None, [str(folder)])
        self.assertEqual(list(offline.built.snapshot.hosts), [b"a.example"])
        lines = [(Path(each.origin.file).name, each.origin.line) for each in offline.problems]
        self.assertEqual(lines, [("bad.yaml", 10), ("good.yaml", 11)])

    def test_configuration(self) -> None:
        """A configuration says what is read, and how; paths take the place of its own."""
        folder = self.folder(good=WEB.replace("Prefx", "Prefix"))
        file = folder / "ingress.conf"
        file.write_text("source: {files: [good.yaml], endpoints: {default/web: 127.0.0.1:3000}}")
        self.assertEqual(load(str(file), []).problems, ())
        other = self.folder(other="kind: List\napiVersion: v1\nitems: []\n")
        self.assertEqual(load(str(file), [str(other)]).built.snapshot.hosts, {})

    def test_places(self) -> None:
        """Files below the current folder are named as somebody in it would write them."""
        folder = self.folder()
        (folder / "manifests").mkdir()
        (folder / "manifests" / "a.yaml").write_text("kind: Ingress")
        config = folder / "ingress.yaml"
        config.write_text("source: {files: [manifests]}")
        (problem,) = load(str(config), []).problems
        self.assertEqual(problem.origin.file, os.path.relpath(folder / "manifests" / "a.yaml"))

    def test_refused(self) -> None:
        """What cannot be read at all is told, with what to do."""
        folder = self.folder()
        bad = folder / "bad.yaml"
        bad.write_text("source: {file: x}")
        cluster = folder / "cluster.yaml"
        cluster.write_text("source: {kubernetes: {}}")
        for file, paths, part in (
            (None, [], "name files or folders"),
            (None, ["/nowhere"], "/nowhere: there is no such file or folder"),
            (str(bad), [], "did you mean files?"),
            (str(cluster), [], "KUBERNETES_SERVICE_HOST"),
        ):
            with self.assertRaises(CannotRun) as raised:
                load(file, paths)
            self.assertIn(part, str(raised.exception))
