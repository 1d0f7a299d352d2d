"""
Splits the bytes of a watch into events.

Each event is a JSON document on a line of its own. Lines and chunks of HTTP are independent: a
chunk may have many events, an event many chunks.
"""

from __future__ import annotations

from ingress.kube.api.errors import AnswerTooLarge

MAX_EVENT_SIZE = 8 << 20
"""Bytes. etcd limits an object to 1.5 MiB; as JSON with escapes it may be larger."""


class EventSplitter:
    """
    Takes bytes, returns events.

    :param limit: the largest size of an event.
    """

    def __init__(self, limit: int = MAX_EVENT_SIZE) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def __repr__(self) -> str:
        return f"<EventSplitter: {self._size} bytes of an event>"

    @property
    def is_inside_event(self) -> bool:
        """Whether the last event is incomplete."""
        return self._size > 0

    def feed(self, data: bytes) -> list[bytes]:
        """
        :return: the events that are complete now, in order.
        :raises AnswerTooLarge: if an event is larger than the limit.
        """
        *ended, rest = data.split(b"\n")
        events = []
        for line in ended:
            self._add(line)
            events.append(b"".join(self._parts))
            self._parts.clear()
            self._size = 0
        self._add(rest)
        return [event for event in events if event.strip()]

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            raise AnswerTooLarge(f"a watch sends an event of more than {self._limit} bytes")
        if part:
            self._parts.append(part)
