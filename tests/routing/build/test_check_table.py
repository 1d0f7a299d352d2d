"""Tests of `ingress.routing.build.check_table`: which Upstreams are checked, build by build."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import UpstreamKey
from ingress.kube.objects import Ingress
from ingress.policy.annotation import PREFIX
from ingress.routing.build import Built
from tests.support.objects import built, ingress, served


def checked(item: Ingress, path: str, **annotations: str) -> Ingress:
    """The same Ingress with a health check."""
    more = {f"txingress.dev/health-check-{name}": value for name, value in annotations.items()}
    more |= {"txingress.dev/health-check-path": path, **item.metadata.annotations}
    metadata = msgspec.structs.replace(item.metadata, annotations=more)
    return msgspec.structs.replace(item, metadata=metadata)


def checks(result: Built) -> dict[str, str]:
    """The path of the check of each Service."""
    return {key.service: each.check.path for key, each in result.snapshot.health_checks.items()}


WEB = ingress("a.example", {"/": "web:80", "/api": "api:80"}, created="2024-01-01")
OTHER = ingress("b.example", {"/": "web:80"}, name="other", created="2025-01-01")


class CheckTableTests(SynchronousTestCase):
    def test_rules(self) -> None:
        """The Services of all rules of an Ingress are checked, its default backend too."""
        self.assertEqual(checks(built(WEB)), {})
        found = checks(built(checked(WEB, "/h")))
        self.assertEqual(found, {"web": "/h", "api": "/h"})
        default = checked(ingress("", {}, default="web:80"), "/h")
        self.assertEqual(checks(built(default)), {"web": "/h"})

    def test_oldest(self) -> None:
        """If two Ingresses check one Service, the older one decides how; then the other one."""
        first = built(checked(OTHER, "/other"), checked(WEB, "/web"), *served("web"))
        self.assertEqual(checks(first), {"web": "/web", "api": "/web"})
        then = built(checked(OTHER, "/other"), WEB, *served("web"), previous=first)
        self.assertEqual(checks(then), {"web": "/other"})

    def test_changed(self) -> None:
        """A change of the annotations alone changes the check, and nothing else keeps it."""
        first = built(checked(WEB, "/h"), *served("web"))
        then = built(checked(WEB, "/h", interval="5s"), *served("web"), previous=first)
        (check, _) = then.snapshot.health_checks.values()
        self.assertEqual(check.check.interval, 5)
        self.assertEqual(checks(built(WEB, *served("web"), previous=then)), {})
        self.assertEqual(checks(built(previous=then)), {})

    def test_unchanged(self) -> None:
        """Another change leaves the mapping as it is."""
        first = built(checked(WEB, "/h"))
        then = built(checked(WEB, "/h"), OTHER, previous=first)
        self.assertIs(then.snapshot.health_checks, first.snapshot.health_checks)

    def test_tls(self) -> None:
        """A Service that is spoken to over TLS is checked over TLS."""
        item = ingress("a.example", {"/": "web:80"}, annotations={"backend-protocol": "HTTPS"})
        self.assertIn(PREFIX + "backend-protocol", item.metadata.annotations)
        snapshot = built(checked(item, "/h")).snapshot
        check = snapshot.health_checks[UpstreamKey("default", "web", "80")]
        route = snapshot.hosts[b"a.example"].route(b"/")
        assert route is not None
        self.assertIsNotNone(check.tls)
        self.assertEqual(check.tls, route.tls)
