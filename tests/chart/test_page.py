"""
Tests for docs/helm.md: each command on it is one that Helm and kubectl take, with the files on it.
"""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.chart.test_objects import INGRESS_NGINX
from tests.support.chart import Rendering, Values, merged, parse_set
from tests.support.kubernetes_rules import faults
from tests.support.kubernetes_schema import complaints
from tests.support.process import CHECKOUT

PAGE = CHECKOUT / "docs" / "helm.md"

FILE = re.compile(r"Create `([^`]+)`:\n\n```yaml\n(.*?)```", re.DOTALL)
COMMAND = re.compile(r"^    (\S.*)$", re.MULTILINE)


class PageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.text = PAGE.read_text()
        self.files = {name: yaml.safe_load(content) for name, content in FILE.findall(self.text)}
        # What the cluster of a user has.
        self.files["ingress-nginx.yaml"] = yaml.safe_load(INGRESS_NGINX.read_text())

    def commands(self, program: str) -> list[list[str]]:
        """The arguments of each command on the page that runs a program."""
        found = map(shlex.split, COMMAND.findall(self.text))
        return [words[1:] for words in found if words[0] == program]

    def values(self, words: list[str]) -> tuple[str, str, Values]:
        """:return: release, namespace and values of an installation."""
        parser = argparse.ArgumentParser(exit_on_error=False)
        parser.add_argument("action", choices=["install", "upgrade"])
        parser.add_argument("name")
        parser.add_argument("chart", choices=["etc/chart"])
        parser.add_argument("--namespace", required=True)
        parser.add_argument("--create-namespace", action="store_true")
        parser.add_argument("-f", action="append", default=[])
        parser.add_argument("--set", action="append", default=[])
        given = parser.parse_args(words)
        values: Values = {}
        for name in given.f:
            further: Values = self.files.get(name, {})
            if name not in self.files:
                further = yaml.safe_load(Path(CHECKOUT, name).read_text())
            values = merged(values, further)
        for text in given.set:
            values = merged(values, parse_set(text))
        return given.name, given.namespace, values

    def test_installed(self) -> None:
        """Each installation renders, and what it makes is right."""
        installed = [each for each in self.commands("helm") if each[0] != "get"]
        self.assertGreater(len(installed), 6)
        for words in installed:
            name, namespace, values = self.values(words)
            rendering = Rendering(values, name, namespace)
            self.assertEqual([*complaints(rendering.documents), *faults(rendering.documents)], [])

    def test_own_values(self) -> None:
        """Helm is asked for YAML: its table begins with a line that no chart takes as a value."""
        for page in ("helm.md", "migration.md"):
            (command,) = re.findall(
                r"helm get values [^>]+", (CHECKOUT / "docs" / page).read_text()
            )
            self.assertIn("--output yaml", command)

    def test_files(self) -> None:
        """Each file of values on the page is used by a command, and so is that of kind."""
        used = {word for each in self.commands("helm") + self.commands("kind") for word in each}
        self.assertEqual(set(self.files) - used, set())

    def test_misspelled(self) -> None:
        """A misspelled value is answered as the page shows."""
        [said] = re.findall(r"```\n(- at .*)\n```", self.text)
        with self.assertRaises(AssertionError) as caught:
            Rendering({"controller": {"replicas": 3}})
        self.assertIn(said, str(caught.exception))

    def test_defaults(self) -> None:
        """The values whose defaults differ from ingress-nginx's are all that the page lists."""
        theirs = self.files["ingress-nginx.yaml"]
        ours = yaml.safe_load((CHECKOUT / "etc" / "chart" / "values.yaml").read_text())
        listed = set(re.findall(r"`((?:controller|rbac|service)[.\w]+)`", self.text))
        for place in DIFFERENT:
            self.assertIn(place, listed)
            self.assertNotEqual(value_at(ours, place), value_at(theirs, place), place)

    def test_kind(self) -> None:
        """The node of kind has the label and the ports that the values for it ask for."""
        [node] = self.files["kind.yaml"]["nodes"]
        rendering = Rendering(yaml.safe_load((CHECKOUT / "etc/chart/values-kind.yaml").read_text()))
        spec = rendering.get("Deployment")["spec"]["template"]["spec"]
        self.assertLessEqual(spec["nodeSelector"].items(), node["labels"].items())
        [container] = spec["containers"]
        taken = [each["hostPort"] for each in container["ports"] if "hostPort" in each]
        self.assertEqual(taken, [each["containerPort"] for each in node["extraPortMappings"]])
        self.assertIn(["load", "docker-image", container["image"]], self.commands("kind"))


DIFFERENT = (
    "controller.name",
    "controller.ingressClassResource.name",
    "controller.replicaCount",
    "controller.autoscaling.enabled",
    "controller.minAvailable",
    "controller.service.externalTrafficPolicy",
    "controller.service.appProtocol",
    "controller.containerPort",
    "controller.terminationGracePeriodSeconds",
    "controller.networkPolicy.enabled",
    "controller.podAnnotations",
)


def value_at(values: Values, place: str) -> Any:
    found: Any = values
    for name in place.split("."):
        found = found.get(name)
    return found
