"""
Tests for `ingress.error_pages`.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.error_pages import MAX_PAGE, MAX_PAGES, NO_PAGES, ErrorPages, PagesRefused, read_pages

HTML = b"text/html; charset=utf-8"
JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"


class PagesTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def write(self, *names: str) -> ErrorPages:
        """Write files that have their names in them, and read the folder."""
        for name in names:
            (self.folder / name).write_text(name)
        return read_pages(self.folder)


class FindTests(PagesTestCase):
    """The page for a status, in a form."""

    def test_form(self) -> None:
        """The form is the one that the client prefers, of those that there are."""
        pages = self.write("404.html", "404.json")
        for accept, found in (
            (b"text/html", (HTML, b"404.html")),
            (b"application/json", (JSON, b"404.json")),
            (b"text/html;q=0.5, application/json", (JSON, b"404.json")),
            (b"text/plain", (HTML, b"404.html")),
            (b"image/png", (HTML, b"404.html")),
            (None, (HTML, b"404.html")),
        ):
            self.assertEqual(pages.find(404, accept), found, accept)

    def test_text(self) -> None:
        """Clients that prefer nothing get text where there is some."""
        pages = self.write("404.html", "404.txt")
        self.assertEqual(pages.find(404, b"*/*"), (TEXT, b"404.txt"))

    def test_class(self) -> None:
        """The page of a class is for all others of it, and for a form that a status lacks."""
        pages = self.write("404.html", "4xx.json", "5xx.html")
        self.assertEqual(pages.find(404, b"text/html"), (HTML, b"404.html"))
        self.assertEqual(pages.find(404, JSON), (JSON, b"4xx.json"))
        self.assertEqual(pages.find(403, b"text/html"), (JSON, b"4xx.json"))
        self.assertEqual(pages.find(599, JSON), (HTML, b"5xx.html"))
        self.assertEqual([pages.has(each) for each in (403, 404, 500, 308)], [True] * 3 + [False])

    def test_none(self) -> None:
        """There is none for other statuses, and none where nothing was read."""
        pages = self.write("404.html")
        for status in (403, 500, 308, 200):
            self.assertIsNone(pages.find(status, None))
        self.assertIsNone(NO_PAGES.find(404, None))
        self.assertFalse(NO_PAGES.has(404))

    def test_pickled(self) -> None:
        """They go to workers, and are not shown."""
        pages = self.write("404.html")
        self.assertEqual(pickle.loads(pickle.dumps(pages)), pages)
        self.assertNotIn("404.html", repr(pages))


class ReadTests(PagesTestCase):
    """The folder is checked."""

    def refusal(self) -> str:
        with self.assertRaises(PagesRefused) as caught:
            read_pages(self.folder)
        return str(caught.exception)

    def test_names(self) -> None:
        """A file of another name is a mistake; hidden ones, as Kubernetes makes them, are not."""
        self.assertTrue(self.write(".hidden", "404.html").has(404))
        for name in ("40x.html", "404.php", "301.html", "404.HTML", "index.html"):
            (self.folder / name).write_text("")
            self.assertIn(f"{name} is none of these", self.refusal())
            (self.folder / name).unlink()

    def test_links(self) -> None:
        """Files may be links, as in a mounted ConfigMap."""
        (self.folder / "..data").mkdir()
        (self.folder / "..data" / "404.html").write_text("linked")
        os.symlink("..data/404.html", self.folder / "404.html")
        self.assertEqual(read_pages(self.folder).find(404, None), (HTML, b"linked"))

    def test_no_file(self) -> None:
        """Something that is no file is not opened: a pipe would block."""
        os.mkfifo(self.folder / "404.html")
        self.assertIn("404.html is none", self.refusal())

    def test_too_large(self) -> None:
        """Pages are bounded, each and together."""
        (self.folder / "404.html").write_bytes(b"x" * (MAX_PAGE + 1))
        self.assertIn("404.html is larger", self.refusal())
        for status in range(400, 400 + MAX_PAGES // MAX_PAGE + 1):
            (self.folder / f"{status}.html").write_bytes(b"x" * MAX_PAGE)
        self.assertIn(f"at most {MAX_PAGES} bytes", self.refusal())

    def test_missing(self) -> None:
        """A folder that does not exist, or is a file, is a mistake."""
        for folder in (self.folder / "nowhere", self.folder / "404.html"):
            (self.folder / "404.html").write_text("")
            with self.assertRaises(PagesRefused):
                read_pages(folder)
