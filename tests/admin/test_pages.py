"""
Tests for `ingress.admin.pages`.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.page import Content, PageError, PageRequest, Query
from ingress.admin.pages import make_pages
from ingress.admin.turns import Turns
from tests.support.metrics import sample_value
from tests.support.objects import built, ingress, served
from tests.support.observed_proxy import HandProxy


class PagesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.hand = HandProxy()
        self.pages = make_pages(self.hand.proxy, Turns(Clock()), maybeDeferred)

    def publish(self) -> None:
        self.hand.published.publish(
            built(
                ingress("a.example", {"/": "web:80"}),
                ingress("b.example", {"/": "web:80"}, name="other"),
                served("web"),
            )
        )

    def ask(self, name: str, **query: str) -> Deferred[Content]:
        given = Query({key: [value] for key, value in query.items()})
        return Deferred.fromCoroutine(self._ask(name, given))

    async def _ask(self, name: str, query: Query) -> Content:
        content = await self.pages[name].answer(PageRequest(query))
        assert isinstance(content, Content)
        return content

    def snapshot(self, **query: str) -> dict[str, Any]:
        content = self.successResultOf(self.ask("snapshot", **query))
        self.assertEqual(content.media_type, b"application/json")
        document: dict[str, Any] = json.loads(b"".join(content.pieces))
        return document

    def test_metrics(self) -> None:
        """Metrics are those of the moment, in Prometheus's text format."""
        self.publish()
        content = self.successResultOf(self.ask("metrics"))
        self.assertEqual(content.media_type, b"text/plain; version=0.0.4; charset=utf-8")
        text = b"".join(content.pieces).decode()
        self.assertEqual(sample_value(text, "txingress_snapshot_hosts"), 2)
        self.assertEqual(self.hand.reports.refreshed, 1)

    def test_snapshot(self) -> None:
        """The routing table has all hosts, or the one that is asked for."""
        self.publish()
        hosts = {host["host"] for host in self.snapshot()["hosts"]}
        self.assertEqual(hosts, {"a.example", "b.example"})
        (host,) = self.snapshot(host="b.example")["hosts"]
        self.assertEqual(host["host"], "b.example")

    def test_unknown_host(self) -> None:
        """A host that no rule is for is not found."""
        self.publish()
        error = self.failureResultOf(self.ask("snapshot", host="c.example"), PageError).value
        self.assertEqual((error.status, str(error)), (404, "no rule is for this host"))

    def test_before_the_first(self) -> None:
        """Before anything is published there is no table, but there are metrics."""
        error = self.failureResultOf(self.ask("snapshot"), PageError).value
        self.assertEqual(error.status, 503)
        content = self.successResultOf(self.ask("metrics"))
        self.assertIn(b"nginx_ingress_controller_success", b"".join(content.pieces))
