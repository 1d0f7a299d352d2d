"""
HAProxy, nginx and OpenSSL on both sides of the real process, as Debian has them: they write and read
the same headers of the PROXY protocol, and TLS is passed through to them.

``make other-proxies`` fetches what is missing, and runs this.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import ClassVar
from unittest import skipUnless

from tests.e2e.case import ProcessTestCase, run
from tests.support.certs import CertificateAuthority, Issued
from tests.support.client import HTTPClient, trusting
from tests.support.manifest import (
    Manifest,
    endpoint_manifests,
    ingress_manifest,
    secret_manifest,
    served_manifests,
    service_manifest,
)
from tests.support.process import CHECKOUT, LOOPBACK, PATIENCE, wait_until

FETCHED = CHECKOUT / "build" / "other-proxies"
LIBRARIES = FETCHED / "usr" / "lib" / "x86_64-linux-gnu"
ENVIRONMENT = {**os.environ, "LD_LIBRARY_PATH": str(LIBRARIES)}

OTHER = "127.0.0.2"
"""An address of a client that is not the one that proxies connect from."""


def program(name: str) -> str:
    """The path of a program that was fetched, or is installed; empty if it is neither."""
    fetched = FETCHED / "usr" / "sbin" / name
    return str(fetched) if fetched.exists() else shutil.which(name) or ""


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


class Program:
    """A program that listens on a port."""

    def __init__(self, port: int, *command: str) -> None:
        self.port = port
        self._process = subprocess.Popen(
            command,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        wait_until(self._is_there, f"{command[0]} on port {port}")

    def _is_there(self) -> bool:
        if self._process.poll() is not None:
            assert self._process.stdout is not None
            raise AssertionError(self._process.stdout.read().decode())
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend v1
    bind 127.0.0.1:{v1}
    default_backend v1
backend v1
    server proxy 127.0.0.1:{http} send-proxy
frontend v2
    bind 127.0.0.1:{v2}
    default_backend v2
backend v2
    server proxy 127.0.0.1:{http} send-proxy-v2 proxy-v2-options unique-id,crc32c
frontend tls
    bind 127.0.0.1:{tls}
    default_backend tls
backend tls
    server proxy 127.0.0.1:{https} send-proxy-v2
frontend ended
    bind 127.0.0.1:{ended} ssl crt {pem}
    default_backend ended
backend ended
    server proxy 127.0.0.1:{http} send-proxy-v2-ssl-cn
frontend accepts
    mode http
    bind 127.0.0.1:{accepts} accept-proxy
    http-request return status 200 content-type text/plain lf-string "%[src] %[dst_port]"
frontend accepts-tls
    mode http
    bind 127.0.0.1:{accepts_tls} accept-proxy ssl crt {pem}
    http-request return status 200 content-type text/plain lf-string "%[src] %[dst_port]"
"""

