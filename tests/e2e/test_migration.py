"""
The move of an installation of ingress-nginx, from outside: what it is made of goes through
``txingress migrate``, ``check`` and ``simulate``, what is written is served with the answers that its
documentation promises, and ``shadow`` watches its log and copies of its requests.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import grpc
import yaml

from tests.e2e.case import ProcessTestCase
from tests.support.certs import CertificateAuthority
from tests.support.client import HTTPClient
from tests.support.command import run
from tests.support.echo_ports import free_port
from tests.support.endpoints import RawEndpoint
from tests.support.example import Example, ExampleRequest
from tests.support.grpc_channel import TIMEOUT, GRPCService, same
from tests.support.manifest import secret_manifest
from tests.support.process import CHECKOUT, ENVIRONMENT, LOOPBACK, PATIENCE, wait_until
from tests.support.program import serve_configuration

FIXTURE = CHECKOUT / "tests" / "fixtures" / "migration"
CERTIFICATES = CHECKOUT / "examples" / "ingress-nginx" / "client-certificates"
NAMES = ("ingress-nginx.yaml", "ingresses.yaml", "secrets.yaml")
CLOSED = FIXTURE / "closed.yaml"
"""What migrate would tell not to switch for; it is served beside the others."""

GRPC_HOST = "prices.rpc.example"
CERTIFIED = (
    ("shop", "shop-tls", "dashboard.shop.example"),
    ("rpc", "prices-tls", GRPC_HOST),
    ("bank", "partners-tls", "partners.bank.example"),
)
"""Namespace and name of the Secrets of the Ingresses, and the host of each."""


def logged(host: str, path: str, upstream: str, status: int, *, scheme: str = "https") -> str:
    """A line in the format that the ConfigMap of the fixture says."""
    asked = "10.1.0.1:80" if upstream and status not in (308, 401) else "-"
    line = {
        "time": "2026-11-30T10:00:00+00:00",
        "client": "10.0.0.7",
        "host": host,
        "scheme": scheme,
        "request": f"GET {path} HTTP/1.1",
        "status": str(status),
        "upstream": upstream,
        "to": asked,
    }
    return json.dumps(line) + "\n"


SAME = (
    logged("api.shop.example", "/v1/orders", "shop-api-80", 200),
    logged("dashboard.shop.example", "/", "shop-dashboard-80", 308, scheme="http"),
    logged("reports.office.example", "/", "office-reports-80", 401),
    logged("prices.rpc.example", "/prices.Prices/List", "rpc-prices-50051", 200),
    logged("portal.legacy.example", "/", "legacy-portal-80", 200),
    logged("nobody.example", "/", "upstream-default-backend", 404),
)
DIFFERENT = logged("help.shop.example", "/x", "shop-gone-80", 200)


def _answer_as_database(connection: socket.socket) -> None:
    connection.sendall(b"answer to " + connection.recv(100))


class MigrationTests(ProcessTestCase):
    """What migrate writes is served."""

    folder: ClassVar[Path]
    example: ClassVar[Example]
    root: ClassVar[bytes]
    database_port: ClassVar[int]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        for name in NAMES:
            shutil.copy(FIXTURE / name, folder)
        # The port of the database is one that is free on this machine.
        cls.database_port = free_port()
        installation = folder / "ingress-nginx.yaml"
        text = installation.read_text()
        assert '"5432": ' in text
        installation.write_text(text.replace('"5432": ', f'"{cls.database_port}": '))
        shutil.copy(FIXTURE / "values.yaml", folder)
        cls.folder = folder
        authority = CertificateAuthority()
        cls.root = authority.root_pem
        pairs = []
        for namespace, name, host in CERTIFIED:
            pair = secret_manifest(name, authority.issue(host))
            pair["metadata"] = {"name": name, "namespace": namespace}
            pairs.append(pair)
        (folder / "certificates.yaml").write_text(yaml.safe_dump_all(pairs))
        names = [str(folder / name) for name in (*NAMES, "certificates.yaml")]
        options = ("--values", str(folder / "values.yaml"), "--output", str(folder / "moved"))
        status, text, remarks = run("migrate", *names, *options)
        assert (status, remarks) == (0, ""), text
        cls.example = Example.read(FIXTURE)
        resources = cls.resources.enter_context(ExitStack())
        config = folder / "moved" / "ingress.yaml"
        # As it was written, but for free ports and the programs that stand in for Services.
        settings = yaml.safe_load(config.read_text())
        settings["listen"] = {"http": LOOPBACK, "https": LOOPBACK, "admin": LOOPBACK}
        settings["public-ports"] = {"http": 80, "https": 443}
        settings["source"]["files"].append(str(CLOSED))
        calls = cls.keep(GRPCService())
        database = cls.keep(RawEndpoint(_answer_as_database))
        silent = cls.resources.enter_context(socket.create_server(("127.0.0.1", 0)))
        settings["source"]["endpoints"] = {
            **cls.example.start(resources),
            "rpc/prices": f"127.0.0.1:{calls.port}",
            "data/postgres": f"127.0.0.1:{database.port}",
            "shop/slow": f"127.0.0.1:{silent.getsockname()[1]}",
        }
        served = folder / "moved" / "served.yaml"
        served.write_text(yaml.safe_dump(settings))
        cls.process = serve_configuration(served, folder / "beside")
        cls.resources.callback(cls.process.stop)
        cls.process.port("https")

    def test_migrated(self) -> None:
        """The report ends well, and says of each Ingress what becomes of it."""
        report = json.loads((self.folder / "moved" / "report.json").read_text())
        self.assertIn("Nothing stops working", report["verdict"])
        ingresses = [row for row in report["rows"] if row["part"] == "Ingress"]
        self.assertEqual(len(ingresses), 14)
        self.assertEqual({row["verdict"] for row in ingresses}, {"same"})
        written = [file for file in (self.folder / "moved").rglob("*") if file.is_file()]
        self.assertGreater(len(written), 12)
        for file in written:
            self.assertNotIn("PRIVATE KEY", file.read_text(), file)

    def test_checked(self) -> None:
        """The configuration that is written passes the check, but for what the report told."""
        _, text, remarks = run(
            "check", "--config", str(self.folder / "moved" / "ingress.yaml"), "--format", "json"
        )
        found = json.loads(text)
        self.assertEqual(found["summary"]["ingresses"], 14, remarks)
        errors = {each["code"] for each in found["findings"] if each["severity"] == "error"}
        self.assertEqual(errors, set())

    def test_simulated(self) -> None:
        """Yesterday's log, in the format of the ConfigMap, shows the one request that differs."""
        log = self.folder / "access.log"
        log.write_text("".join((*SAME, DIFFERENT)))
        config = str(self.folder / "moved" / "ingress.yaml")
        status, text, _ = run("simulate", str(log), "--config", config, "--format", "json")
        found = json.loads(text)
        self.assertEqual((found["same"], found["malformed"]), (len(SAME), 0), text)
        [difference] = found["differences"]
        self.assertEqual((status, difference["ingress"]), (1, "shop/help"))

    def test_served(self) -> None:
        """Each request gets the answer that ingress-nginx documents."""
        ports = {name: self.process.port(name) for name in ("http", "https")}
        for number, written in enumerate(self.example.document["requests"], 1):
            ExampleRequest(f"request {number}", written, CERTIFICATES).check(ports)

    def test_connected(self) -> None:
        """The port that the ConfigMap of TCP services promises leads to its Service."""
        with socket.create_connection(("127.0.0.1", self.database_port), PATIENCE) as client:
            client.sendall(b"select 1")
            self.assertEqual(client.recv(100), b"answer to select 1")

    def test_called(self) -> None:
        """A call of gRPC over TLS, with the certificate of its host, reaches its server."""
        channel = grpc.secure_channel(
            f"127.0.0.1:{self.process.port('https')}",
            grpc.ssl_channel_credentials(self.root),
            options=[
                ("grpc.default_authority", GRPC_HOST),
                ("grpc.ssl_target_name_override", GRPC_HOST),
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )
        self.addCleanup(channel.close)
        call = channel.unary_unary("/t.T/Echo", same, same)
        self.assertEqual(call(b"price", timeout=TIMEOUT), b"price")

    def test_shadowed(self) -> None:
        """A log that is written and copies of requests are compared, through all that changes."""
        log = self.folder / "live.log"
        log.write_text("")
        shutil.copytree(self.folder / "moved", self.folder / "shadowed", dirs_exist_ok=True)
        shadow = Shadow(self.folder, log)
        self.addCleanup(shadow.stop)
        with log.open("a") as stream:
            stream.write("".join(SAME) + DIFFERENT + "nonsense\n")
        wait_until(lambda: shadow.found()["lines"] == len(SAME) + 2, "the lines")
        found = shadow.found()
        self.assertEqual((found["same"], found["different"], found["malformed"]), (6, 1, 1))

        target = "/.shadow/https/reports.office.example/10.0.0.7/"
        with HTTPClient(shadow.ports["copies"]) as client:
            self.assertEqual(client.request(target, "shadow").status, 204)
        wait_until(lambda: shadow.found()["copies"] == 1, "the copy")
        [answer] = shadow.found()["answers"]
        self.assertEqual((answer["ingress"], answer["status"]), ("office/reports", "401"))

        # The rule that differed is changed, the log rotated.
        manifests = self.folder / "ingresses.yaml"
        text = manifests.read_text()
        self.addCleanup(manifests.write_text, text)
        manifests.write_text(
            text.replace("name: help\n            port", "name: gone\n            port")
        )
        wait_until(lambda: shadow.found()["generation"] == 2, "other rules")
        log.rename(self.folder / "live.log.1")
        log.write_text(DIFFERENT)
        wait_until(lambda: shadow.found()["same"] == len(SAME) + 1, "the line in the new log")
        metrics = shadow.get("/metrics")
        self.assertIn('txingress_shadow_requests_total{result="same",source="log"} 7', metrics)
        self.assertIn("txingress_shadow_rotations_total 1", metrics)

        status, output = shadow.stop()
        self.assertEqual(status, 1)
        self.assertIn("shop-gone-80 200 -> shop-help-80", output)
        self.assertIn("1 would get 401", output)


class Shadow:
    """A process of ``txingress shadow``."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._stderr = (folder / "shadow.stderr").open("w+")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "ingress", "shadow", "--log", str(log)),
                *("--config", "moved/ingress.yaml", "--listen", "127.0.0.1:0"),
                *("--metrics", "127.0.0.1:0"),
            ],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )
        self._ended: tuple[int, str] | None = None
        self.ports: dict[str, int] = {}
        remarks = folder / "shadow.stderr"
        wait_until(
            lambda: "following" in remarks.read_text() or self._process.poll() is not None,
            "the shadow",
        )
        for what, port in re.findall(r"(copies|metrics) on \S*:(\d+)", remarks.read_text()):
            self.ports[what] = int(port)

    def get(self, target: str) -> str:
        with HTTPClient(self.ports["metrics"]) as client:
            return client.request(target, "127.0.0.1").text

    def found(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.get("/differences"))
        return found

    def stop(self) -> tuple[int, str]:
        """:return: its status and output."""
        if self._ended is None:
            # Not SIGINT, which a shell lets what it runs in the background ignore.
            self._process.send_signal(signal.SIGTERM)
            output, _ = self._process.communicate(timeout=PATIENCE)
            self._stderr.close()
            self._ended = self._process.returncode, output
        return self._ended
