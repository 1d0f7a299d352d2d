"""
One endpoint that a call asks, for balancing, ejection, the budget of retries and the record.
"""

from __future__ import annotations

from typing import Final

from ingress.endpoint import Endpoint, UpstreamKey
from ingress.exchange.call_resources import CallResources
from ingress.policy.call_settings import CallSettings
from ingress.policy.load_balance import Algorithm
from ingress.telemetry.record import Try
from ingress.upstream.health import HealthKey

_EWMA: Final = Algorithm.EWMA


class Attempt:
    """
    An attempt under way: it begins when it is made, and counts until it `ended`.

    :ivar pool: where the connection comes from, as it was when the attempt began: the endpoint
        may have been retired since.
    :ivar record: what becomes of it.
    """

    __slots__ = ("_is_retry", "_resources", "_settings", "_upstream", "pool", "record")

    def __init__(
        self,
        resources: CallResources,
        upstream: UpstreamKey,
        settings: CallSettings,
        endpoint: Endpoint,
        *,
        is_retry: bool,
    ) -> None:
        """
        :param upstream: whose endpoint it is: health is known by Upstream.
        :param is_retry: whether another endpoint has failed this call before.
        """
        tls = settings.tls
        now = resources.deadlines.now()
        self._resources = resources
        self._settings = settings
        self._upstream = upstream
        self._is_retry = is_retry
        self.record = Try(endpoint, now)
        pool = self.pool = resources.registry.pool(endpoint, tls)
        pool.load.in_flight += 1
        budget = resources.retry_budget
        budget.in_flight += 1
        if is_retry:
            budget.retries += 1
        health = resources.balancer.health
        if health.failing:
            health.try_began((upstream, endpoint, tls), now)

    def __repr__(self) -> str:
        return f"<Attempt at {self.record.endpoint}>"

    @property
    def _health_key(self) -> HealthKey:
        return self._upstream, self.record.endpoint, self._settings.tls

    def connected(self) -> None:
        """A new connection to the endpoint is there."""
        record = self.record
        record.connect_time = self._resources.deadlines.now() - record.began_at

    def answered(self, status: int) -> None:
        """The head of the final response has come (101 is one; other 1xx are not)."""
        resources, settings, record = self._resources, self._settings, self.record
        now = resources.deadlines.now()
        record.status = status
        record.header_time = header_time = now - record.began_at
        # Nobody else asks for it, and exponentials have their price.
        if settings.load_balance.algorithm is _EWMA:
            self.pool.load.measured(header_time, now)
        health = resources.balancer.health
        if health.failing:
            health.answered(self._health_key, record.began_at)

    def ended(self, succeeded: bool | None, status: int = 0) -> None:
        """
        The attempt is over. Call this once.

        :param succeeded: True where the response was whole, whatever its status, or the
            connection became a tunnel; False where there was no connection, no response in time,
            or a broken one; None where the end shows nothing of the endpoint, because the client
            is gone or was refused.
        :param status: for an attempt without a response.
        """
        resources, record = self._resources, self.record
        record.response_time = resources.deadlines.now() - record.began_at
        if status and not record.status:
            record.status = status
        self.pool.load.in_flight -= 1
        budget = resources.retry_budget
        budget.in_flight -= 1
        if self._is_retry:
            budget.retries -= 1
        health = resources.balancer.health
        if succeeded:
            if health.failing:
                health.succeeded(self._health_key, record.began_at)
        elif succeeded is not None:
            health.failed(self._health_key, record.began_at)
