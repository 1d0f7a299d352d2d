"""
Tests for `ingress.command.migrate_cluster`; ``make migration`` has it with an API server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from ingress.command import migrate_cluster
from ingress.command.failure import CannotRun
from ingress.kube.api.client import APIClient
from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.kube.api.server import Server
from ingress.migration.raw import RawObject
from ingress.migration.verdict import Verdict


class _Client:
    """Answers with lists of objects by their paths, whose items have no kind."""

    def __init__(self, lists: Mapping[str, Any]) -> None:
        self.asked: list[str] = []
        self.server = Server("api.example", 443)
        self._lists = lists

    async def get(self, path: str) -> bytes:
        self.asked.append(path)
        found = self._lists.get(path, APIError(404))
        if isinstance(found, Exception):
            raise found
        return json.dumps({"items": found}).encode()


class ObjectsTests(SynchronousTestCase):
    """The lists that are read."""

    def read(
        self, lists: Mapping[str, Any]
    ) -> tuple[list[RawObject], list[migrate_cluster.Refused]]:
        """:return: the objects, and what was refused."""
        refused: list[migrate_cluster.Refused] = []
        client = cast("APIClient", _Client(lists))
        work = migrate_cluster._objects(client, ["a", "b"], refused)
        return self.successResultOf(_deferred(work)), refused

    def test_read(self) -> None:
        """Lists of each kind and namespace are read; a kind that is not served has none."""
        item = {"metadata": {"name": "door", "namespace": "a"}}
        found, refused = self.read(
            {
                "/apis/apps/v1/namespaces/a/deployments": [item],
                "/api/v1/namespaces/b/services": [{"metadata": {"name": "x", "namespace": "b"}}],
                "/apis/networking.k8s.io/v1/ingressclasses": [{"metadata": {"name": "nginx"}}],
            }
        )
        self.assertEqual(
            [(each.kind, each.namespace, each.name) for each in found],
            [("Deployment", "a", "door"), ("Service", "b", "x"), ("IngressClass", "", "nginx")],
        )
        self.assertEqual(refused, [])

    def test_refused(self) -> None:
        """What we may not read has a row, for who is in its namespace; the rest is read."""
        path = "/apis/apps/v1/namespaces/b/daemonsets"
        found, refused = self.read({path: APIError(403, "Forbidden", "no")})
        self.assertEqual(found, [])
        [one] = refused
        self.assertIn(path, str(one))
        hooks = migrate_cluster.Refused("ValidatingWebhookConfiguration", "", "/x", "403: no")
        self.assertEqual(list(migrate_cluster.judge_refused(refused, "a")), [])
        rows = list(migrate_cluster.judge_refused([one, hooks], "b"))
        self.assertEqual([row.verdict for row in rows], [Verdict.CLOSED, Verdict.DIFFERS])
        self.assertIn("403 Forbidden", rows[0].follows)

    def test_unreachable(self) -> None:
        """A server that is not there ends the command, with its address."""
        path = "/apis/apps/v1/namespaces/a/deployments"
        work = migrate_cluster._objects(
            cast("APIClient", _Client({path: APIUnreachable("gone")})), ["a"], []
        )
        failure = self.failureResultOf(_deferred(work), CannotRun)
        self.assertIn("https://api.example:443: gone", str(failure.value))


def _deferred(work: Any) -> Any:
    from twisted.internet.defer import Deferred

    return Deferred.fromCoroutine(work)
