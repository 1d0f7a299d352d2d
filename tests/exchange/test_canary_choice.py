"""Tests of `ingress.exchange.canary_choice`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.exchange.canary_choice import choose_canary
from ingress.linear_pattern import MAX_LENGTH, LinearPattern
from ingress.policy.canary import Canary
from ingress.policy.canary_rule import Canaries, CanaryRule
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot
from tests.support.exchange_record import request_of

WEB, NEW, NEWER = (UpstreamKey("default", name, "80") for name in ("web", "new", "newer"))
STICKY = CookieAffinity(name="S")


def canary_rule(
    upstream: UpstreamKey,
    canary: Canary,
    share: float = 0.0,
    affinity: CookieAffinity | None = None,
) -> CanaryRule:
    return CanaryRule(("default", upstream.service), upstream, canary, share, affinity=affinity)


def route_with(*rules: CanaryRule, affinity: CookieAffinity | None = None) -> Route:
    return Route(
        ingress=("default", "web"), upstream=WEB, affinity=affinity, canaries=Canaries(rules)
    )


def snapshot_with(*serving: UpstreamKey) -> Snapshot:
    """:param serving: the Upstreams that have an endpoint; the other ones exist without."""
    return Snapshot(
        Config(),
        upstreams={
            key: Upstream(key, (Endpoint(f"10.0.0.{number}", 80),) if key in serving else ())
            for number, key in enumerate((WEB, NEW, NEWER), 1)
        },
    )


ALL = snapshot_with(WEB, NEW, NEWER)


def chosen(
    route: Route,
    fields: dict[bytes, bytes] | None = None,
    snapshot: Snapshot = ALL,
    random: Random | None = None,
) -> str:
    """The Service that gets a request with these fields."""
    found = choose_canary(route, snapshot, request_of(fields or {}), random or Random(1))
    assert found.upstream is not None
    return found.upstream.service


def session_with(key: UpstreamKey) -> dict[bytes, bytes]:
    """The Cookie field of a client that has a session with an Upstream."""
    made = STICKY.new_session(ALL.upstreams[key], now=1.0, process=1, random=Random(0))
    assert made is not None
    return {b"cookie": b"a=b; S=" + made[0].encode()}


def shares(route: Route, *, times: int = 4000) -> dict[str, float]:
    """The share of requests that each Service gets."""
    random = Random(7)
    counted = Counter(chosen(route, random=random) for _ in range(times))
    return {service: count / times for service, count in counted.items()}


BY_HEADER = route_with(canary_rule(NEW, Canary(header=b"x-canary", cookie=b"canary"), 1.0))


class HeaderTests(SynchronousTestCase):
    def test_words(self) -> None:
        """``always`` and ``never`` decide; any other value leaves it to cookie and weight."""
        for value, service in ((b"always", "new"), (b"never", "web"), (b"Always", "new")):
            self.assertEqual(chosen(BY_HEADER, {b"x-canary": value}), service)
        never = route_with(canary_rule(NEW, Canary(header=b"x-canary")))
        self.assertEqual(chosen(never, {b"x-canary": b"Always"}), "web")

    def test_before_cookie(self) -> None:
        """The header goes before the cookie."""
        fields = {b"x-canary": b"always", b"cookie": b"canary=never"}
        self.assertEqual(chosen(BY_HEADER, fields), "new")
        fields = {b"x-canary": b"never", b"cookie": b"canary=always"}
        self.assertEqual(chosen(BY_HEADER, fields), "web")

    def test_value(self) -> None:
        """A value of its own is compared whole; then the words mean nothing."""
        route = route_with(canary_rule(NEW, Canary(header=b"x-region", header_value=b"eu")))
        for value, service in ((b"eu", "new"), (b"EU", "web"), (b"eu1", "web"), (b"always", "web")):
            self.assertEqual(chosen(route, {b"x-region": value}), service)

    def test_value_falls_on(self) -> None:
        """Another value leaves it to cookie and weight, ``never`` too."""
        canary = Canary(header=b"x-region", header_value=b"eu", cookie=b"c")
        route = route_with(canary_rule(NEW, canary, 1.0))
        self.assertEqual(chosen(route, {b"x-region": b"never"}), "new")
        self.assertEqual(chosen(route, {b"x-region": b"us", b"cookie": b"c=never"}), "web")

    def test_pattern(self) -> None:
        """An expression is searched for in the value."""
        canary = Canary(header=b"x-region", header_pattern=LinearPattern(b"e[uv]$"))
        route = route_with(canary_rule(NEW, canary))
        for value, service in ((b"the eu", "new"), (b"eu1", "web"), (b"always", "web")):
            self.assertEqual(chosen(route, {b"x-region": value}), service)

    def test_pattern_too_long(self) -> None:
        """A value that cannot be searched in time does not go to the canary."""
        expression = LinearPattern(b"(?:a?b?){100}" * (MAX_LENGTH // 2000) + b"$")
        route = route_with(canary_rule(NEW, Canary(header=b"x", header_pattern=expression), 1.0))
        self.assertEqual(chosen(route, {b"x": b"a" * 64_000}), "web")

    def test_refused_pattern(self) -> None:
        """A request with the field goes to the rule's own Service at once."""
        canary = Canary(header=b"x", header_decides_never=True, cookie=b"c")
        route = route_with(canary_rule(NEW, canary, 1.0))
        self.assertEqual(chosen(route, {b"x": b"1", b"cookie": b"c=always"}), "web")
        self.assertEqual(chosen(route), "new")

    def test_several_fields(self) -> None:
        """Fields of one name are one value, as in nginx."""
        request = request_of()
        request.fields = [(b"x", b"X", b"a"), (b"x", b"X", b"b")]
        canary = Canary(header=b"x", header_value=b"a, b")
        found = choose_canary(route_with(canary_rule(NEW, canary)), ALL, request, Random(1))
        self.assertEqual(found.upstream, NEW)

    def test_host(self) -> None:
        """The Host field is one as well."""
        route = route_with(canary_rule(NEW, Canary(header=b"host", header_value=b"a.example")))
        self.assertEqual(chosen(route), "new")


