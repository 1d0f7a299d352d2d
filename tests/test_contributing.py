"""
Tests for CONTRIBUTING.md: its examples work.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from twisted.trial.runner import TestLoader
from twisted.trial.unittest import SynchronousTestCase

CHECKOUT = Path(__file__).resolve().parent.parent

EXAMPLE = re.compile(r"^    (\S.*)$", re.MULTILINE)
MODULES = re.compile(r"-m (?:twisted\.trial|tests) (.*)$")


class ContributingTests(SynchronousTestCase):
    """The examples of CONTRIBUTING.md can be typed as they are."""

    def setUp(self) -> None:
        self.examples = EXAMPLE.findall((CHECKOUT / "CONTRIBUTING.md").read_text())

    def test_targets(self) -> None:
        """Every target of make is in the Makefile and in the list of ``make help``."""
        makefile = (CHECKOUT / "Makefile").read_text()
        targets = {line.split()[1] for line in self.examples if line.startswith("make ")}
        self.assertIn("unit", targets)
        for target in targets:
            self.assertRegex(makefile, rf"(?m)^{target}:")
            self.assertRegex(makefile, rf"(?m)^#   make {target} ")

    def test_copied(self) -> None:
        """What stands behind a target is a comment for the shell, also on lines of its own."""
        for page in ("CONTRIBUTING.md", "README.md", "benchmarks/README.md"):
            text = (CHECKOUT / page).read_text()
            for command in re.findall(r"^    (make .*(?:\n     .*)*)$", text, re.MULTILINE):
                words = shlex.split(command.replace("\\\n", " "), comments=True)[2:]
                self.assertEqual([each for each in words if "=" not in each], [], page)

    def test_help(self) -> None:
        """``make help`` lists every target that can be called."""
        makefile = (CHECKOUT / "Makefile").read_text()
        [phony] = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
        printed = subprocess.run(
            # Below another make it would say which folder it enters.
            ["make", "--no-print-directory", "help"],
            cwd=CHECKOUT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        listed = {line.split()[1] for line in printed.splitlines()}
        self.assertEqual(listed, set(phony.split()) - {"help"})

    def test_tests(self) -> None:
        """Every example of running some tests names tests that there are."""
        found = [match[1] for line in self.examples if (match := MODULES.search(line))]
        self.assertGreater(len(found), 2)
        for names in map(shlex.split, found):
            for name in names:
                if not name.startswith("-"):
                    tests = TestLoader().loadByName(name, recurse=True)
                    self.assertGreater(tests.countTestCases(), 1, name)

    def test_example(self) -> None:
        """An example runs, and ends with the count of its tests."""
        command = [sys.executable, "-m", "tests", "--no-lint", "tests.test_byte_size"]
        ended = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
        self.assertEqual(ended.returncode, 0, ended.stdout)
        last = ended.stdout.splitlines()[-1]
        self.assertRegex(last, r"^[1-9]\d* passed, 0 failed, 0 skipped$")
