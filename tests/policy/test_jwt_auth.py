"""Tests of tokens as credentials: annotations, keys that come and go, and fields of claims."""

from __future__ import annotations

import pickle
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.policy.annotation import Closing, Extent, Subject
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Proceed, Verdict
from ingress.policy.jwks import FRESH, LEAST_INTERVAL, STALE
from ingress.policy.jwt_auth import JWTAuth
from ingress.policy.jwt_bearer import KEPT_TOKENS, VerifiedTokens
from ingress.policy.live_state import PolicyStates
from ingress.policy.subrequest import Subrequest, SubrequestFailed, Subresponse
from ingress.testing import Reading, deferred_of, policy_context, read_annotations, rule_scope
from tests.support.tokens import AUDIENCE, ISSUER, NOW, Issuer, jwks

CLOSED = Closing(Extent.RULES, Subject.ACCESS)
URL = "https://issuer.example/keys?x=1"


def read(keys: bytes | None = None, **values: str) -> Reading:
    """Read annotations; those that are empty are left out."""
    defaults = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": URL if keys is None else ""}
    defaults["secret"] = "keys" if keys is not None else ""
    written = {
        f"txingress.dev/jwt-{name.replace('_', '-')}": value
        for name, value in {**defaults, **values}.items()
        if value
    }
    secrets = {("default", "keys"): {"jwks": keys}} if keys is not None else {}
    return read_annotations(JWTAuth, written, secrets=secrets)


def policy_of(reading: Reading) -> JWTAuth:
    assert (reading.faults, reading.closing) == ({}, None), reading
    assert isinstance(reading.feature, JWTAuth)
    return reading.feature.at(rule_scope())


class ReadTests(SynchronousTestCase):
    def test_complete(self) -> None:
        """Issuer, audience and one source of keys are a policy, which shows no key."""
        issuer = Issuer("HS256", "a")
        for reading in (read(), read(jwks(issuer))):
            policy = policy_of(reading)
            self.assertTrue(policy.guards)
            self.assertEqual(pickle.loads(pickle.dumps(policy)), policy)
            self.assertNotIn(issuer.jwk["k"], f"{policy!r} {policy.shown()} {policy.explain()}")
        self.assertIn(ISSUER, policy.explain())

    def test_incomplete(self) -> None:
        """Anything that is missing, too much or wrong closes the paths."""
        keys = jwks(Issuer("RS256"))
        for reading in (
            read(issuer=""),
            read(audience=""),
            read(audience=","),
            read(jwks_url=""),
            read(keys, jwks_url=URL),
            read(jwks_url="file:///etc/passwd"),
            read(jwks_url="https://$host/keys"),
            read(jwks_url="https://a.example/$request_uri"),
            read(keys, secret="other"),
            read(keys, secret="x/keys"),
            read(b"{}"),
            read(b"not json"),
            read(claims_to_headers="sub"),
            read(claims_to_headers="sub=Host"),
            read(claims_to_headers="sub=X-Forwarded-For"),
            read(claims_to_headers="sub=Connection"),
            read(claims_to_headers="sub=X\r\nY"),
        ):
            self.assertEqual(reading.closing, CLOSED, reading)

    def test_in_the_clear(self) -> None:
        """Keys that come over plain http from elsewhere are served, and reported."""
        for host, is_reported in (
            ("issuer.example", True),
            ("192.0.2.7:8080", True),
            ("issuer.default.svc.cluster.local", False),
            ("127.0.0.1:9000", False),
            ("localhost", False),
            ("[::1]", False),
        ):
            reading = read(jwks_url=f"http://{host}/keys")
            self.assertIsNone(reading.closing)
            self.assertEqual(bool(reading.faults), is_reported, host)
            self.assertIsInstance(reading.feature, JWTAuth)

    def test_nothing(self) -> None:
        """Without any of the annotations there is no policy."""
        self.assertEqual(read_annotations(JWTAuth, {}), Reading(None, {}, None))


class Asker:
    """The server of an issuer, whose answers the test controls."""

    def __init__(self) -> None:
        self.asked: list[Deferred[Subresponse]] = []
        self.subrequests: list[Subrequest] = []

    def ask(self, asking: Any, snapshot: Any, subrequest: Subrequest) -> Deferred[Subresponse]:
        self.subrequests.append(subrequest)
        self.asked.append(Deferred())
        return self.asked[-1]


