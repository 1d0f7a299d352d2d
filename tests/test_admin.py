"""
Tests for `ingress.admin`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin import Readiness, make_admin_site


class ReadinessTests(SynchronousTestCase):
    """Readiness is the absence of reasons against it."""

    def test_reasons(self) -> None:
        """The process is ready when each reason is cleared, in whatever order."""
        readiness = Readiness(snapshot="no routes yet", listeners="not listening yet")
        self.assertEqual(readiness.reasons, ("no routes yet", "not listening yet"))
        readiness.clear("listeners")
        self.assertEqual(readiness.reasons, ("no routes yet",))
        readiness.clear("snapshot")
        self.assertEqual(readiness.reasons, ())

    def test_add(self) -> None:
        """A reason may come later, be replaced, and be cleared more often than added."""
        readiness = Readiness()
        readiness.add("api", "unreachable")
        readiness.add("api", "forbidden")
        self.assertEqual(readiness.reasons, ("forbidden",))
        readiness.clear("api")
        readiness.clear("api")
        self.assertEqual(readiness.reasons, ())


class SiteTests(SynchronousTestCase):
    """What the admin listener answers."""

    def setUp(self) -> None:
        self.readiness = Readiness(snapshot="no routes yet")
        self.site = make_admin_site(self.readiness, Clock())
        self.site.doStart()
        self.addCleanup(self.site.doStop)

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        """The status and the body."""
        protocol = self.site.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(f"{method} {path} HTTP/1.0\r\n\r\n".encode())
        head, _, body = transport.value().decode().partition("\r\n\r\n")
        return int(head.split()[1]), body

    def test_health(self) -> None:
        """/healthz is 200 whether ready or not, and 500 while the process ends."""
        self.assertEqual(self.get("/healthz"), (200, "ok\n"))
        self.readiness.clear("snapshot")
        self.assertEqual(self.get("/healthz"), (200, "ok\n"))
        self.readiness.is_ending = True
        self.assertEqual(self.get("/healthz"), (500, "the process is ending\n"))

    def test_ready(self) -> None:
        """/readyz is 503 with a reason a line, and 200 when there is none."""
        self.readiness.add("listeners", "not listening yet")
        self.assertEqual(self.get("/readyz"), (503, "no routes yet\nnot listening yet\n"))
        self.readiness.clear("snapshot")
        self.readiness.clear("listeners")
        self.assertEqual(self.get("/readyz"), (200, "ok\n"))

    def test_query(self) -> None:
        """A query changes nothing."""
        self.assertEqual(self.get("/healthz?verbose")[0], 200)

    def test_head(self) -> None:
        """HEAD is answered without body."""
        self.assertEqual(self.get("/healthz", "HEAD"), (200, ""))

    def test_other_methods(self) -> None:
        """Nothing can be changed here."""
        self.assertEqual(self.get("/healthz", "POST")[0], 405)

    def test_other_paths(self) -> None:
        """Everything else is 404."""
        for path in ("/", "/metrics", "/healthz/x", "/readyz/", "/../healthz", "/x/healthz"):
            self.assertEqual(self.get(path), (404, "not found\n"), path)
