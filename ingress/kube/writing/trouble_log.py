"""
Trouble with the API server: one line when it begins, one when it is over.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

from twisted.logger import Logger

from ingress.errors import IngressError
from ingress.kube.api.errors import APIError
from ingress.problem import printable

MAX_LINE: Final = 1000
"""Characters of an error that are logged; a webhook may say whatever it likes."""

MAX_REASONS: Final = 8
"""Lines about one thing, for each time that it goes wrong."""


@dataclass(slots=True)
class _Trouble:
    """What keeps something from being done."""

    reasons: set[str] = field(default_factory=set)
    """Those that were told."""

    names: set[Hashable] = field(default_factory=set)
    """For which it could not be done when it was last tried."""


class TroubleLog:
    """What goes wrong at the moment, by what it keeps us from doing."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._troubles: dict[str, _Trouble] = {}

    def __repr__(self) -> str:
        return f"<TroubleLog: {len(self._troubles)}>"

    def tell(self, doing: str, error: IngressError, name: Hashable = None) -> None:
        """
        Something cannot be done and is tried again: one line for each reason.

        :param doing: one of few texts, such as ``Renewing the Lease default/leader``.
        :param name: for what it cannot be done, where it is done for many.
        """
        trouble = self._troubles.setdefault(doing, _Trouble())
        trouble.names.add(name)
        reason = f"{error.code} {error.reason}" if isinstance(error, APIError) else str(error)
        if reason not in trouble.reasons and len(trouble.reasons) < MAX_REASONS:
            trouble.reasons.add(reason)
            text = printable(str(error)[:MAX_LINE])
            self._log.warn("{doing} fails, and is tried again: {error}", doing=doing, error=text)

    def over(self, doing: str, name: Hashable = None) -> None:
        """It could be done, or need not be done any more: a line if it can be for all."""
        trouble = self._troubles.get(doing)
        if trouble is not None:
            trouble.names.discard(name)
            if not trouble.names:
                del self._troubles[doing]
                self._log.info("{doing} works again", doing=doing)

    def forget(self) -> None:
        """Nothing is tried any more."""
        self._troubles.clear()
