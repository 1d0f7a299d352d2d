"""
All health checks of one proxy, and the Snapshots without the endpoints that fail them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from random import Random
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.routing.snapshot import Snapshot
from ingress.upstream_check import UpstreamCheck

AskEndpoint = Callable[[Endpoint, UpstreamCheck], Deferred[str]]
"""
Makes one check. What it returns fires with the reason why the endpoint is not healthy, empty if it
is, and can be cancelled.
"""

MAX_AT_ONCE: Final = 64
"""Checks under way; more wait, so that thousands of endpoints are no burst."""

_RETRY: Final = 0.1
"""Seconds after which a check that had to wait is tried again."""

_JITTER: Final = 0.1
"""The share of an interval that is random, so that checks spread out."""

_Key = tuple[UpstreamKey, Endpoint]


class _Checked:
    """An endpoint that is checked."""

    __slots__ = ("asking", "is_unhealthy", "key", "row", "target", "timer")

    def __init__(self, key: _Key, target: UpstreamCheck) -> None:
        self.key = key
        self.target = target
        self.is_unhealthy = False
        self.row = 0
        """Results in a row that speak against `is_unhealthy`."""

        self.timer: IDelayedCall | None = None
        self.asking: Deferred[str] | None = None

    def stop(self) -> None:
        timer, self.timer = self.timer, None
        if timer is not None:
            timer.cancel()
        asking, self.asking = self.asking, None
        if asking is not None:
            asking.cancel()


class HealthChecks(Service):
    """
    Checks the endpoints of each Snapshot, and publishes it without those that are not healthy.

    An endpoint is healthy until it has failed often enough in a row. Where all endpoints of an
    Upstream fail, all of them stay: the check itself is wrong then, or there is nothing better.

    :param clock: for intervals.
    :param random: spreads the checks.
    :param ask: makes one check.
    :param publish: takes the Snapshots for the data plane.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        random: Random,
        ask: AskEndpoint,
        publish: Callable[[Snapshot], None],
    ) -> None:
        self._clock = clock
        self._random = random
        self._ask = ask
        self._publish = publish
        self._snapshot: Snapshot | None = None
        self._checked: dict[_Key, _Checked] = {}
        self._asking = 0
        self._screened: dict[UpstreamKey, tuple[Upstream, Upstream]] = {}
        """Upstreams without their unhealthy endpoints, behind what they were made of."""

        self._published: tuple[Mapping[UpstreamKey, Upstream], Mapping[UpstreamKey, Upstream]] = (
            {},
            {},
        )
        """The Upstreams of the Snapshot, and those that were published in their place."""

        self.results: Counter[str] = Counter()
        """How many checks have succeeded and failed."""

    def __repr__(self) -> str:
        return f"<HealthChecks of {len(self._checked)} endpoints>"

    @property
    def unhealthy(self) -> frozenset[_Key]:
        """The endpoints that fail their checks, each with its Upstream."""
        return frozenset(each.key for each in self._checked.values() if each.is_unhealthy)

    def publish(self, snapshot: Snapshot) -> None:
        """Check the endpoints of this Snapshot from now on, and publish it."""
        before, self._snapshot = self._snapshot, snapshot
        if (
            before is None
            or before.health_checks is not snapshot.health_checks
            or before.upstreams is not snapshot.upstreams
        ):
            self._follow(snapshot)
        self._publish_screened()

    def stopService(self) -> None:
        """Check nothing any more (`IService`)."""
        super().stopService()  # type: ignore[no-untyped-call]
        for each in self._checked.values():
            each.stop()
        self._checked = {}

    def _follow(self, snapshot: Snapshot) -> None:
        wanted = dict(_targets(snapshot))
        for key in [key for key in self._checked if key not in wanted]:
            self._checked.pop(key).stop()
        for key, target in wanted.items():
            checked = self._checked.get(key)
            if checked is None:
                checked = self._checked[key] = _Checked(key, target)
                # Not all at once, and the first soon.
                self._wait(checked, target.check.interval * self._random.random())
            checked.target = target

    # One endpoint.

    def _wait(self, checked: _Checked, seconds: float) -> None:
        checked.timer = self._clock.callLater(seconds, self._check, checked)

    def _check(self, checked: _Checked) -> None:
        checked.timer = None
        if self._asking >= MAX_AT_ONCE:
            self._wait(checked, _RETRY * (1 + self._random.random()))
            return
        self._asking += 1
        asking = checked.asking = self._ask(checked.key[1], checked.target)
        asking.addBoth(partial(self._answered, checked))

    def _answered(self, checked: _Checked, result: str | Failure) -> None:
        self._asking -= 1
        if checked.asking is None:
            return  # It was given up.
        checked.asking = None
        if isinstance(result, Failure):
            self.log.failure("{checked} could not be checked", result, checked=checked.key[1])
            result = "The check failed."
        self.results["failure" if result else "success"] += 1
        check = checked.target.check
        interval = check.interval * (1 - _JITTER * self._random.random())
        self._wait(checked, interval)
        if bool(result) is checked.is_unhealthy:
            checked.row = 0
            return
        checked.row += 1
        needed = check.healthy_threshold if checked.is_unhealthy else check.unhealthy_threshold
        if checked.row >= needed:
            self._change(checked, result)

    def _change(self, checked: _Checked, reason: str) -> None:
        checked.row = 0
        checked.is_unhealthy = bool(reason)
        upstream, endpoint = checked.key
        if reason:
            self.log.warn(
                "Endpoint {endpoint} of {upstream} fails its health checks: {reason}",
                endpoint=endpoint,
                upstream=upstream,
                reason=reason,
            )
        else:
            self.log.info(
                "Endpoint {endpoint} of {upstream} is healthy again",
                endpoint=endpoint,
                upstream=upstream,
            )
        self._publish_screened()

    # What is published.

    def _publish_screened(self) -> None:
        snapshot = self._snapshot
        if snapshot is None:
            return
        screened = self._screen(snapshot)
        if not screened and not self._screened:
            self._publish(snapshot)
            return
        made_of, published = self._published
        if made_of is not snapshot.upstreams or screened != self._screened:
            replaced = {key: after for key, (_, after) in screened.items()}
            published = {**snapshot.upstreams, **replaced} if screened else snapshot.upstreams
            self._published = (snapshot.upstreams, published)
        self._screened = screened
        self._publish(replace(snapshot, upstreams=published))

    def _screen(self, snapshot: Snapshot) -> dict[UpstreamKey, tuple[Upstream, Upstream]]:
        """:return: the Upstreams of which some endpoints, but not all, are unhealthy."""
        bad: dict[UpstreamKey, set[Endpoint]] = {}
        for key, endpoint in self.unhealthy:
            bad.setdefault(key, set()).add(endpoint)
        screened: dict[UpstreamKey, tuple[Upstream, Upstream]] = {}
        for key, endpoints in bad.items():
            upstream = snapshot.upstreams[key]
            left = tuple(each for each in upstream.endpoints if each not in endpoints)
            if not left:
                self.log.warn("All endpoints of {upstream} fail: all get requests", upstream=key)
                continue
            before = self._screened.get(key)
            if before is None or before[0] is not upstream or before[1].endpoints != left:
                before = (upstream, replace(upstream, endpoints=left))
            screened[key] = before
        return screened


def _targets(snapshot: Snapshot) -> Iterator[tuple[_Key, UpstreamCheck]]:
    for key, target in snapshot.health_checks.items():
        upstream = snapshot.upstreams.get(key)
        if upstream is not None:
            adapted = target.of(upstream)
            for endpoint in upstream.endpoints:
                yield (key, endpoint), adapted
