"""
Changes on disk while the process serves: each is served soon, and none cuts a request.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import yaml
from cryptography.hazmat.primitives.serialization import Encoding

from tests.e2e.case import ProcessTestCase
from tests.support.certs import CertificateAuthority, Issued
from tests.support.client import HTTPClient, trusting, trusting_all
from tests.support.endpoints import EchoEndpoint
from tests.support.manifest import (
    endpoint_manifests,
    ingress_manifest,
    served_manifests,
    service_manifest,
)
from tests.support.process import replace_file, wait_until

SOON = 5.0
"""
Seconds until a change is served: less than one where nothing else runs, and less
than any look at the files that no event asked for.
"""


class ReloadTestCase(ProcessTestCase):
    """A process with two Services, and no Ingress until a test writes one."""

    one: ClassVar[EchoEndpoint]
    two: ClassVar[EchoEndpoint]
    secrets: ClassVar[Path]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.one, cls.two = cls.echo("one"), cls.echo("two")
        cls.secrets = folder / "secrets"
        cls.serve(
            folder, *served_manifests("one", cls.one.port), *served_manifests("two", cls.two.port)
        )

    def path(self, name: str) -> Path:
        """Below the manifests; what is there at the end of the test is removed."""
        path = self.process.manifests / name
        self.addCleanup(path.unlink, missing_ok=True)
        return path

    def answer(self, host: str) -> str:
        """The name of the endpoint that answers, or the status."""
        reply = self.get(host=host)
        return str(reply.echo["name"]) if reply.status == 200 else str(reply.status)

    def expect(self, host: str, answer: str) -> None:
        """Wait until a host is answered so."""
        wait_until(lambda: self.answer(host) == answer, f"{answer} from {host}", SOON)


def manifest(host: str, service: str) -> str:
    """An Ingress that is named like its host."""
    return yaml.safe_dump(ingress_manifest(host, host, {"/": service}))


class ManifestTests(ReloadTestCase):
    """Manifest files that change in every way that files change."""

    def test_added_edited_removed(self) -> None:
        """A file that appears, is written anew in place, or goes, is followed."""
        file = self.path("edited.yaml")
        file.write_text(manifest("edited.example", "one"))
        self.expect("edited.example", "one")
        file.write_text(manifest("edited.example", "two"))
        self.expect("edited.example", "two")
        file.unlink()
        self.expect("edited.example", "404")

    def test_renamed_over(self) -> None:
        """A file that another one is renamed over has the other's content."""
        file = self.path("renamed.yaml")
        for service in ("one", "two", "one"):
            replace_file(file, manifest("renamed.example", service))
            self.expect("renamed.example", service)

    def test_link_to_folder(self) -> None:
        """A symbolic link that leads to another folder brings that folder's files."""
        stock = self.process.folder / "versions"
        for service in ("one", "two"):
            (stock / service).mkdir(parents=True)
            (stock / service / "linked.yaml").write_text(manifest("linked.example", service))
        current, beside = self.path("current"), stock / "next"
        for service in ("one", "two", "one"):
            beside.symlink_to(stock / service)
            beside.rename(current)
            self.expect("linked.example", service)
        (stock / "one" / "linked.yaml").write_text(manifest("linked.example", "two"))
        self.expect("linked.example", "two")

    def test_folder(self) -> None:
        """A folder that is moved in and out takes its files along."""
        outside, inside = self.process.folder / "folder", self.process.manifests / "folder"
        (outside / "deep").mkdir(parents=True)
        (outside / "deep" / "moved.yaml").write_text(manifest("moved.example", "one"))
        outside.rename(inside)
        self.expect("moved.example", "one")
        (inside / "deep" / "moved.yaml").write_text(manifest("moved.example", "two"))
        self.expect("moved.example", "two")
        inside.rename(outside)
        self.expect("moved.example", "404")

    def test_two_halves(self) -> None:
        """What a writer has not closed yet is not read, however well it parses."""
        file = self.path("halves.yaml")
        file.write_text(manifest("halves.example", "one"))
        self.expect("halves.example", "one")
        changed = manifest("other.example", "two") + "---\n" + manifest("halves.example", "two")
        first, separator, second = changed.partition("---\n")
        with open(file, "w", encoding="utf-8") as stream:
            stream.write(first + separator)
            stream.flush()
            # While others change and are read, the half of this one is not.
            for service in ("one", "two", "one"):
                replace_file(self.path("meanwhile.yaml"), manifest("meanwhile.example", service))
                self.expect("meanwhile.example", service)
            self.assertEqual(self.answer("other.example"), "404")
            self.assertEqual(self.answer("halves.example"), "one")
            stream.write(second)
        self.expect("halves.example", "two")
        self.expect("other.example", "two")

    def test_broken(self) -> None:
        """A file that does not parse keeps its last good version, and others are followed."""
        file = self.path("broken.yaml")
        file.write_text(manifest("broken.example", "one"))
        self.expect("broken.example", "one")
        file.write_text(manifest("broken.example", "two") + "  : [\n")
        self.process.wait_for_line(r"broken\.yaml, line \d+: .*last good version, of .*, is served")
        replace_file(self.path("sound.yaml"), manifest("sound.example", "two"))
        self.expect("sound.example", "two")
        self.assertEqual(self.answer("broken.example"), "one")
        file.write_text(manifest("broken.example", "two"))
        self.expect("broken.example", "two")
        self.process.wait_for_line(r"gone: .*broken\.yaml, line \d+: ")

    def test_endpoints_appear(self) -> None:
        """503 for want of endpoints ends with the endpoints."""
        objects = [ingress_manifest("late", "late.example", {"/": "late"})]
        file = self.path("late.yaml")
        for answer, more in (
            ("503", []),
            ("503", [service_manifest("late")]),
            ("two", endpoint_manifests("late", self.two.port)),
            ("503", []),
        ):
            objects = objects + more if more else objects[:2]
            replace_file(file, yaml.safe_dump_all(objects))
            self.expect("late.example", answer)


