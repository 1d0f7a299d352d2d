"""
Tests for `ingress.admin.page_leaves`.
"""

from __future__ import annotations

from pathlib import Path

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.html import assets
from ingress.admin.html.assets import ASSETS
from ingress.admin.page_leaves import make_leaves
from ingress.admin.readiness import Readiness
from ingress.admin.site import make_admin_site
from tests.support.observed_proxy import HandProxy

LOCAL = IPv4Address("TCP", "127.0.0.1", 50000)


class LeavesTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.hand = HandProxy()
        leaves = make_leaves(self.hand.proxy, self.clock)
        self.site = make_admin_site(Readiness(), self.clock, leaves=leaves)
        self.site.doStart()
        self.addCleanup(self.site.doStop)

    def ask(self, path: str, *fields: str, method: str = "GET") -> StringTransport:
        protocol = self.protocol = self.site.buildProtocol(None)
        transport = StringTransport(peerAddress=LOCAL)
        protocol.makeConnection(transport)
        lines = (f"{method} {path} HTTP/1.1", "Host: localhost", *fields, "", "")
        protocol.dataReceived("\r\n".join(lines).encode())
        return transport

    def get(self, path: str, *fields: str, method: str = "GET") -> tuple[int, str, str]:
        """The status, the head in lower case, and the body."""
        head, _, body = (
            self.ask(path, *fields, method=method).value().decode().partition("\r\n\r\n")
        )
        return int(head.split()[1]), head.lower(), body


class AssetTests(LeavesTestCase):
    def test_files(self) -> None:
        """Each file comes with its type and the policy, and is kept as long as it is the same."""
        for name, asset in ASSETS.items():
            status, head, body = self.get(f"/assets/{name}")
            self.assertEqual((status, body), (200, asset.content.decode()))
            self.assertIn(f"content-type: {asset.media_type.decode()}", head)
            self.assertIn("content-security-policy: default-src 'none'", head)
            self.assertIn("cache-control: no-cache", head)
            self.assertIn(f"etag: {asset.tag.decode()}", head)

    def test_same(self) -> None:
        """A browser that has the file gets it no second time."""
        tag = ASSETS["page.css"].tag.decode()
        status, _, body = self.get("/assets/page.css", f"If-None-Match: {tag}")
        self.assertEqual((status, body), (304, ""))

    def test_head(self) -> None:
        """HEAD is answered without the file."""
        status, head, body = self.get("/assets/page.css", method="HEAD")
        self.assertEqual((status, body), (200, ""))
        self.assertIn(f"content-length: {len(ASSETS['page.css'].content)}", head)

    def test_no_other_files(self) -> None:
        """There is nothing beside the files, and nothing below them."""
        for path in ("", "/", "/../assets.py", "/%2e%2e/frame.py", "/page.css/x", "/none.css"):
            self.assertEqual(self.get(f"/assets{path}")[0], 404, path)

    def test_all(self) -> None:
        """Every file of the folder is served."""
        folder = Path(assets.__file__).parent / "static"
        self.assertEqual(sorted(ASSETS), sorted(each.name for each in folder.iterdir()))

    def test_self_contained(self) -> None:
        """No file names anything that is elsewhere, but for the name of SVG."""
        for name, asset in ASSETS.items():
            text = asset.content.replace(b'xmlns="http://www.w3.org/2000/svg"', b"")
            self.assertNotRegex(text.decode(), r"https?:|@import|url\(|\beval\b|innerHTML", name)


class LiveTests(LeavesTestCase):
    def events(self, transport: StringTransport) -> list[str]:
        """The events so far, without chunks."""
        lines = transport.value().decode().split("\r\n\r\n", 1)[1].split("\n")
        return [line for line in lines if line.startswith("data: ")]

    def test_stream(self) -> None:
        """A stream begins with the present state, and goes on with each change."""
        stream = self.ask("/live")
        self.clock.advance(0)
        self.assertIn(b"text/event-stream", stream.value())
        self.assertEqual(len(self.events(stream)), 1)
        self.clock.advance(1)
        self.assertEqual(len(self.events(stream)), 1)
        self.hand.published.generation += 1
        self.clock.advance(1)
        self.assertEqual(len(self.events(stream)), 2)
        self.assertEqual(len(set(self.events(stream))), 2)

    def test_heartbeat(self) -> None:
        """A stream without changes says so every ten seconds."""
        stream = self.ask("/live")
        self.clock.pump([1] * 21)
        self.assertEqual(len(self.events(stream)), 3)
        self.assertEqual(len(set(self.events(stream))), 1)

    def test_nobody(self) -> None:
        """While nobody follows, nothing is looked at."""
        self.clock.pump([1] * 3)
        self.assertEqual(self.hand.reports.refreshed, 0)
        self.ask("/live")
        self.clock.pump([1] * 3)
        seen = self.hand.reports.refreshed
        self.assertGreater(seen, 0)
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.clock.pump([1] * 3)
        self.assertEqual(self.hand.reports.refreshed, seen)
        self.ask("/live")
        self.clock.pump([1] * 3)
        self.assertGreater(self.hand.reports.refreshed, seen)

    def test_stalled(self) -> None:
        """A browser that takes nothing gets no events, and is cut after a minute."""
        stream = self.ask("/live")
        self.clock.advance(0)
        assert stream.producer is not None
        stream.producer.pauseProducing()
        for _ in range(30):
            self.hand.published.generation += 1
            self.clock.advance(1)
        self.assertEqual(len(self.events(stream)), 1)
        stream.producer.resumeProducing()
        self.clock.advance(1)
        self.assertEqual(len(self.events(stream)), 2)
        stream.producer.pauseProducing()
        self.clock.pump([1] * 62)
        self.assertTrue(stream.disconnected)

    def test_bounded(self) -> None:
        """The ninth browser is asked to come back."""
        for _ in range(8):
            self.ask("/live")
        status, head, _ = self.get("/live")
        self.assertEqual(status, 503)
        self.assertIn("retry-after: 10", head)

    def test_parameters(self) -> None:
        """There is nothing to choose."""
        self.assertEqual(self.get("/live?x=1")[0], 400)

    def test_head(self) -> None:
        """HEAD begins no stream."""
        self.assertEqual(self.get("/live", method="HEAD")[0], 200)
        self.clock.advance(0)
        self.assertEqual(self.hand.reports.refreshed, 0)
