"""
Logs requests that fail and are tried again: one line at the first failure, one when it works again.

Refusals (403) that pass are not logged: an API server that starts refuses everything.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ingress.errors import IngressError
from ingress.kube.api.errors import APIError
from ingress.kube.api.refusals import Refusals, is_refusal
from ingress.problem import printable

MAX_LINE: Final = 1000
"""Characters of an error that are logged; an admission webhook can send any text."""

MAX_REASONS: Final = 8
"""Different reasons that are logged for one activity until it works again."""


@dataclass(slots=True)
class _Failing:
    """An activity that fails at the moment."""

    reasons: set[str] = field(default_factory=set)
    """The reasons that were logged."""

    names: set[Hashable] = field(default_factory=set)
    """The objects for which the last attempt failed."""

    refusals: Refusals = field(default_factory=Refusals)


class RetryLog:
    """Knows which activities fail at the moment, and logs when that changes."""

    def __init__(self, log: Logger, clock: IReactorTime) -> None:
        self._log = log
        self._clock = clock
        self._failing: dict[str, _Failing] = {}

    def __repr__(self) -> str:
        return f"<RetryLog: {len(self._failing)}>"

    def failed(self, doing: str, error: IngressError, name: Hashable = None) -> None:
        """
        Log that an activity fails and is tried again: one line for each reason.

        :param doing: one of few texts, such as ``Renewing the Lease default/leader``.
        :param name: the object that it fails for, if the activity covers many.
        """
        failing = self._failing.setdefault(doing, _Failing())
        failing.names.add(name)
        if is_refusal(error):
            failing.refusals.add(self._clock.seconds())
            if not failing.refusals.are_lasting:
                return
        reason = f"{error.code} {error.reason}" if isinstance(error, APIError) else str(error)
        if reason not in failing.reasons and len(failing.reasons) < MAX_REASONS:
            failing.reasons.add(reason)
            text = printable(str(error)[:MAX_LINE])
            self._log.warn("{doing} fails, and is tried again: {error}", doing=doing, error=text)

    def succeeded(self, doing: str, name: Hashable = None) -> None:
        """Note a success, or that nothing is left to do; logs a line when no object is left."""
        failing = self._failing.get(doing)
        if failing is not None:
            failing.names.discard(name)
            if not failing.names:
                del self._failing[doing]
                if failing.reasons:
                    self._log.info("{doing} works again", doing=doing)

    def forget(self) -> None:
        """Forget all failures: nothing is tried any more."""
        self._failing.clear()
