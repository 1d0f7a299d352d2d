"""
Tests for `ingress.document`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.document import (
    DocumentError,
    DocumentText,
    decode_text,
    load_documents,
    split_documents,
)


def values(text: str) -> list[object]:
    """What each document of a text is."""
    return [document.value for document in load_documents(text)]


class DocumentTestCase(SynchronousTestCase):
    """With a way to look at refusals."""

    def refusal(self, text: str) -> tuple[int, str]:
        """The line and the message of the refusal."""
        error = self.assertRaises(DocumentError, load_documents, text)
        return error.line, error.message


class SplitTests(SynchronousTestCase):
    """A text is cut where YAML says that a document ends, and nowhere else."""

    def test_markers(self) -> None:
        """A line of three dashes starts a document, with or without a comment or content."""
        text = "a: 1\n---\nb: 2\n--- # c\nc: 3\n--- {d: 4}\n"
        self.assertEqual(values(text), [{"a": 1}, {"b": 2}, {"c": 3}, {"d": 4}])

    def test_end_markers(self) -> None:
        """A line of three dots ends a document; what follows is another one."""
        self.assertEqual(
            values("a: 1\n...\nb: 2\n...\n---\nc: 3\n...\n"), [{"a": 1}, {"b": 2}, {"c": 3}]
        )

    def test_empty(self) -> None:
        """Blank lines, comments, directives and null are no documents."""
        text = "\n# nothing\n---\n---\n\n--- # still nothing\n---\nnull\n---\n~\n---\na: 1\n---\n"
        self.assertEqual(values(text), [{"a": 1}])
        self.assertEqual(values(""), [])
        self.assertEqual(
            values("%YAML 1.1\n---\na: 1\n...\n%YAML 1.1\n---\nb: 2\n"), [{"a": 1}, {"b": 2}]
        )

    def test_block_scalar(self) -> None:
        """Dashes inside of a block scalar are text: they are indented there."""
        self.assertEqual(values("a: |\n  x\n  ---\n  y\nb: 1\n"), [{"a": "x\n---\ny\n", "b": 1}])

    def test_longer_markers(self) -> None:
        """More than three dashes, or dashes with something behind them, are no marker."""
        self.assertEqual(values("---- a\n"), ["---- a"])
        self.assertEqual(values("a: 1\nb:\n  ---x\n"), [{"a": 1, "b": "---x"}])

    def test_line_ends(self) -> None:
        """Lines may end as on Windows or on old Macs."""
        for end in ("\r\n", "\r"):
            documents = load_documents("a: 1\n---\nb: 2\nc: x\n".replace("\n", end))
            self.assertEqual(
                [document.value for document in documents], [{"a": 1}, {"b": 2, "c": "x"}]
            )
            self.assertEqual(documents[1].line_of(("c",)), 4)

    def test_byte_order_mark(self) -> None:
        """A byte order mark is no content, at the start or where files were put together."""
        self.assertEqual(values("\ufeffa: 1\n\ufeff---\nb: 2\n"), [{"a": 1}, {"b": 2}])

    def test_texts(self) -> None:
        """Each document has the line that it starts on, and a text that does not change with it."""
        first = split_documents("a: 1\n---\nb: 2\n")
        self.assertEqual([source.line for source in first], [1, 2])
        second = split_documents("# more\n\na: 1\n---\nb: 2\n")
        self.assertEqual([source.line for source in second], [1, 4])
        self.assertEqual(first[1].text, second[1].text)

    def test_representation(self) -> None:
        """Neither the text nor the value shows in `repr`: it may be a Secret's."""
        [document] = load_documents("password: hunter2\n")
        self.assertNotIn("hunter2", repr(document))
        self.assertNotIn("hunter2", repr(DocumentText("hunter2", 1)))


