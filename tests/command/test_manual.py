"""
Tests for `ingress.command.manual`.
"""

from __future__ import annotations

import subprocess

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ingress.command.main import SUBCOMMANDS, make_parser, subparser
from ingress.command.manual import manual
from tests.support.process import CHECKOUT


class ManualTests(SynchronousTestCase):
    def test_up_to_date(self) -> None:
        """The page in the wheel is what the parsers say; ``make docs`` writes it."""
        self.assertEqual((CHECKOUT / "etc" / "man" / "txingress.1").read_text(), manual())

    def test_complete(self) -> None:
        """Each subcommand has its options there."""
        parts = manual().split("\n.SS txingress ")
        found = {part.split()[0].replace("\\-", "-"): part for part in parts[1:]}
        self.assertEqual(set(found), {each.name for each in SUBCOMMANDS})
        for name, part in found.items():
            parser = subparser(make_parser(name), name)
            for action in parser._actions:
                for option in action.option_strings:
                    if action.dest != "help":
                        self.assertIn(option.replace("-", r"\-"), part, name)

    def test_formatted(self) -> None:
        """groff has nothing to say against it."""
        try:
            done = subprocess.run(
                ["groff", "-man", "-Tutf8", "-ww"],
                input=manual().encode(),
                capture_output=True,
                check=False,
            )
        except FileNotFoundError:
            raise SkipTest("there is no groff here") from None
        self.assertEqual((done.returncode, done.stderr), (0, b""))
