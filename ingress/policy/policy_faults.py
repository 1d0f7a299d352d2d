"""
The faults of policies: counted, and named in the log.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, ClassVar, Final

from ingress.answer import Answer
from ingress.config import Limits
from ingress.errors import Outcome
from ingress.late import LateLogger

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

POLICY_FAILED: Final = Answer(
    500, Outcome.INTERNAL_ERROR, "A policy of this path failed, so the path is closed."
)

LOG_INTERVAL: Final = 60.0
"""Seconds between two lines about the same policy: any client can cause them."""


class PolicyFaults:
    """
    The faults of the policies of one process.

    :param clock: the reactor of the process.
    :ivar timeout: seconds that a policy may take to decide (``limits.policy-timeout``).
    """

    log: ClassVar[LateLogger] = LateLogger("ingress.policy.policy_faults.PolicyFaults")

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.timeout = Limits().policy_timeout
        self.failures: Counter[str] = Counter()
        """Failures so far, by the name of the policy."""

        self.slow_calls: Counter[str] = Counter()
        """Calls that held the reactor for too long, by the name of the policy."""

        self._logged_at: dict[tuple[str, str], float] = {}

    def __repr__(self) -> str:
        return f"<PolicyFaults {self.failures.total()} failed, {self.slow_calls.total()} slow>"

    def failed(self, name: str, failure: Failure) -> Answer:
        """
        Count a failure.

        :param name: the name of the policy.
        :return: the answer to a request whose policy failed.
        """
        self.failures[name] += 1
        if self._is_line_due("failed", name):
            self.log.failure(
                "The policy {name} failed ({count} times so far); its requests get 500",
                failure,
                name=name,
                count=self.failures[name],
            )
        return POLICY_FAILED

    def held_reactor(self, name: str, phase: str, seconds: float) -> None:
        """
        Count a call that held the reactor for too long.

        :param seconds: how long it took.
        """
        self.slow_calls[name] += 1
        if self._is_line_due("slow", name):
            self.log.warn(
                "The policy {name} held the process for {milliseconds} ms in its phase {phase} "
                "({count} times so far); nothing else is served meanwhile",
                name=name,
                milliseconds=round(seconds * 1000),
                phase=phase,
                count=self.slow_calls[name],
            )

    def _is_line_due(self, what: str, name: str) -> bool:
        now = self.clock.seconds()
        logged_at = self._logged_at.get((what, name))
        if logged_at is not None and now - logged_at < LOG_INTERVAL:
            return False
        self._logged_at[what, name] = now
        return True
