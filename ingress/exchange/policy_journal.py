"""
The journal of what policies decide, for explanations.
"""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from ingress.policy.policy import Policy


@mypyc_attr(allow_interpreted_subclasses=True)
class PolicyJournal:
    """
    Learns what policies decide. Nothing is written down where requests are served.

    This base class ignores everything.
    """

    def skips(self, policy: Policy) -> bool:
        """:return: whether the policy is to be taken for one that lets everything pass."""
        return False

    def decided(self, policy: Policy, decision: object) -> None:
        """A policy has decided; what is no decision will be a 500."""

    def waits(self, policy: Policy) -> None:
        """A policy does not decide at once."""
