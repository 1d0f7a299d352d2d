"""
HAProxy and nginx with the settings of docs/client-addresses.md in front of the real process, as
Debian has them: ``make other-proxies`` runs it.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import ClassVar
from unittest import skipUnless

from tests.e2e.case import ProcessTestCase, run
from tests.e2e.test_client_addresses import FILES, settings
from tests.e2e.test_other_proxies import (
    FETCHED,
    NGINX_BEGIN,
    OTHER,
    Program,
    free_port,
    program,
)
from tests.support.certs import CertificateAuthority
from tests.support.manifest import (
    Manifest,
    config_map_manifest,
    ingress_manifest,
    secret_manifest,
    served_manifests,
)
from tests.support.process import wait_until

NGINX = (
    NGINX_BEGIN
    + """
    {http}
}}
{stream}
"""
)


@skipUnless(os.environ.get("TXINGRESS_TEST_OTHER_PROXIES"), "make other-proxies runs these")
class PageTests(ProcessTestCase):
    """One process, to which both forward as the page says."""

    manifests: ClassVar[list[Manifest]]
    ports: ClassVar[dict[str, int]]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        web = cls.echo("web")
        issued = CertificateAuthority().issue("a.example")
        cls.manifests = [
            secret_manifest("pair", issued),
            ingress_manifest(
                "web",
                "a.example",
                {"/": "web"},
                tls={"pair": ["a.example"]},
                annotations={"ssl-redirect": "false"},
            ),
            *served_manifests("web", web.port),
        ]
        cls.serve(
            folder,
            *cls.manifests,
            config_map_manifest("txingress-nginx", {}, namespace="txingress"),
            config_map="txingress/txingress-nginx",
            public_ports={"http": 80, "https": 443},
        )
        pem = folder / "pair.pem"
        pem.write_bytes(issued.chain_pem + issued.key_pem)
        names = ("haproxy", "haproxy-tls", "nginx", "nginx-tls", "nginx-http")
        cls.ports = {name: free_port() for name in names}
        haproxy = folder / "haproxy.cfg"
        haproxy.write_text(cls.placed("haproxy.cfg", "haproxy", "haproxy-tls"))
        cls.keep(Program(cls.ports["haproxy"], program("haproxy"), "-db", "-f", str(haproxy)))
        nginx = folder / "nginx.conf"
        nginx.write_text(
            NGINX.format(
                folder=folder,
                pem=pem,
                module=FETCHED / "usr/lib/nginx/modules/ngx_stream_module.so",
                stream=cls.placed("nginx-stream.conf", "nginx", "nginx-tls"),
                http=cls.placed("nginx-http.conf", "nginx", "nginx-http"),
            )
        )
        log = f"{folder}/nginx.log"
        cls.keep(Program(cls.ports["nginx"], program("nginx"), "-e", log, "-c", str(nginx)))

    @classmethod
    def placed(cls, name: str, plain: str, secure: str) -> str:
        """A file of the page, with ports of this machine."""
        text = re.sub(r"(?<=bind ):80\b|(?<=listen )80\b", cls._here(plain), FILES[name])
        text = re.sub(r"(?<=bind ):443\b|(?<=listen )443\b", cls._here(secure), text)
        for old, listener in (("192.0.2.21:30080", "http"), ("192.0.2.21:30443", "https")):
            text = text.replace(old, f"127.0.0.1:{cls.process.port(listener)}")
        return text

    @classmethod
    def _here(cls, name: str) -> str:
        return f"127.0.0.1:{cls.ports[name]}"

    def client_behind(self, name: str, scheme: str) -> str:
        """The client that the endpoint is told of; what was answered if there is none."""
        port = self.ports[name]
        told = run(
            "curl", "-sk", "--interface", OTHER, "--max-time", "20",
            "-H", "X-Forwarded-For: 198.51.100.66",
            "--connect-to", f"a.example:{port}:127.0.0.1:{port}", f"{scheme}://a.example:{port}/",
        ).stdout.decode()  # fmt: skip
        if not told.startswith("{"):
            return told
        fields = {name.lower(): value for name, value in json.loads(told)["fields"]}
        self.assertEqual(fields["x-forwarded-proto"], scheme)
        address: str = fields["x-real-ip"]
        return address

    def expect(self, values: str, *doors: tuple[str, str]) -> None:
        """Have these values, and see who the client is behind each of these."""
        data = {**settings(values)}
        self.assertEqual(data["proxy-real-ip-cidr"], "192.0.2.5/32")
        data["proxy-real-ip-cidr"] = "127.0.0.1/32"
        config_map = config_map_manifest("txingress-nginx", data, namespace="txingress")
        self.process.write("all.yaml", *self.manifests, config_map)
        for name, scheme in doors:
            wait_until(
                lambda name=name, scheme=scheme: self.client_behind(name, scheme) == OTHER,  # type: ignore[misc]
                f"the client behind {name}",
            )

    def test_bytes(self) -> None:
        """Both pass on bytes, with a header."""
        self.expect(
            "haproxy", ("haproxy", "http"), ("haproxy-tls", "https"),
            ("nginx", "http"), ("nginx-tls", "https"),
        )  # fmt: skip

    def test_fields(self) -> None:
        """nginx ends TLS, and forwards fields."""
        self.expect("nginx-http", ("nginx-http", "https"))
