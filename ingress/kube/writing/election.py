"""
Leader election by a Lease: one of several replicas leads, and knows when it no longer does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from random import Random
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ingress.errors import IngressError
from ingress.kube.api.client import APIClient
from ingress.kube.api.errors import APIError
from ingress.kube.api.time_limit import within
from ingress.kube.objects import ObjectName
from ingress.kube.writing.answer import decode_answer
from ingress.kube.writing.lease import (
    JITTER,
    RENEW_DEADLINE,
    RETRY_PERIOD,
    Lease,
    LeaseSpec,
    Step,
    held_spec,
    lease_body,
    lease_path,
    new_metadata,
    next_step,
    released_spec,
)
from ingress.kube.writing.micro_time import micro_time, read_micro_time
from ingress.kube.writing.retry_log import RetryLog

REQUEST_TIMEOUT: Final = RENEW_DEADLINE / 2
"""Seconds for one request: a dead connection leaves time for a second attempt."""

RELEASE_TRIES: Final = 3
"""Attempts to release a Lease that changes meanwhile."""


class Elector:
    """
    One candidate for a Lease.

    It leads from the moment of the server's answer until `RENEW_DEADLINE` after the moment of
    the request. No other candidate takes the Lease before `LEASE_DURATION` has passed since the
    server wrote it.

    :param name: of the Lease.
    :param identity: ours; no other candidate has or had the same.
    :param now: the time of day, which is written for people and never compared.
    :param monotonic: seconds by a clock that nobody sets.
    :ivar started: called when it begins to lead.
    :ivar stopped: called when it no longer leads, before anyone else can.
    """

    log = Logger()

    def __init__(
        self,
        client: APIClient,
        name: ObjectName,
        identity: str,
        *,
        clock: IReactorTime,
        random: Random,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.started: Callable[[], None] = lambda: None
        self.stopped: Callable[[], None] = lambda: None
        self.name = name
        self.identity = identity
        self._client = client
        self._clock = clock
        self._random = random
        self._now = now
        self._monotonic = monotonic
        self._lease: Lease | None = None
        self._seen_at = 0.0
        self._may_hold = False
        """Whether the Lease may be ours: also after a request whose answer never came."""

        self.led_before: datetime | None = None
        """
        When the leader before this one renewed the Lease last, by its own clock; None if there
        was no leader.
        """

        self._leads_until: float | None = None
        self._deadline: IDelayedCall | None = None
        self._running: Deferred[None] | None = None
        self._retries = RetryLog(self.log, clock)

    def __repr__(self) -> str:
        return f"<Elector of {'/'.join(self.name)}: {'leads' if self.is_leader else 'follows'}>"

    @property
    def is_leader(self) -> bool:
        """Whether this replica may write, at this moment."""
        return self._leads_until is not None and self._monotonic() < self._leads_until

    @property
    def holder(self) -> str:
        """The identity of the leader, as far as it is known; empty if there is none."""
        return self._lease.holder if self._lease is not None else ""

    def start(self) -> None:
        """Take part in the election until `stop`."""
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(lambda failure: failure.trap(CancelledError))

    def stop(self) -> Deferred[None]:
        """
        Stop leading, and let another replica lead at once.

        :return: fires when the Lease is released, or cannot be released; it never fails.
        """
        if self._running is None:
            return succeed(None)
        self._running.cancel()
        self._running = None
        self._end()
        return Deferred.fromCoroutine(self._release()) if self._may_hold else succeed(None)

    # Attempts.

    async def _run(self) -> None:
        while True:
            try:
                await self._attempt()
            except CancelledError:
                raise
            except IngressError as error:
                if not _is_conflict(error):
                    self._retries.failed(self._doing, error)
            except Exception:
                # After any fault: a leader that does not renew its Lease stops leading in time.
                self.log.failure("An attempt to become the leader failed; the next one follows")
            else:
                self._retries.succeeded(self._doing)
            delay = RETRY_PERIOD
            if not self.is_leader:
                delay += RETRY_PERIOD * JITTER * self._random.random()
            await deferLater(self._clock, delay)

    @property
    def _doing(self) -> str:
        return f"The election of a leader through the Lease {'/'.join(self.name)}"

    async def _attempt(self) -> None:
        if self.is_leader:
            try:
                await self._hold(self._lease)
            except IngressError as error:
                # Our copy of the Lease may be outdated.
                self.log.debug("Reading the Lease again: {error}", error=error)
            else:
                return
        else:
            self._end()
        self._observe(await self._read())
        unchanged_for = self._monotonic() - self._seen_at
        if next_step(self.identity, self._lease, unchanged_for) is Step.WAIT:
            self._end()
        else:
            await self._hold(self._lease)

    def _observe(self, lease: Lease | None) -> None:
        """Take over the Lease as it is now; a changed spec restarts its time."""
        known, self._lease = self._lease, lease
        if known is None or lease is None or lease.spec != known.spec:
            self._seen_at = self._monotonic()
        holder = lease.holder if lease is not None else ""
        self._may_hold = holder == self.identity
        if holder not in ("", self.identity, known.holder if known is not None else ""):
            self.log.info("The leader is {holder}", holder=holder)

    async def _read(self) -> Lease | None:
        try:
            answer = await self._within(self._client.get(lease_path(*self.name)))
        except APIError as error:
            if error.code == 404:
                return None
            raise
        return decode_answer(answer, Lease)

    async def _hold(self, lease: Lease | None) -> None:
        """
        Create, take or renew the Lease, and lead.

        :param lease: the state that the server must still have; None if it must not exist.
        """
        asked_at = self._monotonic()
        self._may_hold = True
        if self._leads_until is None:
            self.led_before = read_micro_time(lease.spec.renew_time) if lease else None
        spec = held_spec(self.identity, lease.spec if lease else None, micro_time(self._now()))
        if lease is None:
            body = lease_body(new_metadata(self.name), spec)
            request = self._client.send("POST", lease_path(self.name[0]), body)
        else:
            request = self._replace(lease, spec)
        self._observe(decode_answer(await self._within(request), Lease))
        self._lead(asked_at)

    def _replace(self, lease: Lease, spec: LeaseSpec) -> Coroutine[Any, Any, bytes]:
        body = lease_body(lease.metadata, spec)
        return self._client.send("PUT", lease_path(*self.name), body)

    async def _within(self, request: Coroutine[Any, Any, bytes]) -> bytes:
        """Bound a request so that it does not outlive our leadership."""
        left = REQUEST_TIMEOUT
        if self._leads_until is not None:
            left = min(left, self._leads_until - self._monotonic())
        return await within(left, self._clock, request)

    async def _release(self) -> None:
        for tries_left in reversed(range(RELEASE_TRIES)):
            try:
                lease = await self._read()
                if lease is not None and lease.holder == self.identity:
                    spec = released_spec(lease.spec, micro_time(self._now()))
                    await self._within(self._replace(lease, spec))
                    self.log.info("The Lease {name} is released", name="/".join(self.name))
            except IngressError as error:
                # An abandoned renewal may still have arrived in between.
                if tries_left and _is_conflict(error):
                    continue
                self.log.warn("The Lease could not be released: {error}", error=error)
            return

    # Leading.

    def _lead(self, asked_at: float) -> None:
        has_led = self._leads_until is not None
        self._leads_until = asked_at + RENEW_DEADLINE
        left = max(0.0, self._leads_until - self._monotonic())
        if self._deadline is not None:
            self._deadline.reset(left)
        else:
            self._deadline = self._clock.callLater(left, self._lapse)
        if not has_led:
            self.log.info("This process leads, as {identity}", identity=self.identity)
            self.started()

    def _lapse(self) -> None:
        self._deadline = None
        self._end()

    def _end(self) -> None:
        """Stop leading."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._leads_until is not None:
            self._leads_until = None
            self.log.info("This process no longer leads")
            self.stopped()


def _is_conflict(error: IngressError) -> bool:
    """Whether another candidate was quicker, which is normal."""
    return isinstance(error, APIError) and error.code == 409
