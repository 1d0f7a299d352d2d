"""Tests of `ingress.upstream.balancer`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import NoReturn, cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.deadline import Deadlines
from ingress.endpoint import Endpoint, Upstream
from ingress.policy.backend_tls import BackendTLS
from ingress.policy.context import PolicyContext
from ingress.policy.hash_key import parse_hash_key
from ingress.policy.load_balance import Algorithm, LoadBalance
from ingress.testing import policy_context
from ingress.upstream.balancer import Balancer, better_of_two, next_in_turn
from ingress.upstream.dialer import Dialer
from ingress.upstream.health import FIRST_EJECTION, MAX_FAILURES
from ingress.upstream.registry import EndpointRegistry
from tests.support.wire import UPSTREAM, snapshot_of

ENDPOINTS = tuple(Endpoint(f"10.1.0.{number}", 80) for number in range(10))
A, B, C, D = ENDPOINTS[:4]

ROUND_ROBIN = LoadBalance()
LEAST_REQUEST = LoadBalance(Algorithm.LEAST_REQUEST)
EWMA = LoadBalance(Algorithm.EWMA)
HASH = LoadBalance(hash_key=parse_hash_key("$request_uri"))
SUBSET = LoadBalance(hash_key=parse_hash_key("$request_uri"), subset_size=3)
SUBSET_OF_EWMA = LoadBalance(Algorithm.EWMA, parse_hash_key("$request_uri"), 3)
ALL = (ROUND_ROBIN, LEAST_REQUEST, EWMA, HASH, SUBSET, SUBSET_OF_EWMA)


def no_dial(*args: object, **options: object) -> NoReturn:
    raise AssertionError("a balancer does not dial")


def asks(target: str) -> PolicyContext:
    """Make a request for this target."""
    return policy_context(target=target.encode())


HOME = asks("/")


class BalancerCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.registry = EndpointRegistry(
            cast(Dialer, no_dial),
            lambda endpoint, tls: cast(Dialer, no_dial),
            Deadlines(self.clock),
        )
        self.balancer = Balancer(self.registry, self.clock.seconds, Random(0))

    def pick(
        self,
        *endpoints: Endpoint,
        by: LoadBalance = ROUND_ROBIN,
        of: PolicyContext = HOME,
        tried: Sequence[Endpoint] = (),
        tls: BackendTLS | None = None,
    ) -> Endpoint | None:
        return self.balancer.pick(Upstream(UPSTREAM, endpoints), by, of, tried, tls)

    def eject(self, *endpoints: Endpoint, tls: BackendTLS | None = None) -> None:
        for endpoint in endpoints:
            for _ in range(MAX_FAILURES):
                self.balancer.health.failed((UPSTREAM, endpoint, tls), self.clock.seconds())


class RoundRobinTests(BalancerCase):
    def test_in_turn(self) -> None:
        """Endpoints serve one after the other."""
        picked = [self.pick(A, B, C) for _ in range(7)]
        self.assertEqual(picked, [A, B, C, A, B, C, A])

    def test_each_upstream_has_its_turn(self) -> None:
        """The turn of one Upstream does not move another's."""
        other = Upstream(UPSTREAM._replace(service="other"), (A, B))
        self.pick(A, B)
        self.assertEqual(self.balancer.pick(other, ROUND_ROBIN, HOME), A)
        self.assertEqual(self.pick(A, B), B)

    def test_tried(self) -> None:
        """Endpoints that were tried are passed over; none is left if all were tried."""
        self.assertEqual(self.pick(A, B, C, tried=(A,)), B)
        self.assertEqual(self.pick(A, B, C, tried=(C,)), A)
        self.assertIsNone(self.pick(A, B, C, tried=(A, B, C)))

    def test_fair_beside_one_that_is_left_out(self) -> None:
        """The share of an ejected endpoint goes to all others alike."""
        self.eject(B)
        counts = Counter(self.pick(A, B, C, D) for _ in range(300))
        self.assertEqual(counts, {A: 100, C: 100, D: 100})

    def test_fair_beside_one_that_fails(self) -> None:
        """The requests that an endpoint has failed go to all others alike."""
        counts: Counter[Endpoint | None] = Counter()
        for _ in range(300):
            picked = self.pick(A, B, C)
            counts[self.pick(A, B, C, tried=(A,)) if picked == A else picked] += 1
        self.assertEqual(counts, {B: 150, C: 150})

    def test_scaled(self) -> None:
        """Endpoints serve in turn after their number has changed."""
        for _ in range(2):
            self.pick(A, B, C)
        self.assertEqual(self.pick(A), A)
        self.assertEqual([self.pick(A, B) for _ in range(4)].count(A), 2)

    def test_published(self) -> None:
        """The turn outlives a Snapshot that has the Upstream, and no other."""
        self.pick(A, B)
        self.balancer.published(snapshot_of(A, B))
        self.assertEqual(self.pick(A, B), B)
        self.pick(A, B)
        snapshot = snapshot_of(A)
        object.__setattr__(snapshot, "upstreams", {})
        self.balancer.published(snapshot)
        self.assertEqual(self.pick(A, B), A)

    def test_take_turn(self) -> None:
        """It is the same turn, whoever takes it, and the last one is followed by the first."""
        upstream = Upstream(UPSTREAM, (A, B, C))
        take = self.balancer.take_turn
        self.assertEqual([take(upstream), self.pick(A, B, C), take(upstream)], [A, B, C])
        self.assertEqual(take(Upstream(UPSTREAM, (A, B))), A)
        self.assertEqual(take(upstream), B)

    def test_take_turn_of_another(self) -> None:
        """The turns of two balancers for one Upstream do not move each other."""
        upstream = Upstream(UPSTREAM, (A, B))
        other = Balancer(self.registry, self.clock.seconds, Random(0))
        taken = [one.take_turn(upstream) for one in (self.balancer, other) * 2]
        self.assertEqual(taken, [A, A, B, B])

    def test_no_turn(self) -> None:
        """Where more than turns decides nothing is picked."""
        self.assertIsNone(self.balancer.take_turn(Upstream(UPSTREAM)))
        self.balancer.health.failed((UPSTREAM, D, None), 0.0)
        self.assertIsNone(self.balancer.take_turn(Upstream(UPSTREAM, (A, B))))

    def test_function(self) -> None:
        """The turn goes around, and passes over endpoints that are no candidates."""
        self.assertEqual(next_in_turn((A, B, C), (A, B, C), 2), 2)
        self.assertEqual(next_in_turn((A, B, C), (A, B), 2), 0)
        self.assertEqual(next_in_turn((A, B, C), (A,), 4), 0)
        self.assertIsNone(next_in_turn((A, B, C), (), 0))
        self.assertIsNone(next_in_turn((), (), 0))


