"""Tests of `ingress.telemetry.traffic_totals`."""

from __future__ import annotations

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.objects import Ingress
from ingress.routing.build import Built
from ingress.routing.match import find_route
from ingress.routing.route import Route
from ingress.steps import finish
from ingress.telemetry.folding import LINES_OF_HISTOGRAMS
from ingress.telemetry.histogram import REQUESTS
from ingress.telemetry.traffic import MAX_SERIES, STATUSES, Traffic
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

    def retained(self) -> dict[str, int]:
        """Requests by ``HOST PATH SERVICE STATUS``, after what is gone is forgotten."""
        assert self.built is not None
        finish(self.totals.retain(self.built.snapshot))
        found = {
            " ".join(
                filter(None, (labels.host, labels.path, labels.service, status))
            ): series.requests
            for (labels, _, status), series in self.totals
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

    def test_canary(self) -> None:
        """The series of a canary go with it."""
        main = ingress("a.example", {"/": "web:80"})
        annotations = {"canary": "true", "canary-weight": "5"}
        canary = ingress("a.example", {"/": "new:80"}, name="new", annotations=annotations)
        self.serve(main, canary)
        assert self.built is not None
        route = find_route(self.built.snapshot, b"a.example", b"/")
        assert route is not None
        self.count(route.canary_routes[0])
        self.assertEqual(self.retained(), {"a.example / web 200": 1})
        self.serve(main)
        self.assertEqual(self.retained(), {})

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


FULL = 1 + LINES_OF_HISTOGRAMS
"""Lines of a series with all its histograms."""


class LimitTests(SynchronousTestCase):
    """The number of lines is bounded, and detail is given up in a fixed order."""

    def setUp(self) -> None:
        self.totals = TrafficTotals()
        self.traffic = Traffic()

    def limit(self, lines: int) -> None:
        self.totals.apply(lines)

    def count(self, name: str, *statuses: int, method: bytes = b"GET") -> None:
        """Count a request of each status to this host, and merge them."""
        route = Route(("default", "web"), None, host=f"{name}.example")
        for status in statuses:
            self.traffic.count(route, method, status, 0.5, 0.4, 0.3, 0.2, 1, 1)
        self.totals.merge(self.traffic.take(MAX_SERIES))
        self.assertLessEqual(self.totals.lines, self.totals.limit)

    def series(self, name: str) -> list[str]:
        """``METHOD STATUS REQUESTS`` of this host, with ``-`` in front without histograms."""
        return sorted(
            f"{'- ' if total.row is None else ''}{method} {status} {total.requests}"
            for (labels, method, status), total in self.totals
            if labels.host == f"{name}.example"
        )

    def histogram_counts(self, name: str) -> list[float]:
        return [
            sum(REQUESTS.buckets(total.row))
            for (labels, _, _), total in self.totals
            if labels.host == f"{name}.example" and total.row is not None
        ]

    def test_largest_first(self) -> None:
        """Statuses of the rule with most series become classes; other rules keep theirs."""
        self.limit(12 * FULL)
        self.count("small", 200, 404)
        with capturedLogs() as events:
            self.count("large", *range(200, 208), *range(500, 503))
        self.assertEqual(self.series("large"), ["GET 2xx 8", "GET 5xx 3"])
        self.assertEqual(self.series("small"), ["GET 200 1", "GET 404 1"])
        self.assertEqual(sorted(self.histogram_counts("large")), [3, 8])
        self.assertEqual(
            [formatEvent(event) for event in events],
            [
                "Metrics of requests would take more than limits.metric-lines: routes with many "
                "series show classes of statuses (4xx) instead of statuses"
            ],
        )

    def test_methods_second(self) -> None:
        """Methods are counted together after all statuses."""
        self.limit(4 * FULL)
        for method in (b"GET", b"PUT", b"POST", b"HEAD"):
            self.count("a", 200, 201, method=method)
        self.assertEqual(self.series("a"), ["GET 2xx 2", "HEAD 2xx 2", "POST 2xx 2", "PUT 2xx 2"])
        self.count("a", 200, method=b"PATCH")
        self.assertEqual(self.series("a"), ["other 2xx 9"])
        self.assertEqual(self.histogram_counts("a"), [9])

    def test_histograms_third(self) -> None:
        """When nothing is left to fold, the requests of new rules are counted without histograms."""
        self.limit(2 * FULL + 2)
        for name in "abcd":
            self.count(name, 200)
        self.assertEqual(self.series("a"), ["GET 200 1"])
        self.assertEqual(self.series("b"), ["GET 200 1"])
        self.assertEqual(self.series("c"), ["- GET 200 1"])
        self.assertEqual(self.series("d"), ["- GET 200 1"])
        self.count("d", 201, 202)
        self.assertEqual(self.series("d"), ["- GET 2xx 3"])

    def test_newest_histograms_give_way(self) -> None:
        """The requests of a rule go before the histograms of the newest rule that has some."""
        self.limit(2 * FULL)
        for name in "abc":
            self.count(name, 200)
        self.assertEqual(self.series("a"), ["GET 200 1"])
        self.assertEqual(self.series("b"), ["- GET 200 1"])
        self.assertEqual(self.series("c"), ["- GET 200 1"])

    def test_requests_last(self) -> None:
        """When there is no room for a line, requests are counted in one number."""
        self.limit(2)
        for name in "abc":
            self.count(name, 200)
        self.count("c", 200, 404)
        self.assertEqual(self.series("c"), [])
        self.assertEqual(self.totals.overflow, 3)
        self.assertEqual(self.totals.requests, 5)

    def test_many_of_one_rule(self) -> None:
        """A rule is folded on its own when it has more series than one rule may have."""
        self.count("a", 200)
        self.count("b", *STATUSES)
        self.assertEqual(self.series("b"), [f"other {each}xx 100" for each in range(1, 6)])
        self.assertEqual(self.series("a"), ["GET 200 1"])

    def test_folded_by_the_process(self) -> None:
        """What a process has folded already makes the series of that rule coarse."""
        self.count("a", 200)
        self.count("b", *STATUSES)
        self.count("b", 200)
        self.assertEqual(self.series("b")[1], "other 2xx 101")

    def test_counted(self) -> None:
        """What is not told apart any more is counted, also what was told apart before."""
        self.limit(3 * FULL)
        self.count("a", 200, 201, 202, 203)
        self.assertEqual(self.totals.folded, {"status": 4, "method": 0, "histograms": 0})
        self.count("a", 200)
        self.assertEqual(self.totals.folded["status"], 5)
        self.limit(2)
        self.assertEqual(self.totals.folded, {"status": 5, "method": 0, "histograms": 5})
        self.count("a", 200, 404, method=b"PUT")
        self.assertEqual(self.totals.folded, {"status": 7, "method": 7, "histograms": 7})

    def test_lowered(self) -> None:
        """A lower limit takes effect at once, as far as each series keeps its requests."""
        for name in "abc":
            self.count(name, 200, 201)
        self.limit(FULL + 2)
        self.assertEqual(self.totals.lines, FULL + 2)
        self.assertEqual(self.series("a"), ["GET 2xx 2"])
        self.assertEqual(self.series("c"), ["- GET 2xx 2"])

    def test_raised(self) -> None:
        """After a raise new rules have full detail; those that were folded stay so."""
        self.limit(2 * FULL)
        self.count("a", 200, 201, 202)
        self.limit(20 * FULL)
        self.count("a", 204)
        self.count("b", 200, 201)
        self.assertEqual(self.series("a"), ["GET 2xx 4"])
        self.assertEqual(self.series("b"), ["GET 200 1", "GET 201 1"])

    def test_relaxed(self) -> None:
        """When rules with many series are gone, new rules have full detail again."""
        self.limit(8 * FULL)
        for name in "abcdefghi":
            self.count(name, 200)
        finish(self.totals.retain(built().snapshot))
        self.assertEqual(self.totals.lines, 0)
        self.count("k", 200, 201)
        self.assertEqual(self.series("k"), ["GET 200 1", "GET 201 1"])

    def test_attack(self) -> None:
        """Random methods and statuses of many rules cost a bystander nothing."""
        self.count("bystander", 200, 302, 404)
        for number in range(40):
            for method in (b"GET", b"PUT", b"POST", b"HEAD"):
                self.count(f"attacker-{number}", *range(200, 600, 9), method=method)
        self.assertEqual(self.series("bystander"), ["GET 200 1", "GET 302 1", "GET 404 1"])
