"""Tests of the store of limits: what becomes of a request while it is slow, gone or back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ingress.config import Config, Limits
from ingress.config.limit_store import LimitStore
from ingress.policy.annotation import OWN_PREFIX
from ingress.policy.bucket_table import Rate, Refusal
from ingress.policy.client_limits import ClientLimits
from ingress.policy.limiter import LimitLabels, SharedBound
from ingress.policy.live_state import PolicyStates
from ingress.serving.limit_store import (
    LONGEST_WAIT,
    MOST_OWED,
    PATIENCE,
    REST,
    SILENCE,
    RedisLimitStore,
)
from ingress.testing import deferred_of, policy_context, read_annotations, rule_scope, verdict_of

RATES = (Rate(1000, 5000, 0), Rate(16, 5000, 9))


class Endpoint:
    """Connects to a transport that the test controls, or fails."""

    def __init__(self) -> None:
        self.is_open = True
        self.transports: list[Any] = []

    def connect(self, factory: Any) -> Deferred[Any]:
        if not self.is_open:
            failed: Deferred[Any] = Deferred()
            failed.errback(ConnectionRefusedError())
            return failed
        transport: Any = StringTransportWithDisconnection()
        transport.abortConnection = transport.loseConnection
        protocol = transport.protocol = factory.buildProtocol(None)
        self.transports.append(transport)
        protocol.makeConnection(transport)
        return succeed(protocol)


@implementer(ILogObserver)
class Lines:
    """What the log says of the store."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, event: Any) -> None:
        """ILogObserver."""
        if event.get("log_level") in (LogLevel.warn, LogLevel.info) and "store" in event:
            self.lines.append(event["log_format"].format(**event))


class LimitStoreTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.endpoint = Clock(), Endpoint()
        where = LimitStore("redis.example", password="secret")
        self.store = RedisLimitStore(self.clock, where, self.endpoint)  # type: ignore[arg-type]
        observer = Lines()
        self.lines = observer.lines
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def start(self) -> None:
        """Connect, and have it greeted."""
        self.store.start()
        self.receive(b"+OK\r\n+PONG\r\n+sha\r\n+sha\r\n")

    def receive(self, data: bytes) -> None:
        """Let the server say something on the last connection."""
        self.endpoint.transports[-1].protocol.dataReceived(data[:5])
        self.endpoint.transports[-1].protocol.dataReceived(data[5:])

    def take(self) -> Deferred[Refusal | None]:
        decision = self.store.take("default/web", b"192.0.2.1", RATES)
        assert decision is not None
        return decision

    def test_decisions(self) -> None:
        """It admits and refuses as the server says; the keys name zone, client and limit."""
        self.start()
        self.endpoint.transports[-1].clear()
        decisions = [self.take() for _ in range(2)]
        sent = self.endpoint.transports[-1].value()
        self.assertEqual(sent.count(b"EVALSHA"), 2)
        self.assertIn(b"txingress:limit:default/web:{192.0.2.1}:9\r\n", sent)
        self.receive(b"*2\r\n:0\r\n:0\r\n*2\r\n:2\r\n:62500\r\n")
        self.assertEqual(
            [*map(self.successResultOf, decisions)], [None, Refusal(which=1, wait=62500)]
        )

    def test_slow(self) -> None:
        """A request waits 50 ms at most; then the store is not asked for a second."""
        self.start()
        first = self.take()
        self.clock.advance(PATIENCE / 2)
        second = self.take()
        self.clock.advance(PATIENCE / 2)
        self.assertIsNone(self.successResultOf(first))
        self.assertNoResult(second)
        self.assertIsNone(self.store.take("default/web", b"192.0.2.1", RATES))
        self.clock.advance(PATIENCE / 2)
        self.assertIsNone(self.successResultOf(second))
        self.receive(b"*2\r\n:1\r\n:9\r\n*2\r\n:1\r\n:9\r\n")
        self.clock.advance(REST)
        third = self.take()
        self.receive(b"*2\r\n:1\r\n:500\r\n")
        self.assertEqual(self.successResultOf(third), Refusal(0, 500))
        self.clock.advance(10)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost(self) -> None:
        """Whatever is asked while the connection is lost passes; it comes back by itself."""
        self.start()
        decision = self.take()
        self.endpoint.is_open = False
        self.endpoint.transports[-1].loseConnection()
        self.assertIsNone(self.successResultOf(decision))
        self.assertIsNone(self.store.take("default/web", b"192.0.2.1", RATES))
        self.clock.pump([1] * 60)
        self.assertEqual(len(self.lines), 2)
        self.assertIn("is used", self.lines[0])
        self.assertIn("redis://redis.example:6379/0 cannot be used", self.lines[1])
        self.endpoint.is_open = True
        while len(self.endpoint.transports) < 2:
            self.clock.advance(1)
        self.receive(b"+OK\r\n")
        self.receive(b"+PONG\r\n")
        self.take()
        self.assertEqual(len(self.lines), 3)
        self.assertIn("is back", self.lines[2])
        self.assertNotIn("secret", "".join(self.lines))

    def test_refused(self) -> None:
        """A wrong password is in the log without the password, and is tried again later."""
        self.store.start()
        self.receive(b"-WRONGPASS invalid username-password pair\r\n")
        self.assertIsNone(self.store.take("default/web", b"192.0.2.1", RATES))
        self.assertEqual(len(self.lines), 1)
        self.assertIn("WRONGPASS", self.lines[0])
        self.assertNotIn("secret", self.lines[0])
        self.clock.pump([1] * 15)
        self.assertGreater(len(self.endpoint.transports), 1)

    def test_forgotten(self) -> None:
        """A server that has forgotten the script gets it again; meanwhile requests pass."""
        self.start()
        decision = self.take()
        self.endpoint.transports[-1].clear()
        self.receive(b"-NOSCRIPT No matching script.\r\n")
        self.assertIsNone(self.successResultOf(decision))
        self.assertEqual(self.endpoint.transports[-1].value().count(b"SCRIPT\r\n$4\r\nLOAD"), 2)

    def test_faulty(self) -> None:
        """Errors and nonsense of the server let requests pass."""
        self.start()
        for reply in (b"-OOM command not allowed\r\n", b"+what\r\n", b"*1\r\n:1\r\n", b"$-1\r\n"):
            decision = self.take()
            self.receive(reply)
            self.assertIsNone(self.successResultOf(decision), reply)
            self.clock.advance(REST)

    def test_what_no_script_says(self) -> None:
        """A refusal by a rate that there is not, or with an impossible wait, is none."""
        self.start()
        for reply in (b":3\r\n:1", b":99\r\n:1", b":-1\r\n:1", b":1\r\n:-5", b"+1\r\n:1"):
            decision = self.take()
            self.receive(b"*2\r\n" + reply + b"\r\n")
            self.assertIsNone(self.successResultOf(decision), reply)
        decision = self.take()
        self.receive(b"*2\r\n:2\r\n:9223372036854775807\r\n")
        self.assertEqual(self.successResultOf(decision), Refusal(1, LONGEST_WAIT))

    def test_silent(self) -> None:
        """A connection on which nothing comes any more is given up after a while."""
        self.start()
        began = self.clock.seconds()
        while len(self.endpoint.transports) < 2:
            if self.store.take("default/web", b"192.0.2.1", RATES) is None:
                self.clock.advance(REST / 10)
            self.clock.advance(PATIENCE)
            self.assertLess(self.clock.seconds() - began, SILENCE + 10 * REST)
        self.assertGreater(self.clock.seconds() - began, SILENCE)

    def test_owes_too_much(self) -> None:
        """So is one that replies to a few of many commands."""
        self.start()
        while len(self.endpoint.transports) < 2:
            for _ in range(MOST_OWED // 4):
                self.store.take("default/web", b"192.0.2.1", RATES)
            connection = self.endpoint.transports[-1].protocol
            if len(self.endpoint.transports) < 2:
                self.receive(b"*2\r\n:0\r\n:0\r\n")
            self.clock.advance(REST + 2 * PATIENCE)
            self.assertLess(connection.owed, 2 * MOST_OWED)

    def test_stopped(self) -> None:
        """Nothing waits for a store that is used no more, and no timer is left."""
        self.start()
        decision = self.take()
        self.store.stop()
        self.assertIsNone(self.successResultOf(decision))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class FakePlace:
    """A place, and how often it was given back."""

    def __init__(self, bounds: Sequence[SharedBound]) -> None:
        self.bounds = bounds
        self.released = 0

    def release(self) -> None:
        """Place."""
        self.released += 1


class FakeStore:
    """A store that decides when the test says so."""

    def __init__(self) -> None:
        self.asked: list[Deferred[Refusal | None]] = []
        self.places: list[FakePlace] = []
        self.is_gone = False

    def hold(self, client: bytes, bounds: Sequence[SharedBound]) -> FakePlace:
        """SharedCounts."""
        self.places.append(FakePlace(bounds))
        return self.places[-1]

    def take(self, *asked: object) -> Deferred[Refusal | None] | None:
        """SharedCounts."""
        if self.is_gone:
            return None
        self.asked.append(Deferred())
        return self.asked[-1]


class PolicyTests(SynchronousTestCase):
    """What the limits of a rule make of it."""

    def setUp(self) -> None:
        self.states = PolicyStates()
        self.store = self.states.limiter.store = FakeStore()

    def limits(self, requests_per_client: int | None = None, **more: str) -> ClientLimits:
        values = {"limit-rps": "1", **{name.replace("_", "-"): more[name] for name in more}}
        if "dry-run" in values:
            values[f"{OWN_PREFIX}limit-dry-run"] = values.pop("dry-run")
        store = LimitStore("redis.example")
        config = Config(limits=Limits(store=store, requests_per_client=requests_per_client))
        feature = read_annotations(ClientLimits, values, config=config).feature
        assert isinstance(feature, ClientLimits)
        return feature.at(rule_scope())

    def test_waits(self) -> None:
        """A request that this replica admits waits for the others; one that it refuses does not."""
        policy, context = self.limits(), policy_context(states=self.states)
        decisions = [deferred_of(policy.access(context)) for _ in range(6)]
        answer = verdict_of(policy.access(context))
        self.assertEqual(getattr(answer, "status", None), 503)
        self.store.asked[0].callback(None)
        self.store.asked[1].callback(Refusal(0, 4500))
        self.assertIsNone(self.successResultOf(decisions[0]))
        refused = self.successResultOf(decisions[1])
        self.assertEqual(getattr(refused, "fields", None), ((b"Retry-After", b"5"),))
        self.assertNoResult(decisions[2])

    def test_in_progress(self) -> None:
        """A request is in progress while the store is asked; what it refuses is not any more."""
        policy = self.limits(limit_connections="1")
        contexts = [policy_context(states=self.states) for _ in range(3)]
        first = deferred_of(policy.access(contexts[0]))
        self.assertEqual(getattr(verdict_of(policy.access(contexts[1])), "status", 0), 503)
        self.assertEqual(self.store.places[0].bounds, [SharedBound("default/web", 1)])
        self.store.asked[0].callback(Refusal(1, 0))
        answer = self.successResultOf(first)
        self.assertEqual(getattr(answer, "fields", None), ((b"Retry-After", b"1"),))
        self.assertEqual(self.store.places[0].released, 1)
        third = deferred_of(policy.access(contexts[2]))
        self.store.asked[1].callback(None)
        self.assertIsNone(self.successResultOf(third))
        for context in contexts:
            for end in context.ends:
                end()
        self.assertEqual([place.released for place in self.store.places], [1, 1])

    def test_at_all_rules(self) -> None:
        """What a client has in progress at all rules is asked in the same round trip."""
        policy = self.limits(3, limit_connections="2", limit_allowlist="192.0.2.9")
        context = policy_context(states=self.states)
        decision = deferred_of(policy.access(context))
        self.assertEqual(len(self.store.asked), 1)
        self.assertEqual(
            self.store.places[0].bounds, [SharedBound("", 3), SharedBound("default/web", 2)]
        )
        self.store.asked[0].callback(Refusal(1, 0))
        self.assertEqual(getattr(self.successResultOf(decision), "status", None), 503)
        labels = LimitLabels("default", "web", "client-requests")
        self.assertEqual(self.states.limiter.refused, {labels: 1})
        # An exempt client is bound by it nevertheless, and a client that nobody knows is not.
        exempt = policy_context(states=self.states, address=b"192.0.2.9")
        deferred_of(policy.access(exempt))
        self.assertEqual(self.store.places[1].bounds, [SharedBound("", 3)])
        deferred_of(policy.access(policy_context(states=self.states, address=b"")))
        self.assertEqual(self.store.places[2].bounds, [SharedBound("default/web", 2)])

    def test_at_all_rules_alone(self) -> None:
        """It holds where an Ingress has no limits of its own, and guards nothing there."""
        policy = self.limits(2, limit_rps="0")
        self.assertFalse(policy.guards)
        self.assertIn("may have 2 requests in progress", policy.explain())
        self.assertEqual(policy.shown()["limits"], {"clientRequests": 2, "isDryRun": False})
        contexts = [policy_context(states=self.states) for _ in range(3)]
        for context in contexts[:2]:
            deferred_of(policy.access(context))
        self.assertEqual(getattr(verdict_of(policy.access(contexts[2])), "status", None), 503)
        self.assertEqual(len(self.store.asked), 2)

    def test_gone(self) -> None:
        """While the store is gone the replica decides; the places count again when it is back."""
        self.store.is_gone = True
        policy = self.limits(limit_connections="1")
        contexts = [policy_context(states=self.states) for _ in range(2)]
        self.assertIsNone(verdict_of(policy.access(contexts[0])))
        self.assertEqual(getattr(verdict_of(policy.access(contexts[1])), "status", None), 503)
        self.assertEqual([place.released for place in self.store.places], [0])

    def test_dry_run_alone(self) -> None:
        """What this replica would refuse itself is counted once, and asked of nobody."""
        policy = self.limits(limit_connections="1", dry_run="true")
        for _ in range(2):
            deferred_of(policy.access(policy_context(states=self.states)))
        self.assertEqual([len(place.bounds) for place in self.store.places], [1])
        self.store.asked[1].callback(None)
        self.assertEqual(self.states.limiter.refused.total(), 1)

    def test_dry_run(self) -> None:
        """What is only counted takes no place."""
        policy = self.limits(limit_connections="5", dry_run="true")
        context = policy_context(states=self.states)
        decision = deferred_of(policy.access(context))
        self.store.asked[0].callback(Refusal(1, 0))
        self.assertIsNone(self.successResultOf(decision))
        self.assertEqual(self.store.places[0].released, 1)
        self.assertEqual(self.states.limiter.refused.total(), 1)


class ConfigurationTests(SynchronousTestCase):
    def test_hidden(self) -> None:
        """The password is in no text of a configuration."""
        store = LimitStore("redis", user="u", password="hunter2")
        self.assertNotIn("hunter2", repr(Config(limits=Limits(store=store))))
