"""
Argo CD's setup: one port that speaks HTTP/1.1 to browsers and gRPC to its command line.

Argo CD is written in Go; a server with its ways is played here, with the real library of gRPC.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import ClassVar

import grpc

from tests.e2e.case import ProcessTestCase
from tests.support.certs import CertificateAuthority
from tests.support.client import HTTPClient, trusting
from tests.support.endpoints import EchoEndpoint, RawEndpoint
from tests.support.example import FOLDER
from tests.support.grpc_channel import TIMEOUT, GRPCService, same
from tests.support.manifest import secret_manifest

HTTP_HOST = "argocd.example.com"
GRPC_HOST = "grpc.argocd.example.com"


class BothProtocols:
    """
    One port in front of two servers: connections that begin as HTTP/2 go to the second one.

    :param http1: the port of the first server.
    :param http2: that of the second.
    """

    def __init__(self, http1: int, http2: int) -> None:
        self._ports = (http1, http2)
        self._server = RawEndpoint(self._serve)
        self.port = self._server.port

    def stop(self) -> None:
        self._server.stop()

    def _serve(self, connection: socket.socket) -> None:
        first = connection.recv(3, socket.MSG_PEEK | socket.MSG_WAITALL)
        with socket.create_connection(("127.0.0.1", self._ports[first == b"PRI"])) as server:
            back = threading.Thread(target=self._pass_on, args=(server, connection), daemon=True)
            back.start()
            self._pass_on(connection, server)
            back.join()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


class ArgoCDTests(ProcessTestCase):
    """The manifests of ``examples/ingress-nginx/argo-cd``."""

    authority: ClassVar[CertificateAuthority]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.authority = CertificateAuthority()
        issued = cls.authority.issue(HTTP_HOST, GRPC_HOST)
        web, calls = cls.keep(EchoEndpoint("argocd")), cls.keep(GRPCService())
        server = cls.keep(BothProtocols(web.port, calls.port))
        cls.serve(
            folder,
            secret_manifest("pair", issued),
            source={
                "files": [str(FOLDER / "argo-cd" / "manifests.yaml"), str(folder / "manifests")],
                "endpoints": {"default/argocd-server": f"127.0.0.1:{server.port}"},
            },
            tls={"default": "default/pair"},
            http2=True,
        )

    def test_browser(self) -> None:
        """The page, which redirects from http to https."""
        self.assertEqual(self.get("/applications", HTTP_HOST).status, 308)
        context = trusting(self.authority.root_pem)
        with HTTPClient(self.process.port("https"), tls=context, server_name=HTTP_HOST) as client:
            for _ in range(3):
                reply = client.request("/api/v1/applications", HTTP_HOST)
                self.assertEqual((reply.status, reply.echo["name"]), (200, "argocd"))

    def test_command_line(self) -> None:
        """Calls over TLS, on the host of their own, which the same port answers."""
        channel = grpc.secure_channel(
            f"127.0.0.1:{self.process.port('https')}",
            grpc.ssl_channel_credentials(self.authority.root_pem),
            options=[
                ("grpc.default_authority", GRPC_HOST),
                ("grpc.ssl_target_name_override", GRPC_HOST),
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )
        self.addCleanup(channel.close)
        self.assertEqual(
            channel.unary_unary("/t.T/Echo", same, same)(b"list", timeout=TIMEOUT), b"list"
        )
        watch = channel.unary_stream("/t.T/Many", same, same)
        self.assertEqual(list(watch(b"abc", timeout=TIMEOUT)), [b"a", b"b", b"c"])
