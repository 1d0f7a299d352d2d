"""
The keys of an issuer, fetched from its JWK Set URL and kept.

Keys are fetched again in the background when they are some minutes old, so that requests wait for
the first fetch only. A token with an unknown key may ask for newer ones, but no more often than
once in `LEAST_INTERVAL`, whoever sends how many: the server of the issuer gets a few requests a
minute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from ingress import late
from ingress.late import LateLogger
from ingress.policy.jwt_keys import KeySet, KeysRefused, read_keys
from ingress.policy.subrequest import SubrequestFailed, Subresponse

FRESH: Final = 300.0
"""Seconds after which keys are fetched again."""

STALE: Final = 3600.0
"""Seconds for which keys are used while newer ones cannot be had."""

LEAST_INTERVAL: Final = 10.0
"""Seconds between two fetches, whatever tokens ask for."""

Fetch = Callable[[], "late.Deferred[Subresponse]"]


class IssuerKeys:
    """
    The keys of one URL.

    :param place: the URL, for the log.
    :param now: gives the seconds on the clock of the process.
    """

    log: ClassVar[LateLogger] = LateLogger("ingress.policy.jwks.IssuerKeys")

    def __init__(self, place: str, now: Callable[[], float]) -> None:
        self._place = place
        self._now = now
        self._keys: KeySet | None = None
        self._fetched_at = self._tried_at = float("-inf")
        self._waiting: list[late.Deferred[KeySet | None]] = []
        self._is_fetching = False
        self._has_failed = False
        self.generation = 0
        """Changes with the keys."""

    def __repr__(self) -> str:
        return f"<IssuerKeys of {self._place}: {self._keys}>"

    def current(self, fetch: Fetch) -> KeySet | None:
        """:return: the keys as they are now; None if there are none that may still be used."""
        age = self._now() - self._fetched_at
        if age > FRESH:
            self._try(fetch)
        return self._keys if age <= STALE else None

    def newer(self, fetch: Fetch) -> late.Deferred[KeySet | None] | None:
        """
        Ask for newer keys, because there are none, or none for a token.

        :return: fires with the keys, old ones if the fetch failed; None if it is too early to ask.
        """
        self._try(fetch)
        if not self._is_fetching:
            return None
        waiting: late.Deferred[KeySet | None] = late.Deferred()
        self._waiting.append(waiting)
        return waiting

    def _try(self, fetch: Fetch) -> None:
        now = self._now()
        if self._is_fetching or now - self._tried_at < LEAST_INTERVAL:
            return
        self._is_fetching = True
        self._tried_at = now
        fetch().addCallback(self._received).addErrback(self._failed).addBoth(self._done)

    def _received(self, response: Subresponse) -> None:
        if response.status != 200:
            raise KeysRefused(f"the server answers {response.status}")
        self._keys = read_keys(response.body, may_be_secret=False)
        self._fetched_at = self._now()
        self.generation += 1
        self._has_failed = False

    def _failed(self, failure: late.Failure) -> None:
        if not self._has_failed:
            self._has_failed = True
            known = failure.check(KeysRefused, SubrequestFailed) is not None
            why = str(failure.value) if known else type(failure.value).__name__
            self.log.warn(
                "The keys of {place} cannot be fetched: {why}", place=self._place, why=why
            )

    def _done(self, _: object) -> None:
        self._is_fetching = False
        keys = self._keys if self._now() - self._fetched_at <= STALE else None
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.called:
                each.callback(keys)
