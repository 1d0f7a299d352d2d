"""
Tests for ingress.linear_pattern.
"""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
import time
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress import linear_pattern
from ingress.linear_pattern import MAX_LENGTH, LinearPattern, PatternRefused, TextTooLong


def reason(text: str) -> str:
    """:return: why an expression is refused; empty if it is not."""
    try:
        LinearPattern.of(text)
    except PatternRefused as refused:
        return str(refused)
    return ""


class MatchTests(SynchronousTestCase):
    """Where an expression matches, and what its groups have."""

    def test_beginning(self) -> None:
        """match begins at the beginning of the text, and ends anywhere."""
        pattern = LinearPattern(rb"/id/[0-9]+")
        self.assertEqual(pattern.match(b"/id/123a"), ())
        self.assertIsNone(pattern.match(b"/an/id/123"))

    def test_whole(self) -> None:
        """fullmatch takes the whole text, with the alternative that allows it."""
        pattern = LinearPattern(rb"a|ab")
        self.assertEqual(pattern.fullmatch(b"ab"), ())
        self.assertIsNone(pattern.fullmatch(b"abc"))

    def test_anywhere(self) -> None:
        """search finds the first place."""
        self.assertEqual(LinearPattern(rb"([0-9])").search(b"a1b2"), (b"1",))
        self.assertIsNone(LinearPattern(rb"[0-9]").search(b"ab"))

    def test_captures(self) -> None:
        """Each group has its text; one without a part in the match has None, not empty text."""
        pattern = LinearPattern.of("/something(/|$)(.*)|/(other)")
        self.assertEqual(pattern.group_count, 3)
        self.assertEqual(pattern.match(b"/something"), (b"", b"", None))
        self.assertEqual(pattern.match(b"/something/new"), (b"/", b"new", None))
        self.assertEqual(pattern.match(b"/other"), (None, None, b"other"))

    def test_case(self) -> None:
        """Upper and lower case are equal only where that is asked for."""
        self.assertIsNone(LinearPattern(b"/A").match(b"/a"))
        self.assertEqual(LinearPattern(b"/A", ignores_case=True).match(b"/a"), ())

    def test_octets(self) -> None:
        """Text may have any octets; what is not ASCII in an expression is UTF-8."""
        self.assertEqual(LinearPattern(b"(.)").match(b"\xff\x00"), (b"\xff",))
        self.assertEqual(LinearPattern.of("é").match(b"\xc3\xa9"), ())

    def test_line_breaks(self) -> None:
        """``.`` matches no line break, and ``$`` matches the very end alone."""
        self.assertIsNone(LinearPattern(b"a.b").match(b"a\nb"))
        self.assertIsNone(LinearPattern(b"a$").match(b"a\n"))

    @given(st.binary(max_size=40), st.binary(max_size=40))
    def test_literal(self, literal: bytes, text: bytes) -> None:
        """An expression of escaped octets matches exactly these."""
        pattern = LinearPattern(b"".join(b"\\x%02x" % octet for octet in literal))
        self.assertEqual(pattern.match(text) is not None, text.startswith(literal))
        self.assertEqual(pattern.fullmatch(literal), ())


