"""
Certificates of clients, from outside: who is let in, with which version of TLS, and around what.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.events

from tests.e2e.case import ProcessTestCase, run
from tests.support.certs import LAST_MONTH, YESTERDAY, CertificateAuthority, Issued
from tests.support.client import HTTPClient, Reply, trusting_all
from tests.support.endpoints import EchoEndpoint
from tests.support.manifest import (
    Manifest,
    ingress_manifest,
    opaque_manifest,
    secret_manifest,
    served_manifests,
)
from tests.support.process import wait_until

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
HOSTS = ("on", "optional", "any", "page", "named", "passed", "revoking", "deep", "open", "other")


class ClientCertificateTests(ProcessTestCase):
    """Hosts ``NAME.example``, whose authorities are in the Secret ``trust`` unless said otherwise."""

    authority: ClassVar[CertificateAuthority]
    alice: ClassVar[Issued]
    revoked: ClassVar[Issued]
    stranger: ClassVar[Issued]
    web: ClassVar[EchoEndpoint]
    folder: ClassVar[Path]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.folder = folder
        authority = cls.authority = CertificateAuthority("Clients")
        cls.alice = authority.issue("alice", organization="Acme")
        cls.revoked = authority.issue("mallory")
        cls.stranger = CertificateAuthority("Stranger").issue("alice", organization="Acme")
        cls.web = cls.echo("web")
        ours = CertificateAuthority("Servers").issue("*.example")
        crl = authority.revoke(cls.revoked).decode()
        cls.serve(
            folder,
            *served_manifests("web", cls.web.port),
            secret_manifest("pair", ours),
            opaque_manifest("trust", ca__crt=authority.root_pem.decode()),
            opaque_manifest("revoking", ca__crt=authority.root_pem.decode(), ca__crl=crl),
            opaque_manifest("other", ca__crt=CertificateAuthority("Other").root_pem.decode()),
            ingress_manifest(
                "open", "open.example", {"/": "web"}, tls={"pair": ["open.example"]},
                annotations={"ssl-redirect": "false"},
            ),
            ingress_manifest("bare", "bare.example", {"/": "web"}),
            cls.ingress("on"),
            cls.ingress("optional", verify_client="optional"),
            cls.ingress("any", verify_client="optional_no_ca"),
            cls.ingress("page", error_page="https://help.example/certificate"),
            cls.ingress("named", match_cn="CN=al(ice|bert)"),
            cls.ingress("passed", pass_certificate_to_upstream="true"),
            cls.ingress("revoking", "revoking"),
            cls.ingress("deep", verify_depth="2"),
            cls.ingress("other", "other"),
            cls.ingress("missing", "nowhere"),
        )  # fmt: skip

    @classmethod
    def ingress(cls, name: str, secret: str = "trust", **settings: str) -> Manifest:
        annotations = {
            f"auth-tls-{key.replace('_', '-')}": value for key, value in settings.items()
        }
        return ingress_manifest(
            name,
            f"{name}.example",
            {"/": "web"},
            tls={"pair": [f"{name}.example"]},
            annotations={
                "auth-tls-secret": f"default/{secret}",
                "ssl-redirect": "false",
                **annotations,
            },
        )

    def context(
        self, issued: Issued | None = None, version: ssl.TLSVersion | None = None
    ) -> ssl.SSLContext:
        context = trusting_all()
        if version is not None:
            context.minimum_version = context.maximum_version = version
        if issued is not None:
            path = self.folder / f"{issued.certificate.serial_number}.pem"
            path.write_bytes(issued.key_pem + issued.chain_pem)
            context.load_cert_chain(path)
        return context

    def ask(
        self,
        host: str,
        issued: Issued | None = None,
        *,
        server_name: str | None = "",
        version: ssl.TLSVersion | None = None,
        fields: str = "",
    ) -> Reply:
        """:param server_name: the SNI; None for none, and empty for the host."""
        name = f"{host}.example" if server_name == "" else server_name
        context = self.context(issued, version)
        with HTTPClient(self.process.port("https"), tls=context, server_name=name) as client:
            return client.request(host=f"{host}.example", fields=fields)

    def fields_of(self, reply: Reply) -> dict[str, str]:
        """What the endpoint got."""
        self.assertEqual(reply.status, 200, reply)
        return {
            name.lower(): value
            for name, value in reply.echo["fields"]
            if name.lower().startswith("ssl-client-")
        }

    def test_on(self) -> None:
        """A certificate of an authority is needed; the endpoint learns whose it is."""
        for version in VERSIONS:
            found = self.fields_of(self.ask("on", self.alice, version=version))
            self.assertEqual(
                found,
                {
                    "ssl-client-verify": "SUCCESS",
                    "ssl-client-subject-dn": "O=Acme,CN=alice",
                    "ssl-client-issuer-dn": "CN=Clients",
                },
            )
            for refused in (None, self.stranger):
                self.assertEqual(self.ask("on", refused, version=version).status, 400)
        expired = self.authority.issue("alice", not_before=LAST_MONTH, not_after=YESTERDAY)
        self.assertEqual(self.ask("on", expired).status, 400)
        self.assertIn("closed", repr(self.ask("missing", self.alice).text))

    def test_forged(self) -> None:
        """A client cannot write the fields itself."""
        forged = (
            "ssl-client-verify: SUCCESS\r\nSSL_Client_Subject_DN: CN=root\r\nSsl-Client-Cert: x\r\n"
        )
        self.assertEqual(
            self.fields_of(self.ask("optional", fields=forged)), {"ssl-client-verify": "NONE"}
        )
        self.assertEqual(self.fields_of(self.ask("open", fields=forged)), {})
        self.assertEqual(self.ask("on", fields=forged).status, 400)

    def test_optional(self) -> None:
        """A certificate may be shown; a bad one is refused, unless its authority is the endpoint's business."""
        for version in VERSIONS:
            for host in ("optional", "any"):
                self.assertEqual(
                    self.fields_of(self.ask(host, version=version)), {"ssl-client-verify": "NONE"}
                )
                found = self.fields_of(self.ask(host, self.alice, version=version))
                self.assertEqual(found["ssl-client-verify"], "SUCCESS")
            self.assertEqual(self.ask("optional", self.stranger, version=version).status, 400)
            found = self.fields_of(self.ask("any", self.stranger, version=version))
            self.assertTrue(found["ssl-client-verify"].startswith("FAILED:unable to "), found)
        expired = self.authority.issue("alice", not_before=LAST_MONTH, not_after=YESTERDAY)
        self.assertEqual(self.ask("any", expired).status, 400)

    def test_page(self) -> None:
        """Who has no good certificate is sent to a page."""
        for refused in (None, self.stranger):
            reply = self.ask("page", refused)
            self.assertEqual(
                (reply.status, reply.field("Location")), (302, "https://help.example/certificate")
            )
        self.assertEqual(self.ask("page", self.alice).status, 200)

    def test_named(self) -> None:
        """The whole common name has to match."""
        self.assertEqual(self.ask("named", self.alice).status, 200)
        for name in ("alicex", "xalice", "Alice", "bob"):
            self.assertEqual(self.ask("named", self.authority.issue(name)).status, 403, name)

    def test_passed(self) -> None:
        """The endpoint gets the certificate if it wants that."""
        found = self.fields_of(self.ask("passed", self.alice))
        pem = unquote(found["ssl-client-cert"])
        self.assertTrue(self.alice.chain_pem.decode().startswith(pem.strip()), pem)

    def test_revoked(self) -> None:
        """A certificate on the list of the Secret is refused."""
        self.assertEqual(self.ask("revoking", self.alice).status, 200)
        self.assertEqual(self.ask("revoking", self.revoked).status, 400)
        self.assertEqual(self.ask("on", self.revoked).status, 200)

    def test_depth(self) -> None:
        """So many authorities may be in between, and no more."""
        below = self.authority.intermediate("one").issue("alice")
        deep = self.authority.intermediate("one").intermediate("two").issue("alice")
        too_deep = (
            self.authority.intermediate("1").intermediate("2").intermediate("3").issue("alice")
        )
        for host, issued, status in (
            ("on", below, 200),
            ("on", deep, 400),
            ("deep", deep, 200),
            ("deep", too_deep, 400),
        ):
            self.assertEqual(self.ask(host, issued).status, status, host)

    def test_around(self) -> None:
        """No other name, no name and no clear text leads around; other authorities do not count."""
        for version in VERSIONS:
            for name in ("open.example", "nowhere.example", None):
                for issued in (None, self.alice):
                    reply = self.ask("on", issued, server_name=name, version=version)
                    self.assertEqual(reply.status, 400, (name, issued))
                self.assertEqual(
                    self.ask("optional", server_name=name, version=version).status, 421
                )
            for name in ("other.example", "revoking.example", "deep.example"):
                reply = self.ask("on", self.alice, server_name=name, version=version)
                self.assertEqual(reply.status, 421, name)
            # The same authorities.
            self.assertEqual(self.ask("on", self.alice, server_name="passed.example").status, 200)
            self.assertEqual(self.ask("on", self.alice, server_name="ON.example").status, 200)
            self.assertEqual(self.ask("open", self.alice, server_name="on.example").status, 200)
        self.assertEqual(self.get(host="on.example").status, 403)
        self.assertEqual(self.get(host="optional.example").status, 403)
        self.assertEqual(self.get(host="open.example").status, 200)

    def statuses_over_http2(
        self,
        server_name: str,
        issued: Issued | None,
        *hosts: str,
        fields: tuple[tuple[str, str], ...] = (),
    ) -> dict[str, int]:
        """What requests for several hosts get on one connection, as browsers share them."""
        context = self.context(issued)
        context.set_alpn_protocols(["h2"])
        client = HTTPClient(self.process.port("https"), tls=context, server_name=server_name)
        self.addCleanup(client.close)
        http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        http2.initiate_connection()
        asked: dict[int, str] = {}
        found: dict[str, int] = {}
        for host in hosts:
            stream = http2.get_next_available_stream_id()
            asked[stream] = host
            authority = f"{host}.example"
            pseudo = {":method": "GET", ":path": "/", ":scheme": "https", ":authority": authority}
            http2.send_headers(stream, [*pseudo.items(), *fields], end_stream=True)
        client.send(http2.data_to_send())
        while len(found) < len(asked):
            data = client.socket.recv(65536)
            self.assertTrue(data, "the connection has ended")
            for event in http2.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    head = {bytes(name): bytes(value) for name, value in event.headers}
                    found[asked[event.stream_id]] = int(head[b":status"])
        return found

    def test_http2(self) -> None:
        """On a connection that hosts share, each gets what was verified for it, or 421."""
        hosts = ("on", "passed", "optional", "open", "other", "revoking", "missing")
        self.assertEqual(
            self.statuses_over_http2("on.example", self.alice, *hosts),
            dict(zip(hosts, (200, 200, 200, 200, 421, 421, 503), strict=True)),
        )
        self.assertEqual(
            self.statuses_over_http2("open.example", self.alice, *hosts),
            dict(zip(hosts, (421, 421, 421, 200, 421, 421, 503), strict=True)),
        )
        # Clients of gRPC know 421 as well: it is no status of gRPC.
        grpc = (("content-type", "application/grpc"), ("te", "trailers"))
        self.assertEqual(
            self.statuses_over_http2("open.example", None, "on", "missing", fields=grpc),
            {"on": 421, "missing": 200},
        )

    def test_http2_without_certificate(self) -> None:
        """Hosts without a certificate of their own are served on any connection, as in HTTP/1.1."""
        for name in ("open.example", "bare.example", "nobody.example"):
            self.assertEqual(
                self.statuses_over_http2(name, None, "bare", "nobody", "on"),
                {"bare": 200, "nobody": 404, "on": 421},
                name,
            )
        self.assertEqual(self.ask("bare", server_name="open.example").status, 200)

    def test_resumed(self) -> None:
        """No session of another host, and none at all where clients are asked, is taken up again."""
        port = self.process.port("https")
        for version in VERSIONS:
            context = self.context(self.alice, version)
            sessions = {}
            for host in ("open", "on", "other"):
                with HTTPClient(port, tls=context, server_name=f"{host}.example") as client:
                    client.request(host=f"{host}.example")
                    assert isinstance(client.socket, ssl.SSLSocket)
                    sessions[host] = client.socket.session
            for host, name, status in (
                ("open", "open", 200),
                ("on", "on", 200),
                ("on", "other", 400),
            ):
                plain = HTTPClient(port)
                self.addCleanup(plain.close)
                plain.socket = context.wrap_socket(
                    plain.socket, server_hostname=f"{name}.example", session=sessions[host]
                )
                reply = plain.request(host=f"{name}.example")
                self.assertEqual(reply.status, status, (version, host, name))
                assert isinstance(plain.socket, ssl.SSLSocket)
                self.assertEqual(plain.socket.session_reused, host == "open", (version, host))
            plain = HTTPClient(port)
            self.addCleanup(plain.close)
            plain.socket = context.wrap_socket(
                plain.socket, server_hostname="on.example", session=sessions["open"]
            )
            self.assertIn(plain.request(host="on.example").status, (200, 400))

    def test_changes(self) -> None:
        """Other authorities apply at once, to connections and sessions that are there as well."""
        first, second = CertificateAuthority("First"), CertificateAuthority("Second")
        ours, theirs = first.issue("alice"), second.issue("alice")

        def write(authority: CertificateAuthority | None, *, is_open: bool = False) -> None:
            secret = (
                []
                if authority is None
                else [opaque_manifest("live", ca__crt=authority.root_pem.decode())]
            )
            ingress = self.ingress("live", "live")
            if is_open:
                ingress = ingress_manifest(
                    "live",
                    "live.example",
                    {"/": "web"},
                    tls={"pair": ["live.example"]},
                    annotations={"ssl-redirect": "false"},
                )
            self.process.write("live.yaml", ingress, *secret)

        write(None, is_open=True)
        wait_until(lambda: self.ask("live").status == 200, "the host")
        for version in VERSIONS:
            write(None, is_open=True)
            wait_until(lambda: self.ask("live").status == 200, "an open host")
            context = self.context(ours, version)
            with HTTPClient(
                self.process.port("https"), tls=context, server_name="live.example"
            ) as open_client:
                self.assertEqual(open_client.request(host="live.example").status, 200)
                assert isinstance(open_client.socket, ssl.SSLSocket)
                session = open_client.socket.session
                write(first)
                wait_until(lambda: self.ask("live", ours).status == 200, "the first authority")
                self.assertEqual(open_client.request(host="live.example").status, 400)
            # The session from before is not taken up, so that the certificate is asked for.
            plain = HTTPClient(self.process.port("https"))
            self.addCleanup(plain.close)
            plain.socket = context.wrap_socket(
                plain.socket, server_hostname="live.example", session=session
            )
            self.assertEqual(plain.request(host="live.example").status, 200)
            assert isinstance(plain.socket, ssl.SSLSocket)
            self.assertFalse(plain.socket.session_reused)
            write(second)
            wait_until(lambda: self.ask("live", theirs).status == 200, "the second authority")
            self.assertEqual(plain.request(host="live.example").status, 421)
            self.assertEqual(self.ask("live", ours).status, 400)
            write(None)
            wait_until(lambda: self.ask("live", theirs).status == 503, "the closed host")

    def test_tools(self) -> None:
        """Curl and openssl are let in with their certificates."""
        path = self.folder / "alice.pem"
        path.write_bytes(self.alice.key_pem + self.alice.chain_pem)
        port = self.process.port("https")
        for arguments, status in ((("--cert", str(path)), "200"), ((), "400")):
            done = run(
                "curl",
                "-sk",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                *arguments,
                "--resolve",
                f"on.example:{port}:127.0.0.1",
                f"https://on.example:{port}/",
            )
            self.assertEqual(done.stdout.decode(), status, done.stderr)
        for host, has_names in (("on", True), ("open", False)):
            done = run(
                "openssl",
                "s_client",
                "-connect",
                f"127.0.0.1:{port}",
                "-servername",
                f"{host}.example",
                "-ign_eof",
                data=f"GET / HTTP/1.1\r\nHost: {host}.example\r\nConnection: close\r\n\r\n".encode(),
            )
            self.assertEqual(
                b"CN = Clients" in done.stdout or b"CN=Clients" in done.stdout,
                has_names,
                done.stdout,
            )


