"""
Tests for `ingress.policy.snippet.tokens`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.snippet.tokens import MAX_DEPTH, MAX_DIRECTIVES, SnippetRefused, read_tokens


class ReadTokensTests(SynchronousTestCase):
    def test_tree(self) -> None:
        """Words, quotes, comments, blocks and lines are those of nginx."""
        first, second = read_tokens(
            '# comment; deny all;\nset $a \'b c; } "\';\nif ($a ~ "x{2}") {\n  return 403;\n}'
        )
        self.assertEqual((first.name, first.texts, first.line), ("set", ("$a", 'b c; } "'), 2))
        self.assertTrue(first.arguments[1].is_quoted)
        self.assertEqual((second.name, second.texts), ("if", ("($a", "~", "x{2}", ")")))
        assert second.block is not None
        self.assertEqual([(each.name, each.line) for each in second.block], [("return", 4)])

    def test_quoted(self) -> None:
        """What is said of a snippet is short and one line, whatever its words are."""
        for text in ("\x00", "\x1b[31m", "x" * 16_000, "\N{RIGHT-TO-LEFT OVERRIDE}"):
            told = str(self.assertRaises(SnippetRefused, read_tokens, text))
            self.assertTrue(told.isprintable(), told)
            self.assertLess(len(told), 400)

    def test_refused(self) -> None:
        """Whatever is left open, or too much, is refused with its line: nothing is left out."""
        for text, line, part in (
            ("deny all", 1, "deny does not end with ;"),
            ("allow all;\nset $a 'x;\ndeny all;", 2, "a quote is not closed"),
            ("allow all;\nif ($a) {", 2, "a { has no }"),
            ("return 200;\n}", 2, "a } without its {"),
            ("deny all }", 1, "does not end with ;"),
            (";", 1, "missing before ;"),
            ("a" * 20_000, 1, "at most 16,384 characters"),
            ("break;" * (MAX_DIRECTIVES + 1), 1, f"at most {MAX_DIRECTIVES} directives"),
            ("a {" * (MAX_DEPTH + 1) + "}" * (MAX_DEPTH + 1), 1, "nested more than"),
            ("deny all;\\", 1, ""),
        ):
            with self.assertRaises(SnippetRefused) as raised:
                read_tokens(text)
            self.assertIn(part, str(raised.exception))
            if part and line > 1:
                self.assertGreaterEqual(raised.exception.line, 1)

    @given(st.text(alphabet="ab ;{}'\"\\#$\n()", max_size=60))
    def test_any(self, text: str) -> None:
        """Any text is read or refused, and a word that is read stands in the text."""
        try:
            found = read_tokens(text)
        except SnippetRefused:
            return
        for directive in found:
            self.assertIn(directive.name.replace("\\", "")[:1], text)
