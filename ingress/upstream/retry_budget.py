"""
The retry budget: retries may be a share of the requests in flight of all Services together.

Retries help while few requests fail. When many fail, because endpoints are overloaded or gone,
each retry is one more request for the remaining endpoints, and proxies in a row multiply their
tries. The budget ends that.
"""

from __future__ import annotations

from typing import Final

MIN_RETRIES: Final = 10
"""
Retries that may be under way at once, however few requests there are. The share of a few requests
would be zero, and the loss of one endpoint of three must not show in a quiet hour.
"""


class RetryBudget:
    """The budget of a process. An `Attempt` counts itself when it begins and when it ends."""

    __slots__ = ("in_flight", "retries")

    def __init__(self) -> None:
        self.in_flight = 0
        """Requests in flight at endpoints, retries included."""

        self.retries = 0
        """Those of them that another endpoint has failed before."""

    def __repr__(self) -> str:
        return f"<RetryBudget {self.retries} of {self.in_flight} are retries>"

    def allows(self, share: float) -> bool:
        """
        Return whether one more request may be a retry.

        :param share: the share of the requests in flight that may be retries, from 0 to 1.
        """
        return self.retries < max(MIN_RETRIES, share * self.in_flight)
