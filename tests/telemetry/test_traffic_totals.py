"""Tests of `ingress.telemetry.traffic_totals`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.objects import Ingress
from ingress.routing.build import Built
from ingress.routing.match import find_route
from ingress.routing.route import Route
from ingress.steps import finish
from ingress.telemetry.histogram import REQUESTS
from ingress.telemetry.traffic import MAX_ROUTE_SERIES, MAX_SERIES, STATUSES, Traffic
from ingress.telemetry.traffic_totals import TrafficTotals
from tests.support.objects import built, ingress, served


class TrafficTotalsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.totals = TrafficTotals()
        self.traffic = Traffic()
        self.built: Built | None = None

    def serve(self, *ingresses: Ingress) -> None:
        """Have these Ingresses, and no others."""
        self.built = built(*ingresses, served("web"), served("api"), previous=self.built)

    def request(self, host: str, path: str = "/", *, status: int = 200) -> None:
        """Count a request as an exchange would, and merge it."""
        assert self.built is not None
        route = find_route(self.built.snapshot, host.encode(), path.encode())
        self.count(route, status=status)

    def count(self, route: Route | None, *, status: int = 200) -> None:
        self.traffic.count(route, b"GET", status, 0.5, None, None, None, 1, 1)
        self.totals.merge(self.traffic.take())

    def retained(self) -> dict[str, float]:
        """Requests by ``HOST PATH SERVICE STATUS``, after what is gone is forgotten."""
        assert self.built is not None
        finish(self.totals.retain(self.built.snapshot))
        found = {
            " ".join(filter(None, (labels.host, labels.path, labels.service, status))): sum(
                REQUESTS.buckets(row)
            )
            for (labels, _, status), row in self.totals
        }
        self.assertEqual(len(found), len(self.totals))
        return found

    def test_merge(self) -> None:
        """What several processes counted is added up."""
        self.serve(ingress("a.example", {"/": "web:80"}))
        self.request("a.example")
        self.request("a.example")
        self.request("a.example", status=404)
        expected = {"a.example / web 200": 2, "a.example / web 404": 1}
        self.assertEqual(self.retained(), expected)

    def test_gone(self) -> None:
        """The series of an Ingress go with it, and those of others stay."""
        one = ingress("a.example", {"/": "web:80"}, name="one")
        other = ingress("b.example", {"/": "web:80"}, name="other")
        self.serve(one, other)
        self.request("a.example")
        self.request("b.example")
        self.serve(other)
        self.assertEqual(self.retained(), {"b.example / web 200": 1})

    def test_rule_gone(self) -> None:
        """So do those of a path, or of a path's Service, alone."""
        self.serve(ingress("a.example", {"/": "web:80", "/x": "web:80", "/y": "web:80"}))
        for path in ("/", "/x", "/y"):
            self.request("a.example", path)
        self.serve(ingress("a.example", {"/": "web:80", "/x": "api:80"}))
        self.request("a.example", "/x")
        expected = {"a.example / web 200": 1, "a.example /x api 200": 1}
        self.assertEqual(self.retained(), expected)

    def test_changed(self) -> None:
        """What changes otherwise keeps its series."""
        self.serve(ingress("a.example", {"/": "web:80"}))
        self.request("a.example")
        self.retained()
        self.serve(ingress("a.example", {"/": "web:80"}, annotations={"proxy-body-size": "1m"}))
        self.assertEqual(self.retained(), {"a.example / web 200": 1})

    def test_late(self) -> None:
        """A request that ends after its rule is gone leaves nothing for long."""
        self.serve(ingress("a.example", {"/": "web:80", "/x": "web:80"}))
        assert self.built is not None
        old = find_route(self.built.snapshot, b"a.example", b"/x")
        self.request("a.example")
        self.serve(ingress("a.example", {"/": "web:80"}))
        self.retained()
        self.count(old)
        self.assertEqual(self.retained(), {"a.example / web 200": 1})

    def test_hosts(self) -> None:
        """Wildcards, rules without host, default backends and requests without rule stay, too."""
        self.serve(
            ingress("*.a.example", {"/": "web:80"}, name="wildcard"),
            ingress("", {"/x": "web:80"}, name="any"),
            ingress("b.example", {"/x": "web:80"}, name="default", default="api:80"),
        )
        for host, path in (
            ("x.a.example", "/"),
            ("other.example", "/x"),
            ("other.example", "/"),
            ("b.example", "/"),
        ):
            self.request(host, path)
        expected = {
            "*.a.example / web 200": 1,
            "_ /x web 200": 1,
            "_ 200": 1,
            "b.example / api 200": 1,
        }
        self.assertEqual(self.retained(), expected)
        self.serve()
        self.assertEqual(self.retained(), {"_ 200": 1})

    def test_overflow(self) -> None:
        """There are only so many series; the requests of others are counted together."""
        for number in range(MAX_SERIES + 3):
            self.traffic.count(
                Route(("default", "web"), None, host=f"{number}.example"),
                *(b"GET", 200, 0.5, None, None, None, 1, 1),
            )
            if number % 1000 == 0:
                self.totals.merge(self.traffic.take(MAX_SERIES))
        self.totals.merge(self.traffic.take(MAX_SERIES))
        self.assertEqual(len(self.totals), MAX_SERIES)
        self.assertEqual(self.totals.overflow, 3)
        self.serve()
        self.assertEqual(self.retained(), {})

    def test_many_outcomes(self) -> None:
        """No rule takes more than its share of them."""
        self.serve(ingress("a.example", {"/": "web:80", "/x": "web:80"}))
        for status in STATUSES:
            self.request("a.example", status=status)
        self.request("a.example", "/x")
        self.assertEqual(len(self.retained()), MAX_ROUTE_SERIES + 1)
        self.assertEqual(self.totals.overflow, len(STATUSES) - MAX_ROUTE_SERIES)

    def test_turns(self) -> None:
        """Comparing many rules is work in steps."""
        self.serve(*(ingress(f"{n}.example", {"/": "web:80"}, name=f"web-{n}") for n in range(600)))
        for number in range(600):
            self.request(f"{number}.example")
        assert self.built is not None
        steps = sum(1 for _ in self.totals.retain(self.built.snapshot))
        self.assertGreaterEqual(steps, 600)
        again = sum(1 for _ in self.totals.retain(self.built.snapshot))
        self.assertLess(again, 4)
