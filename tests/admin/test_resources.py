"""
Tests for `ingress.admin.resources`, and for the rows of each.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.page import PageError, Query
from ingress.admin.resources import make_resources
from ingress.admin.turns import Turns
from ingress.endpoint import Endpoint, UpstreamKey
from ingress.policy.client_limits import ClientLimits
from ingress.policy.limiter import Limiter
from ingress.problem import Origin, Problem
from ingress.problem_code import Code
from ingress.problem_log import Found
from ingress.published_change import PublishedChange
from ingress.routing.route import Route
from ingress.steps import finish
from ingress.telemetry.endpoint_state import EndpointState
from ingress.telemetry.rates import TICKS_OF_MINUTE
from ingress.telemetry.traffic import Traffic
from tests.routing.build.test_port_rules import build_ports, tcp, udp
from tests.support.certs import CertificateAuthority
from tests.support.objects import NOW, built, ingress, secret, served
from tests.support.observed_proxy import HandProxy

WEB = UpstreamKey("default", "web", "80")
ENDPOINT = Endpoint("10.0.0.1", 8080)


class ResourceTestCase(SynchronousTestCase):
    """A proxy made of values."""

    def setUp(self) -> None:
        self.hand = HandProxy()

    def ask(self, name: str, **query: str | list[str]) -> Deferred[Any]:
        resource = make_resources(self.hand.proxy, Turns(Clock()), maybeDeferred)[name]
        self.assertLessEqual(query.keys(), resource.parameters)
        given = Query(
            {key: [value] if isinstance(value, str) else value for key, value in query.items()}
        )
        return Deferred.fromCoroutine(resource.read(given))

    def value(self, name: str, **query: str | list[str]) -> Any:
        return self.successResultOf(self.ask(name, **query))

    def refusal(self, name: str, **query: str | list[str]) -> str:
        error = self.failureResultOf(self.ask(name, **query), PageError).value
        self.assertEqual(error.status, 400)
        return str(error)


class BeginTests(ResourceTestCase):
    def test_nothing_yet(self) -> None:
        """Before the first Snapshot there is no list of what is served."""
        for name in ("routes", "endpoints", "certificates", "ports"):
            error = self.failureResultOf(self.ask(name), PageError).value
            self.assertEqual(error.status, 503)


class PortTests(ResourceTestCase):
    def test_rows(self) -> None:
        """Ports have rows, in the form that is documented, and can be looked for."""
        data = {"9000": "default/web:80", "9001": "default/gone:1"}
        self.hand.published.publish(build_ports(tcp(data), udp({"53": "default/dns:53"})))
        rows = self.value("ports")["ports"]
        self.assertEqual([(row["protocol"], row["port"]) for row in rows], [
            ("TCP", 9000), ("TCP", 9001), ("UDP", 53),
        ])  # fmt: skip
        self.assertEqual(rows[0]["endpoints"], ["10.0.0.1:8080"])
        (row,) = self.value("ports", text="default/dns")["ports"]
        self.assertEqual(row["upstream"], "default/dns:53 (UDP)")


class RouteTests(ResourceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.hand.published.publish(
            built(
                ingress("b.example", {"/": "web:80", "/api": "web:80"}, name="second"),
                ingress("a.example", {"/": "web:80"}),
                ingress("", {"/any": "web:80"}, name="third"),
                ingress("*.a.example", {"/wild": "web:80"}, name="fourth"),
                served("web"),
            )
        )

    def paths(self, **query: str) -> list[str]:
        return [row["host"] + row["path"] for row in self.value("routes", **query)["routes"]]

    def test_all(self) -> None:
        """All rules are listed by host; those of all other hosts come last."""
        expected = ["*.a.example/wild", "a.example/", "b.example/", "b.example/api", "*/any"]
        self.assertEqual(sorted(self.paths()), sorted(expected))
        self.assertEqual(self.paths()[-1], "*/any")
        (row,) = self.value("routes", host="a.example")["routes"]
        self.assertEqual(row["upstream"], "default/web:80")
        self.assertEqual(row["ingress"], "default/web")

    def test_page(self) -> None:
        """A page has so many rows, and the number of all of them."""
        every = self.paths()
        value = self.value("routes", limit="2", offset="1")
        self.assertEqual((value["total"], value["limit"], value["offset"]), (5, 2, 1))
        self.assertEqual([row["host"] + row["path"] for row in value["routes"]], every[1:3])
        self.assertEqual(self.value("routes", offset="9")["routes"], [])
        for limit in range(1, 6):
            pages = [self.paths(limit=str(limit), offset=str(n)) for n in range(0, 5, limit)]
            self.assertEqual([path for page in pages for path in page], every)

    def test_changed(self) -> None:
        """The order of hosts is that of the present Snapshot."""
        resource = make_resources(self.hand.proxy, Turns(Clock()), maybeDeferred)["routes"]

        def hosts() -> list[str]:
            value = self.successResultOf(Deferred.fromCoroutine(resource.read(Query())))
            return [row["host"] for row in value["routes"]]

        self.assertIn("a.example", hosts())
        self.hand.published.publish(built(ingress("0.example", {"/": "web:80"}), served("web")))
        self.assertEqual(hosts(), ["0.example"])

    def test_filter(self) -> None:
        """Rules are those of a host, or those that contain a text."""
        self.assertEqual(self.paths(host="*"), ["*/any"])
        self.assertEqual(self.paths(host="*.A.example"), ["*.a.example/wild"])
        self.assertEqual(self.paths(host="c.example"), [])
        self.assertEqual(self.paths(text="API"), ["b.example/api"])
        self.assertEqual(self.paths(text="default/third"), ["*/any"])
        self.assertEqual(len(self.paths(text="web:80")), 5)
        self.assertEqual(self.value("routes", text="/api", limit="0")["total"], 1)

    def test_wrong_numbers(self) -> None:
        """A number that is none, or too large, is refused with what is accepted."""
        for wrong in ("-1", "1001", "x", "1.0", "9" * 50, "", "\u0661"):
            self.assertEqual(
                self.refusal("routes", limit=wrong),
                "limit: a whole number from 0 to 1000 is accepted",
            )


class EndpointTests(ResourceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.hand.published.publish(
            built(
                ingress("a.example", {"/": "web:80", "/x": "gone:80"}),
                served("web"),
            )
        )

    def row(self) -> Any:
        rows = self.value("endpoints", text="default/web:80")["endpoints"]
        self.assertEqual(len(rows), 1)
        return rows[0]

    def test_states(self) -> None:
        """An endpoint is ok, failing or ejected, and has its requests in flight."""
        self.assertEqual(
            self.row()["endpoints"],
            [{"address": "10.0.0.1:8080", "state": "ok", "terminating": False, "inFlight": 0}],
        )
        for state, word in (
            (EndpointState(3), "ok"),
            (EndpointState(3, frozenset({WEB})), "ejected"),
            (EndpointState(3, frozenset(), frozenset({WEB})), "failing"),
            (EndpointState(3, frozenset({WEB._replace(port="81")})), "ok"),
        ):
            self.hand.reports.states = {ENDPOINT: state}
            (endpoint,) = self.row()["endpoints"]
            self.assertEqual((endpoint["state"], endpoint["inFlight"]), (word, 3))

    def test_filter(self) -> None:
        """Service ports are those that have an endpoint in a state, or contain a text."""
        self.hand.reports.states = {ENDPOINT: EndpointState(0, frozenset({WEB}))}
        for query, expected in (
            ({"state": "ejected"}, ["default/web:80"]),
            ({"state": "ok"}, []),
            ({"text": "10.0.0.1:80"}, ["default/web:80"]),
            ({"text": "gone"}, ["default/gone:80"]),
        ):
            rows = self.value("endpoints", **query)["endpoints"]
            self.assertEqual([row["service"] for row in rows], expected, query)
        self.assertEqual(
            self.refusal("endpoints", state="dead"), "state: ok, failing, ejected is accepted"
        )

    def test_fault(self) -> None:
        """A Service port that cannot answer says why."""
        (row,) = self.value("endpoints", text="gone")["endpoints"]
        self.assertIn("does not exist", row["fault"])
        self.assertEqual(row["endpoints"], [])


class CertificateTests(ResourceTestCase):
    def test_rows(self) -> None:
        """Certificates are listed by their ends, without their keys."""
        authority = CertificateAuthority()
        begin = NOW - timedelta(days=1)
        soon, late = (
            authority.issue(host, not_before=begin, not_after=NOW + timedelta(days=days))
            for host, days in (("a.example", 3), ("b.example", 30))
        )
        self.hand.published.publish(
            built(
                ingress("b.example", {"/": "web:80"}, tls={"late": ["b.example"]}),
                ingress("a.example", {"/": "web:80"}, name="x", tls={"soon": ["a.example"]}),
                secret("soon", soon.chain_pem, soon.key_pem),
                secret("late", late.chain_pem, late.key_pem),
                served("web"),
            )
        )
        rows = self.value("certificates")["certificates"]
        self.assertEqual(
            [(row["host"], row["secret"], row["daysLeft"]) for row in rows],
            [("a.example", "default/soon", 3), ("b.example", "default/late", 30)],
        )
        self.assertNotIn("PRIVATE", str(rows))
        rows = self.value("certificates", text="LATE")["certificates"]
        self.assertEqual([row["host"] for row in rows], ["b.example"])


class ProblemTests(ResourceTestCase):
    def test_rows(self) -> None:
        """Problems have their places and times, and the newest comes first."""
        old = Problem("old", "Ingress", "default", "a", code=Code.RULE_TAKEN)
        new = Problem("new", "Service", "default", "b", "spec", code=Code.CONFIG_MAP_KEY)
        self.hand.problems = [old, new]
        self.hand.found[new] = Found(NOW, Origin("a.yaml", 7))
        first, second = self.value("problems")["problems"]
        self.assertEqual(
            (first["file"], first["line"], first["object"]), ("a.yaml", 7, "Service default/b")
        )
        self.assertEqual(first["since"], f"{NOW:%Y-%m-%dT%H:%M:%SZ}")
        self.assertEqual((second["message"], second["since"], second["file"]), ("old", None, None))
        for query in ({"code": "RUL001"}, {"severity": "error"}, {"text": "default/a"}):
            rows = self.value("problems", **query)["problems"]
            self.assertEqual([row["message"] for row in rows], ["old"], query)
        self.assertIn("error, differs", self.refusal("problems", severity="bad"))


class ExplanationTests(ResourceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.hand.published.publish(
            built(
                ingress("a.example", {"/": "web:80", "/x": "gone:80"}),
                served("web"),
            )
        )

    def test_answered(self) -> None:
        """A request is explained as by the command, with the state of its endpoints."""
        self.hand.reports.states = {ENDPOINT: EndpointState(2, frozenset({WEB}))}
        value = self.value(
            "explain",
            url="http://a.example/y?z=1",
            method="POST",
            client="192.0.2.1",
            header=["X-A: 1", "Authorization: Basic eA=="],
        )
        self.assertEqual(value["request"]["client"], "192.0.2.1")
        self.assertEqual(
            value["request"]["headers"], [["X-A", "1"], ["Authorization", "(not shown)"]]
        )
        self.assertEqual(value["upstream"], "default/web:80")
        self.assertEqual(value["live"]["generation"], 1)
        (endpoint,) = value["live"]["endpoints"]
        self.assertEqual((endpoint["state"], endpoint["inFlight"]), ("ejected", 2))

    def test_limits(self) -> None:
        """The limits of the rule say how much of them the client has used."""
        limits = {"limit-rps": "2", "limit-connections": "4"}
        self.hand.published.publish(
            built(ingress("a.example", {"/": "web:80"}, annotations=limits), served("web"))
        )
        self.assertEqual(self.value("explain", url="a.example")["live"]["limits"], [])
        limiter = Limiter()
        self.hand.reports.levels = limiter.levels()
        published = self.hand.published.built
        assert published is not None
        (route,) = published.snapshot.hosts[b"a.example"].routes()
        (policy,) = (each for each in route.policies if isinstance(each, ClientLimits))
        client = policy.gate.number(b"192.0.2.1")
        for _ in range(3):
            limiter.buckets.take(client, 1, 0, policy.buckets)
        limiter.in_flight.begin(limiter.in_flight.flight_of(client), 4)
        for address, used in (("192.0.2.1", [2, 1]), ("192.0.2.2", [0, 0])):
            rows = self.value("explain", url="a.example", client=address)["live"]["limits"]
            self.assertEqual([row["limit"] for row in rows], ["rps", "connections"])
            self.assertEqual([row["used"] for row in rows], used)
            self.assertEqual([row["most"] for row in rows], [10, 4])

    def test_refused(self) -> None:
        """A request that the proxy answers has its status, and the places of its Problems."""
        published = self.hand.published.built
        assert published is not None
        (problem,) = [each for each in published.all_problems() if "gone" in str(each)]
        self.hand.found[problem] = Found(NOW, Origin("shop.yaml", 12))
        value = self.value("explain", url="a.example/x")
        self.assertEqual((value["status"], value["outcome"]), (503, "no_endpoint"))
        self.assertTrue(
            value["problems"][0].startswith("SVC001 shop.yaml, line 12: "), value["problems"]
        )

    def test_not_read(self) -> None:
        """A 404 names the files and Ingresses that could not be read, and what is left out, placed."""
        bad = ingress("a.example", {"/bad%zz": "web:80"}, name="bad")
        result = built(ingress("a.example", {"/x": "web:80"}), bad, served("web"))
        self.hand.published.publish(result)
        (left_out,) = [each for each in result.all_problems() if "escape" in str(each)]
        self.hand.found[left_out] = Found(NOW, Origin("bad.yaml", 12))
        file = Problem("is not YAML", origin=Origin("c.yaml", 3), code=Code.FILE_NOT_PARSED)
        self.hand.problems = [file, left_out, Problem("other", code=Code.CONFIG_MAP_KEY)]
        hints = self.value("explain", url="a.example/bad")["hints"]
        self.assertTrue(hints[0].startswith("left out: RUL004 bad.yaml, line 12: "), hints)
        self.assertEqual(hints[-2:], [
            "not read, and may have a rule for it: FIL002 c.yaml, line 3: is not YAML",
            "to change: the file, on that line or just above it",
        ])  # fmt: skip
        self.hand.problems = []

    def test_wrong(self) -> None:
        """What no client could ask for is refused, with what is accepted."""
        for query, words in (
            ({}, "url is missing"),
            ({"url": "ftp://a.example/"}, "https://shop.example/cart is accepted"),
            ({"url": "http://a.example/", "client": "me"}, "an IP address is accepted"),
            ({"url": "http://a.example/", "method": "A B"}, "the name of a method"),
            ({"url": "http://a.example/", "header": "X: 1\r\nY: 2"}, "in one line"),
        ):
            self.assertIn(words, self.refusal("explain", **query))


class ChangeTests(ResourceTestCase):
    def test_rows(self) -> None:
        """Changes are listed as they were found, and can be filtered by text."""
        self.hand.changes = [
            PublishedChange(3, 2, NOW, ("a.example/*: + auth: x",), 4, True),
            PublishedChange(1, 1, NOW, ("endpoints of default/web:80: 1 -> 2",)),
        ]
        first, _ = self.value("changes")["changes"]
        self.assertEqual(
            first,
            {
                "generation": 3,
                "first": 2,
                "at": f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
                "opens": True,
                "changes": ["a.example/*: + auth: x"],
                "more": 4,
            },
        )
        (row,) = self.value("changes", text="endpoints")["changes"]
        self.assertEqual(row["generation"], 1)


class RateTests(ResourceTestCase):
    def test_rates(self) -> None:
        """There are the rates of all requests, and those of each rule."""
        traffic = Traffic()
        for status in (200, 200, 200, 502):
            route = Route(("default", "web"), None, "/cart", host="a.example")
            traffic.count(route, b"GET", status, 0.2, None, None, None, 1, 1)
        rates = self.hand.totals.rates
        rates.add(traffic.take())
        for _ in range(TICKS_OF_MINUTE):
            finish(rates.tick())
        value = self.value("rates")
        self.assertEqual(value["all"]["history"]["seconds"], 20.0)
        self.assertEqual(value["all"]["history"]["errors"], [0.25, None, None])
        (row,) = value["rules"]
        self.assertEqual((row["host"], row["path"], row["errors"]), ("a.example", "/cart", 0.25))
        history = {name: values for name, values in row["history"].items() if name != "p50"}
        self.assertEqual(
            history, {"seconds": 60.0, "rate": [0.066667], "errors": [0.25], "p99": [0.2485]}
        )
        self.assertEqual(self.value("rates", text="b.example")["rules"], [])
