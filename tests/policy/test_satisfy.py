"""Tests of rules about access of which one is enough."""

from __future__ import annotations

from base64 import b64encode

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.config import Config
from ingress.config.nginx_settings import GlobalAuth, NginxSettings
from ingress.endpoint import UpstreamKey
from ingress.policy.annotation import Closing, Extent, Subject
from ingress.policy.context import PolicyContext
from ingress.policy.external_auth import ExternalAuth
from ingress.policy.registry import REGISTRY
from ingress.policy.satisfy import SatisfyAny
from ingress.policy.source_ranges import SourceRanges
from ingress.testing import Reading, deferred_of, policy_context, read_annotations, rule_scope
from tests.support.hand_asker import HandAsker

CLOSED = Closing(Extent.RULES, Subject.ACCESS)
URL = {"auth-url": "http://auth.sso.svc/check"}
RANGES = {"allowlist-source-range": "10.0.0.0/8"}
BASIC = {"auth-type": "basic", "auth-secret": "users"}
SECRETS = {("default", "users"): {"auth": b"alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="}}
INSIDE, OUTSIDE = b"10.0.0.1", b"192.0.2.1"
ALICE = b"Basic " + b64encode(b"alice:secret")
WRONG = b"Basic " + b64encode(b"alice:wrong")


def read(*annotations: dict[str, str], config: Config | None = None) -> Reading:
    merged = {name: value for each in annotations for name, value in each.items()}
    merged = {"satisfy": "any", **merged}
    return read_annotations(SatisfyAny, merged, config=config or Config(), secrets=SECRETS)


def policy(*annotations: dict[str, str]) -> SatisfyAny:
    feature = read(*annotations).feature
    assert isinstance(feature, SatisfyAny)
    return feature


class SatisfyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.asker = HandAsker()

    def context(self, address: bytes = OUTSIDE, credentials: bytes = b"") -> PolicyContext:
        fields = [(b"Authorization", credentials)] if credentials else []
        return policy_context(address=address, fields=fields, asker=self.asker)

    def status(
        self,
        policy: SatisfyAny,
        address: bytes = OUTSIDE,
        credentials: bytes = b"",
        server: int = 0,
    ) -> int:
        """
        :param server: what the server answers; 0 if it is not asked.
        :return: the status of the refusal; 200 without one.
        """
        before = len(self.asker.asked)
        deciding = deferred_of(policy.access(self.context(address, credentials)))
        self.assertEqual(len(self.asker.asked) - before, bool(server))
        if server:
            self.asker.answer(server)
        verdict = self.successResultOf(deciding)
        return verdict.status if isinstance(verdict, Answer) else 200

    def test_matrix(self) -> None:
        """One is enough; the cheaper ones decide first; the best refusal goes to the client."""
        both = policy(RANGES, URL)
        for address, server, status in (
            (INSIDE, 0, 200),
            (OUTSIDE, 200, 200),
            (OUTSIDE, 401, 401),
            (OUTSIDE, 403, 403),
            (OUTSIDE, 500, 500),
        ):
            self.assertEqual(self.status(both, address, b"", server), status, (address, server))
        signing_in = policy(RANGES, URL, {"auth-signin": "https://b.example/"})
        self.assertEqual(self.status(signing_in, OUTSIDE, b"", 401), 302)
        self.assertEqual(self.status(signing_in, INSIDE), 200)

    def test_basic(self) -> None:
        """A password or the server: a page to sign in goes before a challenge."""
        for others, credentials, server, status in (
            ({}, ALICE, 0, 200),
            ({}, WRONG, 202, 200),
            ({}, b"", 202, 200),
            ({}, b"", 403, 401),
            ({}, b"", 500, 401),
            ({}, WRONG, 401, 401),
            ({"auth-signin": "https://b.example/"}, b"", 401, 302),
            ({"auth-signin": "https://b.example/"}, ALICE, 0, 200),
        ):
            made = policy(BASIC, URL, others)
            self.assertEqual(self.status(made, OUTSIDE, credentials, server), status, others)

    def test_edits(self) -> None:
        """Whichever lets a request pass, the client's own fields of all of them are gone."""
        made = policy(BASIC, URL, {"auth-response-headers": "X-User"})
        self.assertEqual(made.request_edits.remove, {b"authorization", b"x-user"})

    def test_cancelled(self) -> None:
        """The request to the server ends with that of the client."""
        deciding = deferred_of(policy(RANGES, URL).access(self.context()))
        deciding.cancel()
        self.failureResultOf(deciding, CancelledError)
        self.assertEqual(self.asker.cancelled, 1)

    def test_read(self) -> None:
        """Only `any` changes anything; what is neither closes; nothing to satisfy is a fault."""
        self.assertEqual(read(RANGES, {"satisfy": "all"})[::2], (None, None))
        for value in ("", "some", "ANY\n1"):
            reading = read(RANGES, {"satisfy": value})
            self.assertEqual((reading.feature, reading.closing), (None, CLOSED), value)
        self.assertIn("without effect", read().faults["satisfy"])
        self.assertEqual(read(RANGES, {"auth-url": "nonsense"}).closing, CLOSED)

    def test_registry(self) -> None:
        """An Ingress has the policies either one by one or together, never both."""
        entries = {entry.key(): entry for entry in REGISTRY.entries}
        for value, alone in (("any", False), ("all", True)):
            for key, written in ((SourceRanges.key(), RANGES), (ExternalAuth.key(), URL)):
                reading = read_annotations(entries[key], {**written, "satisfy": value})
                self.assertEqual(reading.feature is not None, alone, (key, value))

    def test_rule(self) -> None:
        """A rule that needs no authentication by the server still needs the rest."""
        auth = GlobalAuth(url=URL["auth-url"])
        made = read(RANGES, config=Config(nginx=NginxSettings(auth=auth))).feature
        assert isinstance(made, SatisfyAny)
        self.assertEqual(list(made.upstreams), [("", UpstreamKey("sso", "auth", "80"))])
        self.assertIs(made.at(rule_scope("/")), made)
        exempt = made.at(rule_scope("/.well-known/acme-challenge/x"))
        assert exempt is not None
        self.assertEqual([type(each) for each in exempt.policies], [SourceRanges])
        alone = SatisfyAny(made.policies[1:])
        self.assertIsNone(alone.at(rule_scope("/.well-known/acme-challenge/x")))

    def test_shown(self) -> None:
        """People see each of them."""
        made = policy(RANGES, BASIC, URL)
        self.assertIn("One of these is enough: Only clients from 10.0.0.0/8", made.explain())
        shown = made.shown()["satisfyAny"]
        assert isinstance(shown, dict)
        self.assertEqual(list(shown), ["sourceRanges", "basicAuth", "externalAuth"])
