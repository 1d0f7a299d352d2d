"""
What the log says about faulty manifests: where, what, and when it is gone.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tests.e2e.case import ProcessTestCase
from tests.support.certs import CertificateAuthority
from tests.support.manifest import ingress_manifest, secret_manifest, served_manifests
from tests.support.process import replace_file

SOUND = ingress_manifest("sound", "sound.example", {"/": "web"})


class ProblemTests(ProcessTestCase):
    """Each test writes a file with a mistake and takes it back."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        web = cls.echo("web")
        cls.serve(folder, SOUND, *served_manifests("web", web.port))

    def check(self, text: str, place: str, pattern: str) -> str:
        """
        A file makes one line of log, and another one when it is gone.

        :param place: the first text in the file's line that is named.
        :param pattern: what is said after that.
        :return: the whole line, without its time.
        """
        path = self.process.manifests / "faulty.yaml"
        line = text[: text.index(place)].count("\n") + 1
        replace_file(path, text)
        self.addCleanup(path.unlink, missing_ok=True)
        beginning = rf"{re.escape(str(path))}, line {line}: {pattern}"
        said = self.process.wait_for_line(rf"#warn\] ([A-Z]+\d+ ({beginning}.*))", since=self.mark)
        coded, told = said[1], said[2]
        self.assertEqual(self.get(host="sound.example").status, 200)
        path.unlink()
        self.process.wait_for_line(rf"#info\] gone: {re.escape(coded)}$", since=self.mark)
        lines = [each for each in self.process.log.splitlines()[self.mark :] if told in each]
        self.assertEqual(len(lines), 2, lines)
        return told

    def test_broken_yaml(self) -> None:
        """YAML that is none is told with the line that is wrong."""
        self.check("kind: Service\nmetadata:\n  name: [\n---\n", "---", "is not YAML: ")

    def test_field(self) -> None:
        """A field with a bad value is told with its path, its value and what is accepted."""
        bad = ingress_manifest("bad", "bad.example", {"/": "web"})
        text = "# A comment.\n" + yaml.safe_dump(bad).replace("path: /\n", "path: app\n")
        told = self.check(text, "path: app", "Ingress default/bad: ")
        self.assertIn('spec.rules[0].http.paths[0].path: "app": must start with /', told)

    def test_old_version(self) -> None:
        """An Ingress of an old version is told with what to write instead."""
        text = yaml.safe_dump(SOUND).replace("networking.k8s.io/v1", "extensions/v1beta1")
        told = self.check(text, "apiVersion", "Ingress default/sound: ")
        self.assertIn("networking.k8s.io/v1", told)

    def test_twice(self) -> None:
        """The same object in a second file is told with the place of the first."""
        told = self.check("\n\n" + yaml.safe_dump(SOUND), "apiVersion", "Ingress default/sound")
        self.assertIn(f"{self.process.manifests}/all.yaml, line 1", told)

    def test_annotation(self) -> None:
        """An annotation that is not implemented is told by its name."""
        odd = ingress_manifest(
            "odd", "odd.example", {"/": "web"}, annotations={"ssl-ciphers": "AES128-SHA"}
        )
        told = self.check(yaml.safe_dump(odd), "    nginx.", "Ingress default/odd: ")
        self.assertIn('ssl-ciphers]: "AES128-SHA": not implemented', told)

    def test_no_endpoints(self) -> None:
        """A Service without endpoints is told with the line of configuration that gives it some."""
        objects = [
            ingress_manifest("lone", "lone.example", {"/": "lone"}),
            *served_manifests("lone"),
        ]
        told = self.check(yaml.safe_dump_all(objects), "service:", "Ingress default/lone: ")
        self.assertIn("source.endpoints", told)
        self.assertIn("default/lone: 127.0.0.1:3000", told)

    def test_no_escape(self) -> None:
        """What an author writes can neither end a line of the log nor steer a terminal."""
        text = yaml.safe_dump(ingress_manifest("bad", "\x1b[31m\nfake [x#warn] line", {"/": "web"}))
        told = self.check(text, "- host", "Ingress default/bad: ")
        self.assertTrue(told.isprintable(), told)
        self.assertIn(r"\n", told)

    def test_no_secret(self) -> None:
        """A Secret that is wrong is told without what is in it."""
        manifest = secret_manifest("wrong", CertificateAuthority().issue("a.example"))
        data = manifest["data"]
        assert isinstance(data, dict)
        key = data["tls.key"]
        data["tls.key"] = f"{key}!"
        self.check(yaml.safe_dump(manifest), "tls.key", "Secret default/wrong: ")
        self.assertNotIn(key[:20], self.process.log)