class Requests:
    """Requests to one process."""

    def __init__(self, policy: JWTAuth) -> None:
        self.policy = policy
        self.clock, self.asker, self.states = Clock(), Asker(), PolicyStates()
        self.wall = float(NOW)

    def context(self, *fields: tuple[bytes, bytes]) -> PolicyContext:
        context = policy_context(
            fields=fields,
            now=self.clock.seconds,
            wall_clock=lambda: self.wall,
            states=self.states,
        )
        context._asker = self.asker
        return context

    def send(self, token: bytes | None) -> Deferred[Verdict]:
        fields = () if token is None else ((b"Authorization", b"Bearer " + token),)
        return deferred_of(self.policy.access(self.context(*fields)))


class AccessTests(SynchronousTestCase):
    def status(self, decision: Deferred[Verdict]) -> int:
        """0 if the request may pass."""
        verdict = self.successResultOf(decision)
        return verdict.status if isinstance(verdict, Answer) else 0

    def test_secret(self) -> None:
        """With keys in a Secret, good tokens pass and all else is 401, with a challenge."""
        issuer = Issuer("HS256", "a")
        requests = Requests(policy_of(read(jwks(issuer))))
        self.assertEqual(self.status(requests.send(issuer.token())), 0)
        for token in (None, b"x", b"", Issuer("HS256", "a", 1).token(), issuer.token(aud="x")):
            verdict = self.successResultOf(requests.send(token))
            assert isinstance(verdict, Answer)
            self.assertEqual((verdict.status, verdict.outcome), (401, Outcome.ACCESS_REFUSED))
            self.assertTrue(verdict.fields[0][1].startswith(b"Bearer"))
        good = b"Bearer " + issuer.token()
        for fields in (
            [(b"Authorization", good), (b"Authorization", good)],
            [(b"Authorization", b"Basic " + issuer.token())],
            [(b"X-Authorization", good)],
        ):
            decision = requests.policy.access(requests.context(*fields))
            self.assertEqual(self.status(deferred_of(decision)), 401)

    def test_remembered(self) -> None:
        """A token that was verified is remembered until it expires, for its rules alone."""
        issuer = Issuer("ES256", "a")
        requests = Requests(policy_of(read(jwks(issuer))))
        token = issuer.token(exp=NOW + 10)
        for wall, status in ((NOW, 0), (NOW + 9, 0), (NOW + 70, 401)):
            requests.wall = wall
            self.assertEqual(self.status(requests.send(token)), status)
        requests.wall = NOW
        self.assertEqual(self.status(requests.send(token)), 0)
        requests.policy = policy_of(read(jwks(issuer), audience="elsewhere"))
        self.assertEqual(self.status(requests.send(token)), 401)

    def test_fetched(self) -> None:
        """The first requests wait for the keys, which are fetched once, without their fields."""
        issuer = Issuer("RS256", "a")
        requests = Requests(policy_of(read()))
        first, second = requests.send(issuer.token()), requests.send(b"x")
        self.assertNoResult(first)
        (subrequest,) = requests.asker.subrequests
        self.assertFalse(subrequest.is_for_client)
        self.assertEqual(subrequest.target, b"/keys?x=1")
        assert subrequest.tls is not None
        self.assertTrue(subrequest.tls.is_verified)
        requests.asker.asked[0].callback(Subresponse(200, [], jwks(issuer)))
        self.assertEqual((self.status(first), self.status(second)), (0, 401))
        self.assertEqual(self.status(requests.send(issuer.token())), 0)
        self.assertEqual(len(requests.asker.asked), 1)

    def test_gone(self) -> None:
        """A client that leaves while it waits takes the keys from nobody."""
        issuer = Issuer("RS256", "a")
        requests = Requests(policy_of(read()))
        first, second = requests.send(issuer.token()), requests.send(issuer.token())
        first.addErrback(lambda failure: None)
        first.cancel()
        requests.asker.asked[0].callback(Subresponse(200, [], jwks(issuer)))
        self.assertEqual(self.status(second), 0)

    def test_unavailable(self) -> None:
        """Without keys the paths answer 503, and the server is asked again after a while."""
        issuer = Issuer("RS256", "a")
        requests = Requests(policy_of(read()))
        for answer in (
            Subresponse(500, [], jwks(issuer)),
            Subresponse(200, [], b"<html>"),
            Subresponse(200, [], jwks(Issuer("HS256", "a"))),
            SubrequestFailed(Outcome.DIAL_FAILED, "No connection."),
        ):
            decision = requests.send(issuer.token())
            if isinstance(answer, Subresponse):
                requests.asker.asked.pop().callback(answer)
            else:
                requests.asker.asked.pop().errback(answer)
            self.assertEqual(self.status(decision), 503)
            self.assertEqual(self.status(requests.send(issuer.token())), 503)
            self.assertEqual(requests.asker.asked, [])
            requests.clock.advance(LEAST_INTERVAL)

    def test_rotated(self) -> None:
        """A token with a new key has it fetched; strangers with made-up keys cause few fetches."""
        old, new = Issuer("RS256", "old"), Issuer("RS256", "new", 1)
        requests = Requests(policy_of(read()))
        requests.send(old.token())
        requests.asker.asked[0].callback(Subresponse(200, [], jwks(old)))
        for number in range(100):
            stranger = Issuer("RS256", f"made-up-{number}", 1)
            self.assertEqual(self.status(requests.send(stranger.token())), 401)
        self.assertEqual(len(requests.asker.asked), 1)
        requests.clock.advance(LEAST_INTERVAL)
        waiting = [requests.send(new.token()) for _ in range(5)]
        self.assertEqual(self.status(requests.send(old.token())), 0)
        self.assertEqual(len(requests.asker.asked), 2)
        requests.asker.asked[1].callback(Subresponse(200, [], jwks(new)))
        self.assertEqual([*map(self.status, waiting)], [0] * 5)
        # The key that is gone verifies nothing any more, not even what was verified before.
        self.assertEqual(self.status(requests.send(old.token())), 401)

    def test_old(self) -> None:
        """Keys are renewed in the background, and used for an hour while that fails."""
        issuer = Issuer("RS256", "a")
        requests = Requests(policy_of(read()))
        requests.send(issuer.token())
        requests.asker.asked[0].callback(Subresponse(200, [], jwks(issuer)))
        requests.clock.advance(FRESH + 1)
        self.assertEqual(self.status(requests.send(issuer.token())), 0)
        requests.asker.asked[1].errback(SubrequestFailed(Outcome.DIAL_FAILED, "No connection."))
        requests.clock.advance(STALE - FRESH - 2)
        self.assertEqual(self.status(requests.send(issuer.token())), 0)
        requests.asker.asked[2].errback(SubrequestFailed(Outcome.DIAL_FAILED, "No connection."))
        requests.clock.advance(2)
        self.assertEqual(self.status(requests.send(issuer.token())), 503)