class LeastRequestTests(BalancerCase):
    def test_less_busy(self) -> None:
        """The one of two with fewer requests in flight is taken."""
        self.registry.pool(A).load.in_flight = 3
        self.registry.pool(B).load.in_flight = 2
        self.assertEqual({self.pick(A, B, by=LEAST_REQUEST) for _ in range(20)}, {B})

    def test_two_choices(self) -> None:
        """The busiest of all endpoints never gets more requests."""
        for busy, endpoint in enumerate(ENDPOINTS):
            self.registry.pool(endpoint).load.in_flight = busy
        counts = Counter(self.pick(*ENDPOINTS, by=LEAST_REQUEST) for _ in range(2000))
        self.assertNotIn(ENDPOINTS[-1], counts)
        # The idlest wins each comparison it is in, which are a fifth of all.
        self.assertTrue(320 <= counts[ENDPOINTS[0]] <= 480, counts)

    def test_even(self) -> None:
        """Requests that never end come to nearly the same number everywhere."""
        for _ in range(1000):
            picked = self.pick(*ENDPOINTS, by=LEAST_REQUEST)
            assert picked is not None
            self.registry.pool(picked).load.in_flight += 1
        loads = [self.registry.load(endpoint).in_flight for endpoint in ENDPOINTS]
        self.assertLessEqual(max(loads) - min(loads), 4)

    def test_one(self) -> None:
        """One candidate needs no comparison."""

        def cost(endpoint: Endpoint) -> float:
            raise AssertionError("nothing to compare")

        self.assertEqual(better_of_two((A,), cost, Random(0)), A)

    def test_two_different(self) -> None:
        """The two candidates are never the same one, and every pair occurs."""
        pairs: set[tuple[Endpoint, ...]] = set()
        for seed in range(200):
            compared: list[Endpoint] = []

            def cost(endpoint: Endpoint, compared: list[Endpoint] = compared) -> float:
                compared.append(endpoint)
                return 0.0

            better_of_two((A, B, C), cost, Random(seed))
            pairs.add(tuple(compared))
        self.assertEqual(pairs, {(A, B), (B, A), (A, C), (C, A), (B, C), (C, B)})


