"""
The suite of `tests.kube_client_suite`, on the fake and on a real cluster.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred

from ingress.config import Cluster
from ingress.kube.api.client import APIClient
from ingress.kube.api.connect import connect, find_api
from ingress.kube.api.errors import APIError
from tests import kube_client_suite
from tests.support import etcd
from tests.support.fake_api import FakeAPIServer, Rule, service_account

reactor: Any = installed

KUBECONFIG = os.environ.get("INGRESS_TEST_KUBECONFIG")

ETCD = os.environ.get("INGRESS_TEST_ETCD")
"""Where etcd of that cluster answers, without TLS, if it may be told to forget."""


def make_client(kubeconfig: Path) -> APIClient:
    """As the process makes it."""
    return connect(reactor, find_api(Cluster(kubeconfig=kubeconfig), os.environ), os.environ)


if KUBECONFIG:

    class RealClusterTests(kube_client_suite.APIServerSuite):
        """On the cluster that ``INGRESS_TEST_KUBECONFIG`` names."""

        async def connect(self) -> APIClient:
            assert KUBECONFIG is not None
            return make_client(Path(KUBECONFIG))

        def forget_history(self) -> bool:
            if ETCD is not None:
                etcd.compact(ETCD)
            return ETCD is not None


class FakeAPITests(kube_client_suite.APIServerSuite):
    """On the fake, over TLS."""

    async def connect(self) -> APIClient:
        self.server = FakeAPIServer(reactor)
        return self.make_client(self.server.kubeconfig())

    async def end(self) -> None:
        await super().end()
        await self.server.stop()

    def make_client(self, kubeconfig: str) -> APIClient:
        folder = Path(tempfile.mkdtemp(prefix="ingress-"))
        self.addCleanup(shutil.rmtree, folder)
        file = folder / "kubeconfig"
        file.write_text(kubeconfig)
        return make_client(file)

    def forget_history(self) -> bool:
        self.server.api.forget_history()
        return True

    async def test_watch_cancelled(self) -> None:
        """A watch that is given up is over for the server as well."""
        await super().test_watch_cancelled()
        self.assertEqual(self.server.api.resource.streams, set())

    async def test_certificate(self) -> None:
        """A client certificate names the user and the group."""
        certificate = self.server.issue_user("jane", "system:masters")
        client = self.make_client(self.server.kubeconfig(None, certificate))
        await client.get(self.config_maps())
        self.assertEqual(self.server.api.requests[-1].user, "jane")
        await client.close()

    async def test_token(self) -> None:
        """A service account may do what it was granted, as long as its token is one."""
        user = service_account(self.namespace, "a")
        self.server.api.grant(user, Rule(("list",), ("",), ("configmaps",)), token="t")
        client = self.make_client(self.server.kubeconfig("t"))
        await client.get(self.config_maps())
        error = await self.error_of(client, self.ingresses())
        self.assertEqual((error.code, error.reason), (403, "Forbidden"))
        del self.server.api.access.tokens["t"]
        error = await self.error_of(client, self.config_maps())
        self.assertEqual(error.code, 401)
        await client.close()

    async def error_of(self, client: APIClient, path: str) -> APIError:
        asked: Deferred[Any] = Deferred.fromCoroutine(client.get(path))
        error: APIError = await self.assertFailure(asked, APIError)
        return error
