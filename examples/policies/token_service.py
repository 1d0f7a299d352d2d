"""
A token check against a service: an asynchronous policy, with a limit of its own for the wait.
"""

from __future__ import annotations

from dataclasses import dataclass

from treq import collect
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.web.client import Agent, HTTPConnectionPool, ResponseFailed
from twisted.web.http_headers import Headers

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.field_edits import FieldEdits
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Proceed, Verdict
from ingress.policy.options import OptionRefused
from ingress.policy.policy import Policy

UNAUTHORIZED = Answer(401, Outcome.ACCESS_REFUSED, "The token is not valid.")
UNAVAILABLE = Answer(503, Outcome.ACCESS_REFUSED, "The token cannot be checked at the moment.")


@dataclass(frozen=True)
class TokenService(Policy):
    """
    Asks a service whether the ``Authorization`` field is good: 2xx is yes, 401 and 403 are no.

    The endpoint gets the user that the service names in ``X-User``, and no other.
    """

    url: str
    timeout: float = 2.0
    """Seconds that the service may take."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant while the configuration is read."""
        if not self.url.startswith(("http://", "https://")):
            raise OptionRefused("url", "an http or https URL")

    async def access(self, context: PolicyContext) -> Verdict:
        """Policy: no request passes without an answer of the service."""
        token = context.request.field(b"authorization")
        if token is None:
            return UNAUTHORIZED
        # Made in the process that serves: a policy itself holds no connections.
        client = context.state("client", lambda: make_client(context))
        try:
            response = await client.get(
                self.url,
                headers=Headers({b"Authorization": [token]}),
                timeout=self.timeout,
                reactor=context.reactor,
                allow_redirects=False,
                unbuffered=True,
            )
            await collect(response, lambda data: None)
        except (CancelledError, ConnectError, DNSLookupError, ResponseFailed):
            return UNAVAILABLE
        if response.code in (401, 403):
            return UNAUTHORIZED
        if not 200 <= response.code < 300:
            return UNAVAILABLE
        user = response.headers.getRawHeaders(b"X-User", [b""])[0]
        return Proceed(request_edits=FieldEdits(replace=((b"X-User", user),)))

    def explain(self) -> str:
        """Feature."""
        return f"Requests need a token that {self.url} accepts."


def make_client(context: PolicyContext) -> HTTPClient:
    """:return: a client that keeps its connections to the service."""
    return HTTPClient(Agent(context.reactor, pool=HTTPConnectionPool(context.reactor)))
