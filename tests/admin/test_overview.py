"""
Tests for `ingress.admin.overview`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.overview import is_url
from ingress.admin.page import PageError, Query
from ingress.admin.resources import make_resources
from ingress.admin.turns import Turns
from ingress.endpoint import Endpoint, UpstreamKey
from ingress.telemetry.endpoint_state import EndpointState
from tests.support.objects import built, ingress, served
from tests.support.observed_proxy import HandProxy

WEB = UpstreamKey("default", "web", "80")


class SearchTests(SynchronousTestCase):
    def test_url(self) -> None:
        """What looks like a URL or a whole host name is explained, anything else is looked for."""
        for url in (
            "https://shop.example/cart?x=1",
            "http://shop",
            "shop.example/cart",
            "shop.example",
            "shop.example:8443/",
            "localhost:8080",
            "[::1]:80/x",
            "10.0.0.1/",
            "HTTP://SHOP.EXAMPLE",
        ):
            self.assertTrue(is_url(url), url)
        for other in (
            "",
            "shop",
            "/cart",
            "default/web:80",
            "*.example",
            "a b",
            "web:80",
            "?",
            "://",
        ):
            self.assertFalse(is_url(other), other)


class OverviewTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.hand = HandProxy()

    def publish(self, *objects: Any) -> None:
        self.hand.published.publish(built(*objects, served("web")))

    def ask(self, **query: str) -> Deferred[Any]:
        resource = make_resources(self.hand.proxy, Turns(Clock()), maybeDeferred)[""]
        self.assertLessEqual(query.keys(), resource.parameters)
        return Deferred.fromCoroutine(
            resource.read(Query({name: [value] for name, value in query.items()}))
        )

    def value(self, **query: str) -> Any:
        return self.successResultOf(self.ask(**query))

    def hosts(self, **query: str) -> list[str]:
        return [each["host"] for each in self.value(**query)["map"]["map"]]

    def test_nothing_yet(self) -> None:
        """Before the first Snapshot there is nothing to show."""
        self.assertEqual(self.failureResultOf(self.ask(), PageError).value.status, 503)

    def test_map(self) -> None:
        """A host has its paths, each with its Service and the endpoints of that."""
        self.publish(ingress("a.example", {"/": "web:80", "/x": "gone:80"}))
        (host,) = self.value()["map"]["map"]
        self.assertEqual((host["host"], host["certificate"], host["more"]), ("a.example", None, 0))
        found = {each["path"]: each for each in host["paths"]}
        self.assertEqual(found["/"]["upstream"], "default/web:80")
        self.assertEqual(found["/"]["ingress"], "default/web")
        self.assertEqual([each["state"] for each in found["/"]["endpoints"]], ["ok"])
        self.assertEqual(found["/x"]["endpoints"], [])
        self.assertIn("does not exist", found["/x"]["fault"])

    def test_states(self) -> None:
        """Endpoints that are not ok are counted, each in one state."""
        self.publish(ingress("a.example", {"/": "web:80"}))
        self.assertEqual(self.value()["endpoints"], {"all": 1, "ejected": 0, "failing": 0})
        both = EndpointState(0, frozenset({WEB}), frozenset({WEB}))
        self.hand.reports.states = {
            Endpoint("10.0.0.1", 8080): both,
            Endpoint("10.9.9.9", 1): both,
        }
        self.assertEqual(self.value()["endpoints"], {"all": 1, "ejected": 1, "failing": 0})

    def test_find(self) -> None:
        """A text is looked for in hosts, paths, Services and Ingresses."""
        self.publish(
            ingress("a.example", {"/": "web:80"}, name="first"),
            ingress("b.example", {"/Cart": "web:80", "/z": "other:80"}, name="second"),
        )
        for text, expected in (
            ("", ["a.example", "b.example"]),
            ("B.EX", ["b.example"]),
            ("/cart", ["b.example"]),
            ("default/other", ["b.example"]),
            ("first", ["a.example"]),
            ("nowhere", []),
        ):
            self.assertEqual(self.hosts(q=text), expected, text)

    def test_explained(self) -> None:
        """A URL is explained, and the map shows the host that it leads to."""
        self.publish(
            ingress("a.example", {"/": "web:80"}),
            ingress("*.b.example", {"/": "web:80"}, name="wild"),
        )
        value = self.value(q="http://x.b.example/y")
        self.assertEqual(value["explanation"]["ingress"], "default/wild")
        self.assertEqual([each["host"] for each in value["map"]["map"]], ["*.b.example"])
        value = self.value(q="https://c.example/")
        self.assertEqual(value["explanation"]["status"], 404)
        self.assertEqual(value["map"]["map"], [])

    def test_cannot_be_asked(self) -> None:
        """A URL that no client could send is refused in words, and the page is shown."""
        self.publish(ingress("a.example", {"/": "web:80"}))
        value = self.value(q="http://a.example:99999/")
        self.assertIsNone(value["explanation"])
        self.assertIn("is accepted", value["refusal"])

    def test_pages(self) -> None:
        """The map has twenty hosts at a time."""
        names = [f"h{number:02}.example" for number in range(45)]
        self.publish(*(ingress(name, {"/": "web:80"}, name=name) for name in names))
        self.assertEqual(self.hosts(), names[:20])
        self.assertEqual(self.hosts(offset="40"), names[40:])
        self.assertEqual(self.value(offset="20")["map"]["total"], 45)

    def test_bounds(self) -> None:
        """Of a host with many paths some are shown, and the others are counted."""
        self.publish(ingress("a.example", {f"/{number}": "web:80" for number in range(30)}))
        (host,) = self.value()["map"]["map"]
        self.assertEqual((len(host["paths"]), host["more"]), (25, 5))
