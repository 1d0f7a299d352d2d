"""
Trouble with the API server: one line when it begins, one when it is over.
"""

from __future__ import annotations

from twisted.logger import Logger

from ingress.errors import IngressError
from ingress.kube.api.errors import APIError
from ingress.problem import printable

MAX_LINE = 1000
"""Characters of an error that are logged; a webhook may say whatever it likes."""


class TroubleLog:
    """What goes wrong at the moment, by what it keeps us from doing."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._told: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<TroubleLog: {len(self._told)}>"

    def tell(self, doing: str, error: IngressError) -> None:
        """
        Something cannot be done and is tried again: one line, until the reason is another one.

        :param doing: one of few texts, such as ``renewing the Lease default/leader``.
        """
        reason = f"{error.code} {error.reason}" if isinstance(error, APIError) else str(error)
        if self._told.get(doing) != reason:
            self._told[doing] = reason
            text = printable(str(error)[:MAX_LINE])
            self._log.warn("{doing} fails, and is tried again: {error}", doing=doing, error=text)

    def over(self, doing: str) -> None:
        """It could be done."""
        if self._told.pop(doing, None) is not None:
            self._log.info("{doing} works again", doing=doing)
