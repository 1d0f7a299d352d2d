"""
Tests for `ingress.routing.build.default_backend`, within whole builds.
"""

from __future__ import annotations

import pickle
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.endpoint import UpstreamKey
from ingress.kube.objects import KubeObject
from ingress.policy.refusal import Refusal
from ingress.routing.build import Built, build
from ingress.routing.match import find_route
from ingress.routing.route import Route
from tests.routing.build.test_config_map import config_map
from tests.support.objects import FILES, NOW, ingress, objects, served

CONFIG = replace(FILES, default_backend=("default", "fallback", ""))
KEY = UpstreamKey("default", "fallback", "")


def built(*items: KubeObject, config: Config = CONFIG, before: Built | None = None) -> Built:
    everything = objects(ingress("a.example", {"/app": "web:80"}), served("web"), *items)
    return build(everything, config, before, now=NOW)


def found(result: Built, host: bytes, path: bytes) -> Route | None:
    return find_route(result.snapshot, host, path)


class DefaultBackendTests(SynchronousTestCase):
    """What no rule matches goes to a Service."""

    def test_unmatched(self) -> None:
        """Unknown hosts, and unknown paths of known hosts, go there; all else does not."""
        result = built(*served("fallback"))
        for host, path in ((b"b.example", b"/"), (b"a.example", b"/x"), (b"", b"/")):
            route = found(result, host, path)
            assert route is not None
            self.assertEqual((route.upstream, route.policies), (KEY, ()))
        route = found(result, b"a.example", b"/app")
        assert route is not None
        self.assertEqual(route.ingress, ("default", "web"))
        self.assertTrue(result.snapshot.upstreams[KEY].endpoints)
        self.assertEqual(list(result.all_problems()), [])

    def test_none(self) -> None:
        """Without a default backend there is no such route."""
        result = built(*served("fallback"), config=FILES)
        self.assertIsNone(found(result, b"b.example", b"/"))
        self.assertNotIn(KEY, result.snapshot.upstreams)

    def test_of_an_ingress(self) -> None:
        """The default backend of an Ingress goes first."""
        own = ingress("", {}, name="own", default="web:80")
        route = found(built(own, *served("fallback")), b"b.example", b"/")
        assert route is not None
        self.assertEqual(route.ingress, ("default", "own"))

    def test_missing(self) -> None:
        """A Service that does not exist is a Problem of the configuration, until it does."""
        result = built()
        (problem,) = result.all_problems()
        self.assertEqual((problem.kind, problem.field), ("", "default-backend"))
        self.assertIn("does not exist", problem.message)
        later = built(*served("fallback"), before=result)
        self.assertEqual(list(later.all_problems()), [])
        self.assertTrue(later.snapshot.upstreams[KEY].endpoints)

    def test_kept(self) -> None:
        """The route stays the same object; another configuration has another one, or none."""
        first = built(*served("fallback"))
        second = built(*served("fallback"), *served("other"), before=first)
        self.assertIs(second.snapshot.default_route, first.snapshot.default_route)
        third = built(*served("fallback"), config=FILES, before=second)
        self.assertIsNone(third.snapshot.default_route)
        route = first.snapshot.default_route
        self.assertEqual(pickle.loads(pickle.dumps(route)), route)

    def test_closed(self) -> None:
        """Access keys of the ConfigMap that cannot be honoured close it as well."""
        config = replace(CONFIG, config_map=("nginx", "controller"))
        item = config_map({"whitelist-source-range": "nobody"})
        route = found(built(*served("fallback"), item, config=config), b"b.example", b"/")
        assert route is not None
        self.assertEqual(route.access_policies, (Refusal(),))
