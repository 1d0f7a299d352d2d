"""
Tests for `ingress.change_log`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ingress.change_log import LINE_DELAY, ChangeLog
from ingress.config import Config, FilesSource
from ingress.kube.objects import KubeObject
from ingress.routing.build import Built, build
from tests.support.certs import CertificateAuthority
from tests.support.objects import endpoint_slice, ingress, objects, secret, service

NOW = datetime(2026, 11, 30, tzinfo=UTC)
FILES = Config(source=FilesSource(paths=(Path("manifests"),)))


class ChangeLogTests(SynchronousTestCase):
    """Each published change is a line that says what changed."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.changes = ChangeLog(self.clock)
        self.built: Built | None = None
        self.config = FILES

    def publish(self, *items: KubeObject) -> None:
        """Publish the Snapshot of these objects."""
        self.built = build(objects(*items), self.config, self.built, now=NOW)
        self.changes.take(self.built.snapshot)

    def lines(self, delay: float = 0.0) -> list[str]:
        """What is logged until so many seconds have passed."""
        with capturedLogs() as events:
            self.clock.advance(delay)
        return [formatEvent(event) for event in events]

    def test_first(self) -> None:
        """The first Snapshot is not a change."""
        self.publish(ingress("a.example", {"/": "web:80"}))
        self.assertEqual(self.lines(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_hosts(self) -> None:
        """Hosts are added, changed and removed."""
        a, b = (
            ingress("a.example", {"/": "web:80"}, name="a"),
            ingress("*.b.example", {"/": "web:80"}, name="b"),
        )
        self.publish(a, b)
        self.publish(
            ingress("a.example", {"/x": "web:80"}, name="a"),
            ingress("c.example", {"/": "web:80"}, name="c"),
            ingress("", {"/": "web:80"}, name="d"),
        )
        self.assertEqual(
            self.lines(),
            [
                "Published: hosts added: c.example, (any host); hosts changed: a.example;"
                " hosts removed: *.b.example"
            ],
        )

    def test_endpoints(self) -> None:
        """Endpoints have their number, before and now."""
        web = ingress("a.example", {"/": "web:80"})
        self.publish(web, service("web"), endpoint_slice("web", "10.0.0.1"))
        self.publish(web, service("web"), endpoint_slice("web", "10.0.0.1", "10.0.0.2"))
        self.assertEqual(self.lines(), ["Published: endpoints of default/web:80 (2, before 1)"])

    def test_certificates(self) -> None:
        """Certificates are named by their hosts."""
        issued = CertificateAuthority().issue("a.example")
        web = ingress("a.example", {"/": "web:80"}, tls={"web": ["a.example"]})
        self.publish(web)
        self.publish(web, secret("web", issued.chain_pem, issued.key_pem))
        self.assertEqual(self.lines(), ["Published: certificates added: a.example"])

    def test_configuration(self) -> None:
        """With another configuration the hosts are not listed, which are all new objects."""
        web = ingress("a.example", {"/": "web:80"})
        self.publish(web)
        self.config = replace(FILES, ssl_redirect=False)
        self.publish(web)
        self.assertEqual(self.lines(), ["Published: the changed configuration"])

    def test_many(self) -> None:
        """Many names are counted."""
        web = ingress("a.example", {"/": "web:80"}, name="web")
        self.publish(web)
        self.publish(
            web, *(ingress(f"h{one}.example", {"/": "web:80"}, name=f"i{one}") for one in range(8))
        )
        (line,) = self.lines()
        self.assertTrue(line.endswith(" and 3 more"), line)

    def test_rate(self) -> None:
        """Changes within a second after a line are one line, against what the last line said."""
        web = ingress("a.example", {"/": "web:80"})
        other = ingress("b.example", {"/": "web:80"}, name="other")
        self.publish(web)
        self.publish(web, other)
        self.assertEqual(len(self.lines()), 1)
        self.publish(web)
        self.publish(web, other)
        self.publish(web)
        self.assertEqual(self.lines(LINE_DELAY / 2), [])
        self.assertEqual(self.lines(LINE_DELAY / 2), ["Published: hosts removed: b.example"])
        self.publish(web, other)
        self.publish(web)
        self.lines(LINE_DELAY)
        self.assertEqual(self.lines(LINE_DELAY), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.publish(web, other)
        self.assertEqual(len(self.lines()), 1)
