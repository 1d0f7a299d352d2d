"""
Tests for `ingress.explain.decider`, and of what policies say that they decide by.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from ingress.explain import decider
from ingress.explain.decider import Decider, LoggedRequest
from ingress.policy.inputs import Input
from ingress.routing.build import build
from tests.support.objects import built, ingress, objects, served
from tests.test_golden import FIXTURES, NAMES, NOW, OWN, read_case

CLIENTS = ("192.0.2.1", "10.0.0.9", "203.0.113.9", "2001:db8::1")
METHODS = (b"GET", b"OPTIONS", b"POST")
FIELDS = (b"", b"User-Agent: curl/8\r\n", b"User-Agent: bad\r\nReferer: http://bad.example/\r\n")
UNKNOWN = frozenset({Input.FIELDS, Input.SESSION, Input.OUTSIDE, Input.STATE})


class GoldenDecisionTests(SynchronousTestCase):
    def test_kept(self) -> None:
        """A decision that was made for another request is the one that this request would get."""
        chance = Random(14)
        for path in sorted(FIXTURES.glob("*/*.yaml")):
            config, items, _ = read_case(path)
            snapshot = build(objects([*items, *NAMES]), config, now=NOW, own=OWN).snapshot
            now = NOW.timestamp()
            keeping = Decider(snapshot, UNKNOWN, now)
            for _ in range(40):
                host = chance.choice([host.name for host in snapshot.virtual_hosts()] or [""])
                name = host.replace("*", "x") or "other.example"
                found = next(each for each in snapshot.virtual_hosts() if each.name == host) \
                    if snapshot.virtual_hosts() else None  # fmt: skip
                paths = [route.path for route in found.routes()] if found is not None else []
                target = chance.choice([*paths, "/"]).encode() + chance.choice(
                    (b"", b"x", b"/x", b"?a=1", b"//..;/%2e%2e/x")
                )
                asked = LoggedRequest(
                    chance.choice(METHODS),
                    target.replace(b" ", b""),
                    name.encode(),
                    chance.random() < 0.5,
                    chance.choice(CLIENTS),
                    chance.choice(FIELDS),
                )
                alone = Decider(snapshot, UNKNOWN, now).decide(asked)
                kept = keeping.decide(asked)
                self.assertEqual(
                    (kept.status, kept.outcome, kept.upstream, kept.open),
                    (alone.status, alone.outcome, alone.upstream, alone.open),
                    (path.name, asked),
                )


class DeciderTests(SynchronousTestCase):
    def decider(self, **annotations: str) -> Decider:
        written = {name.replace("_", "-"): value for name, value in annotations.items()}
        web = ingress("a.example", {"/": "web:80"}, annotations=written)
        return Decider(built(web, served("web")).snapshot, UNKNOWN, NOW.timestamp())

    def ask(self, target: str = "/", **others: object) -> LoggedRequest:
        asked = LoggedRequest(b"GET", target.encode(), b"a.example", False, "192.0.2.1")
        return asked._replace(**others)  # type: ignore[arg-type]

    def test_few_decisions(self) -> None:
        """Targets and clients that no policy looks at share a decision; kinds of clients do too."""
        decider = self.decider(whitelist_source_range="10.0.0.0/8")
        for number in range(200):
            for client in (f"10.0.1.{number}", f"192.0.2.{number}"):
                decision = decider.decide(self.ask(f"/{number}", client=client))
                self.assertEqual(decision.status, None if client[:2] == "10" else 403)
                self.assertEqual(decision.upstream, b"default-web-80")
        self.assertEqual(repr(decider), "<Decider kept=2>")

    def test_open(self) -> None:
        """What a policy decides by something unknown is told; what it does not depend on is not."""
        decision = self.decider(auth_url="http://auth.default.svc/").decide(self.ask())
        self.assertEqual((decision.status, decision.open), (None, ("external-auth",)))
        decision = self.decider(permanent_redirect="https://b.example").decide(self.ask())
        self.assertEqual((decision.status, decision.open), (301, ()))

    def test_no_request(self) -> None:
        """What no client may send, and what no rule matches, have no Upstream."""
        decider = self.decider()
        for asked, status in (
            (self.ask("/%00"), 400),
            (self.ask(host=b"b.example"), 404),
        ):
            decision = decider.decide(asked)
            self.assertEqual((decision.status, decision.upstream), (status, b"-"))

    def test_long_targets(self) -> None:
        """Decisions for long targets are kept only up to a size of all of them together."""
        self.patch(decider, "MOST_BYTES", 50_000)
        web = ingress("a.example", {"/": "web:80"}, annotations={"app-root": "/app"})
        deciding = Decider(built(web, served("web")).snapshot, UNKNOWN, NOW.timestamp())
        for number in range(100):
            target = b"/?%d%b" % (number, b"x" * 10_000)
            deciding.decide(LoggedRequest(b"GET", target, b"a.example", False, "192.0.2.1"))
            self.assertLess(len(deciding._kept), 6)
