"""Tests of `ingress.answer`."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer, preferred_form
from ingress.errors import Outcome, TargetTooLong

ANSWER = Answer(404, Outcome.NO_ROUTE, "No rule matches <this> host.")


class AnswerTests(SynchronousTestCase):
    def test_plain_text(self) -> None:
        """Plain text says status, reason and the request's id."""
        media_type, body = ANSWER.body(None, "id-1")
        self.assertEqual(media_type, b"text/plain; charset=utf-8")
        self.assertEqual(
            body, b"404 Not Found\nNo rule matches <this> host.\nno_route, request id-1\n"
        )

    def test_json(self) -> None:
        """JSON has the same in members."""
        media_type, body = ANSWER.body(b"application/json", "id-1")
        self.assertEqual(media_type, b"application/json")
        self.assertEqual(
            json.loads(body),
            {
                "status": 404,
                "title": "Not Found",
                "reason": "no_route",
                "detail": "No rule matches <this> host.",
                "request-id": "id-1",
            },
        )

    def test_html(self) -> None:
        """HTML has the same as text that no browser interprets."""
        media_type, body = ANSWER.body(b"text/html", "id-1")
        self.assertEqual(media_type, b"text/html; charset=utf-8")
        self.assertIn(b"<h1>404 Not Found</h1>", body)
        self.assertIn(b"No rule matches &lt;this&gt; host.", body)
        self.assertIn(b"no_route, request id-1", body)

    def test_page(self) -> None:
        """A page takes the place of the body that says why, whatever the client prefers."""
        answer = Answer(404, Outcome.NO_ROUTE, "Gone.", page=(b"text/css", b"p {}"))
        for accept in (None, b"application/json"):
            self.assertEqual(answer.body(accept, "id"), (b"text/css", b"p {}"))
        answer.check()
        with self.assertRaises(ValueError):
            replace(answer, page=(b"text/css\r\nX: y", b"")).check()

    def test_from_error(self) -> None:
        """An error knows the answer that it becomes."""
        answer = Answer.from_error(TargetTooLong("Too long."))
        self.assertEqual(answer, Answer(414, Outcome.TARGET_TOO_LONG, "Too long."))
        self.assertEqual(answer.phrase, b"Request-URI Too Long")


class PreferredFormTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """The form with the highest quality wins, the first of equal ones, else plain text."""
        for accept, form in (
            (None, "text/plain"),
            (b"", "text/plain"),
            (b"*/*", "text/plain"),
            (b"text/*", "text/plain"),
            (b"image/png", "text/plain"),
            (b"TEXT/HTML", "text/html"),
            (b"application/json, text/plain, */*", "application/json"),
            (b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
            (b"text/html;q=0.5, application/json;level=1;q=0.7", "application/json"),
            (b"text/html;q=0.5, */*;q=0.8", "text/plain"),
            (b"text/html;q=0", "text/plain"),
            (b"text/html;q=", "text/plain"),
            (b"text/html;q=nan", "text/plain"),
            (b"text/html; Q = 1", "text/html"),
            (b"," * 60_000 + b"text/html", "text/plain"),
        ):
            self.assertEqual(preferred_form(accept), form, accept)

    @settings(deadline=None)
    @given(st.binary())
    def test_anything(self, accept: bytes) -> None:
        """Whatever a client accepts, it gets one of three forms."""
        self.assertIn(preferred_form(accept), ("text/plain", "text/html", "application/json"))
