"""
Tests for `ingress.kube.api.event_splitter`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.errors import AnswerTooLarge
from ingress.kube.api.event_splitter import EventSplitter


class EventSplitterTests(SynchronousTestCase):
    """Lines are events, however they come."""

    DATA = b'{"type":"ADDED"}\n{"type":"MODIFIED"}\n\n{"type":"DELETED"}\r\n'
    EVENTS = (b'{"type":"ADDED"}', b'{"type":"MODIFIED"}', b'{"type":"DELETED"}\r')

    def test_every_split(self) -> None:
        """Events are the same wherever two chunks meet, and byte by byte."""
        for place in range(len(self.DATA) + 1):
            splitter = EventSplitter()
            events = splitter.feed(self.DATA[:place]) + splitter.feed(self.DATA[place:])
            self.assertEqual(tuple(events), self.EVENTS)
            self.assertFalse(splitter.is_inside_event)
        splitter = EventSplitter()
        events = [
            event
            for place in range(len(self.DATA))
            for event in splitter.feed(self.DATA[place : place + 1])
        ]
        self.assertEqual(tuple(events), self.EVENTS)

    def test_inside(self) -> None:
        """An event whose end has yet to come is known."""
        splitter = EventSplitter()
        self.assertEqual(splitter.feed(b'{"a":1}\n{"b"'), [b'{"a":1}'])
        self.assertTrue(splitter.is_inside_event)
        self.assertEqual(splitter.feed(b":2}\n"), [b'{"b":2}'])
        self.assertFalse(splitter.is_inside_event)

    def test_limit(self) -> None:
        """A line without end is not gathered without end; one as long as the limit is an event."""
        splitter = EventSplitter(limit=4)
        self.assertEqual(splitter.feed(b"1234\n12"), [b"1234"])
        self.assertEqual(splitter.feed(b"34\n"), [b"1234"])
        splitter.feed(b"1234")
        self.assertRaises(AnswerTooLarge, splitter.feed, b"5")
        self.assertRaises(AnswerTooLarge, EventSplitter(limit=4).feed, b"12345\n")
