"""
A Kubernetes control plane of real programs: etcd, kube-apiserver, and kube-controller-manager if it
is here. There is no node, so that no container runs.

It lives in the network of a `PodNetwork`, on loopback addresses there: nothing outside can reach
it, it can reach nothing outside, and addresses of pods are allowed in its EndpointSlices.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.trial.unittest import SkipTest

from tests.support.audit import POLICY, AuditLog
from tests.support.certs import CertificateAuthority, rsa_key, to_pem
from tests.support.control_plane_programs import find_program
from tests.support.kubectl import Kubectl
from tests.support.pod_network import NETWORK, PodNetwork
from tests.support.process import CHECKOUT, ENVIRONMENT, PATIENCE, wait_until

SERVER = "https://127.0.0.1:6443"
ETCD = "http://127.0.0.1:2379"
ADMIN = "of-the-administrator"
"""The token of a user with every right."""

LOADING = 120.0
"""Seconds in which the API server is ready; on a busy machine it takes a while."""

WITHOUT_NODES = "*,-node-lifecycle-controller,-pod-garbage-collector-controller"
"""The controllers that run: no kubelet says that nodes are alive, so nobody may miss that."""


class _Server:
    """A program, and the file that has its output."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=log.parent
            )

    def check(self) -> None:
        """:raises AssertionError: if it has ended."""
        if self._process.poll() is not None:
            lines = self.log.read_text(errors="replace").splitlines()[-20:]
            raise AssertionError("\n".join([f"{self.log.stem} has ended:", *lines]))

    def kill(self) -> None:
        """End it at once, as a machine that loses its power does."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10.0)
        except subprocess.TimeoutExpired:
            self.kill()


class RealCluster:
    """
    A running control plane.

    :param folder: receives its files.
    :raises SkipTest: if etcd or the API server is not here.
    :ivar kubectl: acts as a user with every right.
    :ivar audit: what was asked of the API server by accounts of services.
    :ivar ca: the file of the authority of the API server's certificate.
    """

    def __init__(self, folder: Path, network: PodNetwork) -> None:
        self.folder = folder
        self.network = network
        self._servers: dict[str, _Server] = {}
        self._programs = {name: find_program(name) for name in ("etcd", "kube-apiserver")}
        self._write_files()
        self.kubectl = Kubectl(folder / "kubectl", self.kubeconfig(), network.prefix)
        self.audit = AuditLog(folder / "audit.log")
        try:
            self.start_etcd()
            self.start()
            self._start_manager()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End all of it."""
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            self._end(name)

    # Its parts.

    def start_etcd(self) -> None:
        """Start etcd, with what it had; the API server waits for it."""
        self._run(
            "etcd",
            f"--data-dir={self.folder / 'etcd.data'}",
            f"--listen-client-urls={ETCD}",
            f"--advertise-client-urls={ETCD}",
            "--listen-peer-urls=http://127.0.0.1:2380",
        )

    def stop_etcd(self) -> None:
        """Kill etcd: the API server is there, and can do nothing."""
        self._end("etcd", is_sudden=True)

    def start(self) -> None:
        """Start the API server, and wait until it is ready."""
        with self.audit.loading():
            self._run("kube-apiserver", *self._arguments())
            wait_until(self._is_ready, "the API server to be ready", LOADING)

    def stop(self, *, is_sudden: bool = False) -> None:
        """
        Stop the API server.

        :param is_sudden: whether it is killed, and closes no connection by itself.
        """
        self._end("kube-apiserver", is_sudden=is_sudden)

    def _start_manager(self) -> None:
        try:
            self._programs["kube-controller-manager"] = find_program("kube-controller-manager")
        except SkipTest:
            return
        config = self.folder / "manager.kubeconfig"
        config.write_text(self.kubeconfig())
        self._run(
            "kube-controller-manager",
            f"--kubeconfig={config}",
            f"--authentication-kubeconfig={config}",
            f"--authorization-kubeconfig={config}",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            f"--controllers={WITHOUT_NODES}",
            f"--cert-dir={self.folder}",
            f"--root-ca-file={self.ca}",
            f"--service-account-private-key-file={self.folder / 'accounts.key'}",
            f"--cluster-signing-cert-file={self.ca}",
            f"--cluster-signing-key-file={self.folder / 'ca.key'}",
        )
        wait_until(self._has_accounts, "the controllers to make the account of pods", LOADING)

    @property
    def has_controllers(self) -> bool:
        """Whether there is a controller manager."""
        return "kube-controller-manager" in self._servers

    def need_controllers(self) -> None:
        """:raises SkipTest: if there is no controller manager."""
        if not self.has_controllers:
            raise SkipTest("there is no kube-controller-manager here (CONTRIBUTING.md)")

    # What it is asked.

    def kubeconfig(self, token: str = ADMIN, namespace: str = "default") -> str:
        """:return: the text of one."""
        cluster = {"server": SERVER, "certificate-authority": str(self.ca)}
        context = {"cluster": "real", "user": "user", "namespace": namespace}
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "real", "cluster": cluster}],
                "users": [{"name": "user", "user": {"token": token}}],
                "contexts": [{"name": "real", "context": context}],
                "current-context": "real",
            }
        )

    def token(self, namespace: str, account: str) -> str:
        """Have the API server issue a token of an account of a service, as the kubelet does."""
        words = ("create", "token", account, "--namespace", namespace, "--duration=1h")
        return self.kubectl.run(*words).strip()

    def compact(self) -> int:
        """
        Have etcd forget all revisions but the last one.

        :return: the last one.
        """
        done = subprocess.run(
            [*self.network.prefix, sys.executable, "-m", "tests.support.etcd", ETCD],
            cwd=CHECKOUT,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            raise AssertionError(done.stderr)
        return int(done.stdout)

    # The rest.

    def _arguments(self) -> tuple[str, ...]:
        """Those of the API server."""
        return (
            f"--etcd-servers={ETCD}",
            # What is forgotten, a test says.
            "--etcd-compaction-interval=0",
            "--bind-address=127.0.0.1",
            "--secure-port=6443",
            f"--advertise-address={NETWORK}",
            "--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112",
            "--authorization-mode=Node,RBAC",
            f"--cert-dir={self.folder}",
            f"--tls-cert-file={self.folder / 'server.crt'}",
            f"--tls-private-key-file={self.folder / 'server.key'}",
            f"--client-ca-file={self.ca}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.folder / 'accounts.pub'}",
            f"--service-account-signing-key-file={self.folder / 'accounts.key'}",
            f"--audit-policy-file={self.folder / 'audit.yaml'}",
            f"--audit-log-path={self.folder / 'audit.log'}",
        )

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    def _run(self, name: str, *arguments: str) -> None:
        command = (*self.network.prefix, self._programs[name], *arguments)
        self._servers[name] = _Server(command, self.folder / f"{name}.log")

    def _end(self, name: str, *, is_sudden: bool = False) -> None:
        server = self._servers.pop(name, None)
        if server is None:
            return
        if is_sudden:
            server.kill()
        else:
            server.stop()

    def _is_ready(self) -> bool:
        for server in self._servers.values():
            server.check()
        return self._does("get", "--raw=/readyz")

    def _has_accounts(self) -> bool:
        self._servers["kube-controller-manager"].check()
        return self._does("get", "serviceaccount", "default", "--namespace=default")

    def _does(self, *arguments: str) -> bool:
        try:
            self.kubectl.run(*arguments, "--request-timeout=5s")
        except AssertionError:
            return False
        return True

    def _write_files(self) -> None:
        authority = CertificateAuthority("Cluster")
        server = authority.issue("127.0.0.1", NETWORK, "kubernetes.default.svc")
        accounts = rsa_key()
        public = accounts.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        files = {
            "ca.crt": authority.root_pem,
            "ca.key": authority.key_pem,
            "server.crt": server.chain_pem,
            "server.key": server.key_pem,
            "accounts.key": to_pem(accounts),
            "accounts.pub": public,
            "tokens.csv": f"{ADMIN},administrator,1,system:masters\n".encode(),
            "audit.yaml": yaml.safe_dump(POLICY).encode(),
        }
        for name, content in files.items():
            (self.folder / name).write_bytes(content)
