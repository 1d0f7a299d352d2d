"""
Tests for `ingress.explain.asked`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.errors import RequestError
from ingress.explain.asked import NotAsked, ask
from ingress.http1.request_head import parse_request_head


class AskTests(SynchronousTestCase):
    """URLs become requests, as clients send them."""

    def test_forms(self) -> None:
        """Scheme, port, path and query are taken as curl takes them."""
        for url, target, authority, is_secure in (
            ("https://a.example", "/", "a.example", True),
            ("a.example/x?y=1", "/x?y=1", "a.example", False),
            ("http://u:p@A.example:8080/x#f", "/x", "A.example:8080", False),
            ("http://[::1]:80/ä b", "/%C3%A4%20b", "[::1]:80", False),
            ("http://a.example/a/../%2e%2e/b", "/a/../%2e%2e/b", "a.example", False),
        ):
            asked = ask(url)
            self.assertEqual(
                (asked.target, asked.authority, asked.is_secure), (target, authority, is_secure)
            )

    def test_head(self) -> None:
        """The head has the fields as they were given, and one Host."""
        head = ask("http://a.example/x", "POST", ("X-A: 1", "host:b.example")).head()
        self.assertEqual(head, b"POST /x HTTP/1.1\r\nX-A: 1\r\nhost: b.example\r\n\r\n")
        request, _ = parse_request_head(ask("http://a.example/x").head())
        self.assertEqual(request.host, b"a.example")

    def test_refused_later(self) -> None:
        """What a client could send and the proxy refuses is asked, not refused here."""
        with self.assertRaises(RequestError):
            parse_request_head(ask("http://a.example/..%00").head())

    def test_refused(self) -> None:
        """What no client could send is told, with what is accepted."""
        for url, method, field, part in (
            ("ftp://a.example/", "GET", "", "https://shop.example/cart is accepted"),
            ("http://", "GET", "", "is accepted"),
            ("http://a.example:99999/", "GET", "", "ort out of range"),
            ("http://a.example/", "GET\r\nX: y", "", "GET or POST"),
            ("http://a.example/", "GET", "X", "NAME: VALUE"),
            ("http://a.example/", "GET", "X: a\r\nY: b", "NAME: VALUE"),
        ):
            with self.assertRaises(NotAsked) as raised:
                ask(url, method, (field,) if field else ())
            self.assertIn(part, str(raised.exception))