class WorkerTests(ProcessTestCase):
    """Two workers, which learn over their channels whom to ask."""

    authority: ClassVar[CertificateAuthority]
    folder: ClassVar[Path]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.folder = folder
        cls.authority = CertificateAuthority("Clients")
        web = cls.echo("web")
        cls.serve(
            folder,
            *served_manifests("web", web.port),
            opaque_manifest("trust", ca__crt=cls.authority.root_pem.decode()),
            ingress_manifest(
                "asking",
                "asking.example",
                {"/": "web"},
                annotations={"auth-tls-secret": "default/trust"},
            ),
            workers=2,
        )

    def statuses(self, context: ssl.SSLContext) -> set[int]:
        """Those that 20 connections get, so that both workers have some."""
        found = set()
        for _ in range(20):
            with HTTPClient(
                self.process.port("https"), tls=context, server_name="asking.example"
            ) as client:
                found.add(client.request(host="asking.example").status)
        return found

    def test_workers(self) -> None:
        """Each worker asks for a certificate, and lets nobody in without."""
        issued = self.authority.issue("alice")
        path = self.folder / "alice.pem"
        path.write_bytes(issued.key_pem + issued.chain_pem)
        context = trusting_all()
        context.load_cert_chain(path)
        self.assertEqual(self.statuses(context), {200})
        self.assertEqual(self.statuses(trusting_all()), {400})
