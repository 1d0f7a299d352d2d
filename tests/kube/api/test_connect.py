"""
Tests for `ingress.kube.api.connect`: from the configuration to an answer, over TLS.
"""

from __future__ import annotations

import json
import os
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from ingress.config import Cluster
from ingress.config_file import ConfigError
from ingress.kube.api.client import APIClient
from ingress.kube.api.connect import connect, find_api
from ingress.kube.api.errors import APIError, APIUnreachable
from tests.support.certs import CertificateAuthority, Issued
from tests.support.loopback_api import LoopbackAPI
from tests.support.replay import Request, respond

ANSWER = b'{"major":"1"}'


class ConnectTests(TestCase):
    """A server over TLS that knows a token, and a folder for what leads to it."""

    timeout = 30.0

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.ca = CertificateAuthority()
        self.valid: str | None = "Bearer first"
        self.api = LoopbackAPI(self.answer)
        self.environment: dict[str, str] = {}

    def answer(self, request: Request) -> Sequence[bytes]:
        if request.headers.get("authorization") == self.valid:
            return [respond("200 OK", ANSWER)]
        return [respond("401 Unauthorized", b'{"kind":"Status","reason":"Unauthorized"}')]

    def listen(self, client_ca: bytes | None = None) -> int:
        port = self.api.listen(self.reactor, self.ca.issue("127.0.0.1"), client_ca)
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    @asynccontextmanager
    async def client(self, cluster: Cluster) -> AsyncIterator[APIClient]:
        access = find_api(cluster, self.environment, self.folder)
        client = connect(self.reactor, access, self.environment)
        try:
            yield client
        finally:
            await client.close()
            await self.api.all_lost()

    def service_account(self, port: int) -> Cluster:
        """As the kubelet leaves it."""
        self.environment |= {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(port),
        }
        self.write("token", b"first\n")
        self.write("ca.crt", self.ca.root_pem)
        self.write("namespace", b"ours")
        return Cluster()

    def kubeconfig(self, port: int, user: dict[str, Any], **cluster: Any) -> Cluster:
        """A file with one of each."""
        server = {
            "server": f"https://127.0.0.1:{port}",
            "certificate-authority-data": b64encode(self.ca.root_pem).decode(),
            **cluster,
        }
        content = {
            "current-context": "a",
            "contexts": [{"name": "a", "context": {"cluster": "b", "user": "c"}}],
            "clusters": [{"name": "b", "cluster": server}],
            "users": [{"name": "c", "user": user}],
        }
        return Cluster(kubeconfig=self.write("config", yaml.safe_dump(content).encode()))

    def write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    async def test_in_a_cluster(self) -> None:
        """The service account serves; a token that was replaced is found when the old one fails."""
        async with self.client(self.service_account(self.listen())) as client:
            self.assertEqual(client.namespace, "ours")
            self.assertEqual(await client.get("/version"), ANSWER)
            self.write("token", b"second\n")
            self.valid = "Bearer second"
            self.assertEqual(await client.get("/version"), ANSWER)
            self.assertEqual(len(self.api.requests), 3)

    async def test_expired_token(self) -> None:
        """A token that is not replaced is refused after a second attempt."""
        async with self.client(self.service_account(self.listen())) as client:
            self.valid = "Bearer second"
            error: Any = await self.assertFailure(
                Deferred.fromCoroutine(client.get("/version")), APIError
            )
            self.assertEqual((error.code, error.reason), (401, "Unauthorized"))
            self.assertEqual(len(self.api.requests), 2)

    async def test_ca_replaced(self) -> None:
        """A CA that was replaced counts from the next minute on, without a restart."""
        access = find_api(self.service_account(self.listen()), self.environment, self.folder)
        self.write("ca.crt", CertificateAuthority().root_pem)
        client = connect(self.reactor, access, self.environment)
        error = await self.assertFailure(
            Deferred.fromCoroutine(client.get("/version")), APIUnreachable
        )
        self.assertIn("its certificate is not accepted", str(error))
        self.write("ca.crt", self.ca.root_pem)
        # What the next minute does.
        assert client._connections._ca is not None
        client._connections._ca.expire()
        self.assertEqual(await client.get("/version"), ANSWER)
        await client.close()
        await self.api.all_lost()

    async def test_token(self) -> None:
        """A kubeconfig with a token serves."""
        cluster = self.kubeconfig(self.listen(), {"token": "first"})
        async with self.client(cluster) as client:
            self.assertEqual(client.namespace, "default")
            self.assertEqual(await client.get("/version"), ANSWER)

    async def test_no_tls(self) -> None:
        """A plain server, such as `kubectl proxy`, works as well."""
        self.valid = None
        port = self.api.listen(self.reactor)
        self.addCleanup(port.stopListening)
        server = f"http://127.0.0.1:{port.getHost().port}"
        async with self.client(self.kubeconfig(0, {}, server=server)) as client:
            self.assertEqual(await client.get("/version"), ANSWER)

    async def test_ca_gone(self) -> None:
        """A CA that disappears before it was needed is reported with its file."""
        access = find_api(self.service_account(self.listen()), self.environment, self.folder)
        ca_file = self.folder / "ca.crt"
        os.unlink(ca_file)
        client = connect(self.reactor, access, self.environment)
        error = await self.assertFailure(
            Deferred.fromCoroutine(client.get("/version")), APIUnreachable
        )
        self.assertIn(f"{ca_file} cannot be read: No such file", str(error))

    async def test_reset(self) -> None:
        """A server that breaks the connection is reported."""
        async with self.client(self.service_account(self.listen())) as client:
            self.api.answer_nothing()
            asked = Deferred.fromCoroutine(client.get("/version"))
            while not self.api.requests:
                await deferLater(self.reactor, 0.001)
            server: Any = self.api.connections[0].transport
            server.abortConnection()
            error = await self.assertFailure(asked, APIUnreachable)
            self.assertIn("the connection broke", str(error))

    async def test_client_certificate(self) -> None:
        """A kubeconfig with a client certificate serves."""
        self.valid = None
        ours = self.ca.issue("we")
        user = {
            "client-certificate-data": b64encode(ours.chain_pem).decode(),
            "client-key-data": b64encode(ours.key_pem).decode(),
        }
        async with self.client(self.kubeconfig(self.listen(self.ca.root_pem), user)) as client:
            self.assertEqual(await client.get("/version"), ANSWER)

    def exec(self, **status: str) -> dict[str, Any]:
        """A user whose plugin prints that."""
        version = "client.authentication.k8s.io/v1"
        credential = {"apiVersion": version, "kind": "ExecCredential", "status": status}
        self.write("credential", json.dumps(credential).encode())
        return {
            "exec": {
                "apiVersion": version,
                "command": sys.executable,
                "args": ["-c", f"print(open({str(self.folder / 'credential')!r}).read())"],
                "interactiveMode": "Never",
            }
        }

    async def test_exec_token(self) -> None:
        """A plugin's token serves, and its next one when the first is refused."""
        cluster = self.kubeconfig(self.listen(), self.exec(token="first"))
        async with self.client(cluster) as client:
            self.assertEqual(await client.get("/version"), ANSWER)
            self.exec(token="second")
            self.valid = "Bearer second"
            self.assertEqual(await client.get("/version"), ANSWER)

    async def test_exec_certificate(self) -> None:
        """A plugin's certificate serves; with another one the connection is another as well."""
        self.valid = None

        def user(ours: Issued) -> dict[str, Any]:
            return self.exec(
                clientCertificateData=ours.chain_pem.decode(), clientKeyData=ours.key_pem.decode()
            )

        cluster = self.kubeconfig(self.listen(self.ca.root_pem), user(self.ca.issue("we")))
        async with self.client(cluster) as client:
            self.assertEqual(await client.get("/version"), ANSWER)
            self.assertEqual(await client.get("/version"), ANSWER)
            self.assertEqual(len(self.api.connections), 1)
            user(self.ca.issue("we again"))
            client._credentials.reject(await client._credentials.identity())
            self.assertEqual(await client.get("/version"), ANSWER)
            self.assertEqual(len(self.api.connections), 2)

    async def test_exec_failure(self) -> None:
        """If the plugin fails, no request is sent, and its output is not shown."""
        cluster = self.kubeconfig(self.listen(), self.exec(s3cr3t="s3cr3t"))
        with capturedLogs() as events:
            async with self.client(cluster) as client:
                error = await self.assertFailure(
                    Deferred.fromCoroutine(client.get("/version")), APIUnreachable
                )
        self.assertIn("prints neither a token nor a certificate", str(error))
        self.assertNotIn("s3cr3t", str(error) + "".join(map(str, events)))
        self.assertEqual(self.api.requests, [])

    async def test_unverified(self) -> None:
        """Without verification there is one warning."""
        cluster = self.kubeconfig(
            self.listen(),
            {"token": "first"},
            **{"certificate-authority-data": None, "insecure-skip-tls-verify": True},
        )
        with capturedLogs() as events:
            async with self.client(cluster) as client:
                self.assertEqual(await client.get("/version"), ANSWER)
        (line,) = [formatEvent(event) for event in events]
        self.assertIn("is not verified", line)

    def test_mistakes(self) -> None:
        """Mistakes that can be found before the reactor runs are found then."""
        for cluster in (Cluster(), Cluster(kubeconfig=self.folder / "none")):
            self.assertRaises(ConfigError, find_api, cluster, {}, self.folder)
        cluster = self.kubeconfig(1, {})
        self.assertRaises(
            ConfigError, find_api, Cluster(cluster.kubeconfig, "elsewhere"), {}, self.folder
        )