NGINX_BEGIN = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
load_module {module};
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_certificate {pem}; ssl_certificate_key {pem};
"""
"""Its settings up to its first server for HTTP, in a folder of its own."""

NGINX = (
    NGINX_BEGIN
    + """
    server {{
        listen 127.0.0.1:{accepts} proxy_protocol;
        listen 127.0.0.1:{accepts_tls} ssl proxy_protocol;
        location / {{ return 200 "$proxy_protocol_addr $proxy_protocol_server_port"; }}
    }}
    server {{
        listen 127.0.0.1:{passed} ssl;
        location / {{ return 200 "nginx ended $ssl_protocol for $ssl_server_name"; }}
    }}
}}
stream {{
    server {{ listen 127.0.0.1:{v1}; proxy_pass 127.0.0.1:{http}; proxy_protocol on; }}
    server {{ listen 127.0.0.1:{tls}; proxy_pass 127.0.0.1:{https}; proxy_protocol on; }}
}}
"""
)

NAMES = ("v1", "v2", "tls", "ended", "accepts", "accepts_tls", "passed", "passed_openssl")


@skipUnless(os.environ.get("TXINGRESS_TEST_OTHER_PROXIES"), "make other-proxies runs these")
class OtherProxiesTests(ProcessTestCase):
    """Both proxies in front of the process, and behind it."""

    authority: ClassVar[CertificateAuthority]
    haproxy: ClassVar[dict[str, int]]
    nginx: ClassVar[dict[str, int]]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.authority = CertificateAuthority()
        issued = cls.authority.issue("a.example", "passed.example", "openssl.example")
        pem = cls._write_pair(folder, issued)
        cls.haproxy, cls.nginx = ({name: free_port() for name in NAMES} for _ in range(2))
        web = cls.echo("web")
        cls.serve(
            folder,
            secret_manifest("pair", issued),
            ingress_manifest(
                "web", "a.example", {"/": "web"}, annotations={"ssl-redirect": "false"}
            ),
            ingress_manifest("tls", "tls.example", {"/": "web"}, tls={"pair": ["a.example"]}),
            *served_manifests("web", web.port),
            *cls._headed("haproxy-v1", "v1", cls.haproxy["accepts"]),
            *cls._headed("haproxy-v2", "v2", cls.haproxy["accepts"]),
            *cls._headed("haproxy-tls", "v2", cls.haproxy["accepts_tls"], is_secure=True),
            *cls._headed("nginx-v1", "v1", cls.nginx["accepts"]),
            *cls._headed("nginx-v2", "v2", cls.nginx["accepts"]),
            *cls._headed("nginx-tls", "v1", cls.nginx["accepts_tls"], is_secure=True),
            *cls._passing("nginx", "passed.example", cls.nginx["passed"]),
            *cls._passing("openssl", "openssl.example", cls.nginx["passed_openssl"]),
            listen={
                "http": {"endpoint": LOOPBACK, "proxy-protocol": True},
                "https": {"endpoint": LOOPBACK, "proxy-protocol": True},
                "admin": LOOPBACK,
            },
            public_ports={"http": 80, "https": 443},
            trusted_proxies=["127.0.0.1"],
        )
        http, https = cls.process.port("http"), cls.process.port("https")
        shown = {"folder": folder, "http": http, "https": https, "pem": pem}
        module = FETCHED / "usr/lib/nginx/modules/ngx_stream_module.so"
        for name, text, ports in (("haproxy", HAPROXY, cls.haproxy), ("nginx", NGINX, cls.nginx)):
            file = folder / f"{name}.conf"
            file.write_text(text.format(**shown, **ports, module=module))
            option = ("-db", "-f") if name == "haproxy" else ("-e", f"{folder}/nginx.log", "-c")
            cls.keep(Program(ports["accepts"], program(name), *option, str(file)))
        port = cls.nginx["passed_openssl"]
        cls.keep(
            Program(
                port, "openssl", "s_server", "-accept", str(port), "-cert", pem, "-www", "-quiet"
            )
        )

    @staticmethod
    def _write_pair(folder: Path, issued: Issued) -> str:
        file = folder / "pair.pem"
        file.write_bytes(issued.chain_pem + issued.key_pem)
        return str(file)

    @staticmethod
    def _headed(name: str, version: str, port: int, *, is_secure: bool = False) -> list[Manifest]:
        annotations = {"backend-protocol": "HTTPS"} if is_secure else {}
        return [
            ingress_manifest(name, f"{name}.example", {"/": name}, annotations=annotations),
            service_manifest(name, annotations={"txingress.dev/proxy-protocol": version}),
            *endpoint_manifests(name, port),
        ]

    @staticmethod
    def _passing(name: str, host: str, port: int) -> list[Manifest]:
        return [
            ingress_manifest(name, host, {"/": name}, annotations={"ssl-passthrough": "true"}),
            *served_manifests(name, port),
        ]

    def curl(self, port: int, host: str = "a.example", *options: str, scheme: str = "http") -> str:
        """What curl gets, which connects from another address than the proxies."""
        found = run(
            "curl", "-sk", "--interface", OTHER, "--max-time", "20", *options,
            "--connect-to", f"{host}:{port}:127.0.0.1:{port}", f"{scheme}://{host}:{port}/",
        )  # fmt: skip
        return found.stdout.decode()

    def client_of(self, text: str) -> str:
        """The client that an endpoint of ours was told of."""
        fields = {name.lower(): value for name, value in json.loads(text)["fields"]}
        address: str = fields["x-real-ip"]
        return address

    def test_haproxy_in_front(self) -> None:
        """HAProxy's headers of both versions, with TLVs, in the clear and before TLS."""
        for name in ("v1", "v2"):
            self.assertEqual(self.client_of(self.curl(self.haproxy[name])), OTHER)
        told = self.curl(self.haproxy["tls"], scheme="https")
        self.assertEqual(self.client_of(told), OTHER)
        # HTTP/1.1 in place of ALPN's HTTP/2.
        told = self.curl(self.haproxy["tls"], "a.example", "--http1.1", scheme="https")
        self.assertEqual(self.client_of(told), OTHER)

    def test_tls_ended_by_haproxy(self) -> None:
        """TLVs about TLS that HAProxy has ended are skipped."""
        told = self.curl(self.haproxy["ended"], "a.example", "--http1.1", scheme="https")
        self.assertEqual(self.client_of(told), OTHER)

    def test_haproxy_checks(self) -> None:
        """What HAProxy's checks of health send is no fault: connections without a byte."""
        before = self.process.log.count("was closed")
        for _ in range(3):
            socket.create_connection(("127.0.0.1", self.process.port("http"))).close()
        self.assertEqual(self.process.log.count("was closed"), before)

    def test_nginx_in_front(self) -> None:
        """nginx's headers of version 1, in the clear and before TLS."""
        self.assertEqual(self.client_of(self.curl(self.nginx["v1"])), OTHER)
        told = self.curl(self.nginx["tls"], scheme="https")
        self.assertEqual(self.client_of(told), OTHER)

    def test_behind(self) -> None:
        """Both read our headers, in both versions and before TLS."""
        for name in (
            "haproxy-v1",
            "haproxy-v2",
            "haproxy-tls",
            "nginx-v1",
            "nginx-v2",
            "nginx-tls",
        ):
            told = self.curl(self.haproxy["v2"], f"{name}.example")
            self.assertEqual(told, f"{OTHER} 80", name)

    def test_passed_to_nginx(self) -> None:
        """TLS goes through HAProxy, this proxy and to nginx as it is."""
        told = self.curl(self.haproxy["tls"], "passed.example", scheme="https")
        self.assertIn("nginx ended TLSv1.2 for passed.example", told)
        with HTTPClient(
            self.nginx["tls"],
            tls=trusting(self.authority.root_pem),
            server_name="passed.example",
        ) as client:
            self.assertIn("nginx ended", client.request(host="passed.example").text)

    def test_openssl(self) -> None:
        """`openssl s_client` reaches `openssl s_server`, over TLS 1.2 and 1.3."""
        for version in ("-tls1_2", "-tls1_3"):
            found = run(
                "openssl", "s_client", "-connect", f"127.0.0.1:{self.haproxy['tls']}",
                "-servername", "openssl.example", "-ign_eof", version,
                data=b"GET / HTTP/1.0\r\n\r\n",
            )  # fmt: skip
            text = found.stdout.decode(errors="replace")
            self.assertIn("s_server", text)
            self.assertTrue(re.search(r"subject=CN = a\.example", text), text)