class EWMATests(BalancerCase):
    def test_faster(self) -> None:
        """The one of two that answered faster of late is taken."""
        self.registry.pool(A).load.measured(0.2, 0.0)
        self.registry.pool(B).load.measured(0.1, 0.0)
        self.assertEqual({self.pick(A, B, by=EWMA) for _ in range(20)}, {B})

    def test_gets_another_chance(self) -> None:
        """An endpoint that was slow is asked again after a long time."""
        self.registry.pool(A).load.measured(2.0, 0.0)
        self.clock.advance(60)
        self.registry.pool(B).load.measured(0.1, 60.0)
        self.assertEqual({self.pick(A, B, by=EWMA) for _ in range(20)}, {A})

    def test_new_one(self) -> None:
        """A new endpoint gets one request at once, and no more before it has answered."""
        self.registry.pool(A).load.measured(0.1, 0.0)
        self.assertEqual(self.pick(A, B, by=EWMA), B)
        self.registry.pool(B).load.in_flight = 1
        self.assertEqual({self.pick(A, B, by=EWMA) for _ in range(20)}, {A})


class HashTests(BalancerCase):
    def test_same_key(self) -> None:
        """Requests of one key go to one endpoint."""
        for number in range(20):
            of = asks(f"/{number}")
            picked = {self.pick(*ENDPOINTS, by=HASH, of=of) for _ in range(5)}
            self.assertEqual(len(picked), 1)

    @given(st.integers(1, 9), st.integers(0, 2**32))
    def test_scaled(self, count: int, seed: int) -> None:
        """Another endpoint takes about its share of the keys, and moves no other key."""
        balancer = Balancer(self.registry, self.clock.seconds, Random(0))
        keys = [asks(f"/{seed}/{number}") for number in range(400)]
        fewer = Upstream(UPSTREAM, ENDPOINTS[:count])
        more = Upstream(UPSTREAM, ENDPOINTS[: count + 1])
        moved = 0
        for key in keys:
            before = balancer.pick(fewer, HASH, key)
            after = balancer.pick(more, HASH, key)
            if before != after:
                moved += 1
                self.assertEqual(after, ENDPOINTS[count])
        self.assertLess(moved / len(keys), 1 / (count + 1) + 0.15)

    def test_ejected(self) -> None:
        """The keys of an ejected endpoint are spread over the others, and come back."""
        keys = [asks(f"/{number}") for number in range(200)]
        before = [self.pick(A, B, C, by=HASH, of=key) for key in keys]
        self.eject(A)
        meanwhile = [self.pick(A, B, C, by=HASH, of=key) for key in keys]
        self.assertEqual(
            {new for old, new in zip(before, meanwhile, strict=True) if old == A}, {B, C}
        )
        self.assertTrue(all(new in (old, B, C) for old, new in zip(before, meanwhile, strict=True)))
        self.assertEqual(
            [new for old, new in zip(before, meanwhile, strict=True) if old != A],
            [old for old in before if old != A],
        )
        self.clock.advance(FIRST_EJECTION)
        self.assertEqual([self.pick(A, B, C, by=HASH, of=key) for key in keys], before)

    def test_subset(self) -> None:
        """Each key has the endpoints of its subset, and all endpoints serve."""
        for by in (SUBSET, SUBSET_OF_EWMA):
            counts = Counter(self.pick(*ENDPOINTS, by=by) for _ in range(300))
            self.assertEqual(len(counts), 3)

    def test_subsets_beside_each_other(self) -> None:
        """Two keys that alternate still reach all endpoints of their subsets."""
        keys = [asks("/1"), asks("/2")]
        found: list[set[Endpoint | None]] = [set(), set()]
        for number in range(200):
            found[number % 2].add(self.pick(*ENDPOINTS, by=SUBSET, of=keys[number % 2]))
        self.assertEqual([len(each) for each in found], [3, 3])

    def test_no_key(self) -> None:
        """Requests without a key are shared by the algorithm."""
        by = LoadBalance(hash_key=parse_hash_key("$http_x_user"))
        self.assertEqual([self.pick(A, B, C, by=by) for _ in range(4)], [A, B, C, A])


