"""Tests of `ingress.upstream.http1_detail`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.http1.body import UntilCloseBody
from ingress.upstream.http1_detail import delay, ending
from ingress.upstream.http1_state import UpstreamState

WAITING = UpstreamState.WAITING
TUNNELLING = UpstreamState.TUNNELLING


class DetailTests(SynchronousTestCase):
    def test_ending(self) -> None:
        """The sentence says how far a response had come, and whether its endpoint closed."""
        closed, broke = "The endpoint closed the connection", "The connection to the endpoint broke"
        body = UntilCloseBody()
        for is_end, what in ((True, closed), (False, broke)):
            for state, begun, decoder, where in (
                (WAITING, b"", None, "before its response"),
                (WAITING, b"HTTP", None, "within the head of its response"),
                (WAITING, b"", body, "within the body of its response"),
                (TUNNELLING, b"", None, "within the tunnel"),
            ):
                detail = ending(state, begun, decoder, is_end=is_end)
                self.assertEqual(detail, f"{what} {where}.")

    def test_delay(self) -> None:
        """The sentence says which wait took too long."""
        for state, decoder, is_stalled, detail in (
            (WAITING, None, False, "The endpoint took too long to respond."),
            (
                WAITING,
                UntilCloseBody(),
                False,
                "The endpoint took too long to continue its response.",
            ),
            (TUNNELLING, None, False, "The tunnel was idle for too long."),
            (WAITING, None, True, "The endpoint took too long to read."),
        ):
            self.assertEqual(delay(state, decoder, is_stalled=is_stalled), detail)
