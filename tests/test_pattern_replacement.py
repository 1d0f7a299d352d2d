"""
Tests for `ingress.pattern_replacement`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.pattern_replacement import PatternReplacement, ReplacementRefused, read_pattern


class ApplyTests(SynchronousTestCase):
    def test_apply(self) -> None:
        """The whole text is replaced where the pattern is found in it, and stays elsewhere."""
        for pattern, replacement, text, expected in (
            (
                "~^http://[^/]+(/.*)$",
                "https://a.example$1",
                b"http://in/x?y",
                b"https://a.example/x?y",
            ),
            ("~^http://[^/]+(/.*)$", "https://a.example$1", b"HTTP://in/x", b"HTTP://in/x"),
            (
                "~*^http://[^/]+(/.*)$",
                "https://a.example$1",
                b"HTTP://in/x",
                b"https://a.example/x",
            ),
            ("~b", "/z", b"abc", b"/z"),
            ("~(a)|(b)", "[$1$2$9]", b"b", b"[b]"),
            ("~x", "/z", b"abc", b"abc"),
        ):
            self.assertEqual(PatternReplacement.read(pattern, replacement).apply(text), expected)

    def test_case(self) -> None:
        """Where all patterns disregard case, so does one after ``~`` alone."""
        found = PatternReplacement.read("~^a$", "b", ignores_case=True)
        self.assertEqual(found.apply(b"A"), b"b")

    def test_too_long(self) -> None:
        """A text that is too long to be searched stays."""
        text = b"a" * 60_000
        self.assertEqual(PatternReplacement.read("~(a{1,20}){1,30}x", "b").apply(text), text)

    def test_refused(self) -> None:
        """What cannot be matched in linear time, and other variables, are refused."""
        for pattern, replacement in (
            ("~(?=a)", "b"),
            ("~(", "b"),
            ("~", "b"),
            ("~*", "b"),
            ("~a b", "b"),
            ("~a\r\nb", "b"),
            ("~" + "a" * 100_000, "b"),
            ("~a", "$host"),
            ("~a", "$0"),
            ("~a", ""),
            ("~a", "b\r\nX: y"),
            ("~a", 'b"'),
        ):
            with self.assertRaises(ReplacementRefused, msg=pattern):
                PatternReplacement.read(pattern, replacement)
        with self.assertRaises(ReplacementRefused):
            read_pattern("a")
