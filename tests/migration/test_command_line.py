"""
Tests for `ingress.migration.command_line`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.migration.command_line import CommandLine, split


def given(line: CommandLine) -> list[tuple[str, str]]:
    return [(each.flag.name, each.text) for each in line.given]


class SplitTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """A value stands behind = or as the next word; it may be empty or have = itself."""
        line = split(
            ["--configmap=a/b", "--election-id", "x", "--ingress-class=", "--kubeconfig=a=b"]
        )
        self.assertEqual(
            given(line),
            [
                ("configmap", "a/b"),
                ("election-id", "x"),
                ("ingress-class", ""),
                ("kubeconfig", "a=b"),
            ],
        )

    def test_boolean(self) -> None:
        """A boolean takes a value behind = only; what follows it is an argument."""
        line = split(["--enable-metrics", "false", "--profiling=false"])
        self.assertEqual(given(line), [("enable-metrics", "true"), ("profiling", "false")])
        self.assertEqual(line.arguments, ["false"])

    def test_shorthand(self) -> None:
        """-v is --v in each form."""
        for words in (["-v=2"], ["-v", "2"], ["-v2"], ["--v=2"], ["--v", "2"]):
            self.assertEqual(given(split(words)), [("v", "2")], words)

    def test_next_word(self) -> None:
        """A flag with a value takes the next word, whatever that is, as pflag does."""
        line = split(["--configmap", "--enable-metrics"])
        self.assertEqual(given(line), [("configmap", "--enable-metrics")])

    def test_end(self) -> None:
        """-- ends the flags, and a lone hyphen is an argument."""
        line = split(["-", "--v=1", "--", "--v=2"])
        self.assertEqual((given(line), line.arguments), ([("v", "1")], ["-", "--v=2"]))

    def test_missing_value(self) -> None:
        """The last flag needs its value."""
        self.assertEqual(split(["--configmap"]).mistakes, [("--configmap", "a value is needed")])

    def test_help(self) -> None:
        """--help and -h ask for help."""
        self.assertTrue(split(["--help"]).wants_help and split(["-h"]).wants_help)

    def test_unknown(self) -> None:
        """An unknown flag is a mistake with a near spelling, and its value is not repeated."""
        for words, message in (
            (["--publish-servce=x/y"], "no such flag; did you mean --publish-service?"),
            (["--log-dir=x"], "no such flag; did you mean --log_dir?"),
            (["--watch_namespace=x"], "no such flag; did you mean --watch-namespace?"),
            (["-configmap=x"], "no such flag; did you mean --configmap?"),
            (["--qqqq=x"], "no such flag"),
            (["--sort-backends=true"], "has this flag no more, and does not start with it"),
            (["--no-profiling"], "no such flag; did you mean --profiling?"),
            (["--=x"], "no such flag"),
            (["--help=x"], "no such flag"),
        ):
            (mistake,) = split(words).mistakes
            self.assertTrue(mistake[1].endswith(message), mistake)
            self.assertEqual(mistake[0], words[0].partition("=")[0])
