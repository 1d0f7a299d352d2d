"""
Tests for `ingress.admin.html.markup`.
"""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.html.markup import HOLE, Markup, filled, join, link, tag, text

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</title></textarea></style><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)' autofocus='",
    "` onclick=`alert(1)",
    "<!-- --><!---->]]>",
    "&lt;b&gt;&#60;b&#62;",
    "javascript:alert(1)",
    "\u202egnp.exe\u2066\x00\x1b[31m\r\nSet-Cookie: a=b",
    "\udc80\ud800",
)
"""What authors of manifests and clients might write."""


class Seen(HTMLParser):
    """The elements and the text that a browser makes of HTML."""

    def __init__(self, written: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.others = 0
        self.feed(written)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.others += 1

    def handle_decl(self, decl: str) -> None:
        self.others += 1

    def handle_pi(self, data: str) -> None:
        self.others += 1

    def unknown_decl(self, data: str) -> None:
        self.others += 1


class TagTests(SynchronousTestCase):
    def test_element(self) -> None:
        """An element has attributes and content in their order."""
        made = tag("p", "a ", tag("b", 3), None, [tag("br"), "."], class_="x", data_key="1 & 2")
        self.assertEqual(made, '<p class="x" data-key="1 &amp; 2">a <b>3</b><br>.</p>')

    def test_left_out(self) -> None:
        """None and False leave an attribute out, True makes it one without a value."""
        made = tag("input", name="q", value=None, hidden=False, disabled=True)
        self.assertEqual(made, '<input name="q" disabled>')

    def test_hostile_text(self) -> None:
        """No text becomes an element, a comment or an attribute, wherever it stands."""
        for hostile in HOSTILE:
            seen = Seen(tag("td", hostile, title=hostile, id=hostile))
            self.assertEqual([name for name, _ in seen.elements], ["td"], hostile)
            self.assertEqual(set(seen.elements[0][1]), {"title", "id"}, hostile)
            self.assertEqual(seen.others, 0, hostile)

    @given(st.text())
    def test_any_text(self, written: str) -> None:
        """A browser reads the text that was written, with what cannot be seen made visible."""
        seen = Seen(tag("td", written, title=written))
        self.assertEqual(seen.elements, [("td", {"title": seen.text})])
        if written.isprintable():
            self.assertEqual(seen.text, written)
        else:
            self.assertTrue(seen.text.isprintable())
        seen.text.encode()

    def test_direction(self) -> None:
        """Characters that turn the direction of text are shown as what they are."""
        self.assertEqual(text("a\u202eb\n"), "a\\u202eb\\n")

    def test_no_inline_script(self) -> None:
        """There are no attributes with scripts or styles, and no content of these elements."""
        for name in ("onclick", "onload", "style"):
            self.assertRaises(ValueError, tag, "p", **{name: "x"})
        self.assertRaises(ValueError, tag, "script", "alert(1)")
        self.assertRaises(ValueError, tag, "style", "p {}")

    def test_no_foreign_links(self) -> None:
        """Links lead to this listener alone."""
        for reference in ("javascript:alert(1)", "//evil.example/", "https://evil.example/", "x"):
            for name in ("href", "src", "action"):
                self.assertRaises(ValueError, tag, "a", **{name: reference})


class LinkTests(SynchronousTestCase):
    def test_query(self) -> None:
        """Values of a query come back as they were, and empty ones are left out."""
        for hostile in HOSTILE[:-1]:
            made = link("/routes", text=hostile, host="", offset=None, limit=3)
            found = parse_qs(urlsplit(made).query, keep_blank_values=True)
            self.assertEqual(found, {"text": [hostile], "limit": ["3"]})
            self.assertTrue(made.isascii())

    def test_no_query(self) -> None:
        """Without values there is no question mark."""
        self.assertEqual(link("/routes", text=""), "/routes")


class FilledTests(SynchronousTestCase):
    def test_pieces(self) -> None:
        """The pieces come in the place of the hole."""
        made = list(filled(tag("ul", HOLE, id="x"), iter([tag("li", "a"), tag("li", "b")])))
        self.assertEqual("".join(made), '<ul id="x"><li>a</li><li>b</li></ul>')
        self.assertEqual(len(made), 4)

    def test_no_hole_in_text(self) -> None:
        """Text that looks like the hole is text."""
        made = list(filled(tag("p", str(HOLE), HOLE), iter([Markup("x")])))
        self.assertEqual("".join(made), "<p>&lt;!----&gt;x</p>")

    def test_join(self) -> None:
        """Children are put one after the other, escaped once."""
        self.assertEqual(join("<", tag("b", "&"), 1), "&lt;<b>&amp;</b>1")
