"""
cert-manager and ExternalDNS in a cluster beside the proxy: certificates by HTTP-01, and records
by the status of Ingresses.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import ClassVar

from cryptography import x509

from tests.e2e.cluster_case import (
    NAMESPACE,
    READY,
    ClusterTestCase,
    Document,
    endpoint_slice,
    served_ingress,
    with_class,
)
from tests.support.cert_manager import CertManager, Challenge, another, solver_ingress
from tests.support.certs import CertificateAuthority, Issued
from tests.support.client import HTTPClient
from tests.support.external_dns import PREFIX, records
from tests.support.manifest import (
    backend_secret_manifest,
    config_map_manifest,
    ingress_manifest,
    opaque_manifest,
    service_manifest,
)
from tests.support.process import wait_until

SETTINGS = "settings"
HOST = "a.example"
ISSUER = {"cert-manager.io/cluster-issuer": "letsencrypt"}
OTHER = "other"
"""A namespace."""

BALANCER = (
    {"ip": "192.0.2.11", "ipMode": "VIP"},
    {"ip": "192.0.2.10", "hostname": "lb.example"},
    {"ip": "2001:db8::10"},
)
"""The status of the Service in front."""


class CompanionCase(ClusterTestCase):
    """One replica behind a load balancer; hosts belong to the namespace that has them first."""

    authority: ClassVar[CertificateAuthority]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.authority = CertificateAuthority()
        cls.prepare_cluster(folder)
        cls.api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OTHER}})
        service = cls.api.get("v1", "Service", "txingress", NAMESPACE)
        assert service is not None
        status = {"loadBalancer": {"ingress": list(BALANCER)}}
        cls.api.put({"apiVersion": "v1", "kind": "Service", **service, "status": status})
        cls.process = cls.make_replica(
            "txingress-0",
            config_map=f"{NAMESPACE}/{SETTINGS}",
            hosts={"ownership": "namespace"},
        )
        cls.configure()
        cls.process.start()

    @classmethod
    def configure(cls, **keys: str) -> None:
        """Replace the data of the ConfigMap; names have _ for -."""
        data = {name.replace("_", "-"): value for name, value in keys.items()}
        cls.api.put(config_map_manifest(SETTINGS, data, namespace=NAMESPACE))


class ExternalDNSTests(CompanionCase):
    """What ExternalDNS makes of the statuses that were written."""

    def test_records(self) -> None:
        """
        Each host of an Ingress leads to every address of the load balancer, also that of an entry
        for TLS alone; one with targets of its own, and one of another class, are left alone.
        """
        foreign = with_class(served_ingress("foreign", "foreign.example"), "other")
        theirs = {"loadBalancer": {"ingress": [{"ip": "192.0.2.99"}]}}
        self.api.put(
            served_ingress("web", HOST, tls={"shop-tls": [HOST, "*.tls.example"]}),
            served_ingress(
                *("named", "named.example"),
                annotations={
                    f"{PREFIX}hostname": "one.example, two.example.",
                    f"{PREFIX}ingress-hostname-source": "annotation-only",
                },
            ),
            served_ingress(
                *("aimed", "aimed.example"), annotations={f"{PREFIX}target": "cdn.example."}
            ),
            {**foreign, "status": theirs},
        )
        names = (HOST, "*.tls.example", "one.example", "two.example")
        ours = {
            *((name, "A", ("192.0.2.10", "192.0.2.11")) for name in names),
            *((name, "AAAA", ("2001:db8::10",)) for name in names),
            *((name, "CNAME", ("lb.example",)) for name in names),
            ("aimed.example", "CNAME", ("cdn.example",)),
        }
        wait_until(lambda: records(self.ingresses(), ("twisted",)) == ours, "our records")
        their_records = {("foreign.example", "A", ("192.0.2.99",))}
        self.assertEqual(records(self.ingresses()), ours | their_records)
        self.api.put(with_class(served_ingress("web", HOST), "other"))
        wait_until(lambda: HOST not in self.hosts(), "the records of another class to go")
        self.assertEqual(records(self.ingresses(), ("other",)), their_records)

    def test_solver(self) -> None:
        """The short-lived Ingress of a challenge leads its host to the same addresses."""
        self.api.put(solver_ingress(Challenge(HOST)))
        wait_until(lambda: HOST in self.hosts(), "its address")
        found = {kind for name, kind, _ in records(self.ingresses())}
        self.assertEqual(found, {"A", "AAAA", "CNAME"})

    def ingresses(self) -> list[Document]:
        """All of the namespace, as ExternalDNS lists them."""
        names = ("web", "named", "aimed", "foreign", Challenge(HOST).name)
        found = (self.api.get("networking.k8s.io/v1", "Ingress", name) for name in names)
        return [each for each in found if each is not None]

    def hosts(self) -> set[str]:
        return {name for name, _, _ in records(self.ingresses())}


class CertManagerTests(CompanionCase):
    """Certificates by HTTP-01 for hosts whose own Ingress lets nobody in."""

    def setUp(self) -> None:
        super().setUp()
        self.cert_manager = CertManager(self.api, self.network, self.addCleanup)
        self.api.put(service_manifest("web"), endpoint_slice("web", a=READY))

    # One host's way to its certificate.

    def test_solver(self) -> None:
        """
        The challenge is answered over http whatever the host's own Ingress asks of its clients;
        the certificate, and the next one, are served as they come; the path falls back.
        """
        self.addCleanup(self.configure)
        self.configure(
            global_auth_url="http://10.244.1.99:9/", whitelist_source_range="192.0.2.0/24"
        )
        users = opaque_manifest("users", auth="alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=")
        clients = backend_secret_manifest("clients", self.authority.root_pem)
        self.api.put(users, clients, shop(**CLOSED))
        # That the ConfigMap applies shows where nothing else closes.
        everybody = {"whitelist-source-range": "0.0.0.0/0,::/0"}
        self.api.put(
            served_ingress("plain", "plain.example"),
            served_ingress("any", "any.example", annotations=everybody),
        )
        self.wait_for_status(403, host="plain.example")
        self.wait_for_status(500, host="any.example")
        self.process.wait_for_line("Secret default/shop-tls does not exist", since=self.mark)
        self.wait_for_status(308)
        challenge = Challenge(HOST)
        for each in (
            challenge,
            another(
                challenge,
                names_class_by="annotation",
                path_type="ImplementationSpecific",
                service_type="ClusterIP",
            ),
        ):
            self.cert_manager.present(each)
            self.wait_for_key(each)
            self.assertEqual(self.process.get("/x", HOST).status, 308)
            self.assertIn(self.process.get(f"{each.path}/x", HOST).status, (403, 404))
            self.cert_manager.clean_up(each)
            self.wait_for_end(each, 403)
        first, second = self.authority.issue(HOST), self.authority.issue(HOST)
        for issued in (first, second):
            self.cert_manager.store("shop-tls", issued)
            self.wait_for_certificate(issued)
        self.process.wait_for_line("gone: .*shop-tls does not exist", since=self.mark)

    def test_rewriting_host(self) -> None:
        """Neither expressions, rewrites, redirects nor further names of the host get in between."""
        annotations = {
            "use-regex": "true",
            "rewrite-target": "/$1",
            "from-to-www-redirect": "true",
            "server-alias": "alias.example",
            "app-root": "/start",
        }
        own = ingress_manifest(
            *("shop", HOST, {"~/(.*)": "web", "~/.well-known/(.*)": "web"}),
            tls={"shop-tls": [HOST, f"www.{HOST}", "alias.example"]},
            annotations=annotations,
        )
        redirected = served_ingress(
            *("moved", "moved.example"), annotations={"permanent-redirect": "https://x.example"}
        )
        wild = served_ingress("wild", "*.wild.example")
        self.api.put(with_class(own, "twisted"), redirected, wild)
        for host, status in (
            (HOST, 308),
            (f"www.{HOST}", 308),
            ("alias.example", 308),
            ("moved.example", 301),
            ("b.wild.example", 200),
        ):
            self.wait_for_status(status, "/", host)
            challenge = Challenge(host)
            self.cert_manager.present(challenge)
            self.wait_for_key(challenge)
            self.cert_manager.clean_up(challenge)
            self.wait_for_end(challenge)

    def test_edit_in_place(self) -> None:
        """The path is put into the host's own Ingress, whose temporary certificate is served."""
        self.api.put(shop(**{"acme.cert-manager.io/http01-edit-in-place": "true"}))
        self.wait_for_status(308)
        self.cert_manager.store_temporary("shop-tls", HOST)
        wait_until(lambda: self.subject() == "cert-manager.local", "the temporary certificate")
        challenge = Challenge(HOST, edits="shop")
        self.cert_manager.present(challenge)
        self.wait_for_key(challenge)
        self.assertEqual(self.process.get("/x", HOST).status, 308)
        self.cert_manager.clean_up(challenge)
        self.wait_for_end(challenge, 200)
        issued = self.authority.issue(HOST)
        self.cert_manager.store("shop-tls", issued)
        self.wait_for_certificate(issued)

    def test_empty_secret(self) -> None:
        """A Secret that has no certificate yet is told, until it has one."""
        empty = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "shop-tls"},
            "type": "kubernetes.io/tls",
            "data": {"tls.crt": "", "tls.key": ""},
        }
        self.api.put(empty, shop())
        said = "Secret default/shop-tls has no usable certificate: its tls.crt is empty"
        self.process.wait_for_line(rf"#warn\] [A-Z]+\d+ .*{said}", since=self.mark)
        self.wait_for_status(308)
        issued = self.authority.issue(HOST)
        self.cert_manager.store("shop-tls", issued)
        self.wait_for_certificate(issued)
        self.process.wait_for_line(rf"gone: .*{said}", since=self.mark)

    def test_foreign_host(self) -> None:
        """A solver in another namespace than the host's is not served, and that is told."""
        self.api.put(shop())
        self.wait_for_status(308)
        challenge = Challenge(HOST, namespace=OTHER)
        self.cert_manager.present(challenge)
        self.process.wait_for_line(
            rf"Ingress {OTHER}/{challenge.name}: .*belongs to namespace", since=self.mark
        )
        self.assertNotEqual(self.process.get(challenge.path, HOST).text, challenge.key)
        self.cert_manager.clean_up(challenge)
        self.process.wait_for_line(rf"gone: .*{OTHER}/{challenge.name}", since=self.mark)

    # What is seen from outside.

    def wait_for_status(self, status: int, target: str = "/x", host: str = HOST) -> None:
        """Wait until an ordinary path of a host has this answer."""
        wait_until(
            lambda: self.process.get(target, host).status == status, f"{status} of {host}{target}"
        )

    def wait_for_key(self, challenge: Challenge) -> None:
        """Ask as cert-manager checks itself, and a certificate authority asks."""

        def is_answered() -> bool:
            reply = self.process.get(challenge.path, challenge.host)
            return (reply.status, reply.text) == (200, challenge.key)

        wait_until(is_answered, f"the answer to {challenge.url}")

    def wait_for_end(self, challenge: Challenge, status: int | None = None) -> None:
        """
        Wait until the path is answered as if there had been no challenge.

        :param status: of that answer; None for any.
        """

        def has_ended() -> bool:
            reply = self.process.get(challenge.path, challenge.host)
            return reply.text != challenge.key and status in (None, reply.status)

        wait_until(has_ended, f"the end of {challenge.url}")

    def wait_for_certificate(self, issued: Issued) -> None:
        expected = ssl.PEM_cert_to_DER_cert(issued.chain_pem.decode())
        wait_until(lambda: self.certificate() == expected, "the certificate to be served")

    def certificate(self) -> bytes:
        """Of the host, in DER."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with HTTPClient(self.process.folder / "https", tls=context, server_name=HOST) as client:
            assert isinstance(client.socket, ssl.SSLSocket)
            return client.socket.getpeercert(binary_form=True) or b""

    def subject(self) -> str:
        """Who has issued that certificate."""
        issuer = x509.load_der_x509_certificate(self.certificate()).issuer
        return str(next(iter(issuer)).value)


CLOSED = {
    "force-ssl-redirect": "true",
    "auth-type": "basic",
    "auth-secret": "users",
    "auth-tls-secret": "default/clients",
}
"""Besides the global server for authentication, which is down."""


def shop(**annotations: str) -> Document:
    """An Ingress as its author writes it, with a Secret that cert-manager has to make."""
    return served_ingress(
        "shop", HOST, tls={"shop-tls": [HOST]}, annotations={**ISSUER, **annotations}
    )