class LineTests(SynchronousTestCase):
    """Lines are those of the file, from 1."""

    TEXT = """\
# a comment

---
# another
metadata:
  name: a
spec:
  rules:
  - host: b
    http: {paths: [
      {path: /},
      {path: /x}]}
  -
    host: c
"""

    def test_lines(self) -> None:
        """A key has the line of the key, an item the line of its first key."""
        [document] = load_documents(self.TEXT)
        self.assertEqual(document.line, 5)
        expected: dict[tuple[str | int, ...], int] = {
            (): 5,
            ("metadata", "name"): 6,
            ("spec",): 7,
            ("spec", "rules"): 8,
            ("spec", "rules", 0): 9,
            ("spec", "rules", 0, "http", "paths", 1, "path"): 12,
            ("spec", "rules", 1, "host"): 14,
        }
        self.assertEqual({path: document.line_of(path) for path in expected}, expected)

    def test_nearest_parent(self) -> None:
        """What is not there has the line of the nearest parent that is."""
        [document] = load_documents(self.TEXT)
        self.assertEqual(document.line_of(("spec", "rules", 0, "port", "number")), 9)
        self.assertEqual(document.line_of(("spec", "rules", 7)), 8)
        self.assertEqual(document.line_of(("metadata", "name", "x")), 6)
        self.assertEqual(document.line_of(("status",)), 5)

    def test_items(self) -> None:
        """Items of a list at the root are found one by one, whatever was asked before."""
        text = "x: 1\nitems:\n# ü🎉\n- a:\n    b: 1\n    c: ü\n- {a: {b: 2,\n c: 3}}\n- 5\n"
        [document] = load_documents(text)
        self.assertEqual(document.line_of(("items", 1, "a", "c")), 8)
        self.assertEqual(document.line_of(("items", 0, "a", "c")), 6)
        self.assertEqual(document.line_of(("items", 0)), 4)
        self.assertEqual(document.line_of(("items", 2)), 9)
        self.assertEqual(document.line_of(("items",)), 2)
        self.assertEqual(document.line_of(("items", 1, "z")), 7)

    def test_json(self) -> None:
        """Lines are found in JSON as well, with its tabs and escapes."""
        text = '\n{\n\t"a": "\\ud83c\\udf89",\n\t"items": [\n\t\t{"b":\n\t\t\t1},\n\t\t{"b": "\\u00e9",\n"c": 2}]}\n'
        [document] = load_documents(text)
        self.assertEqual(document.line, 2)
        self.assertEqual(document.line_of(("a",)), 3)
        self.assertEqual(document.line_of(("items", 0)), 5)
        self.assertEqual(document.line_of(("items", 1, "c")), 8)

    def test_scalar(self) -> None:
        """A document that is no collection has one line."""
        [document] = load_documents("# a\nword\n")
        self.assertEqual(document.line_of(("spec", 0)), 2)


class RefusalTests(DocumentTestCase):
    """What is broken is refused with its line, never with a crash."""

    def test_lines(self) -> None:
        """The line of a refusal is the file's, not the document's."""
        self.assertEqual(self.refusal("a: 1\n---\nb: 2\nb: 3\n"), (4, "the key 'b' appears twice"))
        line, message = self.refusal("a: 1\n---\nx: y: z\n")
        self.assertEqual(line, 3)
        self.assertTrue(message.startswith("is not YAML: mapping values are not allowed"), message)

    def test_tabs(self) -> None:
        """A tab as indentation is refused."""
        line, message = self.refusal("a:\n\tb: 1\n")
        self.assertEqual(line, 2)
        self.assertIn("cannot start any token", message)

    def test_control_characters(self) -> None:
        """Control characters are refused on their line."""
        self.assertEqual(self.refusal("a: 1\nb: \x00\n")[0], 2)

    def test_unclosed(self) -> None:
        """What ends in the middle is refused."""
        for text in ("a: [1, 2\n", 'a: "b\n', "{", '{"a": 1', "a: &b\n  *", "'"):
            self.assertRaises(DocumentError, load_documents, text)

    def test_template(self) -> None:
        """A template of a chart is recognised, as people point us to it by mistake."""
        for text in (
            "{{- if .Values.a }}\n",
            "a: 1\nb: {{ .Values.b }}\n",
            "a:\n{{ toYaml .b }}\n",
        ):
            self.assertIn("helm template", self.refusal(text)[1])

    def test_json_message(self) -> None:
        """What starts like JSON and is neither JSON nor YAML is told about as JSON."""
        self.assertEqual(self.refusal('{\n"a": 1,\n"b" 2}'), (3, "is not JSON: Expecting ':'"))

    def test_surrogates(self) -> None:
        """A text that cannot be encoded is refused."""
        self.assertRaises(DocumentError, load_documents, "a: \ud800\n")

    def test_nesting(self) -> None:
        """However deep a text is nested, it is refused and nothing crashes."""
        for part in ("[", "{", "- ", '{"a":', "? ", "[{", "a: [", "!!seq ["):
            self.assertRaises(DocumentError, load_documents, part * 300_000)
        indented = "".join(f"{' ' * level}a:\n" for level in range(2000))
        self.assertEqual(self.refusal(indented)[1], "more than 100 levels of nesting")

    def test_secrets(self) -> None:
        """A password that somebody forgot to quote is not shown."""
        for text in (
            "a: *hunter2\n",
            "a: !hunter2\n",
            "a: !hunter2 x\n",
            "a: @hunter2\n",
            "a: %hunter2\n",
        ):
            self.assertNotIn("hunter2", self.refusal(text)[1])


class DecodeTests(SynchronousTestCase):
    """Bytes become text where they are UTF-8, or say that they are UTF-16."""

    def test_encodings(self) -> None:
        """UTF-8 with or without mark, and UTF-16 with one, are read."""
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            self.assertEqual(decode_text("a: ü\n".encode(encoding)), "a: ü\n")

    def test_other(self) -> None:
        """Anything else is refused with the line of the first byte that does not fit."""
        error = self.assertRaises(DocumentError, decode_text, b"a: 1\nb: \xfc\n")
        self.assertEqual((error.line, error.message), (2, "is not UTF-8 text"))
