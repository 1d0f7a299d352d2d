"""Tests of the paths that become regular expressions; tests/fixtures/routing/pattern has more."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.refusal import Refusal
from ingress.routing.build.pattern_rule import pattern_rule, read_pattern
from ingress.routing.build.rule_set import Rule, WeightedBackend
from ingress.routing.path_pattern import PathForm


class ReadPatternTests(SynchronousTestCase):
    def test_pattern(self) -> None:
        """A path is a regular expression that ignores case."""
        read = read_pattern("/Foo(.*)")
        self.assertEqual(read.fault, "")
        self.assertEqual(read.pattern.captures(b"/fooX"), (b"X",))

    def test_hostile(self) -> None:
        """Whatever its author wrote, a path is a pattern or has a fault that can be printed."""
        for written in (
            "/(x+x+)+y",
            "/" + "a" * 100 * 1024,
            "/" + "|".join(f"path-{number}" for number in range(10_000)),
            "/((((a{100}){100}){100}){100})",
            "/" + "(" * 5000,
            "/" + r"\pL" * 1000,
            "/a\r\nb(.*)",
            "/\0(?=x)",
            "/\ud800(?!x)",
            '/"; return 200; #(?<!x)',
            "/[",
        ):
            read = read_pattern(written)
            self.assertEqual(read.pattern.form is PathForm.UNKNOWN, bool(read.fault), written)
            self.assertLess(len(read.fault), 600)
            self.assertTrue(read.fault.isprintable(), read.fault)


class PatternRuleTests(SynchronousTestCase):
    def rule(self, written: str) -> Rule:
        return Rule(b"/", "Exact", written, (WeightedBackend(None),), "spec.rules[0]")

    def test_matched(self) -> None:
        """A rule gets its pattern, and stays as it is otherwise."""
        rule = self.rule("/a(.*)")
        changed, fault = pattern_rule(rule, read_pattern(rule.written))
        self.assertEqual(fault, "")
        self.assertEqual(changed._replace(pattern=None), rule)

    def test_closed(self) -> None:
        """A rule that cannot be matched is closed."""
        rule = self.rule("/a(?!b)")
        changed, fault = pattern_rule(rule, read_pattern(rule.written))
        self.assertIn("it looks ahead with (?!", fault)
        self.assertEqual(changed.features[Refusal.key()], Refusal())
