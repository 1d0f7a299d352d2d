"""
Tests for `ingress.admin.negotiation`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.negotiation import choose_type

OFFERED = ("application/json", "text/html")
BROWSER = b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


class ChooseTypeTests(SynchronousTestCase):
    def test_chosen(self) -> None:
        """The preferred type wins; the first is for clients that prefer none, or accept none."""
        for accept, expected in (
            (None, "application/json"),
            (b"", "application/json"),
            (b"*/*", "application/json"),
            (BROWSER, "text/html"),
            (b"text/*", "text/html"),
            (b"TEXT/HTML", "text/html"),
            (b"application/json, text/html;q=0.9", "application/json"),
            (b"text/html;q=0, */*", "application/json"),
            (b"application/json;q=0, */*;q=0.1", "text/html"),
            (b"image/png", "application/json"),
            (b"text/html;q=many", "application/json"),
            (b";;;,,,=", "application/json"),
            (b"\xff\xfe", "application/json"),
        ):
            self.assertEqual(choose_type(accept, OFFERED), expected, accept)
