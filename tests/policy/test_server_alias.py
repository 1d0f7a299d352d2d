"""Tests of further names of a host; tests/fixtures/routing/host/alias.yaml shows what they do."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.server_alias import MAX_ALIASES, ServerAlias
from ingress.testing import read_annotations


class ServerAliasTests(SynchronousTestCase):
    def test_names(self) -> None:
        """Names and wildcards of one label are read, in lower case, each once."""
        value = "A.example., *.b.example,a.example, xn--strae-oqa.example"
        reading = read_annotations(ServerAlias, {"server-alias": value})
        self.assertEqual(reading.faults, {})
        assert isinstance(reading.feature, ServerAlias)
        self.assertEqual(
            reading.feature.aliases, ("a.example", "*.b.example", "xn--strae-oqa.example")
        )

    def test_others(self) -> None:
        """Regular expressions and what is no host are faults; the other names are served."""
        for value in (
            "~^www\\d+\\.example$", "*", "*.*.a", "a.*.b", "a..b", "-a", "a b", "a:80", "a\r\nb",
            '"', "a" * 100, "é.example", "a\0", "[::1]",
        ):  # fmt: skip
            reading = read_annotations(ServerAlias, {"server-alias": f"{value},good.example"})
            assert isinstance(reading.feature, ServerAlias)
            self.assertEqual(reading.feature.aliases, ("good.example",), value)
            self.assertIn("no regular expressions", reading.faults["server-alias"])

    def test_none(self) -> None:
        """Without names there is no alias."""
        for value in ("", " , "):
            self.assertIsNone(read_annotations(ServerAlias, {"server-alias": value}).feature)

    def test_many(self) -> None:
        """More than a hundred names are a fault; the first ones are served."""
        value = ",".join(f"h{number}.example" for number in range(10_000))
        reading = read_annotations(ServerAlias, {"server-alias": value})
        assert isinstance(reading.feature, ServerAlias)
        self.assertEqual(len(reading.feature.aliases), MAX_ALIASES)
        self.assertIn("server-alias", reading.faults)
