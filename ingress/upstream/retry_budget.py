"""
How many requests may be retries: a share of those in flight, whatever their Service.

Retries help while few requests fail. When many do, as endpoints are overloaded
or gone, each retry is a request more for those that are left, and the number
of tries is multiplied by that of proxies in a row. The budget ends that.
"""

from __future__ import annotations

from typing import Final

MIN_RETRIES: Final = 10
"""
That may be under way at once however little is: the share of a few requests would
be none, and the loss of one endpoint of three must not show in a quiet hour.
"""


class RetryBudget:
    """Of a whole process; whoever counts up counts down."""

    __slots__ = ("in_flight", "retries")

    def __init__(self) -> None:
        self.in_flight = 0
        """Requests that endpoints are asked now, retries among them."""

        self.retries = 0
        """Those of them that another endpoint has failed before."""

    def __repr__(self) -> str:
        return f"<RetryBudget {self.retries} of {self.in_flight} are retries>"

    def allows(self, share: float) -> bool:
        """
        :param share: of the requests in flight that may be retries, 0.2 for a fifth.
        :return: whether one more may be.
        """
        return self.retries < max(MIN_RETRIES, share * self.in_flight)