class ClaimsTests(SynchronousTestCase):
    def fields(self, claims_to_headers: str, **claims: Any) -> dict[bytes, bytes]:
        """What an endpoint gets."""
        issuer = Issuer("EdDSA", "a")
        requests = Requests(policy_of(read(jwks(issuer), claims_to_headers=claims_to_headers)))
        verdict = self.successResultOf(requests.send(issuer.token(**claims)))
        assert verdict is None or isinstance(verdict, Proceed), verdict
        edits = requests.policy.request_edits
        if verdict is not None:
            edits = edits.then(verdict.request_edits)
        return dict(edits.apply_to_request([(b"X-User", b"root"), (b"x-groups", b"admin")]))

    def test_values(self) -> None:
        """Texts, numbers and lists of texts are fields; what the client sent never is."""
        names = "sub=X-User,groups=X-Groups,https://a.example/age=X-Age"
        self.assertEqual(
            self.fields(names, groups=["a", "b"], **{"https://a.example/age": 7}),
            {b"X-User": b"alice", b"X-Groups": b"a,b", b"X-Age": b"7"},
        )
        self.assertEqual(self.fields(names, sub=None), {})

    def test_unfit(self) -> None:
        """A claim that no field can hold is left out, and so is what the client sent."""
        for value in (
            "a\r\nX-Admin: 1",
            "\0",
            "b\u00e4r",
            {"a": 1},
            ["a", 1],
            ["a,b"],
            1.5,
            "x" * 5000,
        ):
            self.assertEqual(self.fields("sub=X-User,groups=X-Groups", sub=value), {}, value)


class VerifiedTokensTests(SynchronousTestCase):
    def test_bound(self) -> None:
        """Those that were not used for longest give way."""
        kept = VerifiedTokens()
        for number in range(KEPT_TOKENS + 1):
            kept.keep(b"%d" % number, 10.0, Proceed())
            kept.find(b"0", 0.0)
        self.assertIsNotNone(kept.find(b"0", 0.0))
        self.assertIsNone(kept.find(b"1", 0.0))
        self.assertEqual(repr(kept), f"<VerifiedTokens: {KEPT_TOKENS}>")