class CookieTests(SynchronousTestCase):
    def test_words(self) -> None:
        """``always`` and ``never`` decide, of the first cookie of the name in any case."""
        route = route_with(canary_rule(NEW, Canary(cookie=b"canary"), 0.0))
        for value, service in (
            (b"canary=always", "new"),
            (b"a=b; Canary=always;c=d", "new"),
            (b"canary=never; canary=always", "web"),
            (b"canary=1", "web"),
            (b"xcanary=always", "web"),
            (b"canary", "web"),
        ):
            self.assertEqual(chosen(route, {b"cookie": value}), service, value)

    def test_never(self) -> None:
        """``never`` wins over the weight, and any other value leaves it to that."""
        route = route_with(canary_rule(NEW, Canary(cookie=b"canary"), 1.0))
        self.assertEqual(chosen(route, {b"cookie": b"canary=never"}), "web")
        self.assertEqual(chosen(route, {b"cookie": b"canary=1"}), "new")


class WeightTests(SynchronousTestCase):
    @given(st.integers())
    def test_none_and_all(self, seed: int) -> None:
        """A share of 0 gets nothing, and one of 1 everything."""
        for share, service in ((0.0, "web"), (1.0, "new")):
            route = route_with(canary_rule(NEW, Canary(cookie=b"c"), share))
            self.assertEqual(chosen(route, random=Random(seed)), service)

    def test_share(self) -> None:
        """Requests are shared as the weights say."""
        found = shares(route_with(canary_rule(NEW, Canary(weight=30), 0.3)))
        self.assertApproximates(found["new"], 0.3, 0.03)

    def test_several(self) -> None:
        """The weights of several canaries add up."""
        found = shares(
            route_with(
                canary_rule(NEW, Canary(weight=50), 0.5), canary_rule(NEWER, Canary(weight=20), 0.2)
            )
        )
        self.assertApproximates(found["new"], 0.5, 0.03)
        self.assertApproximates(found["newer"], 0.2, 0.03)
        self.assertApproximates(found["web"], 0.3, 0.03)

    def test_header_of_another(self) -> None:
        """The header of one canary goes before the weights of all."""
        route = route_with(
            canary_rule(NEW, Canary(weight=100), 1.0), canary_rule(NEWER, Canary(header=b"x"))
        )
        self.assertEqual(chosen(route, {b"x": b"always"}), "newer")

    def test_never_is_for_one(self) -> None:
        """A canary that is ruled out leaves the shares of the others as they are."""
        route = route_with(
            canary_rule(NEW, Canary(header=b"x", weight=50), 0.5),
            canary_rule(NEWER, Canary(weight=50), 0.5),
        )
        random = Random(3)
        counted = Counter(chosen(route, {b"x": b"never"}, random=random) for _ in range(2000))
        self.assertEqual(counted.keys(), {"web", "newer"})
        self.assertApproximates(counted["newer"] / 2000, 0.5, 0.05)


