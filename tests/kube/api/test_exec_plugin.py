"""
Tests for `ingress.kube.api.exec_plugin`.
"""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.credentials import ClientCertificate, Identity, NoCredentials
from ingress.kube.api.exec_plugin import (
    FAILURE_HOLDOFF,
    ExecCredentials,
    ExecPlugin,
    exec_info,
    parse_credential,
)
from ingress.kube.api.plugin_process import PluginFailed
from ingress.kube.api.server import Server

V1 = "client.authentication.k8s.io/v1"
V1BETA1 = "client.authentication.k8s.io/v1beta1"
SERVER = Server("api.example", 6443, ca_pem=b"-----BEGIN")
NOON = 1_795_176_000.0


def credential(version: str = V1, kind: str = "ExecCredential", **status: Any) -> bytes:
    return json.dumps({"apiVersion": version, "kind": kind, "status": status}).encode()


class ParseTests(SynchronousTestCase):
    """The output of a plugin."""

    def test_token(self) -> None:
        """A token, without end or with one."""
        self.assertEqual(parse_credential(credential(token="t"), V1), (Identity(b"Bearer t"), None))
        self.assertEqual(
            parse_credential(
                credential(V1BETA1, token="t", expirationTimestamp="2026-11-20T12:00:00Z"), V1BETA1
            ),
            (Identity(b"Bearer t"), NOON),
        )

    def test_certificate(self) -> None:
        """A certificate with its key, with a token or without."""
        found, _ = parse_credential(
            credential(clientCertificateData="chain", clientKeyData="key"), V1
        )
        self.assertEqual(found, Identity(b"", ClientCertificate(b"chain", b"key")))
        found, _ = parse_credential(
            credential(token="t", clientCertificateData="chain", clientKeyData="key"), V1
        )
        self.assertEqual(found, Identity(b"Bearer t", ClientCertificate(b"chain", b"key")))

    def test_refused(self) -> None:
        """A malformed credential is refused, and nothing of it is shown."""
        for output, words in (
            (b"", "not print an ExecCredential"),
            (b"s3cr3t", "not print an ExecCredential"),
            (b"\xff", "not print an ExecCredential"),
            (b"[" * 100_000, "not print an ExecCredential"),
            (b'{"x":' + b"[" * 100_000, "not print an ExecCredential"),
            (credential(token={"s3cr3t": 1}), "not print an ExecCredential"),
            (
                credential(token="s3cr3t", expirationTimestamp="s3cr3t"),
                "not print an ExecCredential",
            ),
            (
                credential(token="s3cr3t", expirationTimestamp="2026-11-20T12:00:00"),
                "not print an ExecCredential",
            ),
            (credential(kind="s3cr3t", token="s3cr3t"), "with a status"),
            (b'{"apiVersion": "x", "kind": "ExecCredential"}', "with a status"),
            (credential(V1BETA1, token="s3cr3t"), f"of another version than {V1}"),
            (credential(), "neither a token nor a certificate"),
            (credential(clientKeyData="s3cr3t"), "a key without its certificate"),
            (credential(clientCertificateData="s3cr3t", token="t"), "without its key"),
        ):
            error = self.assertRaises(PluginFailed, parse_credential, output, V1)
            self.assertIn(words, str(error))
            self.assertNotIn("s3cr3t", str(error))
        error = self.assertRaises(NoCredentials, parse_credential, credential(token="a b"), V1)
        self.assertIn("has no valid token", str(error))


class InfoTests(SynchronousTestCase):
    """The information that a plugin gets."""

    def info(self, plugin: ExecPlugin, server: Server = SERVER) -> Any:
        return json.loads(exec_info(plugin, server))

    def test_nothing(self) -> None:
        """It says that nobody can answer a prompt, and describes the cluster only on request."""
        self.assertEqual(
            self.info(ExecPlugin("x", api_version=V1BETA1)),
            {"apiVersion": V1BETA1, "kind": "ExecCredential", "spec": {"interactive": False}},
        )

    def test_cluster(self) -> None:
        """The server, how it is known, and what the kubeconfig has for the plugin."""
        plugin = ExecPlugin("x", wants_cluster=True, cluster_config={"audience": "lab"})
        self.assertEqual(
            self.info(plugin)["spec"]["cluster"],
            {
                "server": "https://api.example:6443",
                "certificate-authority-data": b64encode(b"-----BEGIN").decode(),
                "config": {"audience": "lab"},
            },
        )
        unverified = Server("a", 1, server_name="b", is_verified=False)
        self.assertEqual(
            self.info(ExecPlugin("x", wants_cluster=True), unverified)["spec"]["cluster"],
            {
                "server": "https://a:1",
                "tls-server-name": "b",
                "insecure-skip-tls-verify": True,
            },
        )


