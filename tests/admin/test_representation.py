"""
Tests for `ingress.admin.representation`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.page import Content, LiveContent, PageRequest, Query
from ingress.admin.representation import Resource, Value, json_pieces, resource_page


class ResourceTests(SynchronousTestCase):
    async def read(self, query: Query) -> Value:
        return {"asked": query.text("x")}

    def render(self, value: Value, query: Query) -> Iterator[bytes]:
        yield f"<p>{value['asked']}".encode()

    def ask(self, accept: bytes | None, *, has_html: bool) -> Content:
        resource = Resource(self.read, frozenset({"x"}))
        page = resource_page(resource, self.render if has_html else None)
        request = PageRequest(Query({"x": ["1"]}), accept)
        content = self.successResultOf(Deferred.fromCoroutine(page.answer(request)))
        assert isinstance(content, Content)
        return content

    def test_followed(self) -> None:
        """What comes from now on is one value a line, or an event each."""

        async def follow() -> list[Value]:
            return [{"a": 1}, {"b": "\n"}]

        for accept, expected in (
            (None, b'{"a":1}\n{"b":"\\n"}\n'),
            (b"text/event-stream", b'data: {"a":1}\n\ndata: {"b":"\\n"}\n\n'),
        ):
            resource = Resource(self.read, follow=lambda query: follow)
            answer = resource_page(resource).answer(PageRequest(accept=accept))
            content = self.successResultOf(Deferred.fromCoroutine(answer))
            assert isinstance(content, LiveContent)
            self.assertEqual(self.successResultOf(Deferred.fromCoroutine(content.next())), expected)

    def test_forms(self) -> None:
        """A value is JSON, or HTML where there is a form of it and the client prefers that."""
        for accept, has_html, expected in (
            (None, True, b"application/json"),
            (b"text/html", True, b"text/html; charset=utf-8"),
            (b"text/html", False, b"application/json"),
        ):
            content = self.ask(accept, has_html=has_html)
            self.assertEqual(content.media_type, expected)
        self.assertEqual(b"".join(self.ask(b"text/html", has_html=True).pieces), b"<p>1")

    def test_json(self) -> None:
        """The pieces of JSON are the value, a list entry by entry."""
        values: tuple[dict[str, Any], ...] = (
            {},
            {"a": []},
            {"a": [1, {"b": None}], "c": {"d": []}},
            {"p": "/\ud800"},
        )
        for value in values:
            pieces = [*json_pieces(value)]
            self.assertEqual(json.loads(b"".join(pieces)), value)
        self.assertEqual(len([*json_pieces({"a": [1, 2, 3]})]), 6)
