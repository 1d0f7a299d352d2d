"""
TLS from outside: which certificate is served, what is agreed on, what is resumed.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import ClassVar

from cryptography.hazmat.primitives.serialization import Encoding

from tests.e2e.case import ProcessTestCase, run
from tests.support.certs import CertificateAuthority, Issued, rsa_key
from tests.support.client import HTTPClient, trusting, trusting_all
from tests.support.endpoints import EchoEndpoint
from tests.support.manifest import ingress_manifest, secret_manifest, served_manifests
from tests.support.process import wait_until

VERSIONS = {"-tls1_2": ssl.TLSVersion.TLSv1_2, "-tls1_3": ssl.TLSVersion.TLSv1_3}


class TLSTestCase(ProcessTestCase):
    """A process with a certificate of each kind."""

    authority: ClassVar[CertificateAuthority]
    issued: ClassVar[dict[str, Issued]]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.authority = CertificateAuthority()
        intermediate = cls.authority.intermediate()
        cls.issued = {
            "exact": intermediate.issue("a.example"),
            "wild": cls.authority.issue("*.wild.example", key=rsa_key()),
            "inner": cls.authority.issue("inner.wild.example"),
            "fallback": cls.authority.issue("fallback.example"),
        }
        # Of two pairs, each has the other's key.
        one, other = cls.authority.issue("bad.example"), cls.authority.issue("bad.example")
        crossed = Issued(one.certificate, one.chain_pem, other.key_pem, one.names)
        web = cls.echo("web")
        cls.serve(
            folder,
            *(secret_manifest(name, issued) for name, issued in cls.issued.items()),
            secret_manifest("crossed", crossed),
            _ingress("a.example", "exact"),
            _ingress("*.wild.example", "wild"),
            _ingress("inner.wild.example", "inner"),
            _ingress("bad.example", "crossed"),
            _ingress("missing.example", "missing"),
            ingress_manifest("plain", "plain.example", {"/": "web"}),
            *served_manifests("web", web.port),
            tls={"default": "default/fallback"},
            public_ports={"http": 8080, "https": 8443},
        )

    def connect_tls(self, context: ssl.SSLContext, server_name: str | None) -> HTTPClient:
        """A connection to its https listener."""
        client = HTTPClient(self.process.port("https"), tls=context, server_name=server_name)
        self.addCleanup(client.close)
        return client

    def secure(self, server_name: str = "a.example") -> HTTPClient:
        """A connection that checks the certificate."""
        return self.connect_tls(trusting(self.authority.root_pem), server_name)

    def served(self, server_name: str | None) -> str:
        """The name, in `issued`, of the certificate that is served."""
        client = self.connect_tls(trusting_all(), server_name)
        assert isinstance(client.socket, ssl.SSLSocket)
        found = client.socket.getpeercert(binary_form=True)
        for name, issued in self.issued.items():
            if issued.certificate.public_bytes(Encoding.DER) == found:
                return name
        return "unknown"


def _ingress(host: str, secret: str) -> object:
    return ingress_manifest(secret, host, {"/": "web"}, tls={secret: [host]})


class CertificateTests(TLSTestCase):
    """SNI picks the certificate, Host the route."""

    def test_by_server_name(self) -> None:
        """An exact host goes before a wildcard, which is one label; else the default serves."""
        for server_name, name in (
            ("a.example", "exact"),
            ("x.wild.example", "wild"),
            ("inner.wild.example", "inner"),
            ("x.y.wild.example", "fallback"),
            ("wild.example", "fallback"),
            ("unknown.example", "fallback"),
            (None, "fallback"),
        ):
            self.assertEqual((server_name, self.served(server_name)), (server_name, name))

    def test_spelling(self) -> None:
        """Case and a trailing dot make no difference."""
        port = self.process.port("https")
        for server_name in ("A.EXAMPLE", "a.example.", "X.Wild.Example."):
            done = run(
                *("openssl", "s_client", "-connect", f"127.0.0.1:{port}"),
                *("-servername", server_name),
            )
            self.assertNotIn(b"fallback.example", done.stdout, server_name)

    def test_bad_secrets(self) -> None:
        """Hosts whose Secret is missing or broken are served with the default certificate."""
        for host, secret in (("bad.example", "crossed"), ("missing.example", "missing")):
            self.assertEqual((host, self.served(host)), (host, "fallback"))
            client = self.connect_tls(trusting_all(), host)
            self.assertEqual(client.request(host=host).status, 200)
            self.process.wait_for_line(
                rf'Ingress default/{secret}: spec\.tls\[0\]\.secretName: "{secret}": '
            )

    def test_chain(self) -> None:
        """The intermediate certificate comes along, so that a client that has the root is content."""
        self.assertEqual(self.secure().request().status, 200)

    def test_host_picks_route(self) -> None:
        """A request for another host than the SNI's gets that host's answer."""
        self.assertEqual(self.secure().request(host="plain.example").status, 200)
        self.assertEqual(self.secure().request(host="unknown.example").status, 404)

    def test_both_kinds_of_keys_in_both_versions(self) -> None:
        """RSA and ECDSA serve TLS 1.2 and 1.3, and nothing older is spoken."""
        for version in VERSIONS.values():
            for server_name in ("a.example", "x.wild.example"):
                context = trusting(self.authority.root_pem, version=version)
                client = self.connect_tls(context, server_name)
                self.assertEqual(client.request(host=server_name).status, 200)
        done = run(
            *("openssl", "s_client", "-connect", f"127.0.0.1:{self.process.port('https')}"),
            *("-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"),
        )
        self.assertNotEqual(done.returncode, 0)


class AgreementTests(TLSTestCase):
    """What the handshake agrees on, and what it brings back."""

    def test_protocols(self) -> None:
        """HTTP/1.1 is agreed on where it is offered; who offers others only is refused."""
        context = trusting(self.authority.root_pem)
        context.set_alpn_protocols(["h3", "http/1.1"])
        client = self.connect_tls(context, "a.example")
        assert isinstance(client.socket, ssl.SSLSocket)
        self.assertEqual(client.socket.selected_alpn_protocol(), "http/1.1")
        context.set_alpn_protocols(["nonsense"])
        with self.assertRaises(ssl.SSLError):
            self.connect_tls(context, "a.example")

    def test_resumption(self) -> None:
        """A session is resumed in both versions, with both kinds of keys."""
        for option in VERSIONS:
            for server_name in ("a.example", "x.wild.example"):
                session = str(self.process.folder / "session")
                self.assertIn(b"\nNew, TLS", self.talk(option, server_name, "-sess_out", session))
                resumed = self.talk(option, server_name, "-sess_in", session)
                self.assertIn(b"\nReused, TLS", resumed, (option, server_name))
                self.assertIn(b"HTTP/1.1 200 OK", resumed)

    def talk(self, *options: str) -> bytes:
        """What ``openssl s_client`` says to a request."""
        version, server_name, *others = options
        return run(
            *("openssl", "s_client", "-connect", f"127.0.0.1:{self.process.port('https')}"),
            *(version, "-servername", server_name, *others, "-ign_eof"),
            data=b"GET / HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % server_name.encode(),
        ).stdout

    def test_curl(self) -> None:
        """curl believes the certificate and gets its answer."""
        root = self.process.folder / "root.pem"
        root.write_bytes(self.authority.root_pem)
        port = self.process.port("https")
        done = run(
            *("curl", "-s", "--cacert", str(root), "--resolve", f"a.example:{port}:127.0.0.1"),
            *("-w", "%{http_code}", "-o", "/dev/null", f"https://a.example:{port}/"),
        )
        self.assertEqual(done.stdout, b"200")

    def test_bodies(self) -> None:
        """A body of many records reaches the endpoint whole."""
        reply = self.secure().request(method="PUT", body=bytes(700_000))
        self.assertEqual(reply.echo["length"], 700_000)

    def test_forwarded_fields(self) -> None:
        """The endpoint is told that the client came over https, and to which port."""
        fields = dict(self.secure().request().echo["fields"])
        self.assertEqual(fields["X-Forwarded-Proto"], "https")
        self.assertEqual(fields["X-Forwarded-Port"], "8443")

    def test_plain_text(self) -> None:
        """Who speaks HTTP to the https listener loses the connection, and nobody else theirs."""
        with HTTPClient(self.process.port("https")) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            self.assertTrue(client.is_closed)
        self.assertEqual(self.secure().request().status, 200)


class HttpsOnlyTests(TLSTestCase):
    """Hosts with a tls entry are for https."""

    def test_redirect(self) -> None:
        """http is answered with 308 to the same target at the port that clients see."""
        for target, location in (
            ("/x/y?z=%20&a", "https://a.example:8443/x/y?z=%20&a"),
            ("/", "https://a.example:8443"),
        ):
            reply = self.get(target, "a.example:8080")
            self.assertEqual(reply.status, 308)
            self.assertEqual(reply.field("Location"), location)

    def test_redirect_with_method(self) -> None:
        """Every method is redirected, and the body read so that the connection lives on."""
        client = self.connect()
        self.assertEqual(client.request(method="POST", body=b"a=b").status, 308)

    def test_no_redirect(self) -> None:
        """Hosts without a tls entry, and challenges of a certificate authority, stay on http."""
        self.assertEqual(self.get("/", "plain.example").status, 200)
        self.assertEqual(self.get("/.well-known/acme-challenge/x").status, 200)

    def test_redirect_despite_missing_secret(self) -> None:
        """A tls entry redirects even while its Secret is missing."""
        self.assertEqual(self.get("/", "missing.example").status, 308)

    def test_hsts(self) -> None:
        """Every answer over https has one Strict-Transport-Security, and none over http has."""
        expected = ["max-age=31536000; includeSubDomains"]
        client = self.secure()
        for host in ("a.example", "plain.example", "unknown.example"):
            reply = client.request(host=host)
            self.assertEqual(reply.all("Strict-Transport-Security"), expected)
            self.assertEqual(self.get("/", host).all("Strict-Transport-Security"), [])


class IssuanceTests(ProcessTestCase):
    """cert-manager gets the first certificate of a host over http (ACME, HTTP-01)."""

    authority: ClassVar[CertificateAuthority]
    solver: ClassVar[EchoEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.authority = CertificateAuthority()
        web = cls.echo("web")
        cls.solver = cls.echo("solver")
        cls.serve(
            folder,
            ingress_manifest("web", "a.example", {"/": "web"}, tls={"a-tls": ["a.example"]}),
            *served_manifests("web", web.port),
            tls={},
        )

    def test_issued(self) -> None:
        """
        The solver answers although the host redirects to https, and only under its token; the
        certificate that comes of it is served, and goes with nothing of the redirect.
        """
        challenge = "/.well-known/acme-challenge/LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
        self.assertEqual(self.get("/x").status, 308)
        for path_type in ("~", "="):
            self.process.write(
                "solver.yaml",
                ingress_manifest(
                    "cm-acme-http-solver-abcde",
                    "a.example",
                    {f"{path_type}{challenge}": "cm-acme-http-solver-abcde"},
                    annotations={"whitelist-source-range": "0.0.0.0/0,::/0"},
                ),
                *served_manifests("cm-acme-http-solver-abcde", self.solver.port),
            )
            wait_until(lambda: self.solved(challenge), "the solver is served")
            self.assertFalse(self.solved(f"{challenge}x") and path_type == "=")
            self.assertEqual(self.get("/x").status, 308)
            self.process.write("solver.yaml")
            wait_until(lambda: not self.solved(challenge), "the solver is gone")
        issued = self.authority.issue("a.example")
        self.process.write("secret.yaml", secret_manifest("a-tls", issued))
        wait_until(lambda: self.is_trusted(), "the certificate is served")
        self.process.write("secret.yaml")
        wait_until(lambda: not self.is_trusted(), "the certificate is gone")
        self.assertEqual(self.get("/x").status, 308)

    def solved(self, target: str) -> bool:
        """Whether the solver answers a request over http."""
        reply = self.get(target)
        return reply.status == 200 and reply.echo["name"] == "solver"

    def is_trusted(self) -> bool:
        """Whether a.example has the certificate of the authority."""
        try:
            with HTTPClient(
                self.process.port("https"),
                tls=trusting(self.authority.root_pem),
                server_name="a.example",
            ) as client:
                return client.request("/x").status == 200
        except ssl.SSLError:
            return False
