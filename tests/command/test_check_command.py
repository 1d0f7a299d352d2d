"""
Tests for `ingress.command.check_command`.
"""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

from twisted.trial.unittest import SynchronousTestCase

from ingress.problem_code import Code
from tests.support.command import run

INGRESS = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations: {{nginx.ingress.kubernetes.io/{annotation}}}
spec:
  rules:
  - host: a.example
    http:
      paths:
      - {{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}
"""
SERVICE = """---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}], selector: {app: web}}
"""


class CheckTests(SynchronousTestCase):
    def file(self, annotation: str = 'ssl-redirect: "true"', more: str = SERVICE) -> str:
        path = Path(self.mktemp()).with_suffix(".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(INGRESS.format(annotation=annotation) + more)
        return str(path)

    def test_fine(self) -> None:
        """A Service without pods in the files is a note, and notes alone are fine."""
        status, text, _ = run("check", self.file())
        self.assertEqual(status, 0)
        self.assertIn("SVC001 note", text)
        self.assertIn("1 Ingress: 1 as written", text)

    def test_severities(self) -> None:
        """Each severity is told, and makes the status 1 if it is asked for."""
        for annotation, severity, code in (
            ("auth-url: nonsense", "error", Code.ANNOTATION_CLOSES),
            ("proxy-body-size: big", "differs", Code.ANNOTATION_VALUE),
            ('enable-modsecurity: "true"', "ignored", Code.ANNOTATION_UNSUPPORTED),
            ('proxy-body-sice: "1"', "ignored", Code.ANNOTATION_UNKNOWN),
            ('secure-backends: "true"', "note", Code.ANNOTATION_FORMER),
        ):
            file = self.file(annotation)
            status, text, _ = run("check", file)
            self.assertIn(f"{file}:5: {code} {severity} Ingress default/web: ", text)
            self.assertEqual(status, 0 if severity == "note" else 1)
            self.assertEqual(run("check", file, "--fail-on", severity)[0], 1)
            self.assertEqual(run("check", file, "--fail-on", "none")[0], 0)

    def test_missing_service(self) -> None:
        """A Service that is not there is an error."""
        status, text, _ = run("check", self.file(more=""))
        self.assertEqual(status, 1)
        self.assertIn("SVC001 error", text)

    def test_json(self) -> None:
        """The same as data, with the counts."""
        text = run("check", self.file("proxy-body-size: big"), "--format", "json")[1]
        found = json.loads(text)
        self.assertEqual(found["summary"]["differ"], 1)
        first = found["findings"][0]
        self.assertEqual((first["code"], first["line"], first["value"]), ("ANN001", 5, '"big"'))

    def test_github(self) -> None:
        """Lines that GitHub shows beside the code, each in one line."""
        text = run("check", self.file("proxy-body-size: 'b%c'"), "--format", "github")[1]
        self.assertRegex(text.splitlines()[0], r"\A::warning file=.*,line=5,title=ANN001 .*::.*%25")

    def test_sarif(self) -> None:
        """A SARIF log whose results have rules and places."""
        text = run("check", self.file("proxy-body-size: big"), "--format", "sarif")[1]
        (log,) = json.loads(text)["runs"]
        rules = {rule["id"] for rule in log["tool"]["driver"]["rules"]}
        self.assertLessEqual({result["ruleId"] for result in log["results"]}, rules)
        region = log["results"][0]["locations"][0]["physicalLocation"]["region"]
        self.assertEqual(region["startLine"], 5)

    def test_sarif_place(self) -> None:
        """The place of a result is a URI, whatever characters the path of its file has."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        file = folder / "a b#1.yaml"
        file.write_text(INGRESS.format(annotation="proxy-body-size: big") + SERVICE)
        for given, uri in (
            (str(file), quote(str(file))),
            (str(file.absolute()), file.absolute().as_uri()),
        ):
            text = run("check", given, "--format", "sarif")[1]
            (log,) = json.loads(text)["runs"]
            places = log["results"][0]["locations"][0]["physicalLocation"]
            self.assertEqual(places["artifactLocation"]["uri"], uri)

    def test_show(self) -> None:
        """What is not listed still counts."""
        file = self.file("proxy-body-size: big")
        status, text, _ = run("check", file, "--show", "error")
        self.assertEqual(status, 1)
        self.assertEqual(
            text.splitlines(),
            ["1 Ingress: 0 as written, 1 differ, 0 with something ignored, 0 with an error"],
        )

    def test_wrong_severity(self) -> None:
        """A severity that does not exist is refused with those that do."""
        for option in ("--show", "--fail-on"):
            status, _, remarks = run("check", self.file(), option, "errors")
            self.assertEqual(status, 2)
            self.assertIn("errors: error, differs, ignored, note are accepted", remarks)

    def test_other_class(self) -> None:
        """An Ingress that is not ours is told, and not counted."""
        more = (
            SERVICE
            + """---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: ours}
spec: {controller: txingress.dev/ingress}
"""
        )
        status, text, _ = run("check", self.file(more=more))
        self.assertEqual(status, 0)
        self.assertIn("CLS001 note", text)
        self.assertIn("0 Ingresses: 0 as written", text)

    def test_markdown(self) -> None:
        """A table, in which a value cannot end a cell or make a link."""
        value = "'a|b<i>![c](d)'"
        text = run("check", self.file(f"proxy-body-size: {value}"), "--format", "markdown")[1]
        (row,) = [line for line in text.splitlines() if "ANN001" in line]
        self.assertIn("a\\|b&lt;i>![c]\\(d)", row)