class EndpointTests(SynchronousTestCase):
    def test_none_of_canary(self) -> None:
        """A canary without endpoints gets nothing, not even what asks for it."""
        for snapshot in (snapshot_with(WEB), replace(ALL, upstreams={WEB: ALL.upstreams[WEB]})):
            self.assertEqual(chosen(BY_HEADER, {b"x-canary": b"always"}, snapshot), "web")

    def test_none_of_rule(self) -> None:
        """Without endpoints of the rule's own Service nothing goes to the canary."""
        fields = {b"x-canary": b"always"}
        self.assertEqual(chosen(BY_HEADER, fields, snapshot_with(NEW)), "web")

    def test_no_service(self) -> None:
        """A rule without Service has no canary either."""
        route = replace(BY_HEADER, upstream=None)
        self.assertIs(choose_canary(route, ALL, request_of(), Random(1)), route)


class AffinityTests(SynchronousTestCase):
    def test_with_rule(self) -> None:
        """A session with the rule's own Service stays there, whatever header and weight say."""
        route = route_with(canary_rule(NEW, Canary(header=b"x"), 1.0), affinity=STICKY)
        fields = {b"x": b"always", **session_with(WEB)}
        self.assertEqual(chosen(route, fields), "web")

    def test_with_canary(self) -> None:
        """A session with a canary stays with it (``sticky``), also one that another asks for."""
        route = route_with(
            canary_rule(NEW, Canary(header=b"x")),
            canary_rule(NEWER, Canary(cookie=b"c")),
            affinity=STICKY,
        )
        self.assertEqual(chosen(route, session_with(NEWER)), "newer")
        self.assertEqual(chosen(route, {b"x": b"never", **session_with(NEW)}), "new")
        self.assertEqual(chosen(route, {b"x": b"always", **session_with(NEWER)}), "newer")

    def test_legacy(self) -> None:
        """With ``legacy`` a canary has the sessions of its own Ingress, or none."""
        legacy = Canary(weight=50, keeps_own_affinity=True)
        route = route_with(canary_rule(NEW, legacy), affinity=STICKY)
        self.assertEqual(chosen(route, session_with(NEW)), "web")
        route = route_with(canary_rule(NEW, legacy, affinity=STICKY))
        self.assertEqual(chosen(route, session_with(NEW)), "new")

    def test_session_of_nobody(self) -> None:
        """A session with a Service that is gone is none."""
        route = route_with(canary_rule(NEW, Canary(weight=100), 1.0), affinity=STICKY)
        self.assertEqual(chosen(route, {b"cookie": b"S=1.1.1|0123"}), "new")
        self.assertEqual(chosen(route, session_with(NEWER)), "new")
