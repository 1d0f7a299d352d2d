"""Tests of patterns of paths."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.linear_pattern import LinearPattern, PatternRefused
from ingress.routing.path_pattern import PathForm, PathPattern, Tail

EXACT, PREFIX, BEGINNING, EXPRESSION, UNKNOWN = PathForm


class CapturesTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """Each form is compared in its own way; a regular expression has no particular end."""
        for form, text, matching, others in (
            (EXACT, b"/a", (b"/a",), (b"/a/", b"/ab", b"/", b"/A")),
            (PREFIX, b"/a", (b"/a", b"/a/", b"/a/b"), (b"/ab", b"/", b"/A")),
            (PREFIX, b"/a/", (b"/a", b"/a/", b"/a/b"), (b"/ab",)),
            (PREFIX, b"/", (b"/", b"/a"), ()),
            (BEGINNING, b"/a", (b"/a", b"/a/", b"/ab"), (b"/", b"/ba")),
            (EXPRESSION, rb"/a/[0-9]+", (b"/a/1", b"/a/123x"), (b"/a/x", b"/b/a/1")),
        ):
            pattern = PathPattern(form, text)
            for path in matching:
                self.assertEqual(pattern.captures(path), (), (form, text, path))
            for path in others:
                self.assertIsNone(pattern.captures(path), (form, text, path))

    def test_case(self) -> None:
        """Where case does not matter, it does not in any form."""
        for form in (EXACT, PREFIX, BEGINNING, EXPRESSION):
            self.assertIsNone(PathPattern(form, b"/Ab").captures(b"/aB"), form)
            self.assertEqual(PathPattern(form, b"/Ab", ignores_case=True).captures(b"/aB"), ())

    def test_groups(self) -> None:
        """The groups of a regular expression are captured, those that match nothing as None."""
        pattern = PathPattern(EXPRESSION, rb"/something(/|$)(.*)|/(x)")
        self.assertEqual(pattern.captures(b"/something/new"), (b"/", b"new", None))
        self.assertEqual(pattern.captures(b"/something"), (b"", b"", None))

    def test_alternatives(self) -> None:
        """``^`` belongs to the first alternative alone, as it does in nginx's locations."""
        pattern = PathPattern(EXPRESSION, rb"/a|/b", ignores_case=True)
        self.assertEqual(pattern.captures(b"/A"), ())
        self.assertEqual(pattern.captures(b"/x/b"), ())
        self.assertIsNone(pattern.captures(b"/x/a"))

    def test_escaped(self) -> None:
        """A character that requests have only escaped matches its escape."""
        for text, path in (
            ("/a b", b"/a%20bc"),
            ("/a b(.*)", b"/a%20bc"),
            ("/é", b"/%C3%A9"),
            ("/é+x", b"/%C3%A9%A9x"),
            ('/"', b"/%22"),
        ):
            pattern = PathPattern(EXPRESSION, text.encode(), ignores_case=True)
            self.assertIsNotNone(pattern.captures(path), text)

    @given(
        st.text("/aB-%", max_size=5),
        st.sampled_from(Tail),
        st.text("/aAbB-%", max_size=8),
    )
    def test_common(self, beginning: str, tail: Tail, rest: str) -> None:
        """The expressions that need no engine match what they match with one."""
        text = f"/{beginning}".encode() + tail.value
        pattern = PathPattern(EXPRESSION, text, ignores_case=True)
        self.assertIs(pattern.tail, tail)
        for path in (f"/{beginning}{rest}".encode(), f"/{rest}".encode()):
            expected = LinearPattern(b"^" + text, ignores_case=True).search(path)
            self.assertEqual(pattern.captures(path), expected, (text, path))

    def test_unknown(self) -> None:
        """An expression that cannot be matched may match all that has its literal beginning."""
        pattern = PathPattern(UNKNOWN, rb"/Admin/(?!public)", ignores_case=True)
        self.assertEqual(pattern.captures(b"/admin/x"), ())
        self.assertIsNone(pattern.captures(b"/admi"))
        self.assertEqual(PathPattern(UNKNOWN, rb"/a(?!b)|/c").captures(b"/x"), ())

    def test_refused(self) -> None:
        """What RE2 cannot take is no pattern."""
        for text in (rb"/(?!a)", rb"/(a)\1", b"/(", b"/[ ]"):
            with self.assertRaises(PatternRefused):
                PathPattern(EXPRESSION, text)

    def test_pickled(self) -> None:
        """Workers get patterns as they are."""
        pattern = PathPattern(EXPRESSION, rb"/(.*)", ignores_case=True)
        self.assertEqual(pickle.loads(pickle.dumps(pattern)), pattern)


class PrecedenceTests(SynchronousTestCase):
    def test_order(self) -> None:
        """The longest goes first, then the form decides, then the text in reverse."""
        patterns = [
            PathPattern(EXPRESSION, rb"/foo/bar/[a-z]{3}"),
            PathPattern(EXACT, b"/foo/bar/bar"),
            PathPattern(PREFIX, b"/foo/bar/bar"),
            PathPattern(BEGINNING, b"/foo/bar/bar"),
            PathPattern(EXPRESSION, b"/foo/bar/bar"),
            PathPattern(UNKNOWN, b"/foo/(?!bar)"),
            PathPattern(PREFIX, b"/b"),
            PathPattern(PREFIX, b"/a"),
            PathPattern(PREFIX, b"/"),
        ]
        shuffled = [*patterns[5:], *patterns[:5]]
        self.assertEqual(sorted(shuffled, key=lambda one: one.precedence), patterns)
