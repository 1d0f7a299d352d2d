"""
Tests for `ingress.admin.html_pages`: each page as a browser would read it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.html_pages import HTML_PAGES
from ingress.admin.page import Query
from ingress.admin.resources import make_resources
from ingress.admin.turns import Turns
from ingress.endpoint import Endpoint, UpstreamKey
from ingress.port_service import UDP
from ingress.problem import Origin, Problem
from ingress.problem_code import Code
from ingress.published_change import PublishedChange
from ingress.routing.route import Route
from ingress.steps import finish
from ingress.telemetry.endpoint_state import EndpointState
from ingress.telemetry.exchange_rows import Exchanges, Place
from ingress.telemetry.traffic import Traffic
from tests.admin.html.test_markup import HOSTILE, Seen
from tests.routing.build.test_port_table import listed, with_listed
from tests.support.certs import CertificateAuthority
from tests.support.objects import NOW, built, ingress, secret, served
from tests.support.observed_proxy import HandProxy

WEB = UpstreamKey("default", "web", "80")

QUERIES: Mapping[str, Mapping[str, str]] = {
    "": {"q": "https://shop.example/cart?x=1"},
    "explain": {"url": "http://shop.example/nowhere"},
}
"""What pages are asked for; all others without parameters."""

KEPT = re.compile(r"\d{4}-\d\d-\d\dT")
"""Moments stay what they are; nobody else writes them."""


def changed(value: Any, change: Callable[[str], str]) -> Any:
    """The same value with other texts, but for names and moments."""
    if isinstance(value, str):
        return value if KEPT.match(value) else change(value)
    if isinstance(value, Mapping):
        return {name: changed(each, change) for name, each in value.items()}
    if isinstance(value, list):
        return [changed(each, change) for each in value]
    return value


def built_route(hand: HandProxy) -> Route:
    """The rule that has had requests."""
    snapshot = hand.published.built
    assert snapshot is not None
    host = snapshot.snapshot.hosts[b"shop.example"]
    return next(route for route in host.routes() if route.path == "/cart")


class PagesTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.hand = HandProxy()
        issued = CertificateAuthority().issue("shop.example")
        self.hand.published.publish(
            built(
                ingress(
                    "shop.example",
                    {"/": "web:80", "=/cart": "cart:80"},
                    tls={"shop-tls": ["shop.example"]},
                ),
                ingress("*.example", {"/": "web:80"}, name="wild"),
                served("web"),
                secret("shop-tls", issued.chain_pem, issued.key_pem),
                config=with_listed(
                    listed(9000, "default/web:80:PROXY"), listed(53, "default/dns:53", UDP)
                ),
            )
        )
        self.hand.reports.states[Endpoint("10.0.0.1", 8080)] = EndpointState(3, frozenset({WEB}))
        self.hand.reports.last = [Exchanges(1, [dict(EXCHANGE)], Place(1, 0))]
        traffic = Traffic()
        route = built_route(self.hand)
        for status in (200, 200, 503):
            traffic.count(route, b"GET", status, 0.03, None, None, None, 10, 10)
        rates = self.hand.totals.rates
        rates.add(traffic.take())
        for _ in range(12):
            finish(rates.tick())
        lines = ("shop.example/: + redirect to https", "a.example: gone", "c: x", "d: y")
        self.hand.changes.append(PublishedChange(7, 5, NOW, lines, 2, opens=True))
        self.hand.problems.append(
            Problem(
                "must be a number",
                "Ingress",
                "default",
                "shop",
                "spec.x",
                '"y"',
                Origin("a.yaml", 3),
                Code.OBJECT_INVALID,
            )
        )

    def value(self, name: str) -> tuple[Any, Query]:
        query = Query({key: [each] for key, each in QUERIES.get(name, {}).items()})
        resource = make_resources(self.hand.proxy, Turns(Clock()), maybeDeferred)[name]
        return self.successResultOf(Deferred.fromCoroutine(resource.read(query))), query

    def page(self, name: str) -> Seen:
        return self.render(name, *self.value(name))

    def render(self, name: str, value: Any, query: Query) -> Seen:
        return Seen(b"".join(HTML_PAGES[name](value, query)).decode())


EXCHANGE: Mapping[str, Any] = {
    "at": "2026-11-23T00:00:00.123Z",
    "id": "4c7b",
    "client": "192.0.2.7",
    "method": "GET",
    "host": "shop.example",
    "path": "/cart",
    "status": 502,
    "outcome": "dial_failed",
    "detail": "No connection could be made.",
    "ingress": "default/web",
    "rule": "shop.example/cart",
    "upstream": "default/web:80",
    "endpoint": "10.0.0.2:80",
    "tries": [
        {"address": "10.0.0.1:80", "status": 502, "seconds": None},
        {"address": "10.0.0.2:80", "status": None, "seconds": 0.1},
    ],
    "seconds": 0.25,
    "requestBytes": 1,
    "responseBytes": 2,
    "process": 1,
}


class ContentTests(PagesTestCase):
    def test_overview(self) -> None:
        """The page has the answer to the search, the map, Problems and certificates."""
        seen = self.page("")
        for text in (
            "shop.example",
            "/cart",
            "10.0.0.1:8080",
            "ejected",
            "default/cart:80",
            "no endpoint",
            "must be a number",
            "a.yaml:3",
            "default/shop-tls",
            "dial_failed",
            "+ redirect to https",
            "and 3 more",
            "may open access",
            "33 %",
        ):
            self.assertIn(text, seen.text)

    def test_search(self) -> None:
        """The search is a form that works without scripts, and keeps what was asked."""
        elements = self.page("").elements
        fields = [each for name, each in elements if name == "input" and each.get("name") == "q"]
        self.assertEqual([each["type"] for each in fields], ["search"])
        self.assertEqual(fields[0]["value"], QUERIES[""]["q"])
        forms = [each for name, each in elements if name == "form" and each.get("role") == "search"]
        self.assertEqual((forms[0]["action"], forms[0]["method"]), ("/", "get"))

    def test_tables(self) -> None:
        """Lists are tables whose columns have names."""
        for name in HTML_PAGES.keys() - {"explain"}:
            elements = [element for element, _ in self.page(name).elements]
            self.assertIn("table", elements, name)
            self.assertIn("th", elements, name)

    def test_labels(self) -> None:
        """Each field of a form has a name that is read aloud, and each image and graph a text."""
        for name in HTML_PAGES:
            page = b"".join(HTML_PAGES[name](*self.value(name))).decode()
            labelled = re.findall(r"<label[^>]*>[^<]*<(?:input|select|textarea)", page)
            fields = re.findall(r"<(?:input|select|textarea)[^>]*>", page)
            named = [each for each in fields if "aria-label=" in each or 'type="hidden"' in each]
            self.assertEqual(len(fields), len(labelled) + len(named), name)
            for svg in re.findall(r"<svg[^>]*>", page):
                self.assertIn("aria-label=", svg)


class HostileTests(PagesTestCase):
    """Whatever texts the values have, the elements of a page stay the same."""

    def check(self, name: str, hostile: str) -> None:
        value, query = self.value(name)
        for fitting in (lambda text: f"{text}{hostile}", lambda text: hostile):
            seen = self.render(name, changed(value, fitting), query)
            for element, attributes in seen.elements:
                self.assertNotIn(
                    element,
                    {"img", "iframe", "object", "embed", "style", "base"}
                    - ({"img"} if attributes.get("src") == "/assets/icon.svg" else set()),
                )
                self.assertFalse([each for each in attributes if each.startswith("on")])
                self.assertNotIn("style", attributes)
                if element == "script":
                    self.assertEqual(attributes["src"], "/assets/page.js")
                for each in ("href", "src", "action"):
                    reference = attributes.get(each) or "/"
                    self.assertRegex(reference, r"^[/?#](?!/)")
            self.assertEqual(seen.others, 1, "the document type")
            scripts = [element for element, _ in seen.elements if element == "script"]
            self.assertEqual(len(scripts), 1)

    def test_values(self) -> None:
        """No host, path, annotation, message or name becomes more than text."""
        for name in HTML_PAGES:
            for hostile in HOSTILE:
                self.check(name, hostile)

    def test_query(self) -> None:
        """No parameter of a request becomes more than text."""
        for name in HTML_PAGES:
            value, _ = self.value(name)
            for hostile in HOSTILE:
                everything = {
                    each: [hostile]
                    for each in (
                        "q",
                        "text",
                        "host",
                        "state",
                        "url",
                        "code",
                        "severity",
                        "method",
                        "header",
                        "client",
                        "limit",
                        "outcome",
                    )
                }
                seen = self.render(name, value, Query(everything))
                elements = [element for element, _ in seen.elements]
                self.assertEqual(elements.count("script"), 1)
                self.assertFalse([a for _, given in seen.elements for a in given if a[:2] == "on"])
