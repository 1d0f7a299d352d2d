"""
Passive ejection: endpoints that keep failing get no requests for a while.

::

                    5 failures in a row
      SERVING ────────────────────────────► EJECTED  for 1 s, then 2, 4 … 60 s
         ▲                                    │  ▲
         │ the endpoint answered              │  │ failed: for twice as long
         └──────────────── ON TRIAL ◄─────────┘  │
                              │   first request after that time
                              └──────────────────┘

A failure is a connection that could not be made, a timeout or a broken response. A whole response
is a success, whatever its status: a 500 may be the fault of one request. Requests that were sent
before the ejection do not count after it, whether they fail or succeed.

A trial that shows nothing (its client went away, its response takes for ever) is followed by
another when the time of the ejection has passed once more.

The balancer sees to it that never all endpoints of an Upstream are left out.
docs/adr/0010-balancing-and-ejection.md has the reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from random import Random
from typing import ClassVar, Final

from twisted.logger import Logger

from ingress.endpoint import Endpoint, UpstreamKey
from ingress.policy.backend_tls import BackendTLS
from ingress.routing.snapshot import Snapshot

HealthKey = tuple[UpstreamKey, Endpoint, BackendTLS | None]
"""
The key of health: an Upstream, one of its endpoints, and the settings of TLS. An Upstream with
timeouts of its own, or of another namespace, cannot eject an endpoint for others.
"""

MAX_FAILURES: Final = 5
"""
Failures in a row that eject. One may be the fault of a bad request, and three that of a restart; a
busy endpoint has five within milliseconds of its death.
"""

FIRST_EJECTION: Final = 1.0
MAX_EJECTION: Final = 60.0
"""Seconds; each ejection lasts twice as long as the one before, up to this."""

JITTER: Final = 0.2
"""The share of an ejection's time that is random, so that not all proxies try at once."""


class _Failing:
    """An endpoint whose last request failed."""

    __slots__ = ("delay", "ejected_at", "failures", "is_ejected", "trial_began_at", "until")

    def __init__(self) -> None:
        self.failures = 0
        self.is_ejected = False
        self.ejected_at = 0.0
        self.until = 0.0
        """When the next trial may begin."""

        self.delay = 0.0
        """Seconds that this ejection, or the last one, lasts without jitter; 0 before the first."""

        self.trial_began_at: float | None = None


class Health:
    """
    The health of all endpoints. Healthy ones cost nothing.

    :param now: the clock of all times here, in seconds.
    :param random: randomness for the jitter.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(self, now: Callable[[], float], random: Random) -> None:
        self._now = now
        self._random = random
        self.failing: dict[HealthKey, _Failing] = {}
        """
        The endpoints whose last request failed. While it is empty, `attempt_began`, `answered` and
        `succeeded` have nothing to do and need not be called.
        """

        self.ejections = 0
        """How often an endpoint was ejected; trials that fail do not count."""

        self._ejected: set[HealthKey] = set()
        """The ejected endpoints, also after their time has passed, until they have answered."""

        self._ejected_endpoints: set[Endpoint] = set()

    def __repr__(self) -> str:
        return f"<Health failing={len(self.failing)} ejected={len(self._ejected)}>"

    def concerns(self, endpoints: Iterable[Endpoint]) -> bool:
        """Return whether any of these may be ejected: a quick check for every pick."""
        return bool(self._ejected) and not self._ejected_endpoints.isdisjoint(endpoints)

    @property
    def ejected(self) -> Set[HealthKey]:
        """The endpoints that are left out, or are to be tried, each with its Upstream."""
        return self._ejected

    def is_ejected(self, key: HealthKey) -> bool:
        """Return whether the endpoint is ejected, even if it is due for a trial."""
        return key in self._ejected

    def may_serve(self, key: HealthKey) -> bool:
        """Whether the endpoint is not ejected, or is due for a trial."""
        return key not in self._ejected or self.failing[key].until <= self._now()

    def attempt_began(self, key: HealthKey, now: float) -> None:
        """Note a request to the endpoint: a trial, if it is ejected and its time has passed."""
        if key in self._ejected:
            failing = self.failing[key]
            if failing.until <= now:
                failing.trial_began_at = now
                failing.until = now + self._jittered(failing.delay)

    def answered(self, key: HealthKey, began_at: float) -> None:
        """
        Note the head of a response, which ends an ejection. The count of failures stays, because
        the response may still break off.

        :param began_at: the time of the request. One of the same turn as the ejection has the same
            time, and was sent before it.
        """
        if key in self._ejected and began_at > self.failing[key].ejected_at:
            self._return(key)

    def succeeded(self, key: HealthKey, began_at: float) -> None:
        """Note a whole response, which makes up for all failures before it."""
        failing = self.failing.get(key)
        if failing is None or (failing.is_ejected and began_at <= failing.ejected_at):
            return
        if failing.is_ejected:
            self._return(key)
        del self.failing[key]

    def failed(self, key: HealthKey, began_at: float) -> None:
        """Note a failure: no connection, no response in time, or a broken one."""
        failing = self.failing.setdefault(key, _Failing())
        if not failing.is_ejected:
            failing.failures += 1
            if failing.failures >= MAX_FAILURES:
                self._eject(key, failing)
        elif failing.trial_began_at is not None and began_at >= failing.trial_began_at:
            # Only the trial prolongs the ejection. Other requests may be under way, sent before it
            # or because too few endpoints are left.
            self._leave_out(failing)

    def published(self, snapshot: Snapshot) -> None:
        """Forget endpoints that no Upstream has any more."""
        if not self.failing:
            return
        for key in [key for key in self.failing if not _is_wanted(key, snapshot)]:
            del self.failing[key]
            self._change_ejected(self._ejected - {key})

    def _eject(self, key: HealthKey, failing: _Failing) -> None:
        failing.is_ejected = True
        self.ejections += 1
        self._change_ejected(self._ejected | {key})
        self._leave_out(failing)
        self.log.warn(
            "Endpoint {endpoint} of {upstream} is left out: it failed {failures} times in a row",
            endpoint=key[1],
            upstream=key[0],
            failures=failing.failures,
        )

    def _leave_out(self, failing: _Failing) -> None:
        delay = failing.delay * 2 if failing.delay else FIRST_EJECTION
        failing.delay = min(MAX_EJECTION, delay)
        failing.ejected_at = self._now()
        failing.until = failing.ejected_at + self._jittered(failing.delay)
        failing.trial_began_at = None

    def _return(self, key: HealthKey) -> None:
        failing = self.failing[key]
        failing.is_ejected = False
        failing.failures = 0
        failing.trial_began_at = None
        self._change_ejected(self._ejected - {key})
        self.log.info(
            "Endpoint {endpoint} of {upstream} serves again", endpoint=key[1], upstream=key[0]
        )

    def _change_ejected(self, ejected: set[HealthKey]) -> None:
        self._ejected = ejected
        self._ejected_endpoints = {endpoint for _, endpoint, _ in ejected}

    def _jittered(self, delay: float) -> float:
        return delay * (1 - JITTER * self._random.random())


def _is_wanted(key: HealthKey, snapshot: Snapshot) -> bool:
    """Whether the Upstream still has the endpoint."""
    upstream = snapshot.upstreams.get(key[0])
    return upstream is not None and (key[1] in upstream.endpoints or key[1] in upstream.lingering)
