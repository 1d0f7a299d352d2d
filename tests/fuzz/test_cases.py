"""
The first cases of each fuzzer of HTTP/2, and those that were findings.

``make fuzz`` goes on for as long as one likes.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz import (
    downgrade,
    endpoint_frames,
    hpack_blocks,
    http2_connections,
    http2_frames,
)
from tests.fuzz.campaign import Check, try_case


class CaseTests(SynchronousTestCase):
    def run_cases(self, check: Check, count: int) -> None:
        for number in range(count):
            try_case(check, number)

    def test_frames(self) -> None:
        """`h2` and `ngh2` accept, refuse and read frames as we do, in both roles."""
        self.run_cases(http2_frames.check, 150)

    def test_blocks(self) -> None:
        """`hpack` and `ngh2` read and write field blocks as we do; no old block is a new one."""
        self.run_cases(hpack_blocks.check, 500)

    def test_connections(self) -> None:
        """Conversations with `h2` and `ngh2`, and with ourselves, lose and change nothing."""
        self.run_cases(http2_connections.check, 20)

    def test_downgrade(self) -> None:
        """A stream is one request for an endpoint that speaks HTTP/1.1, or none."""
        self.run_cases(downgrade.check, 100)

    def test_endpoint_frames(self) -> None:
        """A client in HTTP/1.1 gets what its endpoint in HTTP/2 has sent it, or a visible cut."""
        self.run_cases(endpoint_frames.check, 100)
