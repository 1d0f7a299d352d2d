"""
Tests for `ingress.kube.field_lines`.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from ingress.document import Path
from ingress.kube.field_lines import COUNTED_AT_ONCE, Wanted, find_field_lines
from ingress.kube.folder import FoundFile, Listing, scan_manifests
from tests.support.disk import Disk

HOST: Path = ("spec", "rules", 0, "host")


class FieldLineTests(SynchronousTestCase):
    """The lines of fields, as an editor counts them."""

    def setUp(self) -> None:
        self.disk = Disk(self.mktemp())

    def write(self, text: str, name: str = "a.yaml") -> FoundFile:
        self.disk.write(name, text)
        path = self.disk.path(name)
        listing = Listing()
        scan_manifests([path], listing)
        return listing.files[path]

    def check(self, text: str, first: str, *paths: Path, name: str = "a.yaml") -> None:
        """:param first: begins the line of the object; each field is the text ``here``."""
        lines = text.split("\n")
        line = next(n for n, each in enumerate(lines, 1) if each.startswith(first))
        wanted = [n for n, each in enumerate(lines, 1) if "here" in each]
        found = self.write(text, name)
        self.assertEqual(find_field_lines(found, [Wanted(line, path) for path in paths]), wanted)

    def test_document(self) -> None:
        """A field of the one object of a document."""
        self.check("# a\n\nkind: x\nspec:\n  rules:\n  - a: 1\n    host: here\n", "kind", HOST)

    def test_later_document(self) -> None:
        """An object after others, whose first line may be that of the marker."""
        before = "kind: x\n---\n" * 3
        self.check(f"{before}name: a\nspec: {{rules: [{{\nhost: here}}]}}\n", "name", HOST)
        self.check(f"{before}--- {{\nspec: {{rules: [{{\nhost: here}}]}}}}\n", "--- {", HOST)

    def test_annotations(self) -> None:
        """Keys that authors choose, in quotes or not; several of one object."""
        text = 'kind: x\nmetadata:\n  annotations:\n    a.b/c: here\n    "1": here\n'
        keys = ("a.b/c", "1")
        self.check(text, "kind", *(("metadata", "annotations", key) for key in keys))

    def test_list(self) -> None:
        """An item of a list, however it is indented."""
        for indent in ("", "  "):
            item = f"{indent}-   name: b\n{indent}    spec:\n{indent}      rules:\n"
            text = f"kind: List\nitems:\n{indent}- name: a\n{item}{indent}      - host: here\n"
            self.check(f"{text}{indent}- name: c\n", f"{indent}-   name", HOST)

    def test_json(self) -> None:
        """An item of a list in JSON."""
        items = [{"n": 1}, {"n": 2, "spec": {"rules": [{"host": "here"}]}}, {"n": 3}]
        text = json.dumps({"kind": "List", "items": items}, indent=2)
        lines = text.split("\n")
        start = next(n for n, line in enumerate(lines, 1) if '"n": 2' in line) - 1
        [line] = find_field_lines(self.write(text, "a.json"), [Wanted(start, HOST)])
        self.assertIn("here", lines[line - 1])

    def test_parent(self) -> None:
        """Where there is no such field, it is the line of the nearest parent."""
        self.check("kind: x\nspec:\n  rules: here\n", "kind", ("spec", "rules", 3, "host"))

    def test_any_order(self) -> None:
        """Fields of objects far apart may be asked for in any order."""
        count = COUNTED_AT_ONCE // 8
        items = "".join(f"- n: {n}\n  spec: x\n" for n in range(count))
        found = self.write(f"kind: List\nitems:\n{items}")
        numbers = [count - 1, 0, count // 2]
        wanted = [Wanted(2 * n + 3, ("spec",)) for n in numbers]
        self.assertEqual(find_field_lines(found, wanted), [2 * n + 4 for n in numbers])

    def test_changed(self) -> None:
        """Of a file that is another by now, or gone, there are only the lines of the objects."""
        found = self.write("kind: x\nspec: here\n")
        self.write("# longer\nkind: x\nspec: here\n")
        self.assertEqual(find_field_lines(found, [Wanted(1, ("spec",))]), [1])
