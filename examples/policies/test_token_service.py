"""Tests of `policies.token_service`, with a service in memory."""

from __future__ import annotations

from treq.testing import StubTreq
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import Request
from twisted.web.resource import Resource

from ingress.field_edits import FieldEdits
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Proceed, Verdict
from ingress.policy.live_state import PolicyStates
from ingress.testing import RULE, configure, deferred_of, policy_context
from policies.token_service import UNAUTHORIZED, UNAVAILABLE, TokenService


class Service(Resource):
    """Knows one token."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        token = request.getHeader(b"authorization")
        request.setHeader(b"X-User", b"alice")
        request.setResponseCode({b"Bearer good": 204, b"Bearer odd": 302}.get(token or b"", 403))
        return b""


class Client:
    """A client whose requests have one result."""

    def __init__(self, result: Deferred[object]) -> None:
        self.result = result

    def get(self, url: str, **settings: object) -> Deferred[object]:
        return self.result


class TokenServiceTests(SynchronousTestCase):
    policy = TokenService("http://auth.example/check", timeout=2)

    def context(self, client: object, *values: bytes) -> PolicyContext:
        states = PolicyStates()
        states.find(RULE, "client", lambda: client)
        fields = [(b"Authorization", value) for value in values]
        return policy_context(fields=fields, states=states, reactor=Clock())

    def ask(self, *values: bytes) -> Verdict:
        context = self.context(StubTreq(Service()), *values)
        return self.successResultOf(deferred_of(self.policy.access(context)))

    def test_good(self) -> None:
        """A token that the service accepts passes, with the user that it names."""
        edits = FieldEdits(replace=((b"X-User", b"alice"),))
        self.assertEqual(self.ask(b"Bearer good"), Proceed(request_edits=edits))

    def test_bad(self) -> None:
        """A token that the service refuses, and none, are 401."""
        self.assertIs(self.ask(b"Bearer bad"), UNAUTHORIZED)
        self.assertIs(self.ask(), UNAUTHORIZED)

    def test_odd(self) -> None:
        """Any other answer of the service lets no request pass."""
        self.assertIs(self.ask(b"Bearer odd"), UNAVAILABLE)

    def test_unreachable(self) -> None:
        """No request passes if the service cannot be reached."""
        context = self.context(Client(fail(ConnectionRefusedError())), b"Bearer good")
        verdict = self.successResultOf(deferred_of(self.policy.access(context)))
        self.assertIs(verdict, UNAVAILABLE)

    def test_waits(self) -> None:
        """A client that goes away cancels the request to the service."""
        result: Deferred[object] = Deferred()
        asked = deferred_of(self.policy.access(self.context(Client(result), b"Bearer good")))
        self.assertNoResult(asked)
        asked.cancel()
        self.assertIs(self.successResultOf(asked), UNAVAILABLE)

    def test_options(self) -> None:
        """A URL of another kind is a mistake of the configuration."""
        self.assertEqual(configure(TokenService, {"url": self.policy.url}).mistakes, [])
        self.assertEqual(len(configure(TokenService, {"url": "ftp://x"}).mistakes), 1)
