"""
Tests for `ingress.admin.page_files`.
"""

from __future__ import annotations

from pathlib import Path

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.html import assets
from ingress.admin.html.assets import ASSETS
from ingress.admin.readiness import Readiness
from ingress.admin.site import make_admin_site
from ingress.admin.turns import Turns

LOCAL = IPv4Address("TCP", "127.0.0.1", 50000)


class FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = make_admin_site(Readiness(), Turns(Clock()))
        self.site.doStart()
        self.addCleanup(self.site.doStop)

    def ask(self, path: str, *fields: str, method: str = "GET") -> StringTransport:
        protocol = self.site.buildProtocol(None)
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
