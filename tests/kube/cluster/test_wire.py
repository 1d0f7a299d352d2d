"""
Tests for `ingress.kube.cluster.wire`, over recorded answers as well.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.errors import APIError
from ingress.kube.cluster.wire import BadAnswer, decode_event, decode_head, decode_page
from tests.support.recorded import exchange, exchanges

NESTED = b"[" * 9999 + b"]" * 9999
"""Deeper than anything that the API has, and than what can be decoded."""


class PageTests(SynchronousTestCase):
    def test_recorded(self) -> None:
        """A recorded page has its objects, where to go on, and where to watch from."""
        page = decode_page(exchange("list", "list configmaps?limit=2").answer)
        assert page.items is not None
        self.assertEqual(len(page.items), 2)
        self.assertEqual(page.version, "430")
        self.assertTrue(page.token)
        heads = [decode_head(item) for item in page.items]
        assert heads[0] is not None
        self.assertEqual(heads[0].name, ("default", "kube-root-ca.crt"))
        self.assertEqual(heads[0].version, "214")

    def test_empty(self) -> None:
        """A list of nothing may have null for its items."""
        self.assertIsNone(decode_page(b'{"metadata":{"resourceVersion":"1"},"items":null}').items)

    def test_none(self) -> None:
        """A malformed list is treated like no answer."""
        wrong = (b"", b"[]", b"{}", b'{"metadata":{},"items":{}}', b"\xff", b'{"metadata":{')
        for text in (*wrong, b'{"metadata":{},"items":' + NESTED + b"}"):
            self.assertRaises(BadAnswer, decode_page, text)


class EventTests(SynchronousTestCase):
    def test_recorded(self) -> None:
        """Recorded events have their type and their object."""
        name = "watch ingresses: added, modified, status, deleted, then the server's own timeout"
        events = [
            decode_event(line) for line in exchange("watch", name).answer.splitlines() if line
        ]
        self.assertEqual(
            [event.type for event in events],
            ["ADDED", "MODIFIED", "MODIFIED", "DELETED", "BOOKMARK", "BOOKMARK"],
        )
        heads = [decode_head(event.object) for event in events]
        self.assertTrue(all(head is not None and head.version for head in heads))

    def test_error(self) -> None:
        """The server's word that something is wrong is raised."""
        name = "watch from a resourceVersion that is too old: gone"
        error = self.assertRaises(APIError, decode_event, exchange("too-old", name).answer)
        self.assertEqual((error.code, error.reason), (410, "Expired"))

    def test_strange_error(self) -> None:
        """One that says nothing is an error of the server's."""
        error = self.assertRaises(APIError, decode_event, b'{"type":"ERROR","object":[]}')
        self.assertEqual(error.code, 500)

    def test_none(self) -> None:
        """A malformed event is treated like no answer."""
        for text in (b"x", b"{}", b'{"type":"ADDED"}', b"\xff", NESTED):
            self.assertRaises(BadAnswer, decode_event, text)


class HeadTests(SynchronousTestCase):
    def test_all(self) -> None:
        """Each object that was recorded in a list has a head."""
        for name, each in exchanges("list").items():
            if "table" in name:
                continue
            page = decode_page(each.answer)
            for item in page.items or ():
                head = decode_head(item)
                assert head is not None
                self.assertEqual(head.name[1], json.loads(bytes(item))["metadata"]["name"])

    def test_none(self) -> None:
        """A head without a name has an empty one; a malformed object has no head."""
        head = decode_head(b"{}")
        assert head is not None
        self.assertEqual(head.name, ("", ""))
        for text in (b"[]", b'{"metadata":{"name":1}}', b"\xff", NESTED):
            self.assertIsNone(decode_head(text))
