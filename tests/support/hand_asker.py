"""
An `Asker` in a test's hand: it keeps the requests of policies, and the test answers them.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from ingress.errors import Outcome
from ingress.policy.subrequest import Asking, Subrequest, SubrequestFailed, Subresponse


class HandAsker:
    """
    :ivar asked: the requests so far, in order.
    :ivar cancelled: how many of them were cancelled.
    """

    def __init__(self) -> None:
        self.asked: list[Subrequest] = []
        self.cancelled = 0
        self._waiting: list[Deferred[Subresponse]] = []

    def __repr__(self) -> str:
        return f"<HandAsker: {len(self._waiting)} waiting>"

    def ask(self, asking: Asking, snapshot: Any, subrequest: Subrequest) -> Deferred[Subresponse]:
        """Asker."""
        self.asked.append(subrequest)
        waiting: Deferred[Subresponse] = Deferred(self._cancel)
        self._waiting.append(waiting)
        return waiting

    def answer(self, status: int, *fields: tuple[bytes, bytes]) -> None:
        """Answer the newest request that waits."""
        named = [(name.lower(), name, value) for name, value in fields]
        self._waiting.pop().callback(Subresponse(status, named))

    def fail(self, outcome: Outcome = Outcome.DIAL_FAILED) -> None:
        """Fail the newest request that waits."""
        self._waiting.pop().errback(SubrequestFailed(outcome, "It refused the connection."))

    def sent(self, name: bytes) -> bytes | None:
        """:return: the value of a field that the last request adds or replaces."""
        edits = self.asked[-1].edits
        found = [value for key, value in edits.replace if key.lower() == name.lower()]
        return found[-1] if found else None

    def _cancel(self, deferred: Deferred[Subresponse]) -> None:
        self.cancelled += 1
        self._waiting.remove(deferred)
