"""
The fake API server on a port of this machine, over TLS.
"""

from __future__ import annotations

import base64
from typing import Any

import yaml
from cryptography.x509.oid import NameOID
from twisted.internet.ssl import Certificate, CertificateOptions, PrivateCertificate
from twisted.protocols.policies import WrappingFactory
from twisted.web.server import Site

from tests.support.certs import CertificateAuthority, Issued
from tests.support.fake_api.access import MASTERS, User
from tests.support.fake_api.api import TOKEN, FakeAPI

INTERFACE = "127.0.0.1"


class FakeAPIServer:
    """
    :param reactor: the reactor that serves it.
    :param interface: the address to listen on, which its certificate names.
    :ivar api: the server without sockets.
    :ivar port: the port, which stays the same over `stop` and `start`.
    """

    def __init__(self, reactor: Any, interface: str = INTERFACE) -> None:
        self._reactor = reactor
        self._interface = interface
        self.authority = CertificateAuthority("Kubernetes CA")
        self.api = FakeAPI(reactor, certified_user=_certified_user)
        names = (interface, "localhost", "kubernetes.default.svc")
        self._context = _make_context(self.authority, self.authority.issue(*names))
        self._connections = _Connections(_Site(self.api.resource, reactor=reactor))
        self._listening: Any = None
        self.port = 0
        self.start()

    def __repr__(self) -> str:
        return f"<FakeAPIServer {self.url} {self.api!r}>"

    @property
    def url(self) -> str:
        host = f"[{self._interface}]" if ":" in self._interface else self._interface
        return f"https://{host}:{self.port}"

    def start(self) -> None:
        """Listen, on the previous port if there was one; do nothing if it is listening."""
        if self._listening is not None:
            return
        self._listening = self._reactor.listenSSL(
            self.port, self._connections, self._context, interface=self._interface
        )
        self.port = self._listening.getHost().port

    def stop(self) -> Any:
        """
        Stop listening: connections are dropped and new ones refused; objects stay.

        :return: a Deferred that fires when the port is closed; None if it was closed already.
        """
        listening, self._listening = self._listening, None
        closed = listening.stopListening() if listening is not None else None
        self.drop_connections()
        return closed

    def drop_connections(self) -> None:
        """Drop all connections like a server that is killed."""
        self._connections.abort()

    def kubeconfig(
        self,
        token: str | None = TOKEN,
        certificate: Issued | None = None,
        namespace: str = "default",
    ) -> str:
        """
        Return the text of a kubeconfig for this server.

        :param certificate: a client certificate made by `issue_user`.
        """
        user: dict[str, str] = {} if token is None else {"token": token}
        if certificate is not None:
            user["client-certificate-data"] = _encode(certificate.chain_pem)
            user["client-key-data"] = _encode(certificate.key_pem)
        return make_kubeconfig(self.url, self.authority.root_pem, user, namespace)

    def issue_user(self, name: str, group: str = MASTERS) -> Issued:
        """Issue a client certificate that identifies a user."""
        return self.authority.issue(name, organization=group)


def make_kubeconfig(url: str, root_pem: bytes, user: dict[str, str], namespace: str) -> str:
    """Make a kubeconfig with one context."""
    context = {"cluster": "fake", "user": "user", "namespace": namespace}
    cluster = {"server": url, "certificate-authority-data": _encode(root_pem)}
    text: str = yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": cluster}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "fake", "context": context}],
            "current-context": "fake",
        }
    )
    return text


class _Site(Site):
    noisy = False

    def log(self, request: Any) -> None:
        """HTTPFactory: log nothing, because `FakeAPI.requests` has the requests."""


class _Connections(WrappingFactory):
    """Keeps track of open connections."""

    noisy = False

    def abort(self) -> None:
        for protocol in tuple(self.protocols):
            protocol.transport.abortConnection()


def _make_context(authority: CertificateAuthority, issued: Issued) -> CertificateOptions:
    pair = PrivateCertificate.loadPEM(issued.chain_pem + issued.key_pem)
    return CertificateOptions(
        privateKey=pair.privateKey.original,
        certificate=pair.original,
        # Client certificates are optional.
        verify=True,
        requireCertificate=False,
        acceptableProtocols=[b"http/1.1"],
        caCerts=[Certificate.loadPEM(authority.root_pem).original],
    )


def _certified_user(request: Any) -> User | None:
    certificate = request.channel.transport.getPeerCertificate()
    if certificate is None:
        return None
    subject = certificate.to_cryptography().subject
    names = {
        oid: tuple(str(each.value) for each in subject.get_attributes_for_oid(oid))
        for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
    }
    return User(names[NameOID.COMMON_NAME][0], names[NameOID.ORGANIZATION_NAME])


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
