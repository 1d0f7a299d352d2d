"""
The page of the admin listener, as people use it in Chromium.

`PageTests` is the short form that `make test` runs; ``make page`` runs the rest as well.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any, ClassVar
from unittest import skipUnless

from ingress.admin.live import MAX_FOLLOWERS
from tests.e2e.case import ProcessTestCase
from tests.support.browser import Browser, Page
from tests.support.certs import CertificateAuthority
from tests.support.endpoints import EchoEndpoint
from tests.support.manifest import (
    endpoint_manifests,
    ingress_manifest,
    secret_manifest,
    served_manifests,
    service_manifest,
)
from tests.support.process import replace_file, wait_until

IS_WHOLE = bool(os.environ.get("TXINGRESS_TEST_PAGE"))
SHOTS = os.environ.get("TXINGRESS_SCREENSHOTS", "")
"""A folder for screenshots, to be looked at."""

WIDTHS = (1440, 390)

LOW_CONTRAST = """
(() => {
  const channels = (color) => (color.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const over = ([r, g, b, a = 1], below) =>
    [r, g, b].map((each, index) => each * a + below[index] * (1 - a));
  const ground = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      layers.unshift(channels(getComputedStyle(each).backgroundColor));
    }
    return layers.reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const luminance = (color) => {
    const [r, g, b] = color.map((each) => {
      const part = each / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.nodeValue.trim() || !element.checkVisibility()) continue;
    const below = ground(element);
    const text = over(channels(getComputedStyle(element).color), below);
    const [light, dark] = [luminance(text), luminance(below)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < 4.5) found.push(`${walker.currentNode.nodeValue.trim()}: ${ratio.toFixed(2)}`);
  }
  return found;
})()
"""
"""The texts whose contrast is below that of WCAG AA."""

OVERFLOWING = """
[...document.querySelectorAll('main *')]
  .filter(each => each.getBoundingClientRect().right > innerWidth + 1
    && !each.closest('.scroll, nav, svg'))
  .map(each => each.outerHTML.slice(0, 120))
"""


class PageCase(ProcessTestCase):
    """A shop with two endpoints, and a browser that all tests of a class share."""

    browser: ClassVar[Browser]
    one: ClassVar[EchoEndpoint]
    two: ClassVar[EchoEndpoint]
    settings: ClassVar[dict[str, Any]] = {}

    @classmethod
    def begin(cls, folder: Path) -> None:
        cls.browser = cls.keep(Browser())
        cls.one, cls.two = cls.echo("one"), cls.echo("two")
        authority = CertificateAuthority()
        cls.serve(
            folder,
            ingress_manifest(
                "shop",
                "shop.example",
                {"/": "web", "=/cart": "cart"},
                tls={"shop-tls": ["shop.example"]},
                annotations={"ssl-redirect": "false"},
            ),
            secret_manifest("shop-tls", authority.issue("shop.example")),
            service_manifest("web"),
            *endpoint_manifests("web", cls.one.port, cls.two.port),
            *served_manifests("cart", cls.one.port),
            **cls.settings,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.process.port('admin')}"

    def open(self, path: str = "/", **emulated: Any) -> Page:
        """A tab with a page; at the end it must not have complained, or asked others."""
        page = self.browser.page(**emulated)
        page.open(self.url + path)
        self.addCleanup(page.close)
        self.addCleanup(self.check, page)
        return page

    def check(self, page: Page) -> None:
        self.assertEqual(page.complaints, [])
        foreign = [each for each in page.requested if not each.startswith((self.url, "about:"))]
        self.assertEqual(foreign, [])

    def shoot(self, page: Page, name: str) -> None:
        """Take a screenshot if somebody wants to look at it."""
        if SHOTS:
            page.screenshot(Path(SHOTS) / f"{name}.png")

    def live(self, page: Page) -> None:
        page.wait_for("document.getElementById('live').textContent === 'live'")


class ShopCase(PageCase):
    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.begin(folder)


class PageTests(ShopCase):
    """What people do most."""

    def test_search(self) -> None:
        """A URL that is searched for is explained: the answer first, then the reasons."""
        page = self.open()
        self.live(page)
        page.press("/")
        page.type("https://shop.example/cart?x=1")
        page.press("Enter")
        page.wait_for_text(f"{self.one.address} of default/cart:80 answers")
        for text in ("default/shop-tls", "Exact of default/shop", "all.yaml"):
            self.assertIn(text, page.text)
        page.evaluate("document.querySelector('input[name=q]').select()")
        page.press("/")
        page.evaluate("document.querySelector('input[name=q]').value = ''")
        page.evaluate("document.querySelector('input[name=q]').focus()")
        page.type("http://shop.example.org/")
        page.press("Enter")
        page.wait_for("document.querySelector('.status')?.textContent === '404'")
        self.assertIn("shop.example", page.text)

    def test_endpoint(self) -> None:
        """An endpoint that dies is ejected within seconds, and is ok when it is back."""
        page = self.open()
        self.live(page)
        self.assertIn("ok", page.row(self.two.address))
        port = self.two.port
        self.two.stop()

        def is_ejected() -> bool:
            for _ in range(8):
                self.get(host="shop.example")
            return "ejected" in page.row(f"127.0.0.1:{port}")

        try:
            wait_until(is_ejected, "the ejection")
            self.shoot(page, "ejected")
        finally:
            type(self).two = self.echo_at(port)

        def is_ok() -> bool:
            self.get(host="shop.example")
            return "ok" in page.row(f"127.0.0.1:{port}")

        wait_until(is_ok, "the end of the ejection")

    def echo_at(self, port: int) -> EchoEndpoint:
        return self.keep(EchoEndpoint("two", port))

    def test_problem(self) -> None:
        """A Problem appears with its place and goes, without anybody loading the page."""
        page = self.open()
        self.live(page)
        file = self.process.manifests / "faulty.yaml"
        replace_file(file, "apiVersion: v1\nkind: Service\nmetadata:\n  name: [\n")
        page.wait_for_text("faulty.yaml:")
        file.unlink()
        page.wait_until_gone("faulty.yaml")

    def test_exchanges(self) -> None:
        """Exchanges appear while one looks, with outcome and reason, and can be filtered."""
        page = self.open("/exchanges?outcome=no_route")
        self.live(page)
        self.get("/nowhere", host="nobody.example")
        self.get("/fine", host="shop.example")
        page.wait_for_text("nobody.example/nowhere")
        row = page.row("nobody.example/nowhere")
        for text in ("404", "no_route", "No rule matches"):
            self.assertIn(text, row)
        self.assertNotIn("shop.example/fine", page.text)
        page.evaluate("document.querySelector('select[name=outcome]').value = 'ok'")
        page.evaluate("document.querySelector('.filters button').click()")
        page.wait_for_text("shop.example/fine")
        self.assertNotIn("nobody.example/nowhere", page.text)

    def test_without_scripts(self) -> None:
        """Without scripts the search is a form, and everything is in tables."""
        page = self.open("/?q=shop.example/cart", has_scripts=False)
        self.assertIn("default/cart:80", page.text)
        self.assertIn("ok", page.row(self.two.address))
        self.assertIn("as of ", page.text)
        self.assertNotIn("Pause", page.text)
        for path in (
            "/routes",
            "/endpoints",
            "/certificates",
            "/problems",
            "/exchanges",
            "/changes",
        ):
            page.open(self.url + path)
            self.assertTrue(page.evaluate("document.querySelector('main h2') !== null"))
        self.assertNotIn(f"{self.url}/live", page.requested)


@skipUnless(IS_WHOLE, "make page runs it")
class LookTests(ShopCase):
    """How it looks: on a phone, in the dark, by keyboard."""

    PATHS = (
        "/",
        "/?q=https://shop.example/cart",
        "/?q=http://shop.example.org/",
        "/routes",
        "/endpoints",
        "/certificates",
        "/problems",
        "/rates",
        "/exchanges",
        "/changes",
        "/explain?url=http://shop.example/",
    )

    def test_widths(self) -> None:
        """Nothing is wider than a phone or a screen, but for tables that can be scrolled."""
        for width in WIDTHS:
            for path in self.PATHS:
                page = self.open(path, width=width, height=844)
                page.wait_for("document.fonts.status === 'loaded'")
                self.assertEqual(page.evaluate("document.documentElement.scrollWidth"), width, path)
                self.assertEqual(page.evaluate(OVERFLOWING), [], path)
                self.shoot(page, f"{path.strip('/').partition('?')[0] or 'overview'}-{width}")

    def test_contrast(self) -> None:
        """Every text has the contrast of WCAG AA, in the light and in the dark."""
        for is_dark in (False, True):
            for path in self.PATHS:
                page = self.open(path, is_dark=is_dark)
                self.assertEqual(page.evaluate(LOW_CONTRAST), [], (path, is_dark))

    def test_dark(self) -> None:
        """Who prefers the dark gets it."""
        light, dark = (
            self.open(is_dark=each).evaluate("getComputedStyle(document.body).backgroundColor")
            for each in (False, True)
        )
        self.assertNotEqual(light, dark)

    def test_keyboard(self) -> None:
        """Everything can be reached and done by keyboard, and one sees where one is."""
        page = self.open()
        self.live(page)
        page.press("Tab")
        self.assertEqual(page.evaluate("document.activeElement.textContent"), "Skip to the content")
        page.press("Enter")
        page.press("Tab")
        self.assertEqual(page.evaluate("document.activeElement.name"), "q")
        page.type("shop.example/cart")
        page.press("Enter")
        page.wait_for_text("default/cart:80 answers")
        seen = set()
        for _ in range(40):
            page.press("Tab")
            seen.add(page.evaluate("document.activeElement.textContent.trim()"))
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            if page.evaluate("document.activeElement !== document.body"):
                self.assertEqual(outline, "solid")
        self.assertLessEqual({"Routes", "Problems", "Pause", "Search"}, seen)

    def test_pause(self) -> None:
        """Who pauses the page can read it in peace, and goes on later."""
        page = self.open()
        self.live(page)
        page.evaluate("document.getElementById('pause').focus()")
        page.press("Enter")
        page.wait_for("document.getElementById('live').textContent === 'paused'")
        file = self.process.manifests / "more.yaml"
        file.write_text("apiVersion: v1\nkind: Service\nmetadata:\n  name: [\n")
        self.addCleanup(file.unlink)
        self.process.wait_for_line("more.yaml", since=self.mark)
        time.sleep(2.5)
        self.assertNotIn("more.yaml", page.text)
        page.press("Enter")
        page.wait_for_text("more.yaml")

    def test_focus_stays(self) -> None:
        """What somebody types, and where they are, outlives that the page is renewed."""
        page = self.open()
        self.live(page)
        page.press("/")
        page.type("half a que")
        before = page.evaluate("Number(document.documentElement.dataset.refreshed ?? 0)")
        self.get(host="shop.example")
        page.wait_for(f"Number(document.documentElement.dataset.refreshed) > {before}")
        self.assertEqual(page.evaluate("document.activeElement.value"), "half a que")

    def test_one_stream(self) -> None:
        """All tabs of a browser share one stream."""
        first = self.open()
        self.live(first)
        second = self.browser.tab(first.context)
        self.addCleanup(second.close)
        second.open(self.url + "/routes")
        streams = [each for each in (*first.requested, *second.requested) if each.endswith("/live")]
        self.assertEqual(streams, [])  # It is the worker's.
        self.live(second)


@skipUnless(IS_WHOLE, "make page runs it")
class RestartTests(ShopCase):
    """What the page does when the process is gone for a while."""

    def test_restart(self) -> None:
        """The page says that the connection is lost, and follows again after a restart."""
        page = self.browser.page()
        self.addCleanup(page.close)
        page.open(self.url)
        self.live(page)
        port = self.process.port("admin")
        self.process.stop()
        page.wait_for_text("connection lost")
        self.shoot(page, "lost")
        self.process.configure(
            listen={
                "http": "tcp:0:interface=127.0.0.1",
                "https": "tcp:0:interface=127.0.0.1",
                "admin": f"tcp:{port}:interface=127.0.0.1",
            }
        )
        self.process.write("new.yaml", ingress_manifest("new", "new.example", {"/": "web"}))
        self.process.start()
        self.live(page)
        page.wait_for_text("new.example")


@skipUnless(IS_WHOLE, "make page runs it")
class CrowdTests(ShopCase):
    """What the page does while too many browsers follow."""

    def test_full(self) -> None:
        """It says so, looks again now and then, and follows when another one is closed."""
        followers = [self.follow() for _ in range(MAX_FOLLOWERS)]
        pages = [self.open(width=width, height=844) for width in WIDTHS]
        for page, width in zip(pages, WIDTHS, strict=True):
            page.wait_for_text("Too many browsers follow")
            page.wait_for_text("every 10 seconds")
            self.assertEqual(page.evaluate("document.documentElement.scrollWidth"), width)
            self.assertEqual(page.evaluate(LOW_CONTRAST), [])
            self.shoot(page, f"full-{width}")
        self.process.write("new.yaml", ingress_manifest("new", "new.example", {"/": "web"}))
        for page in pages:
            page.wait_for_text("new.example")
        for follower in followers:
            follower.close()
        for page in pages:
            self.live(page)
            self.assertTrue(page.evaluate("document.getElementById('note').hidden"))

    def follow(self) -> socket.socket:
        """:return: a connection that is one of the browsers that follow."""
        follower = socket.create_connection(("127.0.0.1", self.process.port("admin")))
        self.addCleanup(follower.close)
        follower.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertIn(b" 200 ", follower.recv(1000))
        return follower


@skipUnless(IS_WHOLE, "make page runs it")
class WorkerTests(PageCase):
    """The page adds up what several workers do."""

    settings: ClassVar = {"workers": 2}

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.begin(folder)

    def test_worker_dies(self) -> None:
        """A worker that dies is told, and replaced."""
        page = self.open()
        self.live(page)
        self.assertIn("2 serve", page.text)
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        forks = int(children.read_text().split()[0])
        workers = Path(f"/proc/{forks}/task/{forks}/children").read_text().split()
        os.kill(int(workers[0]), signal.SIGKILL)
        page.wait_for_text("1 lost since the start")
        page.wait_for_text("2 serve")


@skipUnless(IS_WHOLE, "make page runs it")
class ManyHostsTests(PageCase):
    """Ten thousand hosts."""

    COUNT = 10_000

    @classmethod
    def prepare(cls, folder: Path) -> None:
        many = [
            ingress_manifest(f"m{number}", f"host-{number:05}.example", {"/": "web"})
            for number in range(cls.COUNT)
        ]
        # JSON is read much faster than YAML.
        file = folder / "manifests" / "many.json"
        file.parent.mkdir()
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": many}))
        cls.begin(folder)

    def test_usable(self) -> None:
        """The first paint takes less than a second, and a host is found at once."""
        page = self.open()
        self.assertIn("10,001 hosts", page.text)
        paints = []
        for _ in range(3):
            page.open(self.url + "/?offset=4000")
            page.wait_for("performance.getEntriesByName('first-contentful-paint').length")
            paints.append(
                page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            )
        self.assertLess(min(paints), 1000)
        self.assertLess(page.evaluate("document.querySelectorAll('*').length"), 3000)
        page.open(self.url + "/?q=host-09876")
        self.assertIn("host-09876.example", page.text)
        self.shoot(page, "many")
        page.open(self.url + "/routes?offset=9900")
        self.assertIn("9,901 to", page.text)