class RefusalTests(SynchronousTestCase):
    """Which expressions cannot be used, and the reasons."""

    def test_not_linear(self) -> None:
        """What needs backtracking is refused, and named."""
        self.assertEqual(
            reason("/(?!admin)"), "it looks ahead with (?!, which cannot be done in linear time"
        )
        self.assertEqual(
            reason("(?<=a)b"), "it looks behind with (?<=, which cannot be done in linear time"
        )
        self.assertEqual(
            reason(r"/(a)\1"),
            r"it refers back to a group with \1, which cannot be done in linear time",
        )

    def test_extensions(self) -> None:
        """Extensions of Perl's that RE2 lacks are refused, and named."""
        self.assertEqual(reason("(?>a)"), "(?> is an extension of Perl that is not supported")
        self.assertEqual(reason("a++"), "++ is not supported")
        self.assertEqual(reason(r"a\Z"), r"invalid escape sequence: \Z")

    def test_mistakes(self) -> None:
        """What is no regular expression at all is refused."""
        for text in ("(", ")", "[z-a]", "*a", "a\\", "[[:nope:]]", "é(", "\r\n(", "\ud800("):
            self.assertNotEqual(reason(text), "", text)

    def test_too_large(self) -> None:
        """An expression that is too long, or becomes too large, is refused."""
        self.assertEqual(reason("a" * MAX_LENGTH), "")
        self.assertEqual(
            reason("a" * 100 * 1024), f"it has 102400 octets, of which {MAX_LENGTH} are accepted"
        )
        self.assertIn("{1001} repeats too much", reason("a{1001}"))
        self.assertIn("{100} repeats too much", reason("((a{100}){100}){100}"))
        self.assertEqual(reason("a{1000}" * 500), "it is too large")
        self.assertIn("accepted", reason("|".join(f"/path-{number}" for number in range(10_000))))

    def test_unicode_classes(self) -> None:
        r"""\p is refused, because it takes 10 ms to compile each one; behind \\ it is a letter."""
        self.assertIn(r"\p is not supported", reason(r"\pL" * 1000))
        self.assertIn(r"\p is not supported", reason(r"\\\PN"))
        self.assertEqual(reason(r"\\pL"), "")

    def test_message(self) -> None:
        """A message quotes a little of the expression, and no control characters."""
        for text in ("(" + "x" * 4000, "[a\r\n\0-", "(?P<\x1b[31m"):
            self.assertLess(len(reason(text)), 120)
            self.assertTrue(reason(text).isprintable(), reason(text))

    def test_silent(self) -> None:
        """Neither a refused nor a costly expression writes to the process's standard error."""
        with tempfile.TemporaryFile() as file:
            kept = os.dup(2)
            os.dup2(file.fileno(), 2)
            try:
                self.assertNotEqual(reason("(é\xff"), "")
                self.assertNotEqual(reason("a{1000}" * 500), "")
                LinearPattern(b".*a.{50}(.*)b").search(b"abc" * 1000)
            finally:
                os.dup2(kept, 2)
                os.close(kept)
            file.seek(0)
            self.assertEqual(file.read(), b"")

    @given(st.text(st.characters(), max_size=60))
    def test_any(self, text: str) -> None:
        """Any text is an expression or is refused; nothing else happens."""
        self.assertTrue(reason(text).isprintable())

    def test_not_installed(self) -> None:
        """Without google-re2 every expression is refused, and the reason says so."""
        caches = (linear_pattern._engine, linear_pattern._program)
        for cache in caches:
            cache.cache_clear()
            self.addCleanup(cache.cache_clear)
        with mock.patch.dict(sys.modules, {"re2": None}):
            self.assertIn("google-re2, which matches it, is not installed", reason("/a"))


class CostTests(SynchronousTestCase):
    """No match takes long."""

    def test_backtracking(self) -> None:
        """Expressions with which an engine that backtracks would take years take no time."""
        for text in (rb"(x+x+)+y", rb"(a*)*b", rb"(a|aa)+$", rb"(.*)(.*)(.*)(.*)(.*)(.*)z"):
            began = time.monotonic()
            self.assertIsNone(LinearPattern(b"/" + text).match(b"/" + b"ax" * 2000))
            self.assertLess(time.monotonic() - began, 1, text)

    def test_long_text(self) -> None:
        """A text that is long for a large expression is refused, and a small one is searched."""
        costly = LinearPattern(rb"(.{1,300}){1,3}z")
        with self.assertRaises(TextTooLong):
            costly.match(b"/" * 4096)
        self.assertEqual(costly.match(b"/" * 100 + b"z"), (b"/" * 100,))
        self.assertEqual(LinearPattern(rb"/something(/|$)(.*)").match(b"/else" * 2000), None)

    def test_groups(self) -> None:
        """Groups count as well, because each of them is copied."""
        with self.assertRaises(TextTooLong):
            LinearPattern(b"(.*)" * 500 + b"z").match(b"/" * 100)


class ValueTests(SynchronousTestCase):
    """Patterns are values."""

    def test_pickled(self) -> None:
        """A pattern travels as its text, and is the same at the other end."""
        pattern = LinearPattern.of("/(a)", ignores_case=True)
        copy = pickle.loads(pickle.dumps(pattern))
        self.assertEqual((copy, hash(copy)), (pattern, hash(pattern)))
        self.assertEqual(copy.match(b"/A"), (b"A",))
        self.assertLess(len(pickle.dumps(pattern)), 200)
