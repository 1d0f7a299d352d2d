"""
The choice of the endpoint that a call asks first, and of the next one after a failure.
"""

from __future__ import annotations

from collections.abc import Sequence

from ingress.believed_client import BelievedClient
from ingress.endpoint import Endpoint, Upstream
from ingress.exchange.call_resources import CallResources
from ingress.message import UpstreamRequest
from ingress.policy.call_settings import CallSettings
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.rendezvous import preferred


class EndpointChoice:
    """
    Chooses the endpoint of the client's session if there is affinity, else lets the balancer pick.

    A hash takes its values from here (`RequestSource`).

    :param head: its request may have the session's cookie; a hash may depend on it.
    :param client: a hash may depend on its address, and a cookie depends on its scheme.
    """

    __slots__ = (
        "_resources",
        "_session",
        "_settings",
        "_tried",
        "_upstream",
        "client",
        "cookie",
        "request",
        "request_id",
    )

    def __init__(
        self,
        resources: CallResources,
        upstream: Upstream,
        settings: CallSettings,
        head: UpstreamRequest,
        client: BelievedClient,
    ) -> None:
        self.cookie: bytes | None = None
        """A Set-Cookie value that brings the client back; None without a new session."""

        self._resources = resources
        self._upstream = upstream
        self._settings = settings
        self.request = head.request
        self.request_id = head.request_id
        self.client = client
        self._session: str | None = None
        """The session that the client came with and keeps."""

        self._tried: Sequence[Endpoint] = ()
        """The endpoints that have failed this call."""

    def __repr__(self) -> str:
        return f"<EndpointChoice {self._upstream.key} tried={len(self._tried)}>"

    def first(self) -> Endpoint | None:
        """:return: the endpoint to ask first; None if the Upstream has none."""
        affinity = self._settings.affinity
        if affinity is None:
            return self._pick()
        cookies = [value for key, _, value in self.request.fields if key == b"cookie"]
        session = affinity.session(cookies)
        endpoint = affinity.endpoint(session, self._upstream) if session is not None else None
        if session is None or endpoint is None:
            return self._new_session(affinity)
        self._session = session
        if self._resources.balancer.may_serve(self._upstream, endpoint, self._settings.tls):
            return endpoint
        return self._other(affinity)

    def next(
        self, failed: Endpoint, *, waited: float = 0.0, retry_share: float = 1.0
    ) -> Endpoint | None:
        """
        :param failed: the endpoint of the previous attempt.
        :param waited: seconds since the first attempt began.
        :param retry_share: the share of the requests in flight that may be retries, from 0 to 1.
        :return: another endpoint; None if there is none, or if the tries, the time or the retry
            budget are used up.
        """
        self._tried = (*self._tried, failed)
        if not self._has_tries_left(waited, retry_share):
            return None
        affinity = self._settings.affinity
        return self._pick() if affinity is None else self._other(affinity)

    def _has_tries_left(self, waited: float, retry_share: float) -> bool:
        proxy, endpoints = self._settings.proxy, self._upstream.endpoints
        if len(self._tried) >= (proxy.tries or len(endpoints)):
            return False
        if all(endpoint in self._tried for endpoint in endpoints):
            return False
        if proxy.retry_timeout and waited >= proxy.retry_timeout:
            return False
        return self._resources.retry_budget.allows(retry_share)

    def _pick(self) -> Endpoint | None:
        settings = self._settings
        return self._resources.balancer.pick(
            self._upstream,
            settings.load_balance,
            self,
            self._tried,
            settings.tls,
        )

    def _other(self, affinity: CookieAffinity) -> Endpoint | None:
        """Choose a replacement for the endpoint of a session, which is ejected or has failed."""
        session = self._session
        # A session that was just made has no state on the endpoint that failed.
        if session is None or affinity.changes_on_failure:
            return self._new_session(affinity)
        # Always the same one while the candidates are the same, so that the state that the
        # session builds up there is of use until it can go back.
        candidates = self._candidates()
        return preferred(session.encode(), candidates) if candidates else None

    def _new_session(self, affinity: CookieAffinity) -> Endpoint | None:
        resources, upstream = self._resources, self._upstream
        load_balance = self._settings.load_balance
        candidates = resources.balancer.admitted(upstream, self._candidates(), load_balance)
        if not candidates:
            return None
        now = resources.wall_clock()
        made = affinity.new_session(
            upstream,
            now=now,
            process=resources.process,
            random=resources.random,
            avoid=[endpoint for endpoint in upstream.endpoints if endpoint not in candidates],
        )
        if made is None:
            return None
        session, endpoint = made
        self._session = None
        self.cookie = affinity.set_cookie(
            session,
            is_secure=self.client.is_secure,
            user_agent=self.request.field(b"user-agent"),
            now=now,
        )
        return endpoint

    def _candidates(self) -> list[Endpoint]:
        return self._resources.balancer.candidates(self._upstream, self._tried, self._settings.tls)