class SecretTests(ReloadTestCase):
    """Certificates on disk."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = CertificateAuthority()

    def issue(self, host: str) -> Issued:
        return self.authority.issue(host)

    def serve_host(self, host: str, secret: str) -> None:
        replace_file(
            self.path(f"{secret}.yaml"),
            yaml.safe_dump(ingress_manifest(secret, host, {"/": "one"}, tls={secret: [host]})),
        )

    def expect_certificate(self, host: str, issued: Issued) -> None:
        wanted = issued.certificate.public_bytes(Encoding.DER)

        def is_served() -> bool:
            port = self.process.port("https")
            with HTTPClient(port, tls=trusting_all(), server_name=host) as client:
                assert isinstance(client.socket, ssl.SSLSocket)
                return client.socket.getpeercert(binary_form=True) == wanted

        wait_until(is_served, f"the certificate of {host}", SOON)

    def test_mounted(self) -> None:
        """The link that Kubernetes swaps for a new version of a Secret is followed."""
        folder = self.secrets / "default" / "mounted"
        folder.mkdir(parents=True)
        self.serve_host("mounted.example", "mounted")
        for name in ("tls.crt", "tls.key"):
            (folder / name).symlink_to(f"..data/{name}")
        for version in range(3):
            issued = self.issue("mounted.example")
            data = folder / f"..2026_{version}"
            data.mkdir()
            write_pair(data, issued)
            (folder / "..data_tmp").symlink_to(data.name)
            (folder / "..data_tmp").rename(folder / "..data")
            self.expect_certificate("mounted.example", issued)

    def test_one_after_the_other(self) -> None:
        """A pair that is written one file after the other is read as a pair."""
        folder = self.secrets / "default" / "written"
        folder.mkdir(parents=True)
        self.serve_host("written.example", "written")
        for _ in range(3):
            issued = self.issue("written.example")
            write_pair(folder, issued)
            self.expect_certificate("written.example", issued)
        said = "\n".join(self.process.log.splitlines()[self.mark :])
        self.assertNotIn("does not belong", said)

    def test_turned_bad(self) -> None:
        """A pair that turns bad keeps the last good one; one that is gone gives the default."""
        folder = self.secrets / "default" / "turned"
        folder.mkdir(parents=True)
        self.serve_host("turned.example", "turned")
        good = self.issue("turned.example")
        write_pair(folder, good)
        self.expect_certificate("turned.example", good)
        (folder / "tls.key").write_bytes(self.issue("turned.example").key_pem)
        self.process.wait_for_line(r"default/turned: .*does not belong")
        self.expect_certificate("turned.example", good)
        better = self.issue("turned.example")
        write_pair(folder, better)
        self.expect_certificate("turned.example", better)
        mark = self.process.mark()
        for name in ("tls.crt", "tls.key"):
            (folder / name).unlink()
        self.process.wait_for_line(r"default/turned does not exist", SOON, since=mark)
        with self.assertRaises(ssl.SSLCertVerificationError):
            HTTPClient(
                self.process.port("https"),
                tls=trusting(self.authority.root_pem),
                server_name="turned.example",
            )


def write_pair(folder: Path, issued: Issued) -> None:
    """One after the other, which for a moment do not fit."""
    (folder / "tls.crt").write_bytes(issued.chain_pem)
    (folder / "tls.key").write_bytes(issued.key_pem)


class ConfigTests(ReloadTestCase):
    """The configuration file."""

    def configure(self, **settings: object) -> None:
        """Have other settings apply, until the end of the test."""
        if settings:
            self.addCleanup(self.configure)
        mark = self.process.mark()
        self.process.configure(**settings)
        self.process.wait_for_line("the changed configuration is applied", SOON, since=mark)

    def setUp(self) -> None:
        super().setUp()
        objects = ingress_manifest("a", "a.example", {"/": "one"}, tls={"none": ["a.example"]})
        replace_file(self.path("config.yaml"), yaml.safe_dump(objects))
        self.expect("a.example", "308")

    def test_ssl_redirect(self) -> None:
        """ssl-redirect applies live."""
        self.configure(ssl_redirect=False)
        self.expect("a.example", "one")

    def test_trusted_proxies(self) -> None:
        """trusted-proxies apply live, on connections that are open as well."""
        client = self.connect()
        fields = "X-Forwarded-Proto: https\r\nX-Forwarded-For: 192.0.2.7\r\n"
        self.assertEqual(client.request(fields=fields).status, 308)
        self.configure(trusted_proxies="127.0.0.0/8")

        def is_believed() -> bool:
            reply = client.request(fields=fields)
            return reply.status == 200 and ["X-Real-IP", "192.0.2.7"] in reply.echo["fields"]

        wait_until(is_believed, "trust", SOON)

    def test_hsts(self) -> None:
        """hsts applies live."""
        self.configure(hsts={"max-age": 5, "include-subdomains": False})

        def is_sent() -> bool:
            with HTTPClient(self.process.port("https"), tls=trusting_all()) as client:
                return client.request().all("Strict-Transport-Security") == ["max-age=5"]

        wait_until(is_sent, "the field", SOON)

    def test_secrets(self) -> None:
        """tls.secrets applies live: another folder's certificates are served."""
        issued = CertificateAuthority().issue("a.example")
        folder = self.process.folder / "other" / "default" / "none"
        folder.mkdir(parents=True)
        write_pair(folder, issued)
        self.configure(tls={"secrets": "other"})

        def is_served() -> bool:
            port = self.process.port("https")
            with HTTPClient(port, tls=trusting_all(), server_name="a.example") as client:
                assert isinstance(client.socket, ssl.SSLSocket)
                found = client.socket.getpeercert(binary_form=True)
                return found == issued.certificate.public_bytes(Encoding.DER)

        wait_until(is_served, "the certificate", SOON)

    def test_restart_needed(self) -> None:
        """Keys that do not apply live are named, and the rest of the file applies."""
        other = str(self.process.folder)
        self.configure(source={"files": ["manifests", other]}, ssl_redirect=False)
        self.process.wait_for_line("the change of source.files needs a restart")
        self.expect("a.example", "one")

    def test_mistake(self) -> None:
        """A mistake is told with its line, and the running configuration stays."""
        mark = self.process.mark()
        with open(self.process.config, "a", encoding="utf-8") as file:
            file.write("ssl-redirect: maybe\n")
        self.addCleanup(self.process.configure)
        self.process.wait_for_line(
            r"ingress\.yaml, line \d+: ssl-redirect: .*the running configuration stays",
            SOON,
            since=mark,
        )
        self.assertEqual(self.answer("a.example"), "308")
        self.configure(ssl_redirect=False)
        self.expect("a.example", "one")


