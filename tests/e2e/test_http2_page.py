"""
A page of a hundred small files, as Chromium loads it over HTTP/2.
"""

from __future__ import annotations

import base64
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.e2e.case import ProcessTestCase
from tests.support.browser import Browser, find_browser
from tests.support.certs import CertificateAuthority
from tests.support.manifest import ingress_manifest, secret_manifest, served_manifests

HOST = "localhost"
"""The only name that the browser resolves."""

FILES = 100
PAGE = "".join(f'<script src="/{number}.js"></script>' for number in range(FILES))


class PageEndpoint:
    """Serves the page and its files, each of which adds its number to `found`."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536

            def do_GET(self) -> None:
                name = self.path.strip("/")
                kind = "text/javascript" if name else "text/html"
                number = name.removesuffix(".js")
                code = f"(window.found ??= []).push({number});"
                body = (
                    code if name else f'<!doctype html><link rel="icon" href="data:,">{PAGE}'
                ).encode()
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                """BaseHTTPRequestHandler: say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 1024
            """All files are asked for at once."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class PageTests(ProcessTestCase):
    """A browser in front of the process."""

    key_hash: ClassVar[str]
    """That of the certificate's key, by which the browser is told to trust it."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        find_browser()
        issued = CertificateAuthority().issue(HOST)
        key = issued.certificate.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        cls.key_hash = base64.b64encode(sha256(key).digest()).decode()
        page = cls.keep(PageEndpoint())
        cls.serve(
            folder,
            secret_manifest("page", issued),
            ingress_manifest("page", HOST, {"/": "page"}, tls={"page": [HOST]}),
            *served_manifests("page", page.port),
        )

    def test_page(self) -> None:
        """The page and its hundred files come over HTTP/2, all of them."""
        with Browser(f"--ignore-certificate-errors-spki-list={self.key_hash}") as browser:
            page = browser.page()
            page.open(f"https://{HOST}:{self.process.port('https')}/")
            self.assertEqual(page.evaluate("found"), list(range(FILES)))
            entries = page.evaluate(
                "['navigation', 'resource'].flatMap((type) => performance.getEntriesByType(type))"
                ".map((entry) => [new URL(entry.name).pathname, entry.nextHopProtocol])"
            )
            files = [[f"/{number}.js", "h2"] for number in range(FILES)]
            self.assertEqual(sorted(entries), sorted([["/", "h2"], *files]))
            self.assertEqual(page.complaints, [])