class HandProcesses(Clock):
    """A reactor whose processes end when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[tuple[Any, str, list[str], dict[str, str]]] = []
        self.killed = 0

    def spawnProcess(
        self, protocol: Any, executable: str, args: list[str], env: dict[str, str]
    ) -> None:
        self.started.append((protocol, executable, args, env))
        protocol.makeConnection(self)

    def closeStdin(self) -> None:
        pass

    def loseConnection(self) -> None:
        pass

    def signalProcess(self, name: str) -> None:
        self.killed += 1

    def end(self, output: bytes, status: int = 0) -> None:
        """The last one prints that and ends."""
        protocol = self.started[-1][0]
        protocol.outReceived(output)
        ended = ProcessTerminated(status) if status else ProcessDone(0)
        protocol.processEnded(Failure(ended))


class ExecCredentialsTests(SynchronousTestCase):
    """The plugin is run when it is needed, and no more often."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.command = self.folder / "login"
        self.command.touch(0o755)
        self.reactor = HandProcesses()
        self.now = NOON
        self.credentials = self.make(ExecPlugin("login", ("-x",), (("B", "2"),)))

    def make(self, plugin: ExecPlugin) -> ExecCredentials:
        environment = {"PATH": str(self.folder), "A": "1"}
        return ExecCredentials(self.reactor, plugin, SERVER, environment, lambda: self.now)

    def ask(self) -> Deferred[Identity]:
        return Deferred.fromCoroutine(self.credentials.identity())

    def runs(self) -> int:
        return len(self.reactor.started)

    def test_run(self) -> None:
        """The program is found in PATH, and runs in our environment with additions."""
        asked = self.ask()
        ((_, executable, args, env),) = self.reactor.started
        self.assertEqual((executable, args), (str(self.command), [str(self.command), "-x"]))
        info = env.pop("KUBERNETES_EXEC_INFO")
        self.assertEqual(json.loads(info)["spec"], {"interactive": False})
        self.assertEqual(env, {"PATH": str(self.folder), "A": "1", "B": "2"})
        self.reactor.end(credential(token="t"))
        self.assertEqual(self.successResultOf(asked), Identity(b"Bearer t"))

    def test_once_for_all(self) -> None:
        """Callers during a run share its result, and cancelling one does not affect the others."""
        asked = [self.ask() for _ in range(3)]
        self.assertEqual(self.runs(), 1)
        asked[0].cancel()
        self.failureResultOf(asked[0], CancelledError)
        self.reactor.end(credential(token="t"))
        for each in (*asked[1:], self.ask()):
            self.assertEqual(self.successResultOf(each), Identity(b"Bearer t"))
        self.assertEqual((self.runs(), self.reactor.killed), (1, 0))

    def test_given_up(self) -> None:
        """When the last caller cancels, the program is ended, and may be run again."""
        asked = [self.ask() for _ in range(2)]
        for each in asked:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.assertEqual(self.reactor.killed, 1)
        again = self.ask()
        self.assertEqual(self.runs(), 2)
        self.reactor.end(credential(token="t"))
        self.successResultOf(again)

    def test_expiry(self) -> None:
        """A credential is used until its expiry."""
        asked = self.ask()
        self.reactor.end(credential(token="1", expirationTimestamp="2026-11-20T12:01:00Z"))
        self.successResultOf(asked)
        self.now += 59.0
        self.assertEqual(self.successResultOf(self.ask()), Identity(b"Bearer 1"))
        self.now += 1.0
        asked = self.ask()
        self.reactor.end(credential(token="2"))
        self.assertEqual(self.successResultOf(asked), Identity(b"Bearer 2"))
        self.now += 1e9
        self.successResultOf(self.ask())
        self.assertEqual(self.runs(), 2)

    def test_reject(self) -> None:
        """A refusal has it run again, but not for what was refused before it ran."""
        asked = self.ask()
        self.reactor.end(credential(token="1"))
        first = self.successResultOf(asked)
        self.credentials.reject(first)
        asked = self.ask()
        self.reactor.end(credential(token="2"))
        self.successResultOf(asked)
        self.credentials.reject(first)
        self.successResultOf(self.ask())
        self.assertEqual(self.runs(), 2)

    def test_failure(self) -> None:
        """A failure is reported with the install hint, and not repeated at once."""
        self.credentials = self.make(ExecPlugin("login", install_hint="see https://login.example"))
        asked = self.ask()
        self.reactor.end(b"s3cr3t", 1)
        for each in (asked, self.ask()):
            self.assertEqual(
                str(self.failureResultOf(each, NoCredentials).value),
                "the plugin login failed with exit status 1; see https://login.example",
            )
        self.assertEqual(self.runs(), 1)
        self.reactor.advance(FAILURE_HOLDOFF)
        asked = self.ask()
        self.reactor.end(credential(token="t"))
        self.successResultOf(asked)

    def test_missing(self) -> None:
        """A missing program is reported."""
        self.command.unlink()
        error = self.failureResultOf(self.ask(), NoCredentials).value
        self.assertEqual(str(error), "the plugin login was not found, or is not executable")
        self.assertEqual(self.runs(), 0)