class EjectionTests(BalancerCase):
    def test_left_out(self) -> None:
        """An endpoint that is ejected is not picked before its time has passed."""
        for by in ALL:
            with self.subTest(by=by):
                self.setUp()
                self.eject(A)
                keys = [asks(f"/{number}") for number in range(50)]
                self.assertNotIn(A, {self.pick(A, B, C, by=by, of=key) for key in keys})
                self.clock.advance(FIRST_EJECTION)
                self.assertIn(A, {self.pick(A, B, C, by=by, of=key) for key in keys})

    def test_half(self) -> None:
        """Half of an Upstream's endpoints may be left out; if more fail, all serve."""
        self.eject(A, B)
        self.assertEqual({self.pick(A, B, C, D) for _ in range(8)}, {C, D})
        self.eject(C)
        self.assertEqual({self.pick(A, B, C, D) for _ in range(8)}, {A, B, C, D})

    def test_only_one(self) -> None:
        """The only endpoint serves, however often it failed."""
        self.eject(A)
        self.assertEqual(self.pick(A), A)

    def test_better_than_none(self) -> None:
        """An ejected endpoint is asked if all others were tried."""
        self.eject(A)
        self.assertEqual(self.pick(A, B, C, tried=(B, C)), A)
        self.assertIsNone(self.pick(A, B, C, tried=(A, B, C)))

    def test_by_tls(self) -> None:
        """An endpoint that fails over TLS serves in the clear, and the other way round."""
        tls = BackendTLS()
        self.eject(A, tls=tls)
        self.assertEqual({self.pick(A, B) for _ in range(4)}, {A, B})
        self.assertEqual({self.pick(A, B, tls=tls) for _ in range(4)}, {B})

    def test_session(self) -> None:
        """A session may not stay on an ejected endpoint, unless most are ejected."""
        upstream = Upstream(UPSTREAM, (A, B), lingering=(C,))
        self.assertTrue(self.balancer.may_serve(upstream, A, None))
        self.eject(A, C)
        self.assertFalse(self.balancer.may_serve(upstream, A, None))
        self.assertFalse(self.balancer.may_serve(upstream, C, None))
        self.assertTrue(self.balancer.may_serve(upstream, B, None))
        self.eject(B)
        self.assertTrue(self.balancer.may_serve(upstream, A, None))

    def test_gone(self) -> None:
        """An endpoint that is gone comes back in good health."""
        self.eject(A)
        self.balancer.published(snapshot_of(A, B))
        self.assertNotIn(A, {self.pick(A, B) for _ in range(4)})
        self.balancer.published(snapshot_of(B))
        self.assertIn(A, {self.pick(A, B) for _ in range(4)})


class EveryAlgorithmTests(BalancerCase):
    @given(st.data())
    def test_only_what_may_be_picked(self, data: st.DataObject) -> None:
        """No algorithm ever picks an endpoint that was tried or that is not there."""
        self.setUp()
        some = st.lists(st.sampled_from(ENDPOINTS), unique=True)
        self.eject(*data.draw(some, "ejected"))
        for endpoint in data.draw(some, "busy"):
            self.registry.pool(endpoint).load.in_flight = 5
        for _ in range(20):
            endpoints = data.draw(some, "endpoints")
            tried = data.draw(some, "tried")
            by = data.draw(st.sampled_from(ALL))
            picked = self.pick(*endpoints, by=by, tried=tried)
            left = set(endpoints) - set(tried)
            if left:
                self.assertIn(picked, left)
            else:
                self.assertIsNone(picked)

    def test_spread(self) -> None:
        """Every algorithm gives equal endpoints equal shares, within a quarter."""
        for by in ALL:
            with self.subTest(by=by):
                self.setUp()
                counts = Counter(
                    self.pick(*ENDPOINTS, by=by, of=asks(f"/{number}")) for number in range(5000)
                )
                self.assertEqual(set(counts), set(ENDPOINTS))
                self.assertTrue(all(375 <= count <= 625 for count in counts.values()), counts)

    def test_repr(self) -> None:
        """A balancer shows how much it keeps."""
        self.pick(A, B)
        self.eject(A)
        self.assertEqual(
            repr(self.balancer), "<Balancer of 1 upstreams, <Health failing=1 ejected=1>>"
        )
