"""
Which endpoint an exchange asks, and which next where that one fails.

Each endpoint that is asked is a *try*. The exchange tells of each what became
of it, which is all that balancing and ejection know:

1. `first` gives the endpoint of the first try.
2. `try_began(endpoint)`: the endpoint is about to be asked; it gives the pool to take
   a connection from. Once for each try. To ask the same endpoint again over a new
   connection, because it had closed a kept one, is the same try.
   Where it took a new connection, `try_connected()` tells that there is one.
3. `try_answered(status)`: the head of its final response (not 1xx, but 101) has come.
4. `try_ended(succeeded)`: it is over. True where the response was whole, whatever
   its status, or the connection became a tunnel; False where there was no connection,
   no response in time, or a broken one; None where the endpoint is not to blame: the
   client is gone or was refused, or the process ends. What follows the first call is
   ignored, so that the end of an exchange may call it with None in any case.
5. Where `may_try_again` says so, `next(failed)` gives the endpoint of the next
   try, and all begins at 2. Else, and where there is none, the client is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ingress.believed_client import BelievedClient
from ingress.endpoint import Endpoint, Upstream
from ingress.exchange.data_plane import DataPlane
from ingress.message import Request
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.load_balance import Algorithm
from ingress.policy.proxy_settings import RetryCondition
from ingress.policy.rendezvous import preferred
from ingress.routing.route import Route
from ingress.telemetry.record import Try
from ingress.upstream.endpoint_load import EndpointLoad
from ingress.upstream.pool import EndpointPool

_EWMA: Final = Algorithm.EWMA


class EndpointChoice:
    """
    The endpoint of the client's session where the route has affinity, else the balancer's.

    :param client: whose address a hash may go by, and whose scheme a cookie says.
    """

    __slots__ = (
        "_asked",
        "_client",
        "_load",
        "_plane",
        "_request",
        "_route",
        "_session",
        "_tried",
        "_upstream",
        "cookie",
        "tries",
    )

    def __init__(
        self,
        plane: DataPlane,
        upstream: Upstream,
        route: Route,
        request: Request,
        client: BelievedClient,
    ) -> None:
        self.cookie: bytes | None = None
        """A Set-Cookie value, where the client has a new session by which it will come back."""

        self.tries: list[Try] = []
        """The endpoints that were asked, in order, and what became of it."""

        self._plane = plane
        self._upstream = upstream
        self._route = route
        self._request = request
        self._client = client
        self._session: str | None = None
        """That the client came with and keeps."""

        self._tried: Sequence[Endpoint] = ()
        """Those that have failed."""

        self._asked: Try | None = None
        """The try that is under way."""

        self._load: EndpointLoad | None = None

    def __repr__(self) -> str:
        asked = self._asked.endpoint if self._asked is not None else None
        return f"<EndpointChoice {self._upstream.key} asked={asked} tried={len(self._tried)}>"

    # Which endpoint.

    def first(self) -> Endpoint | None:
        """None where the Upstream has no endpoint."""
        route = self._route
        affinity = route.affinity
        if affinity is None:
            return self._plane.balancer.pick(
                self._upstream,
                route.load_balance,
                self._request,
                self._client.address,
                (),
                route.tls,
            )
        cookies = [value for key, _, value in self._request.fields if key == b"cookie"]
        session = affinity.session(cookies)
        endpoint = affinity.endpoint(session, self._upstream) if session is not None else None
        if session is None or endpoint is None:
            return self._new_session(affinity)
        self._session = session
        if self._plane.balancer.may_serve(self._upstream, endpoint, self._route.tls):
            return endpoint
        return self._other(affinity)

    def next(self, failed: Endpoint) -> Endpoint | None:
        """
        :param failed: the endpoint of the try before.
        :return: another one; None where there is none, where tries, time or the budget of
            retries are used up.
        """
        self._tried = (*self._tried, failed)
        if not self._has_tries_left():
            return None
        affinity = self._route.affinity
        return self._pick() if affinity is None else self._other(affinity)

    def _has_tries_left(self) -> bool:
        proxy, plane = self._route.proxy, self._plane
        endpoints = self._upstream.endpoints
        if len(self._tried) >= (proxy.tries or len(endpoints)):
            return False
        if all(endpoint in self._tried for endpoint in endpoints):
            return False
        if proxy.retry_timeout and self.tries:
            waited = plane.deadlines.now() - self.tries[0].began_at
            if waited >= proxy.retry_timeout:
                return False
        assert plane.snapshot is not None
        return plane.retry_budget.allows(plane.snapshot.config.limits.retry_budget)

    def _pick(self) -> Endpoint | None:
        route = self._route
        return self._plane.balancer.pick(
            self._upstream,
            route.load_balance,
            self._request,
            self._client.address,
            self._tried,
            route.tls,
        )

    def _other(self, affinity: CookieAffinity) -> Endpoint | None:
        """In place of the endpoint of a session, which is ejected or has failed."""
        session = self._session
        # A session that was just made has nothing to lose on an endpoint that failed.
        if session is None or affinity.changes_on_failure:
            return self._new_session(affinity)
        # Always the same one, as long as there are no others, so that what the session
        # has there is of use until it can go back.
        candidates = self._candidates()
        return preferred(session.encode(), candidates) if candidates else None

    def _new_session(self, affinity: CookieAffinity) -> Endpoint | None:
        plane, upstream = self._plane, self._upstream
        candidates = self._candidates()
        if not candidates:
            return None
        now = plane.wall_clock()
        made = affinity.new_session(
            upstream,
            now=now,
            process=plane.process,
            random=plane.random,
            avoid=[endpoint for endpoint in upstream.endpoints if endpoint not in candidates],
        )
        if made is None:
            return None
        session, endpoint = made
        self._session = None
        self.cookie = affinity.set_cookie(
            session,
            is_secure=self._client.is_secure,
            user_agent=self._request.field(b"user-agent"),
            now=now,
        )
        return endpoint

    def _candidates(self) -> list[Endpoint]:
        return self._plane.balancer.candidates(self._upstream, self._tried, self._route.tls)

    def may_try_again(
        self,
        condition: RetryCondition,
        *,
        is_request_sent: bool,
        is_body_replayable: bool,
        is_response_started: bool,
    ) -> bool:
        """
        Whether the request may go to another endpoint. It decides nothing but that: whether
        there is another one that may be asked is for `next`.

        ============================================  =====================================
        What happened                                 Asked again
        ============================================  =====================================
        something of the response is with the client  never
        the Route does not retry on `condition`       never
        none of the request was sent (no connection)  always: nobody can have acted on it
        some of its body is gone                      never: there is nothing to send again
        it was sent; the method is idempotent         yes (RFC 9110 section 9.2.2)
        it was sent; any other method                 if the Route has ``non_idempotent``
        ============================================  =====================================

        :param condition: what the failure, or the response's status, is called.
        :param is_request_sent: whether any of it was written to a connection.
        :param is_body_replayable: whether all of the body that came so far is still
            at hand; true without a body.
        :param is_response_started: whether the client was sent any of the final response.
        """
        proxy = self._route.proxy
        if is_response_started or condition not in proxy.retry_on:
            return False
        if not is_request_sent:
            return True
        return is_body_replayable and proxy.may_repeat(self._request.method)

    # What became of a try.

    def try_began(self, endpoint: Endpoint) -> EndpointPool:
        """
        The endpoint is about to be asked. The try before has ended.

        :return: where the connection is to come from.
        """
        assert self._asked is None, "one try at a time"
        plane, tls, tries = self._plane, self._route.tls, self.tries
        now = plane.deadlines.now()
        self._asked = asked = Try(endpoint, now)
        pool = plane.registry.pool(endpoint, tls)
        load = self._load = pool.load
        load.in_flight += 1
        budget = plane.retry_budget
        budget.in_flight += 1
        if tries:
            budget.retries += 1
        tries.append(asked)
        health = plane.balancer.health
        if health.failing:
            health.try_began((endpoint, tls), now)
        return pool

    def try_connected(self) -> None:
        """There is a new connection to the endpoint."""
        if self._asked is not None:
            self._asked.connect_time = self._plane.deadlines.now() - self._asked.began_at

    def try_answered(self, status: int) -> None:
        """The head of the final response has come."""
        asked, load = self._asked, self._load
        if asked is None or load is None:
            return
        plane, route = self._plane, self._route
        now = plane.deadlines.now()
        asked.status = status
        asked.header_time = header_time = now - asked.began_at
        # Nobody else asks for it, and exponentials have their price.
        if route.load_balance.algorithm is _EWMA:
            load.measured(header_time, now)
        health = plane.balancer.health
        if health.failing:
            health.answered((asked.endpoint, route.tls), asked.began_at)

    def try_ended(self, succeeded: bool | None, status: int = 0) -> None:
        """
        :param succeeded: None where it shows nothing of the endpoint.
        :param status: for a try without a response.
        """
        asked, load = self._asked, self._load
        if asked is None:
            return
        assert load is not None
        self._asked = None
        plane = self._plane
        asked.response_time = plane.deadlines.now() - asked.began_at
        if status and not asked.status:
            asked.status = status
        load.in_flight -= 1
        plane.retry_budget.in_flight -= 1
        if len(self.tries) > 1:
            plane.retry_budget.retries -= 1
        health = plane.balancer.health
        if succeeded:
            if health.failing:
                health.succeeded((asked.endpoint, self._route.tls), asked.began_at)
        elif succeeded is not None:
            health.failed((asked.endpoint, self._route.tls), asked.began_at)
