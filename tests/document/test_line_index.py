"""
Tests for `ingress.document.line_index`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.document.line_index import Span, index_lines


class IndexTests(SynchronousTestCase):
    """The index of a text that was parsed before."""

    def test_offset(self) -> None:
        """A text that was cut out counts from the line that it was cut from."""
        index = index_lines("    a: 1\n    b:\n    - c\n", 10)
        self.assertEqual(
            [index.find(("a",)), index.find(("b",)), index.find(("b", 0))], [10, 11, 12]
        )

    def test_cut(self) -> None:
        """A cut keeps the indentation of its first line, so that it can be parsed again."""
        text = "items:\n  - a: 1\n    b: 2\n"
        cut = Span(1, 4, text.index("a"), len(text)).cut(text)
        self.assertEqual(cut, "    a: 1\n    b: 2\n")

    def test_aliases(self) -> None:
        """Aliases have lines, as keys, values and items; what they stand for is not followed."""
        index = index_lines("a: &x b\n*x : 1\nc: *x\nd:\n- *x\n", 0)
        self.assertEqual([index.find(("c",)), index.find(("d", 0)), index.find(("b",))], [2, 4, 0])

    def test_broken(self) -> None:
        """What cannot be read leads to what could."""
        index = index_lines("a: 1\nb: [\n", 0)
        self.assertEqual(index.find(("b", 0)), 1)
        self.assertEqual(index_lines("", 3).find(("a",)), 3)
