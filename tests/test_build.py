"""
Tests for etc/build and setup.py: whether a build compiles. tests/test_container.py has one
that does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema import Draft7Validator
from setuptools import Distribution
from twisted.trial.unittest import SynchronousTestCase

from tests.support.build import BUILD, CHECKOUT, compiled_modules, load_build


def find_none() -> None:
    """Nothing is in the way."""


def find_one() -> str:
    return "the anvil is missing"


class ChoiceTests(SynchronousTestCase):
    """TXINGRESS_COMPILE and what there is decide."""

    def setUp(self) -> None:
        self.build = load_build()

    def choose(self, value: str | None, find: object = find_none) -> bool:
        environment = {} if value is None else {"TXINGRESS_COMPILE": value}
        with redirect_stderr(StringIO()) as self.said:
            chosen: bool = self.build.shall_compile(environment, find)
        return chosen

    def test_possible(self) -> None:
        """Where it can be, it is, unless that is not wanted."""
        for value in (None, "", "auto", "yes", "YES"):
            self.assertTrue(self.choose(value), value)
        self.assertFalse(self.choose("no"))
        self.assertEqual(self.said.getvalue(), "")

    def test_impossible(self) -> None:
        """Where it cannot be, it is not, and the reason is told."""
        self.assertFalse(self.choose(None, find_one))
        self.assertIn("not compiled: the anvil is missing", self.said.getvalue())
        self.assertFalse(self.choose("no", find_one))
        self.assertEqual(self.said.getvalue(), "")

    def test_demanded(self) -> None:
        """Where it must be and cannot, there is nothing."""
        ending = self.assertRaises(SystemExit, self.choose, "yes", find_one)
        self.assertEqual(
            ending.code, "txingress: TXINGRESS_COMPILE is yes, but the anvil is missing"
        )

    def test_mistake(self) -> None:
        """Another value is refused with those that are accepted."""
        for find in (find_none, find_one):
            ending = self.assertRaises(SystemExit, self.choose, "maybe", find)
            self.assertEqual(
                ending.code, "txingress: TXINGRESS_COMPILE: 'maybe': must be auto, yes or no"
            )


class ObstacleTests(SynchronousTestCase):
    """What keeps a machine from compiling is found out."""

    def ask(self, expression: str, **variables: str) -> str:
        code = f"import txingress_build as build; print({expression})"
        environment = {**os.environ, "PYTHONPATH": str(BUILD.parent), **variables}
        asked = [sys.executable, "-c", code]
        return subprocess.run(
            asked, env=environment, check=True, capture_output=True, text=True
        ).stdout

    def test_compiler(self) -> None:
        """A compiler that is not there is named; nobody is asked for mypy then."""
        found = self.ask("build._try_compiler('.')", CC="/nowhere/cc")
        self.assertIn("no C compiler that works", found)
        self.assertIn("/nowhere/cc", found)
        asked = self.ask(
            "build.get_requires_for_build_wheel()", CC="/nowhere/cc", TXINGRESS_COMPILE="auto"
        )
        self.assertNotIn("mypy", asked)

    def test_complete(self) -> None:
        """Nothing that compiling needs is missing among what the tests have."""
        self.assertIsNone(load_build().find_missing())


class ModulesTests(SynchronousTestCase):
    """What is compiled."""

    def test_listed(self) -> None:
        """Each module of the list is there, and is there once."""
        modules = compiled_modules()
        self.assertEqual(len(set(modules)), len(modules))
        for module in modules:
            self.assertTrue((CHECKOUT / module).is_file(), module)

    def test_told(self) -> None:
        """The one by which a process tells whether it is compiled is in the list."""
        self.assertIn("ingress/exchange/exchange.py", compiled_modules())

    def test_left_over(self) -> None:
        """An extension of an earlier build is not packed; sources stay."""
        folder = Path(self.mktemp()).absolute()
        folder.joinpath("ingress").mkdir(parents=True)
        for name in ("old__mypyc.so", "ingress/old.so", "ingress/old.py"):
            (folder / name).touch()
        command = load_build().BuildExtensions(Distribution())
        command.build_lib = str(folder)
        command.ensure_finalized()
        command.run()
        self.assertEqual([file.name for file in folder.rglob("*.*")], ["old.py"])


class WheelTests(SynchronousTestCase):
    """What cibuildwheel makes, and the workflow that runs it."""

    def test_configured(self) -> None:
        """Wheels are compiled or there are none, and one that is not compiled is no wheel."""
        settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["cibuildwheel"]
        self.assertEqual(settings["environment"], {"TXINGRESS_COMPILE": "yes"})
        self.assertIn("twistd ingress --version | grep compiled", settings["test-command"])
        self.assertEqual(settings["build"][0], "cp311-*", "the oldest of python_requires")

    def test_workflow(self) -> None:
        """It is one by the schema of GitHub, and builds on both kinds of processors."""
        workflow = yaml.safe_load((CHECKOUT / "etc" / "build" / "wheels.yaml").read_text())
        # YAML 1.1 reads the key `on` as a boolean.
        workflow["on"] = workflow.pop(True)
        Draft7Validator(get_builtin_schema("vendor.github-workflows")).validate(workflow)
        machines = workflow["jobs"]["wheels"]["strategy"]["matrix"]["machine"]
        self.assertEqual(machines, ["ubuntu-24.04", "ubuntu-24.04-arm"])
