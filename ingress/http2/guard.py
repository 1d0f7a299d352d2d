"""
Bounds of what a peer may do that costs us more than it costs the peer.

Each bound is far above what clients do, and low enough that an attack costs no more than the same
number of honest requests. Who exceeds one gets GOAWAY with ENHANCE_YOUR_CALM
(RFC 9113 section 10.5).
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from ingress.config import Limits
from ingress.http2.fault import ENHANCE_YOUR_CALM, ConnectionFault

UPDATES: Final = 5
UPDATES_PER_STREAM: Final = 2
"""WINDOW_UPDATE frames, beside those for each DATA frame: at once, and for each stream opened."""


class Bucket:
    """
    A token bucket whose clock is an argument.

    :param burst: tokens at most, and at first.
    :param refill: what it gains a second.
    """

    __slots__ = ("_at", "_burst", "_refill", "_tokens")

    def __init__(self, burst: int, refill: int) -> None:
        self._burst = float(burst)
        self._refill = float(refill)
        self._tokens = float(burst)
        self._at = 0.0

    def take(self, now: float) -> bool:
        """:return: whether there was a token."""
        tokens = min(self._burst, self._tokens + (now - self._at) * self._refill)
        self._at = now
        self._tokens = tokens - 1
        if tokens < 1:
            self._tokens = tokens
            return False
        return True

    def put(self) -> None:
        """Add a token that was earned."""
        if self._tokens < self._burst:
            self._tokens += 1


class Guard:
    """
    Counts the costly deeds of the peer of one connection.

    :param limits: the bounds; etc/ingress.yaml has their reasons.
    :param kinds: counts glitches by kind, for all connections.
    """

    __slots__ = (
        "_controls",
        "_data_sent",
        "_free_controls",
        "_glitches",
        "_limits",
        "_opened",
        "_priorities",
        "_resets",
        "_updates",
        "kinds",
    )

    def __init__(self, limits: Limits, kinds: Counter[str]) -> None:
        self.kinds = kinds
        self._limits = limits
        # Few connections need any bucket.
        self._resets: Bucket | None = None
        self._controls: Bucket | None = None
        self._glitches: Bucket | None = None
        self._free_controls = 0
        self._opened = 0
        self._data_sent = 0
        self._priorities = 0
        self._updates = 0

    # What we did.

    def opened(self) -> None:
        """A stream was opened."""
        self._opened += 1

    def answered(self) -> None:
        """We ended the answer of a stream."""
        if self._resets is not None:
            self._resets.put()

    def sent_head(self) -> None:
        """We sent a HEADERS frame."""
        self._free_controls += 1

    def sent_data(self) -> None:
        """We sent a DATA frame."""
        self._free_controls += 1
        self._data_sent += 1

    # What the peer did.

    def reset(self, now: float) -> None:
        """
        The peer reset a stream before our response head, or made us reset one.

        :raises ConnectionFault: if it does that too often, as all of these do.
        """
        if self._resets is None:
            self._resets = self._bucket(self._limits.http2_resets)
        if not self._resets.take(now):
            self._fail("reset", "The peer has too many streams reset.")

    def control(self, now: float) -> None:
        """The peer sent a PING or a SETTINGS frame."""
        if self._free_controls:
            self._free_controls = 0
            return
        if self._controls is None:
            self._controls = self._bucket(self._limits.http2_control_frames)
        if not self._controls.take(now):
            self._fail("control", "The peer sends too many PING or SETTINGS frames.")

    def priority(self) -> None:
        """The peer sent a PRIORITY or a PRIORITY_UPDATE frame."""
        self._priorities += 1
        if self._priorities > self._limits.http2_priorities * (1 + self._opened):
            self._fail("priority", "The peer sends too many priorities.")

    def window_update(self) -> None:
        """The peer sent a WINDOW_UPDATE frame."""
        self._updates += 1
        if self._updates > (
            UPDATES
            + UPDATES_PER_STREAM * self._opened
            + self._limits.http2_window_updates * self._data_sent
        ):
            self._fail("window_update", "The peer sends too many WINDOW_UPDATE frames.")

    def glitch(self, kind: str, now: float) -> None:
        """The peer did something odd that is ignored."""
        self.kinds[kind] += 1
        if self._glitches is None:
            self._glitches = self._bucket(self._limits.http2_glitches)
        if not self._glitches.take(now):
            raise ConnectionFault(ENHANCE_YOUR_CALM, "The peer sends too much that is odd.")

    def _bucket(self, burst: int) -> Bucket:
        return Bucket(burst, self._limits.http2_refill)

    def _fail(self, kind: str, detail: str) -> None:
        self.kinds["too_many_" + kind] += 1
        raise ConnectionFault(ENHANCE_YOUR_CALM, detail)
