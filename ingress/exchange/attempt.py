"""
One endpoint that a call asks, as balancing, ejection, the retry budget and the record see it.
"""

from __future__ import annotations

from ingress.endpoint import Endpoint, UpstreamKey
from ingress.exchange.call_resources import CallResources
from ingress.policy.call_settings import CallSettings
from ingress.telemetry.record import AttemptRecord
from ingress.upstream.health import HealthKey


class Attempt:
    """
    An attempt under way: it counts as in flight from its construction until `ended`.

    :ivar pool: the pool of the connection. It is kept, because the endpoint may be retired
        meanwhile.
    :ivar record: the times and the status, for the log.
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
        is_http2: bool = False,
    ) -> None:
        """
        :param upstream: the Upstream that has the endpoint; health is kept by Upstream.
        :param is_retry: whether another endpoint has failed this call before.
        :param is_http2: whether the endpoint is asked in HTTP/2.
        """
        tls = settings.tls
        now = resources.deadlines.time.now
        self._resources = resources
        self._settings = settings
        self._upstream = upstream
        self._is_retry = is_retry
        self.record = AttemptRecord(endpoint, now)
        pool = self.pool = resources.registry.pool(endpoint, tls, is_http2=is_http2)
        self.record.endpoint_name = pool.name
        pool.load.in_flight += 1
        budget = resources.retry_budget
        budget.in_flight += 1
        if is_retry:
            budget.retries += 1
        health = resources.balancer.health
        if health.failing:
            health.attempt_began((upstream, endpoint, tls), now)

    def __repr__(self) -> str:
        return f"<Attempt at {self.record.endpoint}>"

    @property
    def _health_key(self) -> HealthKey:
        return self._upstream, self.record.endpoint, self._settings.tls

    def connected(self) -> None:
        """Note that a new connection to the endpoint was made."""
        record = self.record
        record.connect_time = self._resources.deadlines.time.now - record.began_at

    def answered(self, status: int) -> None:
        """Note the head of the final response; 101 is one, other 1xx are not."""
        resources, settings, record = self._resources, self._settings, self.record
        now = resources.deadlines.time.now
        record.status = status
        record.header_time = header_time = now - record.began_at
        # No other algorithm uses it, and exponentials are expensive.
        if settings.measures:
            self.pool.load.measured(header_time, now)
        health = resources.balancer.health
        if health.failing:
            health.answered(self._health_key, record.began_at)

    def ended(self, succeeded: bool | None, status: int = 0) -> None:
        """
        End the attempt. Call this once.

        :param succeeded: True if the response was whole, whatever its status, or if the
            connection became a tunnel; False if there was no connection, no response in time
            or a broken response; None if the end says nothing about the endpoint, because the
            client is gone or was refused.
        :param status: the status to record if there was no response; 0 for none.
        """
        resources, record = self._resources, self.record
        record.response_time = resources.deadlines.time.now - record.began_at
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