class LoadTests(ReloadTestCase):
    """Changes under load."""

    def test_no_request_fails(self) -> None:
        """While configuration, certificate and endpoints change, every request is answered."""
        authority = CertificateAuthority()
        folder = self.secrets / "default" / "loaded"
        folder.mkdir(parents=True)
        write_pair(folder, authority.issue("loaded.example"))
        self.change(0)
        self.expect("loaded.example", "one")
        root = trusting(authority.root_pem)
        wait_until(lambda: _is_accepted(self.process.port("https"), root), "the certificate", SOON)
        users = [User(self.process.port("http"), None) for _ in range(4)]
        users += [User(self.process.port("https"), root) for _ in range(2)]
        for user in users:
            self.addCleanup(user.stop)
        for number in range(1, 9):
            write_pair(folder, authority.issue("loaded.example"))
            self.process.configure(hsts={"max-age": number})
            self.change(number)
            self.expect("loaded.example", ("one", "two")[number % 2])
        for user in users:
            user.stop()
        self.assertEqual([user.failure for user in users], [None] * len(users))
        self.assertGreater(min(user.count for user in users), 20)

    def change(self, number: int) -> None:
        """Have the other endpoint serve, behind another path type and with another annotation."""
        port = (self.one.port, self.two.port)[number % 2]
        path = ("/", "~/")[number % 2]
        objects = [
            ingress_manifest(
                "loaded",
                "loaded.example",
                {path: "loaded"},
                tls={"loaded": ["loaded.example"]},
                annotations={"ssl-redirect": "false", "proxy-read-timeout": str(20 + number)},
            ),
            *served_manifests("loaded", port),
        ]
        replace_file(self.path("loaded.yaml"), yaml.safe_dump_all(objects))


def _is_accepted(port: int, context: ssl.SSLContext) -> bool:
    try:
        HTTPClient(port, tls=context, server_name="loaded.example").close()
    except ssl.SSLError:
        return False
    return True


class User:
    """
    Sends one request after the other in a thread until it is stopped, each tenth
    on a new connection.
    """

    def __init__(self, port: int, context: ssl.SSLContext | None) -> None:
        self._connect: Callable[[], HTTPClient] = lambda: HTTPClient(
            port, tls=context, server_name="loaded.example" if context else None
        )
        self.count = 0
        """Requests that were answered as they should."""

        self.failure: str | None = None
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._is_stopping = True
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._is_stopping:
                with self._connect() as client:
                    for _ in range(10):
                        self._ask(client)
        except Exception as error:
            self.failure = repr(error)

    def _ask(self, client: HTTPClient) -> None:
        body = os.urandom(16)
        reply = client.request("/load", "loaded.example", method="PUT", body=body)
        assert reply.status == 200, reply
        assert reply.echo["length"] == len(body), reply
        self.count += 1
