"""Tests of what is known of an expression without matching it."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.linear_pattern import LinearPattern, PatternRefused
from ingress.routing.literal_beginning import as_requests_escape, literal_beginning

PIECES = st.lists(
    st.sampled_from(
        [*"/aB.|()[]{}*+?^$\\-", "(?:", "(?i)", "(?P<n>", "[^/]", "[]a]", "[a(]", "{2}", "{0,1}", "\\.", "\\d", "\\Q", "\\E", "\\x2f", " ", '"', "é"]
    ),
    max_size=12,
)  # fmt: skip
PATHS = st.lists(st.sampled_from([b"/", b"a", b"A", b"b", b".", b"%20", b"%C3", b"%A9", b"-"]))


class BeginningTests(SynchronousTestCase):
    def check(self, expression: bytes, text: bytes, *, is_whole: bool = False) -> None:
        self.assertEqual(literal_beginning(expression), (text, is_whole), expression)

    def test_text(self) -> None:
        """Text is its own beginning, in lower case, and there is nothing else in it."""
        self.check(b"/Something/New-1", b"/something/new-1", is_whole=True)
        self.check(rb"/a\.b\/", b"/a.b/", is_whole=True)
        self.check(b"/a b", b"/a%20b", is_whole=True)

    def test_ends(self) -> None:
        """It ends before the first piece that may stand for different texts."""
        self.check(b"/something(/|$)(.*)", b"/something")
        self.check(b"/foo.+", b"/foo")
        self.check(rb"/id/\d", b"/id/")
        self.check(b"/[a]b", b"/")
        self.check(b"/(?!admin)x", b"/")

    def test_quantifiers(self) -> None:
        """A character that may be missing is no part of it; one that may be repeated is."""
        self.check(b"/ab?c", b"/a")
        self.check(b"/ab*c", b"/a")
        self.check(b"/ab{0,2}c", b"/a")
        self.check(b"/ab+c", b"/ab")
        self.check("/é?".encode(), b"/%c3")

    def test_alternatives(self) -> None:
        """Alternatives outside of groups have nothing in common; those within do not matter."""
        self.check(b"/a|/b", b"")
        self.check(b"/a)|/b", b"")
        self.check(b"/a(b|c)", b"/a")
        self.check(rb"/a\|b", b"/a|b", is_whole=True)
        self.check(b"/a[|]b", b"/a")

    def test_flags(self) -> None:
        """A quantifier behind flags is that of the character before them."""
        self.check(b"/ab(?i)c", b"/ab")
        for quantifier in (b"*", b"?", b"{0}"):
            self.check(b"/ab(?i)(?s)" + quantifier + b"c", b"")

    @given(PIECES, PATHS)
    @example([*"/a{2}"], [b"/", b"a", b"a"])
    @example([*"/a??b"], [b"/", b"b"])
    def test_every_match(self, pieces: list[str], parts: list[bytes]) -> None:
        """Whatever matches begins with it, and if it is all, the other way round."""
        expression, path = "".join(pieces).encode(), b"".join(parts)
        try:
            pattern = LinearPattern(b"^" + as_requests_escape(expression), ignores_case=True)
        except PatternRefused:
            return
        text, is_whole = literal_beginning(expression)
        matches = pattern.search(path) is not None
        if matches:
            self.assertTrue(path.lower().startswith(text), (expression, text, path))
        if is_whole:
            self.assertEqual(matches, path.lower().startswith(text), (expression, text, path))


class EscapeTests(SynchronousTestCase):
    def test_escaped(self) -> None:
        """Characters that no path has are escaped as one piece each, so that quantifiers hold."""
        self.assertEqual(as_requests_escape(b"/a b"), b"/a(?:%20)b")
        self.assertEqual(as_requests_escape(rb"/a\ *"), b"/a(?:%20)*")
        self.assertEqual(as_requests_escape("/é".encode()), b"/(?:%C3)(?:%A9)")
        self.assertEqual(as_requests_escape(b"/a\r\n\0"), b"/a(?:%0D)(?:%0A)(?:%00)")

    def test_unchanged(self) -> None:
        """All other expressions stay as they are."""
        expression = rb"/a(b|[^\]]){2}\.\\$"
        self.assertIs(as_requests_escape(expression), expression)

    def test_within_brackets(self) -> None:
        """Within brackets an escape would be three characters, of which each would match."""
        for expression in (b"/[ ]", b"/[^ a]x", "/[é]".encode()):
            with self.assertRaises(PatternRefused):
                as_requests_escape(expression)
