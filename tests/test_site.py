"""
Tests for the documentation as a site (`.ci/site.py`): its pages for Sphinx, and the site.
"""

from __future__ import annotations

import http.server
import importlib.util
import os
import re
import subprocess
import sys
import threading
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import quote, unquote, urlsplit

from twisted.trial.unittest import SynchronousTestCase

from tests.support.browser import Browser
from tests.support.process import CHECKOUT

SITE = os.environ.get("TXINGRESS_TEST_SITE")


def load_script() -> ModuleType:
    """`.ci/site.py`, which is in no package."""
    specification = importlib.util.spec_from_file_location("site_script", CHECKOUT / ".ci/site.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class PageTests(SynchronousTestCase):
    """What Sphinx gets."""

    def setUp(self) -> None:
        self.checkout = Path(self.mktemp())
        self.folder = Path(self.mktemp())
        for path, text in {
            "README.md": "[a](docs/a.md#b) [c](https://example.com/c)\n",
            "docs/index.md": "# Front\n",
            "docs/adr/0001-first.md": "# 1. First\n",
            "docs/findings/README.md": "# Findings\n",
            "docs/findings/ANN001.md": "# ANN001\n",
            "etc/ingress.yaml": "# ```\na: 1\n",
            "etc/deploy/role.yaml": "kind: Role\n",
            "examples/a.yaml": "b: 2\n",
        }.items():
            file = self.checkout / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def written(self, text: str) -> str:
        """What becomes of a page docs/a.md."""
        (self.checkout / "docs" / "a.md").write_text(text)
        load_script().Pages(self.checkout, self.folder).write()
        return self.text("docs/a.md")

    def text(self, path: str) -> str:
        return (self.folder / path).read_text()

    def test_pages(self) -> None:
        """A link to a page begins at the root, and keeps its anchor; the front page moves there."""
        text = self.written("[x](../README.md#y) [z](index.md) [w](#v)\n")
        self.assertEqual(text, "[x](/README.md#y) [z](/index.md) [w](#v)\n")
        self.assertEqual(self.text("README.md"), "[a](/docs/a.md#b) [c](https://example.com/c)\n")

    def test_file(self) -> None:
        """A link to another file leads to a page with it, whatever is in it."""
        text = self.written("[x](../etc/ingress.yaml)\n")
        self.assertEqual(text, "[x](/etc/ingress.yaml.md)\n")
        self.assertIn("````yaml\n# ```\na: 1\n", self.text("etc/ingress.yaml.md"))

    def test_folder(self) -> None:
        """A link to a folder leads to a page with what is in it, and further to each file."""
        self.assertEqual(self.written("[x](../etc/deploy)\n"), "[x](/etc/deploy/index.md)\n")
        self.assertIn("[role.yaml](/etc/deploy/role.yaml.md)", self.text("etc/deploy/index.md"))
        self.assertIn("kind: Role", self.text("etc/deploy/role.yaml.md"))

    def test_below(self) -> None:
        """The decisions have a list; they and the pages beside a README.md need no navigation."""
        self.written("")
        self.assertEqual(
            self.text("docs/adr/index.md"), "# Decisions\n\n- [](/docs/adr/0001-first.md)\n"
        )
        for path in ("docs/adr/0001-first.md", "docs/findings/ANN001.md"):
            self.assertTrue(self.text(path).startswith("---\norphan: true\n---\n# "), path)
        self.assertEqual(self.text("docs/findings/README.md"), "# Findings\n")

    def test_included(self) -> None:
        """A file that is included literally is beside the pages; what stands in a fence stays."""
        page = "```{literalinclude} ../examples/a.yaml\n```\n```yaml\n[a](b)\n```\n"
        self.assertEqual(self.written(page), page)
        self.assertEqual(self.text("examples/a.yaml"), "b: 2\n")

    def test_missing(self) -> None:
        """A link to what is not there is left for Sphinx, which refuses it."""
        self.assertEqual(self.written("[x](gone.md)\n"), "[x](/docs/gone.md)\n")


class Links(HTMLParser):
    """The links of a page, and its anchors."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.fetched: set[str] = set()
        self.anchors: set[str] = set()
        self.text = ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value is not None}
        if "id" in values:
            self.anchors.add(values["id"])
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
        elif tag == "link" and "href" in values:
            self.fetched.add(values["href"])
        elif "src" in values:
            self.fetched.add(values["src"])


class SiteTests(SynchronousTestCase):
    """The site itself, which ``make site`` builds first."""

    def setUp(self) -> None:
        if not SITE:
            self.skipTest("make site runs this")
        self.site = CHECKOUT / SITE
        self.pages = {page: Links(page) for page in self.site.rglob("*.html")}

    def test_links(self) -> None:
        """Each link within the site leads to a page of it and an anchor there."""
        self.assertGreater(len(self.pages), 100)
        faults = []
        for page, found in self.pages.items():
            for link in sorted(found.links | found.fetched):
                parts = urlsplit(link)
                if parts.scheme or parts.netloc:
                    continue
                file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
                anchor = unquote(parts.fragment)
                anchors = self.pages[file].anchors if file in self.pages else {anchor}
                if not file.is_file() or (anchor and anchor not in anchors):
                    faults.append((page.name, link))
        self.assertEqual(faults, [])

    def test_reached(self) -> None:
        """Links lead from the front page to every page."""
        reached: set[Path] = set()
        ahead = {self.site / "index.html"}
        while ahead:
            page = ahead.pop()
            reached.add(page)
            for link in self.pages[page].links:
                file = (page.parent / unquote(urlsplit(link).path)).resolve()
                if file in self.pages and file not in reached:
                    ahead.add(file)
        # A form leads to the page of the search.
        self.assertEqual(self.pages.keys() - reached, {self.site / "search.html"})

    def test_alone(self) -> None:
        """Nothing that a page is shown with comes from elsewhere."""
        fetched = {link for found in self.pages.values() for link in found.fetched}
        self.assertGreater(len(fetched), 5)
        self.assertEqual([link for link in fetched if urlsplit(link).netloc], [])

    def test_literal(self) -> None:
        """A manifest that a page includes is there as it is, from its first line to its last."""
        included = [
            (page, link)
            for page in (CHECKOUT / "docs").glob("*.md")
            for link in re.findall(r"^```\{literalinclude\} (\S+)", page.read_text(), re.MULTILINE)
        ]
        self.assertGreater(len(included), 3)
        for page, link in included:
            shown = self.pages[self.site / "docs" / f"{page.stem}.html"].text
            self.assertIn((page.parent / link).read_text().strip(), shown, page.name)

    def test_refused(self) -> None:
        """A page or an anchor that is not there fails the build, and is named."""
        checkout = Path(self.mktemp()).absolute()
        (checkout / "docs" / "adr").mkdir(parents=True)
        (checkout / "etc").mkdir()
        static = sorted((CHECKOUT / "docs" / "_static").iterdir())
        icon = CHECKOUT / "ingress" / "admin" / "html" / "static" / "icon.svg"
        for file in (CHECKOUT / ".ci" / "site.py", CHECKOUT / "docs" / "conf.py", icon, *static):
            copy = checkout / file.relative_to(CHECKOUT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
        (checkout / "etc" / "ingress.yaml").write_text("a: 1\n")
        (checkout / "docs" / "a.md").write_text("# A\n\n## B\n")
        (checkout / "docs" / "index.md").write_text(
            "# Front\n\n[b](a.md#b) [c](a.md#c) [d](d.md) [e](../etc/gone)\n\n"
            "```{toctree}\n/docs/a\n/etc/ingress.yaml\n/docs/adr/index\n```\n"
        )
        done = subprocess.run(
            [sys.executable, ".ci/site.py"],
            cwd=checkout,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 1, done.stderr)
        faults = [line for line in done.stderr.splitlines() if "WARNING" in line]
        self.assertEqual(len(faults), 3, done.stderr)
        for name in ("'docs/a': 'c'", "'/docs/d.md'", "'/etc/gone'"):
            self.assertIn(name, done.stderr)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


FOUND = {
    "canary": "Canaries",
    "rewrite-target": "Rewrites",
    "websocket timeout": "WebSocket",
    "real client ip": "Real client addresses behind a load balancer",
    "ANN003": "ANN003: an annotation of ingress-nginx is not supported",
    "cert-manager": "Certificates from cert-manager",
}
"""The page that people want who look for this."""

RESULTS = "[...document.querySelectorAll('#search-results li > a:first-child')]"


class BrowserTests(SynchronousTestCase):
    """The site in Chromium, of a width for phones and one for desks."""

    def setUp(self) -> None:
        if not SITE:
            self.skipTest("make site runs this")
        self.site = CHECKOUT / SITE
        handler = partial(QuietHandler, directory=str(self.site))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.browser = Browser()
        self.addCleanup(self.browser.stop)

    def test_search(self) -> None:
        """The search begins with the page that people want, and finds statuses."""
        page = self.browser.page()
        for query, title in FOUND.items():
            page.open(f"{self.url}/search.html?q={quote(query)}")
            first = page.wait_for(f"{RESULTS}[0]?.innerText")
            self.assertEqual(first, title, query)
        page.open(f"{self.url}/search.html?q=404")
        page.wait_for(f"{RESULTS}.some(each => each.innerText === 'Metrics, logs and traces')")
        self.assertEqual(page.complaints, [])

    def test_width(self) -> None:
        """No page is wider than its window; what is wide within it scrolls for itself."""
        pages = [*(self.site / "docs").glob("*.html"), self.site / "index.html"]
        for width in (1440, 390):
            page = self.browser.page(width=width)
            for file in pages:
                page.open(f"{self.url}/{file.relative_to(self.site)}")
                found = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                self.assertLessEqual(found, 0, (width, file.name))
            self.assertEqual(page.complaints, [])
