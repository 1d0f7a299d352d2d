"""
docs/client-addresses.md: each file on it is rendered and checked, and a real process with its settings
gets connections as each load balancer makes them.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import yaml
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ingress.downstream.opening import REASONS
from ingress.problem_code import Code
from ingress.proxy_protocol import Version, addresses_of, make_header
from tests.e2e.case import ProcessTestCase
from tests.e2e.case import run as run_program
from tests.support.chart import Document, Rendering, merged
from tests.support.client import HTTPClient
from tests.support.command import run
from tests.support.endpoints import EchoEndpoint
from tests.support.kubernetes_rules import faults
from tests.support.kubernetes_schema import complaints
from tests.support.manifest import config_map_manifest, ingress_manifest, served_manifests
from tests.support.process import CHECKOUT, replace_file, wait_until

PAGE = (CHECKOUT / "docs" / "client-addresses.md").read_text()
FILES: dict[str, str] = dict(
    re.findall(r"^Create `([^`]+)`[^\n]*:\n\n```\w+\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
)
VALUES = {
    name.removesuffix(".yaml"): yaml.safe_load(text)
    for name, text in FILES.items()
    if text.startswith("controller:")
}

FORGED = "198.51.100.66"
"""What a client claims to be."""

STRANGER = "127.0.0.250"
"""Somebody who is no load balancer."""


@dataclass(frozen=True)
class Play:
    """
    What a balancer does.

    :ivar network: of `proxy-real-ip-cidr`, from which it connects; empty if it passes on packets.
    :ivar version: of the header of the PROXY protocol.
    :ivar edge: the address in that header, if it is that of another proxy in front.
    :ivar field: in which it puts the client's address.
    :ivar value: of that field.
    """

    network: str = ""
    version: Version | None = None
    edge: str = ""
    field: str = ""
    value: str = "{client}"

    def preface(self, client: str) -> bytes:
        if self.version is None:
            return b""
        return make_header(
            self.version, addresses_of(self.edge or client, 51234, "192.0.2.10", 8080)
        )

    def fields(self, client: str) -> str:
        """Return what the endpoint must not believe, and what the balancer says."""
        if not self.field:
            return f"X-Forwarded-For: {FORGED}\r\n"
        said = f"{self.field}: {self.value.format(client=client)}\r\n"
        return said if self.field == "X-Forwarded-For" else f"X-Forwarded-For: {FORGED}\r\n{said}"


def appends(network: str, added: str = "{client}") -> Play:
    """Append to the X-Forwarded-For of the client."""
    return Play(network, field="X-Forwarded-For", value=f"{FORGED}, {added}")


PLAYS = {
    "packets": Play(),
    "aws-nlb": Play("10.0.0.0/16", Version.V2),
    "aws-nlb-instance": Play(),
    "aws-alb": appends("10.0.1.0/24"),
    "aws-elb": Play("10.0.0.0/16", Version.V1),
    "google-proxy": Play("130.211.0.0/22", Version.V1),
    "google-alb": appends("35.191.0.0/16", "{client},192.0.2.10"),
    "azure-gateway": appends("10.1.2.0/24", "{client}:51234"),
    "azure-front-door": Play("147.243.0.0/16", field="X-Azure-SocketIP"),
    "digitalocean": Play("10.10.0.0/20", Version.V1),
    "hetzner": Play("10.0.0.0/16", Version.V2),
    "ovh": Play("10.0.0.0/20", Version.V2),
    "scaleway": Play("172.16.0.0/22", Version.V2),
    "linode": Play("192.168.255.0/24", Version.V2),
    "cloudflare": Play("104.24.0.0/14", field="CF-Connecting-IP"),
    "cloudflare-and-balancer": Play(
        "10.0.0.0/16", Version.V2, edge="104.16.0.9", field="CF-Connecting-IP"
    ),
    "haproxy": Play("192.0.2.5/32", Version.V2),
    "nginx-http": appends("192.0.2.5/32"),
}


@cache
def rendering(name: str) -> Rendering:
    """The chart with a file of the page, and with an image."""
    image = {"controller": {"image": {"registry": "registry.example.com"}}}
    return Rendering(merged(image, VALUES[name]))


def settings(name: str) -> dict[str, str]:
    """The ConfigMap of ingress-nginx that the chart makes of a file."""
    found = [
        each
        for each in rendering(name).all("ConfigMap")
        if each["metadata"]["name"] == "txingress-nginx"
    ]
    data: dict[str, str] = found[0]["data"] if found else {}
    return data


class FileTests(SynchronousTestCase):
    """What Helm makes of the files."""

    def test_rendered(self) -> None:
        """Each file renders, what it makes is right, and its annotations are on the Service."""
        for name, values in VALUES.items():
            documents = rendering(name).documents
            self.assertEqual([*complaints(documents), *faults(documents)], [], name)
            service = rendering(name).get("Service")
            wanted = values["controller"].get("service", {})
            annotations = service["metadata"].get("annotations", {})
            self.assertLessEqual(wanted.get("annotations", {}).items(), annotations.items(), name)
            kind = wanted.get("type", "LoadBalancer")
            policy = None if kind == "ClusterIP" else "Local"
            self.assertEqual(
                (service["spec"]["type"], service["spec"].get("externalTrafficPolicy")),
                (kind, policy),
                name,
            )

    def test_ingresses(self) -> None:
        """The Ingress of a balancer leads to the Service that its values make."""
        for name in ("aws-alb", "google-alb"):
            documents: list[Document] = list(yaml.safe_load_all(FILES[f"{name}-ingress.yaml"]))
            *others, ingress = documents
            self.assertEqual([*complaints([ingress]), *faults([ingress])], [])
            backend = ingress["spec"]["defaultBackend"]["service"]
            service = rendering(name).get("Service", backend["name"])
            self.assertIn(
                backend["port"]["name"], [each["name"] for each in service["spec"]["ports"]]
            )
            for each in others:
                said = service["metadata"]["annotations"]["cloud.google.com/backend-config"]
                self.assertEqual(yaml.safe_load(said)["default"], each["metadata"]["name"])

    def test_played(self) -> None:
        """Every file is played, and every other one is one that another test has."""
        self.assertEqual(PLAYS.keys(), VALUES.keys())
        others = FILES.keys() - {f"{name}.yaml" for name in VALUES}
        self.assertEqual(
            others,
            {
                *("aws-alb-ingress.yaml", "google-alb-ingress.yaml"),
                *("haproxy.cfg", "nginx-stream.conf", "nginx-http.conf", "explained.yaml"),
            },
        )

    def test_installed(self) -> None:
        """The command names a file of the page; those of helm.md are the others."""
        installed, shown = re.findall(r"^    (helm .*)$", PAGE, re.MULTILINE)
        self.assertTrue(installed.endswith("-f image.yaml -f aws-nlb.yaml"))
        self.assertTrue(shown.endswith("-f image.yaml -f aws-alb.yaml > k8s/chart.yaml"))
        self.assertIn("Create `image.yaml`", (CHECKOUT / "docs" / "helm.md").read_text())

    def test_causes(self) -> None:
        """The messages and codes in the table of causes are those of the program."""
        table = PAGE.partition("## What goes wrong")[2]
        quoted = [text.partition(" (")[0] for text in REASONS.values()]
        self.assertEqual(sum(text in table for text in quoted), 2)
        codes = set(re.findall(r"\[([A-Z]{3}\d{3})\]", table))
        self.assertLessEqual(codes, {str(code) for code in Code})
        self.assertEqual(len(codes), 2)


def fake_programs(folder: Path, access_log: Path) -> str:
    """:return: a path with a kubectl that knows only the log."""
    folder.mkdir()
    program = folder / "kubectl"
    program.write_text(f'#!/bin/sh\nexec tail -n 1 "{access_log}"\n')
    program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


class PlayTests(ProcessTestCase):
    """A process whose ConfigMap changes from that of one balancer to that of the next."""

    web: ClassVar[EchoEndpoint]
    access_log: ClassVar[Path]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        try:
            socket.create_server((STRANGER, 0)).close()
        except OSError:
            raise SkipTest(f"this system has no {STRANGER}") from None
        cls.web = cls.echo("web")
        cls.access_log = folder / "access.log"
        cls.serve(
            folder,
            ingress_manifest("web", "web.example.com", {"/": "web"}),
            *served_manifests("web", cls.web.port),
            config_map_manifest("txingress-nginx", {}, namespace="txingress"),
            config_map="txingress/txingress-nginx",
            access_log={"path": str(cls.access_log)},
            public_ports={"http": 80, "https": 443},
        )

    def configure(self, data: dict[str, str]) -> None:
        self.process.write(
            "all.yaml",
            ingress_manifest("web", "web.example.com", {"/": "web"}),
            *served_manifests("web", self.web.port),
            config_map_manifest("txingress-nginx", data, namespace="txingress"),
        )

    def seen(self, play: Play, source: str, client: str) -> str:
        """The client as the endpoint is told of it; empty if the connection is closed."""
        try:
            with HTTPClient(
                self.process.port("http"), preface=play.preface(client), source=source
            ) as connection:
                reply = connection.request(host="web.example.com", fields=play.fields(client))
        except OSError:
            return ""
        if reply.status != 200:
            return f"status {reply.status}"
        fields: dict[str, Any] = {key.lower(): value for key, value in reply.echo["fields"]}
        self.assertEqual(fields["x-real-ip"], fields["x-forwarded-for"])
        address: str = fields["x-real-ip"]
        return address

    def test_plays(self) -> None:
        """What a balancer says of the client is believed, and neither strangers nor forgeries."""
        clients = []
        for number, (name, play) in enumerate(PLAYS.items(), 1):
            data = settings(name)
            # An address of its own for each, so that none is still believed by the settings before.
            source = f"127.0.0.{number}"
            client = f"203.0.113.{number}" if play.network else source
            if play.network:
                ranges = re.split(r",\s*", data["proxy-real-ip-cidr"])
                self.assertIn(play.network, ranges, name)
                ranges[ranges.index(play.network)] = f"{source}/32"
                data = {**data, "proxy-real-ip-cidr": ",".join(ranges)}
            self.configure(data)
            seen = self.seen
            wait_until(
                lambda play=play, source=source, client=client, seen=seen: (  # type: ignore[misc]
                    seen(play, source, client) == client
                ),
                f"the client behind {name}",
            )
            expected = "" if play.version else STRANGER
            self.assertEqual(self.seen(play, STRANGER, client), expected, name)
            clients.append(client)
        wait_until(lambda: set(clients) <= self.logged(), "the clients in the log")
        self.assertNotIn(FORGED, self.logged())

    def logged(self) -> set[str]:
        """The first field of each line of the access log."""
        log = self.access_log
        lines = log.read_text().splitlines() if log.exists() else []
        return {line.partition(" ")[0] for line in lines}

    def test_forwarded_host(self) -> None:
        """A made-up host reaches the endpoint with use-forwarded-headers, and not otherwise."""
        for name, host in (("aws-alb", "made-up.example"), ("cloudflare", "web.example.com")):
            self.configure({**settings(name), "proxy-real-ip-cidr": "127.0.0.0/8"})
            field = PLAYS[name].field
            fields = f"X-Forwarded-Host: made-up.example\r\n{field}: 203.0.113.99\r\n"

            def told(fields: str = fields) -> dict[str, str]:
                with HTTPClient(self.process.port("http")) as client:
                    pairs = client.request(host="web.example.com", fields=fields).echo["fields"]
                return {key.lower(): value for key, value in pairs}

            wait_until(lambda told=told: told()["x-real-ip"] == "203.0.113.99", name)  # type: ignore[misc]
            self.assertEqual(told()["host"], host, name)

    def test_unexpected_header(self) -> None:
        """A header where none is expected is 400, with the line that the page shows."""
        self.configure({})
        play = Play(version=Version.V1)
        wait_until(lambda: self.seen(play, "", FORGED) == "status 400", "a refused header")
        wait_until(lambda: '"PROXY TCP4' in self.access_log.read_text(), "its line")

    def test_checked(self) -> None:
        """The commands that check it work as they stand there."""
        console = "".join(re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL))
        commands = re.findall(r"\$ (.*)\n((?:(?!\$ ).*\n)*)", console)
        folder = self.explained_folder()
        for command, printed in commands[:2]:
            shown = shlex.split(command.partition(" | grep ")[0])
            shown[-1] = str(folder / shown[-1])
            status, output, _ = run(*shown[1:])
            self.assertEqual(status, 0, output)
            lines = [line for line in output.splitlines() if line.startswith("client")]
            self.assertEqual(lines, printed.splitlines())
        self.configure({})
        (ask, answered), (look, logged) = commands[2:]
        place = f"--connect-to web.example.com:80:127.0.0.1:{self.process.port('http')}"
        asked = ask.replace("curl ", f"curl --interface 127.0.0.77 {place} ", 1)
        run_program("curl", "--version")
        wait_until(lambda: self.shell(asked) == answered, "an answer")
        wait_until(lambda: "127.0.0.77" in self.logged(), "its line")
        [line] = self.shell(look).splitlines()
        self.assertTrue(line.startswith("127.0.0.77 "))
        self.assertEqual(shape(line), shape(logged.strip()))

    def explained_folder(self) -> Path:
        """Write what the first commands read: an Ingress of one's own, and what the chart makes."""
        folder = self.process.folder / "explained"
        (folder / "k8s").mkdir(parents=True, exist_ok=True)
        ingress = ingress_manifest("web", "web.example.com", {"/": "web"})
        ingress["spec"]["ingressClassName"] = "twisted"  # type: ignore[index]
        for name, manifests in (
            ("web.yaml", [ingress, *served_manifests("web", self.web.port)]),
            ("chart.yaml", rendering("aws-alb").documents),
        ):
            (folder / "k8s" / name).write_text(yaml.safe_dump_all(manifests))
        (folder / "explained.yaml").write_text(FILES["explained.yaml"])
        return folder

    def shell(self, command: str) -> str:
        folder = self.process.folder / "bin"
        path = f"{folder}:{os.environ['PATH']}"
        if not folder.exists():
            path = fake_programs(folder, self.access_log)
        return subprocess.run(
            command,
            shell=True,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": path},
        ).stdout

    def test_played_by_curl(self) -> None:
        """curl plays a balancer, and without the header its connection is closed."""
        [command] = re.findall(r"^    (curl .*)$", PAGE, re.MULTILINE)
        command = command.replace("POD-ADDRESS:8080", f"127.0.0.1:{self.process.port('http')}")
        run_program("curl", "--version")
        self.configure({**settings("aws-nlb"), "proxy-real-ip-cidr": "127.0.0.0/8"})
        wait_until(lambda: '"x-real-ip"' in self.shell(command).lower(), "an answer")
        without = shlex.split(command.replace(" --haproxy-protocol", ""))
        self.assertIn(run_program(*without).returncode, (52, 56))

    def test_without_config_map(self) -> None:
        """The configuration of the page is accepted as it is."""
        text = PAGE.partition("## Without the ConfigMap")[2]
        [config] = re.findall(r"```yaml\n(.*?)```", text.partition("\n## ")[0], re.DOTALL)
        folder = self.process.folder / "without"
        folder.mkdir()
        (folder / "k8s").mkdir()
        replace_file(folder / "ingress.yaml", f"source: {{files: [k8s]}}\n{config}")
        status, output, remarks = run("check", "--config", str(folder / "ingress.yaml"))
        self.assertEqual(status, 0, f"{output}{remarks}")


def shape(line: str) -> str:
    """A line of the access log without what differs from one request to the next."""
    return re.sub(r"[0-9a-f]{32}|\d[\d.:]*", "N", re.sub(r"\[[^]]*\+0000\]", "[TIME]", line))
