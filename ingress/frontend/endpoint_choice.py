"""
Which endpoint an exchange asks, and which next where that one fails.
"""

from __future__ import annotations

from ingress.frontend.data_plane import DataPlane
from ingress.message import Request
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.routing.route import Route
from ingress.routing.snapshot import Endpoint, Upstream

MAX_TRIES = 3
"""Endpoints asked for one request: ``proxy-next-upstream-tries``."""


class EndpointChoice:
    """
    The endpoint of the client's session where the route has affinity, else whose turn it is.

    :param is_secure: whether the client came over https, which its cookie then says.
    """

    __slots__ = ("_affinity", "_is_secure", "_plane", "_request", "_tried", "_upstream", "cookie")

    def __init__(
        self,
        plane: DataPlane,
        upstream: Upstream,
        route: Route,
        request: Request,
        *,
        is_secure: bool,
    ) -> None:
        self.cookie: bytes | None = None
        """A Set-Cookie value, where the client has a new session by which it will come back."""

        self._plane = plane
        self._upstream = upstream
        self._affinity = route.affinity
        self._request = request
        self._is_secure = is_secure
        self._tried: list[Endpoint] = []

    def first(self) -> Endpoint | None:
        """None where the Upstream has no endpoint."""
        affinity = self._affinity
        if affinity is None:
            return self._plane.balancer.pick(self._upstream)
        cookies = [value for key, _, value in self._request.fields if key == b"cookie"]
        session = affinity.session(cookies)
        endpoint = affinity.endpoint(session, self._upstream) if session is not None else None
        return endpoint or self._new_session(affinity)

    def next(self, failed: Endpoint) -> Endpoint | None:
        """
        :param failed: the endpoint that could not be reached.
        :return: another one; None where there is none, or enough were tried.
        """
        self._tried.append(failed)
        if len(self._tried) >= MAX_TRIES or not any(
            endpoint not in self._tried for endpoint in self._upstream.endpoints
        ):
            return None
        affinity = self._affinity
        # A session that was just made has nothing to lose on the endpoint that failed.
        if affinity is not None and (affinity.changes_on_failure or self.cookie is not None):
            return self._new_session(affinity)
        return self._plane.balancer.pick(self._upstream, self._tried)

    def _new_session(self, affinity: CookieAffinity) -> Endpoint | None:
        plane = self._plane
        now = plane.wall_clock()
        made = affinity.new_session(
            self._upstream,
            now=now,
            process=plane.process,
            random=plane.random,
            avoid=self._tried,
        )
        if made is None:
            return None
        session, endpoint = made
        self.cookie = affinity.set_cookie(
            session,
            is_secure=self._is_secure,
            user_agent=self._request.field(b"user-agent"),
            now=now,
        )
        return endpoint
