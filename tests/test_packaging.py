"""
Tests for setup.cfg, pyproject.toml and the plugin: what a user installs is what is here.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from configparser import ConfigParser
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

from tests.support.build import compiled_modules

CHECKOUT = Path(__file__).resolve().parent.parent

COMPILED_PACKAGES = (
    "ingress/exchange",
    "ingress/http1",
    "ingress/transports",
    "ingress/upstream",
)

INTERPRETED = {
    # Only for what was refused.
    "ingress/http1/fault.py",
    # Asked once for each connection.
    "ingress/upstream/dialer.py",
    "ingress/upstream/tls.py",
    # Once for each connection to an endpoint, or not at all.
    "ingress/transports/connector.py",
    "ingress/transports/server_port.py",
    # Its base is Twisted's reactor.
    "ingress/transports/reactor.py",
    # Only for what is wrong with a response.
    "ingress/upstream/http1_detail.py",
}
"""Modules of those packages that are left out of COMPILED in setup.py."""

DEVELOPERS_EXTRAS = {"bench", "dev", "docs", "fuzz"}


class SetupTests(SynchronousTestCase):
    """setup.cfg says what there is."""

    def setUp(self) -> None:
        self.setup = ConfigParser()
        self.setup.read(CHECKOUT / "setup.cfg")

    def lines(self, section: str, option: str) -> list[str]:
        return [line for line in self.setup[section][option].splitlines() if line]

    def test_packages(self) -> None:
        """Every package is named, none that is not there, and the plugin's folder is one."""
        here = {
            ".".join(file.parent.relative_to(CHECKOUT).parts)
            for file in (CHECKOUT / "ingress").rglob("__init__.py")
        }
        self.assertEqual(
            sorted(self.lines("options", "packages")), sorted({*here, "twisted.plugins"})
        )

    def test_data(self) -> None:
        """Every file of a package that is no module is data of it."""
        listed = {
            file
            for package, patterns in self.setup["options.package_data"].items()
            for pattern in patterns.split()
            for file in CHECKOUT.joinpath(*package.split(".")).glob(pattern)
        }
        here = {
            file
            for file in (CHECKOUT / "ingress").rglob("*")
            if file.is_file() and file.suffix not in (".py", ".pyc")
        }
        self.assertEqual(here, listed)

    def test_requirements(self) -> None:
        """What is installed satisfies what is asked for, extra by extra."""
        groups = [self.lines("options", "install_requires")]
        groups.append(self.lines("options.extras_require", "dev"))
        for line in (line for group in groups for line in group):
            requirement = Requirement(line)
            self.assertIn(version(requirement.name), requirement.specifier, requirement.name)

    def test_container(self) -> None:
        """The image has each extra that is not for developers: none can be added to it later."""
        extras = ",".join(sorted({*self.setup["options.extras_require"]} - DEVELOPERS_EXTRAS))
        containerfile = CHECKOUT / "etc" / "container" / "Containerfile"
        self.assertIn(f'".[{extras}]"', containerfile.read_text(encoding="utf-8"))


class CompiledTests(SynchronousTestCase):
    """setup.py lists what is compiled."""

    def test_complete(self) -> None:
        """Where every request passes, each module is compiled or named here as left out."""
        modules = {
            str(file.relative_to(CHECKOUT))
            for package in COMPILED_PACKAGES
            for file in (CHECKOUT / package).glob("*.py")
            if file.name != "__init__.py"
        }
        self.assertEqual(modules - set(compiled_modules()), INTERPRETED)

    def test_functions_within_functions(self) -> None:
        """No compiled module has one, because it is in a cycle with the variables around it."""
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        found = [
            f"{module}: {inner.name} in {outer.name}"
            for module in compiled_modules()
            for outer in ast.walk(ast.parse((CHECKOUT / module).read_text()))
            if isinstance(outer, functions)
            for inner in ast.walk(outer)
            if isinstance(inner, functions) and inner is not outer
        ]
        self.assertEqual(found, [])


class PluginTests(SynchronousTestCase):
    """twistd finds the command."""

    def test_found(self) -> None:
        """The plugin is there once, for the module that has the service."""
        makers: list[Any] = list(getPlugins(IServiceMaker))
        found = [each.module for each in makers if each.tapname == "ingress"]
        self.assertEqual(found, ["ingress.tap"])

    def test_twisted_stays_whole(self) -> None:
        """The folders that are part of Twisted's packages do not hide them."""
        for folder in ("twisted", "twisted/plugins"):
            self.assertFalse((CHECKOUT / folder / "__init__.py").exists())


class RequirementsTests(SynchronousTestCase):
    """``.ci/requirements.py`` is what make installs from."""

    def test_printed(self) -> None:
        """It prints what setup.cfg requires, and the extras that are named, one a line."""
        printed = subprocess.run(
            [sys.executable, CHECKOUT / ".ci" / "requirements.py", "dev"],
            cwd=CHECKOUT,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        names = [Requirement(line).name for line in printed.splitlines()]
        self.assertIn("Twisted", names)
        self.assertIn("ruff", names)
        self.assertNotIn("uvloop", names)
