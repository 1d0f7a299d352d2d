"""
Credentials from a program: an ``exec`` credential plugin of a kubeconfig.

The program prints an ExecCredential (client.authentication.k8s.io, v1 or v1beta1). Its output is
never shown: it may contain a credential even if the program has failed.
"""

from __future__ import annotations

import os
import shutil
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from twisted.internet.defer import Deferred

from ingress.kube.api.credential_files import bearer
from ingress.kube.api.credentials import ClientCertificate, Identity, NoCredentials
from ingress.kube.api.plugin_process import PluginFailed, run_plugin
from ingress.kube.api.server import Server
from ingress.kube.json_fault import NOT_JSON

API_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")

FAILURE_HOLDOFF = 5.0
"""Seconds for which a failed program is not run again; each watch would run it."""


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """The plugin's entry in the kubeconfig."""

    command: str
    """A name that is looked up in PATH, or an absolute path."""

    args: tuple[str, ...] = field(default=(), repr=False)
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Added to our own environment."""

    api_version: str = API_VERSIONS[0]
    install_hint: str = ""
    wants_cluster: bool = False
    """Whether it is given the server's details."""

    cluster_config: object = field(default=None, repr=False)
    """The cluster's extension for such programs, which it is given too."""


class _Status(msgspec.Struct):
    token: str = ""
    clientCertificateData: str = ""
    clientKeyData: str = ""
    expirationTimestamp: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class _ExecCredential(msgspec.Struct):
    apiVersion: str = ""
    kind: str = ""
    status: _Status | None = None


class ExecCredentials:
    """
    Runs the plugin when its credentials are first needed, have expired, or were refused; once for
    all requests that wait.

    :param reactor: for the process.
    :param environment: ours.
    :param wall_clock: in seconds since 1970.
    """

    def __init__(
        self,
        reactor: Any,
        plugin: ExecPlugin,
        server: Server,
        environment: Mapping[str, str],
        wall_clock: Callable[[], float],
    ) -> None:
        self._reactor = reactor
        self._plugin = plugin
        self._environment = {
            **environment,
            **dict(plugin.env),
            "KUBERNETES_EXEC_INFO": exec_info(plugin, server),
        }
        self._wall_clock = wall_clock
        self._identity: Identity | None = None
        self._expires: float | None = None
        """In the time of `wall_clock`; None for never."""

        self._fault: NoCredentials | None = None
        self._fault_ends = float("-inf")
        self._waiting: list[Deferred[Identity]] = []
        self._running: Deferred[Any] | None = None

    def __repr__(self) -> str:
        return f"<ExecCredentials of {self._plugin.command}>"

    async def identity(self) -> Identity:
        """
        Get the identity that the plugin prints.

        :raises NoCredentials: if it fails.
        """
        if self._identity is not None and not self._has_expired():
            return self._identity
        if self._fault is not None and self._reactor.seconds() < self._fault_ends:
            raise self._fault
        # A Deferred for each caller, so that cancelling one does not affect the others.
        waiting: Deferred[Identity] = Deferred(self._forget)
        self._waiting.append(waiting)
        if self._running is None:
            self._running = Deferred.fromCoroutine(self._run())
            self._running.addBoth(self._end)
        return await waiting

    def reject(self, identity: Identity) -> None:
        """Run the plugin before the next request, unless it was run since."""
        if identity is self._identity:
            self._identity = None

    def _has_expired(self) -> bool:
        return self._expires is not None and self._wall_clock() >= self._expires

    def _forget(self, waiting: Deferred[Identity]) -> None:
        """Remove a cancelled caller, and end the plugin if it was the last."""
        self._waiting.remove(waiting)
        if not self._waiting and self._running is not None:
            self._running.cancel()

    def _end(self, result: Any) -> None:
        self._running = None
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(result)

    async def _run(self) -> Identity:
        self._identity = None
        try:
            output = await run_plugin(
                self._reactor, self._executable(), self._plugin.args, self._environment
            )
            credential = parse_credential(output, self._plugin.api_version)
        except (PluginFailed, NoCredentials) as error:
            hint = f"; {self._plugin.install_hint}" if self._plugin.install_hint else ""
            self._fault = NoCredentials(f"the plugin {self._plugin.command} {error}{hint}")
            self._fault_ends = self._reactor.seconds() + FAILURE_HOLDOFF
            raise self._fault from error
        self._fault = None
        self._identity, self._expires = credential
        return self._identity

    def _executable(self) -> str:
        """:raises PluginFailed: if there is no such program."""
        command = self._plugin.command
        found = shutil.which(command, path=self._environment.get("PATH", os.defpath))
        if found is None:
            raise PluginFailed("was not found, or is not executable")
        return found


def parse_credential(output: bytes, api_version: str) -> tuple[Identity, float | None]:
    """
    :return: the identity and its expiry, in seconds since 1970; None for no expiry.
    :raises PluginFailed: if the output is not a credential. The message shows nothing of it.
    """
    try:
        found = msgspec.json.decode(output, type=_ExecCredential)
    except NOT_JSON:
        raise PluginFailed("does not print an ExecCredential") from None
    if found.kind != "ExecCredential" or found.status is None:
        raise PluginFailed("does not print an ExecCredential with a status")
    if found.apiVersion != api_version:
        raise PluginFailed(f"prints an ExecCredential of another version than {api_version}")
    status = found.status
    if bool(status.clientCertificateData) != bool(status.clientKeyData):
        raise PluginFailed("prints a certificate without its key, or a key without its certificate")
    if not status.token and not status.clientCertificateData:
        raise PluginFailed("prints neither a token nor a certificate")
    identity = Identity(
        bearer(status.token.encode(), "its output") if status.token else b"",
        ClientCertificate(status.clientCertificateData.encode(), status.clientKeyData.encode())
        if status.clientCertificateData
        else None,
    )
    ends = status.expirationTimestamp
    return identity, None if ends is None else ends.timestamp()


def exec_info(plugin: ExecPlugin, server: Server) -> str:
    """The value of ``KUBERNETES_EXEC_INFO`` for the plugin."""
    spec: dict[str, object] = {"interactive": False}
    if plugin.wants_cluster:
        cluster: dict[str, object] = {"server": server.url}
        if server.server_name:
            cluster["tls-server-name"] = server.server_name
        if not server.is_verified:
            cluster["insecure-skip-tls-verify"] = True
        if server.ca_pem is not None:
            cluster["certificate-authority-data"] = b64encode(server.ca_pem).decode()
        if plugin.cluster_config is not None:
            cluster["config"] = plugin.cluster_config
        spec["cluster"] = cluster
    info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
    return msgspec.json.encode(info).decode()


def resolve_command(command: str, folder: Path) -> str:
    """
    :param folder: the kubeconfig's. A path is relative to it; a name is looked up in PATH.
    """
    return str(folder / command) if "/" in command else command
